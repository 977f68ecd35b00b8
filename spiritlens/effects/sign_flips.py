"""Which cells differ? Tests by flipping the signs of whole clusters, and intervals that hold for all cells at once.

**Null.** The differences of each cluster are symmetric about 0, jointly over cells: had the two modalities changed
places in a fact, its differences would have the opposite sign. It is a test of *symmetry*: where a mean is 0 by a few
large and many small differences, the null is false and few facts reject it too often (8 facts: nearly always; 100:
about one study in ten). Paired measurements of one law are symmetric however skewed that law is.

1. **Statistic.** T = Σ S / √(Σ S²) over the cluster sums S of the clusters that have the cell: a monotone function of
   Student's t that flips leave comparable. A cell that some facts lack is tested over those that have it.
2. **Flips.** All 2^(c−1) of c clusters up to `EXACT_CLUSTERS` (the opposite of a flip has the same |T|), else that
   many at random as were asked for, the unflipped one among them.
3. **p over the whole family** (`max_t`): the share of flips whose largest |T| over *all* cells reaches the cell's own,
   which holds the family-wise error over one map, or over several maps and metrics (`max_t_family`). No p is below
   2^(1−c), c the clusters that have the cell: with five it cannot reach .05 (`smallest_p`).
4. **p of each cell alone** (`cell_p_values`), from which `false_discovery` holds the share of false among those found:
   Benjamini & Hochberg 1995 (cells that are independent or positively dependent), or Benjamini & Yekutieli 2001 (any).
5. **Intervals for all cells at once** (`simultaneous_interval`): ends at the quantile of the largest |t| of residuals
   whose signs are flipped, so that the interval of the cell that was *chosen* for being largest holds its promise.

Axes: ``fact`` first, then any cells; ``flip cluster`` for signs. NaN means that a fact has no such cell.

Source: Westfall & Young 1993, Resampling-Based Multiple Testing; Nichols & Holmes 2002, Human Brain Mapping 15(1);
intervals: Cameron, Gelbach & Miller 2008, Bootstrap-based improvements for inference with clustered errors.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from spiritlens.arguments import check_choice, number, whole
from spiritlens.effects.clusters import (
    NO_FACTS,
    Array,
    ClusterSums,
    Whole,
    cluster_codes,
    cluster_sums,
    given_values,
    pieces,
)
from spiritlens.effects.intervals import FEWEST_CLUSTERS, cluster_moments, hall_ends

EXACT_CLUSTERS = 12
"""Up to so many clusters all flips are enumerated: 2,048 of 12."""
ROUNDING = 1e-12
"""Two statistics that differ by less are equal."""

Dependence = Literal["any", "positive"]
"""any: Benjamini & Yekutieli, whatever the cells share; positive: Benjamini & Hochberg, if they rise together."""


Signs = np.ndarray[Any, np.dtype[np.int8]]


@dataclass(frozen=True, eq=False)
class CellTests:
    """Tests of cells, each array with the axes of one fact; NaN where no fact has the cell.

    `p_value` is adjusted for the family; `smallest_p` the least that the design allows: where it is above alpha,
    nothing could have been found. `n_facts`, `n_clusters` are those with the cell; `n_flips` those that were counted,
    `flips` whether they were all or drawn.
    """

    statistic: Array
    p_value: Array
    smallest_p: Array
    n_facts: Whole
    n_clusters: Whole
    n_flips: int
    flips: Literal["all", "drawn"]


def sign_flips(n_clusters: int, permutations: int, seed: int) -> Signs:
    """Signs of clusters [flip cluster]: all up to a common sign where clusters are few, else drawn; row 0 is all +1."""
    if n_clusters <= EXACT_CLUSTERS:
        bits = (
            np.arange(2 ** (n_clusters - 1))[:, None] >> np.arange(n_clusters) & 1
        )  # the last cluster is never flipped
        return np.asarray(1 - 2 * bits, dtype=np.int8)
    drawn = np.random.default_rng(seed).integers(0, 2, size=(permutations + 1, n_clusters), dtype=np.int8)
    drawn[0] = 0
    return np.asarray(1 - 2 * drawn, dtype=np.int8)


def max_t(values: Any, clusters: Any, *, permutations: int = 1000, seed: int = 0) -> CellTests:
    """Is each cell symmetric about 0? p adjusted for all cells, by sign flips of whole clusters.

    `values` [fact …] are paired differences. Returns `CellTests` with the axes of one fact. Raises ValueError for
    labels that do not fit the values, infinite values, or fewer than one permutation.
    """
    return max_t_family([(values, clusters)], permutations=permutations, seed=seed)[0]


def max_t_family(maps: Sequence[tuple[Any, Any]], *, permutations: int = 1000, seed: int = 0) -> tuple[CellTests, ...]:
    """`max_t` over several maps as one family, each given as (values [fact …], clusters [fact]).

    Equal labels are one cluster in all maps, which may have different facts. Returns `CellTests` for each map. Raises
    ValueError as `max_t` does, or for no map.
    """
    permutations, seed = whole("permutations", permutations, at_least=1), whole("seed", seed, at_least=0)
    sums = _sums_of_all(maps)
    statistic, units = _unit_sums(sums)
    flips = sign_flips(len(units), permutations, seed)
    largest = _largest(units, flips, statistic)
    below = np.searchsorted(np.sort(largest), np.abs(statistic) - ROUNDING, side="left")
    smallest = 2.0 ** (1 - np.maximum(sums.n_clusters, 1))
    p_value = np.maximum(1 - below / len(flips), smallest)
    return _shaped(maps, sums, statistic, p_value, smallest, flips)


def cell_p_values(values: Any, clusters: Any, *, permutations: int = 1000, seed: int = 0) -> CellTests:
    """The same tests of each cell alone, not adjusted for there being several: `p_value` is for `false_discovery`.

    Returns `CellTests` with the axes of one fact. Raises ValueError as `max_t` does.
    """
    permutations, seed = whole("permutations", permutations, at_least=1), whole("seed", seed, at_least=0)
    sums = _sums_of_all([(values, clusters)])
    statistic, units = _unit_sums(sums)
    flips = sign_flips(len(units), permutations, seed)
    own = np.abs(statistic) - ROUNDING
    reached = np.sum([(np.abs(rows @ units) >= own).sum(axis=0) for rows in _blocks(flips)], axis=0)
    smallest = 2.0 ** (1 - np.maximum(sums.n_clusters, 1))
    p_value = np.maximum(reached / len(flips), smallest)
    return _shaped([(values, clusters)], sums, statistic, p_value, smallest, flips)[0]


def false_discovery(p_values: Any, dependence: Dependence = "any") -> Array:
    """p adjusted so that among cells at or below α no more than a share α is expected to be false [as given].

    NaN stays NaN and counts for nothing. Returns the step-up adjusted values. Raises ValueError for values outside 0
    to 1, or a dependence that is none of those.
    """
    check_choice("dependence", dependence, Dependence)
    p_values = np.asarray(p_values, dtype=np.float64)
    flat = p_values.reshape(-1)
    found = flat[~np.isnan(flat)]
    if ((found < 0) | (found > 1)).any():
        raise ValueError(f"p_values go from {found.min():g} to {found.max():g}: expected numbers ≥ 0 and ≤ 1")
    ranks = np.arange(1, len(found) + 1)
    harmonic = float((1 / ranks).sum()) if dependence == "any" else 1.0
    order = np.argsort(found)
    scaled = found[order] * len(found) * harmonic / ranks
    adjusted = np.full(flat.shape, np.nan)
    stepped = np.empty(len(found))
    stepped[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    adjusted[~np.isnan(flat)] = stepped
    return adjusted.reshape(p_values.shape)


def simultaneous_interval(
    values: Any, clusters: Any, *, confidence: float = 0.95, permutations: int = 1000, seed: int = 0
) -> tuple[Array, Array]:
    """Intervals (low, high) of the means of all cells at once, each with the axes of one fact.

    In `confidence` of studies *all* of them hold the means, so also that of the cell chosen for being largest. NaN
    where fewer than `FEWEST_CLUSTERS` clusters have the cell, or all have one value. Raises ValueError as `max_t` does.
    """
    confidence = number("confidence", confidence, above=0, below=1)
    permutations, seed = whole("permutations", permutations, at_least=1), whole("seed", seed, at_least=0)
    sums, shape = _sums_of_all([(values, clusters)]), np.asarray(values).shape[1:]
    moments = cluster_moments(sums)
    se = np.sqrt(moments.variance)
    usable = (sums.n_clusters >= FEWEST_CLUSTERS) & (se > 0)
    if not usable.any():
        return np.full(shape, np.nan), np.full(shape, np.nan)
    flips = sign_flips(len(sums.sums), permutations, seed)
    places = np.flatnonzero(usable)
    some = (places[one] for one in pieces(len(places), len(sums.sums)))
    largest = np.max([_largest_t(ClusterSums(sums.sums[:, one], sums.counts[:, one]), flips) for one in some], axis=0)
    bound = np.quantile(largest, confidence, method="higher")
    skewness = np.clip(moments.third / np.where(usable, se, np.inf) ** 3, -1, 1)
    low, high = hall_ends(sums.means, se, skewness, np.full(len(se), bound))
    return np.where(usable, low, np.nan).reshape(shape), np.where(usable, high, np.nan).reshape(shape)


def _largest(units: Array, flips: Signs, statistic: Array) -> Array:
    """Largest |T| over cells under each flip [flip], as exact as comparing it with each cell's |T| needs.

    Twice as fast in float32, whose error is bounded by the number of clusters and the sizes of what is summed: flips
    that come so near to a cell's own |T| are done again in float64.
    """
    single = units.astype(np.float32)
    largest = np.concatenate(
        [np.abs(rows @ single).max(axis=1, initial=0.0) for rows in _blocks(flips, np.float32)]
    ).astype(np.float64)
    sizes = np.abs(units).sum(axis=0).max(initial=0.0)
    error = (len(units) + 2) * float(np.finfo(np.float32).eps) * float(sizes) + ROUNDING
    own = np.sort(np.abs(statistic))
    near = np.searchsorted(own, largest - error) < np.searchsorted(own, largest + error, side="right")
    if near.any():
        exactly = [np.abs(rows @ units).max(axis=1, initial=0.0) for rows in _blocks(flips[near])]
        largest[near] = np.concatenate(exactly)
    return largest


def _largest_t(sums: ClusterSums, flips: Signs) -> Array:
    """Largest |t| over cells of residuals whose signs are flipped by cluster [flip]: a wild bootstrap of t.

    With residual sums r_c of n_c facts and signs f_c, the mean is m = Σ f r / N, its variance by leaving out one
    cluster at a time Σ b_c² (f_c r_c − n_c m)²: written out, three sums over clusters.
    """
    facts = sums.counts.sum(axis=0)
    n = sums.n_clusters
    residuals = sums.sums - sums.counts * sums.means
    weight = (n - 1) / n / (facts - sums.counts) ** 2  # b²
    fixed, own = (weight * residuals**2).sum(axis=0), (weight * sums.counts**2).sum(axis=0)
    equal = bool((sums.counts == sums.counts[0]).all())  # then the third sum is a multiple of the mean
    alike = weight[0] * sums.counts[0] * facts
    largest = []
    for rows in _blocks(flips):
        mean = rows @ (residuals / facts)
        squares = mean**2
        if equal:
            variance = fixed + squares * (own - 2 * alike)
        else:
            variance = fixed - 2 * mean * (rows @ (weight * residuals * sums.counts)) + squares * own
        variance = np.maximum(variance, ROUNDING * fixed)
        t = np.divide(squares, variance, out=np.zeros_like(mean), where=variance > 0)
        largest.append(np.sqrt(t.max(axis=1)))
    return np.concatenate(largest)


def _sums_of_all(maps: Sequence[tuple[Any, Any]]) -> ClusterSums:
    """Cluster sums of all cells of all maps, side by side [cluster cell]."""
    if not maps:
        raise ValueError(NO_FACTS)
    flat = [given_values(values, clusters) for values, clusters in maps]
    codes, n_clusters = cluster_codes(np.concatenate([np.asarray(clusters) for _, clusters in maps]))
    ends = np.cumsum([len(one) for one in flat])[:-1]
    parts = [cluster_sums(one, own, n_clusters) for one, own in zip(flat, np.split(codes, ends), strict=True)]
    if len(parts) == 1:
        return parts[0]
    sums, counts = (np.concatenate([getattr(one, name) for one in parts], axis=1) for name in ("sums", "counts"))
    return ClusterSums(sums, counts)


def _unit_sums(sums: ClusterSums) -> tuple[Array, Array]:
    """T of each cell [cell], and cluster sums of length 1 [cluster cell]; 0 where all sums are."""
    scale = np.sqrt(np.einsum("ck,ck->k", sums.sums, sums.sums))
    units = sums.sums / np.where(scale > 0, scale, np.inf)
    return np.asarray(units.sum(axis=0)), units


def _blocks(flips: Signs, precision: Any = np.float64) -> Iterator[Array]:
    """Rows of flips as numbers, so many at a time as are worked on at once."""
    return (flips[rows].astype(precision) for rows in pieces(*flips.shape))


def _shaped(
    maps: Sequence[tuple[Any, Any]], sums: ClusterSums, statistic: Array, p_value: Array, smallest: Array, flips: Signs
) -> tuple[CellTests, ...]:
    """Tests of each map with its own axes."""
    shapes = [np.asarray(values).shape[1:] for values, _ in maps]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    absent = sums.n_clusters == 0
    arrays = {
        "statistic": np.where(absent, np.nan, statistic),
        "p_value": np.where(absent, np.nan, p_value),
        "smallest_p": np.where(absent, np.nan, smallest),
        "n_facts": sums.n_facts,
        "n_clusters": sums.n_clusters,
    }
    split = {name: np.split(array, ends) for name, array in arrays.items()}
    kind: Literal["all", "drawn"] = "all" if flips.shape[1] <= EXACT_CLUSTERS else "drawn"
    return tuple(
        CellTests(
            **{name: parts[place].reshape(shape) for name, parts in split.items()}, n_flips=len(flips), flips=kind
        )
        for place, shape in enumerate(shapes)
    )
