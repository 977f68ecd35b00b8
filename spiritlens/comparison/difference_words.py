"""A judged difference in words, as strong as its verdict: with its interval, its margin, or what would be found."""

import numpy as np

from spiritlens.comparison.equivalence import Judged
from spiritlens.comparison.estimates import bounds, two_digits

UNDECIDED = "neither a difference nor equality is shown"


def difference(judged: Judged, more: str, less: str, unit: str = "") -> str:
    """A difference in words, as strong as its verdict."""
    if np.isnan(judged.value):
        return f"a difference could not be computed ({judged.why})" if judged.why else "it could not be computed"
    numbers, held = two_digits(judged.value), bounds(judged.low, judged.high)
    within = f"{judged.margin:.2g} {unit}".strip()
    if judged.verdict == "equivalent":
        why = f"; {judged.why}" if judged.why else ""
        return f"equivalent within {within} (difference {numbers}{held}{why})"
    if judged.verdict == "undecided":
        least = "" if np.isnan(judged.detectable) else f"; one of {judged.detectable:.2g} would have been found"
        why = f"; {judged.why}" if judged.why else ""
        return f"{UNDECIDED} (difference {numbers}{held}{least}{why})"
    low, high = sorted((abs(judged.low), abs(judged.high)))
    return f"{two_digits(abs(judged.value))}{bounds(low, high)} {more if judged.value > 0 else less}"
