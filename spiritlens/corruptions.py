"""Corruptions: what disturbs a run, by how much, and what a corruption of one's own is asked.

`sl.Noise` and the base class `sl.Corruption` are there by themselves; here are other tokens (`Replacement`), knock-out
(`KnockOut`), the scale of noise as a value (`NoiseScale`) and as prompts have it (`noise_scale`), the span of a
control, and the request that `Corruption.embeddings` answers.
"""

from spiritlens.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
