"""Heads: where they look, and rankings of them by any measure ``[layer head]``.

    mass = sl.heads.attention_mass(lens, prompts)["mass"].mean("prompt").sel(query="last word", key="subject")
    sl.heads.rank(mass, top=5)

`attention_mass` and `detectors` ask a model; `rank`, `overlap` and `compare_rankings` need no torch.
"""

from spiritlens.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
