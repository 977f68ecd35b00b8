"""Estimates, and what is said of a difference where intervals come from several ways of clustering.

An `Estimate` is a number with its interval. `judged_mean` is `spiritlens.comparison.equivalence.judge_mean` with two
rules for differences that do not vary, of which no interval can be made:

- where all facts differ by no more than rounding (`floor`, ten noise floors), the two are *equivalent*: the numbers
  are the same;
- where all facts differ by the same, more than rounding, a sign test decides: *different* where the difference reaches
  δ and 2^(1 − clusters) ≤ alpha.

Both need `FEWEST_CLUSTERS` clusters. Where differences vary, *different* needs the interval and a sign-flip test of the
mean, which is exact where both modalities have one law; their p is the larger of the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spiritlens.comparison.equivalence import Judged, Verdict, judge_mean
from spiritlens.comparison.fact_maps import Names
from spiritlens.comparison.rules import Rules
from spiritlens.effects.clusters import Array
from spiritlens.effects.intervals import FEWEST_CLUSTERS, SAME, cluster_interval
from spiritlens.effects.sign_flips import cell_p_values

FLIPS = 2000
ROUNDING = "equal to rounding in every fact"
ALL_ALIKE = "every fact differs by the same"


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; NaN where it could not be computed."""

    value: float
    low: float = float("nan")
    high: float = float("nan")

    @property
    def excludes_zero(self) -> bool:
        """The interval lies wholly on one side of 0 (never where there is no interval)."""
        return self.low > 0 or self.high < 0

    def __repr__(self) -> str:
        if np.isnan(self.value):
            return "–"
        return two_digits(self.value) + bounds(self.low, self.high)


def two_digits(value: float) -> str:
    """With two digits, a real minus sign, and none before 0.00."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def bounds(low: float, high: float) -> str:
    """`` [low, high]``; nothing where there is no interval."""
    return "" if np.isnan(low) else f" [{two_digits(low)}, {two_digits(high)}]"


def mean_estimate(values: Array, ways: Sequence[Names], rules: Rules, floor: float) -> Estimate:
    """Mean over facts, with its interval over clusters [fact]."""
    found = cluster_interval(values, *ways, confidence=rules.confidence, floor=floor)
    return Estimate(float(found.mean), float(found.low), float(found.high))


def judged_mean(differences: Array, ways: Sequence[Names], rules: Rules, *, margin: float, floor: float) -> Judged:
    """A mean difference over facts, `differences` [fact], against 0 and against the margin."""
    second = ways[1] if len(ways) > 1 else None
    found = judge_mean(differences, ways[0], margin=margin, second=second, alpha=rules.alpha, floor=floor)
    there = differences[~np.isnan(differences)]
    n_clusters = min(len(set(way[~np.isnan(differences)].tolist())) for way in ways)
    if n_clusters < FEWEST_CLUSTERS:
        return found
    if np.abs(there).max() <= floor:
        return _alike(found, "equivalent", ROUNDING)
    if np.ptp(there) <= max(floor, SAME * np.abs(there).max()):
        p = 2.0 ** (1 - n_clusters)
        surely = abs(found.value) >= margin and p <= rules.alpha
        return _alike(found, "different" if surely else "undecided", ALL_ALIKE, p)
    if found.verdict == "different":
        p = max(float(cell_p_values(differences, way, permutations=FLIPS).p_value) for way in ways)
        found = replace(found, p=max(p, found.p))
        return found if p <= rules.alpha else replace(found, verdict="undecided", why=f"sign flips: p = {p:.2g}")
    return found


def _alike(found: Judged, verdict: Verdict, why: str, p: float = 1.0) -> Judged:
    return Judged(found.value, found.value, found.value, found.margin, 0.0, verdict, why, p)


def widest(estimates: Sequence[Estimate]) -> Estimate:
    """One estimate whose interval holds those of all ways of clustering; none where one has none."""
    lows, highs = [one.low for one in estimates], [one.high for one in estimates]
    if np.isnan([*lows, *highs]).any():
        return Estimate(estimates[0].value)
    return Estimate(estimates[0].value, min(lows), max(highs))
