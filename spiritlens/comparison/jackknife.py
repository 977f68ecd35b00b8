"""Intervals of statistics that are no means, by leaving out one subject after another.

A statistic θ of c clusters (subjects with all their facts) is computed c times more, each time without one of them:
θ₍₁₎ … θ₍c₎. How far these lie apart tells how far θ itself may lie from the truth (delete-one-cluster jackknife):

    error² = (c − 1)/c · Σ (θ₍d₎ − mean θ₍·₎)²,   interval = θ ± t(c − 1) · error

Nothing is drawn, so the same data always give the same interval. Two statistics of the same subjects are compared by
their difference, whose deviations are subtracted subject by subject: what a subject does to both cancels. Subjects that
only one of the two has count for that one alone, so statistics of other subjects are compared as independent ones.

Sources: Quenouille (1956); Tukey (1958); for clusters Wolter (2007), Introduction to Variance Estimation, chapter 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.special

from spiritlens.effects.clusters import Array
from spiritlens.effects.intervals import FEWEST_CLUSTERS


@dataclass(frozen=True, eq=False)
class Jackknifed:
    """A statistic, and how much it moves where a cluster is left out.

    `deviations` [cluster] are √((c − 1)/c) · (θ₍d₎ − mean θ₍·₎), in the order of `clusters`; their squares add up to
    the square of the standard error. `smallest` is the number of clusters that the degrees of freedom are taken of.
    """

    value: float
    deviations: Array
    clusters: tuple[str, ...]
    smallest: int

    @property
    def error(self) -> float:
        """Standard error; NaN where the statistic has no value without one of the clusters."""
        return float(np.sqrt((self.deviations**2).sum()))

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Student's interval (low, high) at this confidence; NaN below `FEWEST_CLUSTERS` clusters."""
        if self.smallest < FEWEST_CLUSTERS:
            return float("nan"), float("nan")
        reach = float(scipy.special.stdtrit(self.smallest - 1, (1 + confidence) / 2)) * self.error
        return self.value - reach, self.value + reach


def jackknifed(values: Array, clusters: Sequence[str]) -> Jackknifed:
    """A statistic from its value in all data, `values[0]`, and without each of the `clusters`, `values[1:]`."""
    without = np.asarray(values[1:], dtype=np.float64)
    count = len(without)
    deviations = np.sqrt((count - 1) / count) * (without - without.mean())
    return Jackknifed(float(values[0]), deviations, tuple(clusters), count)


def difference(first: Jackknifed, second: Jackknifed) -> Jackknifed:
    """first − second; a cluster that both have moves both at once."""
    places = {name: place for place, name in enumerate(dict.fromkeys((*first.clusters, *second.clusters)))}
    deviations = np.zeros(len(places))
    for sign, one in ((1.0, first), (-1.0, second)):
        deviations[[places[name] for name in one.clusters]] += sign * one.deviations
    return Jackknifed(first.value - second.value, deviations, tuple(places), min(first.smallest, second.smallest))
