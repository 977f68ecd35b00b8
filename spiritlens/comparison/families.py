"""Which differences are told, where a page tests several: any false one among them at most as often as alpha.

A comparison tests differences of *total effects*, of *cells*, and of *layers* (peaks, centres, hand-overs), and some of
them in a second metric as well. Each at alpha of its own, one of them would be false in 9 of 100 studies of one
mechanism. So the families share alpha:

1. **Between families** alpha is divided evenly. A family of which every difference is told passes its part on to the
   others (Holm 1979; for families: Bretz, Maurer, Brannath & Posch 2009, a graph whose last node passes on). What each
   of the others then has is the *level* of the comparison.
2. **Within a family** Holm's step-down: the smallest p against level/m, the next against level/(m − 1) …
3. **Cells** are adjusted for all cells of their map by max-T already. A map is never told to differ in every cell, so
   cells pass nothing on; the maps of two metrics share the level evenly, where they are not one family.

With strong dependence (two metrics, centre and peak) less is told than could be; nothing is assumed of it. Intervals
are as they were, each at 1 − alpha: one may exclude 0 though its difference is not told, which is then said.

Equivalence needs no sharing: each is told at a level of its own (`spiritlens.comparison.equivalence`).
"""

from collections.abc import Sequence

import numpy as np

from spiritlens.effects.clusters import Array

Flags = list[bool]

NEVER_ALL = (1.0,)
"""The p of a family that passes nothing on."""


def holm(p_values: Sequence[float], level: float) -> Flags:
    """Which of one family are told at a level, each by its p; NaN (not tested) is not, and counts for nothing."""
    given: Array = np.asarray(p_values, dtype=np.float64)
    told = [False] * len(given)
    tested = [int(place) for place in np.argsort(given) if not np.isnan(given[place])]
    for rank, place in enumerate(tested):
        if given[place] > level / (len(tested) - rank):
            break
        told[place] = True
    return told


def shared_level(families: Sequence[Sequence[float]], alpha: float) -> float:
    """The level of each family, of the p of each: alpha itself where there is one, more than alpha/m where some are
    wholly told. Families without a test do not count."""
    waiting = [[p for p in family if not np.isnan(p)] for family in families]
    waiting = [family for family in waiting if family]
    level = alpha / max(1, len(waiting))
    while True:
        rest = [family for family in waiting if not all(holm(family, level))]
        if not rest or len(rest) == len(waiting):
            return level
        waiting, level = rest, alpha / len(rest)
