"""Speech engines behind the `Voice` protocol: espeak-ng, flite, festival and piper.

Each C library runs in a process of its own (`process`), which forks one child per utterance: the library's hidden state
(espeak-ng's noise, flite's random numbers) is then the same for each utterance, so that the samples depend on text,
voice and settings only. It also keeps the GPL library at arm's length, and C code away from torch's threads.
"""
