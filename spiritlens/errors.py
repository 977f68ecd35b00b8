"""Errors that can be caught by name; every one tells what was given, the rule and the remedy.

All are ValueErrors, but `EngineError` (OSError: a speech engine that is not there, or failed) and
`OfficialPackageMissing` (ImportError). `CallError` and `ShapeError` are TypeErrors as well.
"""

from spiritlens.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
