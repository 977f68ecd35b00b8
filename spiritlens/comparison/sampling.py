"""How intervals of statistics of maps are made: the maps without each cluster, or bootstrap draws of clusters.

*left out*: for what is smooth in the means; the interval is that of a mean, corrected for skewness
(`spiritlens.effects.intervals`). *draws*: for what jumps, such as the layer of a peak, or has a kink, such as a
hand-over; both modalities have the same draws, in float32: their interval is no finer than that. Row 0 is
of all facts, so that the first value of a statistic is the estimate itself (of draws: to float32; the estimate is
taken from the other rows).

Ends of draws, both from expanded percentiles (`spiritlens.effects.bootstrap`):

- *percentiles*: the two themselves, widened to hold the estimate; for what takes few values (the layer of a peak).
- *mirrored*: as far to either side of the estimate as the farther percentile lies. A hand-over is the later of two
  crossings, one of half a *maximum*: noise moves the estimate to one side, and moves draws of it once more to the same
  side, so that the percentiles miss on the other (counted in docs/calibration.md).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from spiritlens.comparison.estimates import Estimate
from spiritlens.comparison.fact_maps import Names
from spiritlens.effects.bootstrap import bootstrap_weights, interval_ends, weighted_means
from spiritlens.effects.clusters import Array, Whole, cluster_codes
from spiritlens.effects.intervals import jackknife_ends, jackknife_interval, left_out_means

Rows = Literal["left out", "draws"]
Ends = Literal["percentiles", "mirrored"]

LEAST_P = 1e-6
"""Smaller p of closed intervals are not told apart."""

MOST_EMPTY_DRAWS = 0.2
"""Where more than this share of the bootstrap draws has no value (no peak, no hand-over), no interval is given."""


@dataclass(frozen=True, eq=False)
class Sampling:
    """Rows over `clusters` [fact]: all facts, then those of each row. `codes` [fact] number the clusters, `sizes`
    [cluster] are the facts of each, `weights` [1 + draw fact] those of draws (none of the maps without a cluster)."""

    rows: Rows
    weights: Array
    clusters: Names
    codes: Whole
    sizes: Array
    confidence: float

    def means(self, values: Array) -> Array:
        """Means over facts in each row [1 + row …] of `values` [fact …]."""
        if self.rows == "draws":
            return weighted_means(values, self.weights)
        return left_out_means(values, self.codes, self.n_clusters)

    @property
    def n_clusters(self) -> int:
        """How many clusters there are."""
        return len(self.sizes)

    @property
    def least_p(self) -> float:
        """Below this no p is read from the intervals: of draws, one of them."""
        return LEAST_P if self.rows == "left out" else 1 / len(self.weights)

    def at_any(
        self, values: Array, exact: float | None = None, ends_of: Ends = "percentiles"
    ) -> Callable[[float], Estimate]:
        """The estimate with its interval at any confidence, from the values of all draws [draw].

        `exact`: the estimate, where it was computed more finely than the first value. `ends_of`: how draws make ends.
        """
        value = float(values[0]) if exact is None else exact
        if np.isnan(value) or len(values) == 1:
            return lambda confidence: Estimate(value)
        if self.rows == "draws":
            return drawn_at_any(value, values[1:], self.n_clusters, ends_of)
        if np.isnan(values).any():
            return lambda confidence: Estimate(value)
        ends = jackknife_ends(values, self.sizes)
        return lambda confidence: Estimate(value, *(float(end) for end in ends(confidence)))

    def estimates(self, values: Array) -> list[Estimate]:
        """Several estimates at once, from the values without each cluster [1 + cluster statistic]."""
        low, high = jackknife_interval(values, self.sizes, self.confidence)
        ends = np.where(np.isnan(values).any(axis=0), np.nan, [low, high]).T.tolist()
        return [Estimate(value, *end) for value, end in zip(values[0].tolist(), ends, strict=True)]


def drawn_at_any(value: float, draws: Array, n_clusters: int, ends_of: Ends) -> Callable[[float], Estimate]:
    """An estimate with the interval of its bootstrap draws [draw] at any confidence; none if too many are empty."""
    if np.isnan(value) or np.isnan(draws).mean() > MOST_EMPTY_DRAWS:
        return lambda confidence: Estimate(value)
    ends = interval_ends(draws, n_clusters)  # sorted once

    def at(confidence: float) -> Estimate:
        low, high = ends(confidence)
        if ends_of == "mirrored":
            reach = max(value - low, high - value)
            return Estimate(value, value - reach, value + reach)
        return Estimate(value, min(low, value), max(high, value))

    return at


def samplings(clusters: Names, *, confidence: float, resamples: int, seed: int) -> tuple[Sampling, Sampling]:
    """Both kinds of rows over one kind of clusters."""
    codes, n_clusters = cluster_codes(clusters)
    sizes = np.bincount(codes, minlength=n_clusters).astype(np.float64)
    draws: Any = np.empty((resamples + 1, len(clusters)), dtype=np.float32)
    draws[0], draws[1:] = 1, bootstrap_weights(clusters, resamples, seed, np.float32)
    return (
        Sampling("left out", np.empty((0, len(clusters))), clusters, codes, sizes, confidence),
        Sampling("draws", draws, clusters, codes, sizes, confidence),
    )
