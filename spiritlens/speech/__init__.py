"""Speech: sound becomes units with times, text becomes sound with word times, and words meet units.

Axes: ``time`` (samples at 16 kHz), ``frame`` (one encoder step, 40 ms at 25 Hz), ``unit`` (after equal neighbours are
merged). Times are seconds from the start of the audio.

`waveform` reads any sound file; `encoders` and `hubert` turn sound into units (`loading` and `torch_files` open their
files), `units` keeps their times; `synthesis` speaks (`engines`), `cache` remembers; `alignment`, `word_sources`,
`forced_alignment` and `shared_words` say which word is when; `recordings` works through whole sets; `official` is
SpiritLM's own package.
"""
