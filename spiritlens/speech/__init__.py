"""Speech: sound becomes units with times, text becomes sound with word times, and words meet units.

Axes: ``time`` (samples at 16 kHz), ``frame`` (one encoder step, 40 ms at 25 Hz), ``unit`` (after equal neighbours are
merged). Times are seconds from the start of the audio.

`audio` reads any sound to its end; `encoders` turn it into units, `units` keeps their times; `voices` speak through
`engines`; `words` are words with times, `word_files` reads them from every aligner, `alignment` finds them and says
which unit is whose; `recognition` asks what is heard and counts the word errors; `recordings` works through whole sets.
"""

from spiritlens.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
