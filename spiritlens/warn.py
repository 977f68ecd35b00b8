"""Warnings that point to the line of the user's that led to them, however deep in the toolkit they arise."""

import sys
import warnings

BETWEEN = ("spiritlens", "jaxtyping", "beartype", "contextlib", "functools", "torch")
"""Packages whose frames may stand between the user's line and the warning."""


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the nearest caller outside of `BETWEEN`."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
