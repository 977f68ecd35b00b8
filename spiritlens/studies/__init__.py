"""The main job: facts are spoken, asked in both modalities, traced, compared and put on a page."""

from spiritlens.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
