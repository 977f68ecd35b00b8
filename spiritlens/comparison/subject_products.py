"""What two mean maps have in common in the *population* of facts: products of different subjects only.

The mean map of n facts is the true map plus noise, and where the same facts are asked in two modalities, the noise is
shared. The product of two mean maps then holds the noise as well: it is too small after division by the noisy lengths
(maps that are the same correlate at less than 1), and too large where facts carry their own noise into both modalities
(maps that have nothing in common correlate). A product of *different* subjects holds no noise of either kind:

    S_ab = (n² ⟨ā, b̄⟩ − Σ_i ⟨a_i, b_i⟩) / (n (n − 1)) = mean over i ≠ j of ⟨a_i, b_j⟩,   E S_ab = ⟨μ_a, μ_b⟩

(a U-statistic: Hoeffding 1948, applied here to maps). Maps are centred over cells, so ⟨ , ⟩ is a covariance over cells.

**Clusters.** Facts of one subject are excluded as pairs, and all other pairs weigh the same. With cluster sums A_c,
B_c, counts n_c and n = Σ n_c:

    S_ab = (⟨Σ A_c, Σ B_c⟩ − Σ_c ⟨A_c, B_c⟩) / (n² − Σ n_c²)

Every fact weighs the same, as in all averages here; each pair's expectation is ⟨μ_a, μ_b⟩ as clusters are independent.
Averaging facts within subjects first would weigh a subject of one fact as much as one of ten: another mean map.

**Complete maps.** Where every fact has every cell, each cluster's sum is centred over cells first, and S and its values
without each cluster are inner products of cells: ⟨Σ A − A_c, Σ B − B_c⟩ needs ⟨A_c, Σ B⟩, ⟨Σ A, B_c⟩ and ⟨A_c, B_c⟩.

**Missing cells.** Each product of two cells has its own pairs: those of facts that have the one and the other. Centring
needs all pairs of cells, ⟨μ_a, μ_b⟩ = 1/K Σ_k μ_ak μ_bk − 1/K² Σ_kl μ_ak μ_bl; cells that are missing in the same facts
(the layers of a role) are summed first, so that the double sum runs over a few patterns.

All moments are given for all data and without each cluster in turn ([1 + cluster]), for the jackknife.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spiritlens.comparison.fact_maps import FactMaps
from spiritlens.effects.clusters import Array, Whole, cluster_codes, cluster_sums, pieces
from spiritlens.effects.intervals import FEWEST_CLUSTERS

Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, eq=False)
class PopulationMoments:
    """Covariances over cells, each [1 + cluster]: of all data, then without each of `clusters`.

    `of_first`, `of_second` and `across` are products of different subjects (unbiased for the population's maps);
    `mean_first` and `mean_second` are the variances over cells of the mean maps themselves, noise and all.
    """

    of_first: Array
    of_second: Array
    across: Array
    mean_first: Array
    mean_second: Array
    clusters: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Sums:
    """Of one modality by cluster: sums and counts [cluster cell], and the same by pattern [cluster pattern]."""

    sums: Array
    counts: Array
    pattern_sums: Array
    pattern_counts: Array


def shared_cells(maps: FactMaps, fewest: int = FEWEST_CLUSTERS) -> Mask:
    """Cells that at least `fewest` clusters have in the first modality, and in the second [cell]."""
    if _is_complete(maps):
        return np.full(maps.first.shape[1], len(set(maps.clusters.tolist())) >= fewest)
    codes, n_clusters = cluster_codes(maps.clusters)
    counts = [cluster_sums(values, codes, n_clusters).n_clusters for values in (maps.first, maps.second)]
    return np.asarray(np.minimum(*counts) >= fewest)


def population_moments(maps: FactMaps) -> PopulationMoments:
    """Moments of the two maps; each cell must be held by three clusters at least (see `shared_cells`)."""
    names, codes = np.unique(maps.clusters, return_inverse=True)
    codes = codes.reshape(-1)
    if _is_complete(maps):
        return _complete_moments(maps, codes, tuple(names.tolist()))
    both = np.concatenate([~np.isnan(maps.first), ~np.isnan(maps.second)])
    patterns = _membership(np.unique(both, axis=1, return_inverse=True)[1].reshape(-1))
    first, second = (_sums(values, codes, patterns) for values in (maps.first, maps.second))
    return PopulationMoments(
        of_first=_products(first, first),
        of_second=_products(second, second),
        across=_products(first, second),
        mean_first=_variance_of_mean(first),
        mean_second=_variance_of_mean(second),
        clusters=tuple(names.tolist()),
    )


def _is_complete(maps: FactMaps) -> bool:
    """Whether every fact has every cell in both modalities."""
    return not (np.isnan(maps.first).any() or np.isnan(maps.second).any())


def _complete_moments(maps: FactMaps, codes: Whole, clusters: tuple[str, ...]) -> PopulationMoments:
    """Moments of maps without missing cells, from inner products of centred cluster sums."""
    sizes, n_cells = np.bincount(codes).astype(np.float64), maps.first.shape[1]
    first, second = (
        cluster_sums(values - values.mean(axis=1, keepdims=True), codes, len(clusters)).sums
        for values in (maps.first, maps.second)
    )  # [cluster cell]
    facts = np.concatenate([[sizes.sum()], sizes.sum() - sizes])  # of all, then without each cluster
    pairs = facts**2 - np.concatenate([[(sizes**2).sum()], (sizes**2).sum() - sizes**2])

    def products(one: Array, other: Array) -> tuple[Array, Array]:
        """Inner products of the sums without each cluster, and of each remaining cluster with itself [1 + cluster]."""
        every, own = one.sum(axis=0), np.einsum("ck,ck->c", one, other)
        of_all = other.sum(axis=0)
        left = np.concatenate([[0.0], own - one @ of_all - other @ every])
        return every @ of_all + left, own.sum() - np.concatenate([[0.0], own])

    sums = {"first": products(first, first), "second": products(second, second), "across": products(first, second)}
    with np.errstate(invalid="ignore", divide="ignore"):  # one cluster left: no pairs, NaN
        unbiased = {name: (whole - own) / pairs / n_cells for name, (whole, own) in sums.items()}
        means = {name: whole / facts**2 / n_cells for name, (whole, _) in sums.items()}
    return PopulationMoments(
        of_first=unbiased["first"],
        of_second=unbiased["second"],
        across=unbiased["across"],
        mean_first=means["first"],
        mean_second=means["second"],
        clusters=clusters,
    )


def _membership(codes: Whole) -> Array:
    """Which thing belongs to which group, as 0 and 1 [group thing]."""
    return np.asarray(codes == np.arange(codes.max() + 1)[:, None], dtype=np.float64)


def _sums(values: Array, codes: Whole, patterns: Array) -> _Sums:
    found = cluster_sums(values, codes, int(codes.max()) + 1)
    per_pattern = patterns / patterns.sum(axis=1, keepdims=True)
    return _Sums(found.sums, found.counts, found.sums @ patterns.T, found.counts @ per_pattern.T)


def _products(first: _Sums, second: _Sums) -> Array:
    """S of two modalities: of all data, then without each cluster [1 + cluster]."""
    n_clusters, n_cells = first.sums.shape
    n_patterns = first.pattern_sums.shape[1]
    ratios = (
        (_Pairs(first.sums, second.sums, "k,k->k"), _Pairs(first.counts, second.counts, "k,k->k")),
        (
            _Pairs(first.pattern_sums, second.pattern_sums, "k,l->kl"),
            _Pairs(first.pattern_counts, second.pattern_counts, "k,l->kl"),
        ),
    )
    found = np.empty(1 + n_clusters)
    with np.errstate(invalid="ignore", divide="ignore"):  # one cluster left: no pairs, NaN
        for rows in pieces(1 + n_clusters, max(n_cells, n_patterns**2)):
            same, crossed = (one.without(rows) / counts.without(rows) for one, counts in ratios)
            found[rows] = same.sum(axis=1) / n_cells - crossed.sum(axis=(1, 2)) / n_cells**2
    return found


class _Pairs:
    """Sums over pairs of different clusters of the products of two cells.

    `first` and `second` are [cluster cell]; `cells` says which cells meet ("k,k->k": each its own; "k,l->kl": all).
    """

    def __init__(self, first: Array, second: Array, cells: str) -> None:
        one, rest = cells.split("->")
        a, b = one.split(",")
        self._each, self._sums = (first, second), (first.sum(axis=0), second.sum(axis=0))
        self._products = f"c{a},c{b}->c{rest}"
        self._own = np.einsum(f"c{a},c{b}->{rest}", first, second)

    def without(self, rows: slice) -> Array:
        """The sums of all clusters in row 0, then without each cluster, in some of the rows [row cell …]."""
        some = slice(max(rows.start - 1, 0), rows.stop - 1)
        left_out = [each[some] for each in self._each]
        if rows.start == 0:
            left_out = [np.concatenate([np.zeros((1, each.shape[1])), each]) for each in left_out]
        remaining = [every - each for every, each in zip(self._sums, left_out, strict=True)]
        own = self._own - np.einsum(self._products, *left_out)
        return np.asarray(np.einsum(self._products, *remaining) - own)


def _variance_of_mean(of: _Sums) -> Array:
    """Variance over cells of the mean map [1 + cluster]."""
    sums, counts = of.sums.sum(axis=0), of.counts.sum(axis=0)
    found = [(sums / counts).var(keepdims=True)]
    for rows in pieces(*of.sums.shape):
        found.append(((sums - of.sums[rows]) / (counts - of.counts[rows])).var(axis=1))
    return np.concatenate(found)
