"""Resampling over facts: bootstrap intervals and sign-flip tests, both by clusters.

Facts about the same subject stand and fall together, so the *cluster* (the subject) is what is drawn: a bootstrap draw
takes whole clusters with all their facts, a permutation flips the sign of whole clusters. Noise samples, voices and
phrasings of a fact are averaged before they come here; they are never drawn.

Axes: ``fact`` first, then any cells. NaN means that a fact has no such cell; it counts for nothing there.

Bootstrap interval: the *expanded percentile* interval, which widens the percentiles so that for a mean of n normal
values the interval has the length of Student's, not of a too short normal one (Hesterberg 2015, "What teachers should
know about the bootstrap", The American Statistician 69(4)); n is the number of clusters that have the cell.

Max-T: each cell's statistic is T = Σ S / √(Σ S²) over cluster sums S, a monotone function of Student's t that sign
flips leave comparable; a cell's p is the share of flips whose largest |T| over *all* cells reaches the cell's own,
which holds the family-wise error over the whole map (Westfall & Young 1993).
"""

from typing import Any

import numpy as np
import scipy.stats

Array = np.ndarray[Any, np.dtype[np.float64]]


def bootstrap_weights(clusters: Any, resamples: int = 1000, seed: int = 0) -> Array:
    """How often each fact is drawn [resample fact]: clusters with replacement, all facts of a cluster together."""
    if resamples < 1:
        raise ValueError(f"resamples={resamples}: at least 1 is needed (1000 is usual)")
    codes, n_clusters = _cluster_codes(clusters)
    draws = np.random.default_rng(seed).multinomial(n_clusters, np.full(n_clusters, 1 / n_clusters), size=resamples)
    return np.asarray(draws[:, codes], dtype=np.float64)


def weighted_means(values: Any, weights: Array) -> Array:
    """Mean over facts under each row of weights [resample …]; NaN facts are left out, NaN where none is left."""
    values = np.asarray(values, dtype=np.float64)
    flat = values.reshape(len(values), -1)
    present = ~np.isnan(flat)
    count = weights @ present.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (weights @ np.where(present, flat, 0.0)) / count
    return np.asarray(means.reshape(len(weights), *values.shape[1:]))


def interval(draws: Any, n_clusters: int, confidence: float = 0.95) -> tuple[Array, Array]:
    """Expanded percentile interval of bootstrap draws [resample …]; NaN for fewer than two clusters.

    Draws that are NaN (a role that no drawn fact has) are left out.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence}: expected a share between 0 and 1, such as 0.95")
    draws = np.asarray(draws, dtype=np.float64)
    if n_clusters < 2:
        return np.full(draws.shape[1:], np.nan), np.full(draws.shape[1:], np.nan)
    quantile = scipy.stats.t.ppf((1 - confidence) / 2, n_clusters - 1)
    tail = float(scipy.stats.norm.cdf(np.sqrt(n_clusters / (n_clusters - 1)) * quantile))
    low, high = _nan_quantiles(draws, (tail, 1 - tail))
    return low, high


def bootstrap_mean(
    values: Any, clusters: Any, *, confidence: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[Array, Array, Array]:
    """Mean over facts and its interval (mean, low, high), each with the shape of one fact's cells.

    A cell's interval rests on the clusters that have the cell: NaN where they are fewer than two.
    """
    values = np.asarray(values, dtype=np.float64)
    mean = weighted_means(values, np.ones((1, len(values))))[0]
    draws = weighted_means(values, bootstrap_weights(clusters, resamples, seed)).reshape(resamples, -1)
    counts = _clusters_with(values, clusters)
    low, high = np.full(len(counts), np.nan), np.full(len(counts), np.nan)
    for count in np.unique(counts):
        cells = counts == count
        low[cells], high[cells] = interval(draws[:, cells], int(count), confidence)
    return mean, low.reshape(mean.shape), high.reshape(mean.shape)


def max_t(values: Any, clusters: Any, *, permutations: int = 1000, seed: int = 0) -> tuple[Array, Array]:
    """Is the mean of each cell zero? Statistic T and p adjusted for all cells, by sign flips of whole clusters.

    `values` [fact …] are differences that are symmetric about 0 under the null. With c clusters no p is below 2^(1−c).
    """
    values = np.asarray(values, dtype=np.float64)
    if permutations < 1:
        raise ValueError(f"permutations={permutations}: at least 1 is needed (1000 is usual)")
    codes, n_clusters = _cluster_codes(clusters)
    flat = values.reshape(len(values), -1)
    sums = np.zeros((n_clusters, flat.shape[1]))
    np.add.at(sums, codes, np.nan_to_num(flat))
    scale = np.sqrt((sums**2).sum(axis=0))
    unusable = (scale == 0) | np.isnan(flat).all(axis=0)
    scale = np.where(unusable, np.inf, scale)
    statistic = sums.sum(axis=0) / scale
    flips = np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), size=(permutations, n_clusters))
    largest = np.abs(flips @ (sums / scale)).max(axis=1)
    reached = (largest[:, None] >= np.abs(statistic) - 1e-12).sum(axis=0)
    p_value = (1 + reached) / (1 + permutations)
    empty = np.isnan(flat).all(axis=0)
    shape = values.shape[1:]
    return np.where(empty, np.nan, statistic).reshape(shape), np.where(empty, np.nan, p_value).reshape(shape)


def _cluster_codes(clusters: Any) -> tuple[np.ndarray[Any, np.dtype[np.int64]], int]:
    names, codes = np.unique(np.asarray(clusters), return_inverse=True)
    if not len(names):
        raise ValueError("no facts: there is nothing to draw from (were all facts unknown?)")
    return codes.reshape(-1), len(names)


def _clusters_with(values: Array, clusters: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """How many clusters have each cell, of `values` [fact …]: [cell]."""
    codes, n_clusters = _cluster_codes(clusters)
    present = np.zeros((n_clusters, int(np.prod(values.shape[1:]))), dtype=np.int64)
    np.maximum.at(present, codes, (~np.isnan(values)).reshape(len(values), -1).astype(np.int64))
    return np.asarray(present.sum(axis=0))


def _nan_quantiles(draws: Array, levels: tuple[float, float]) -> Array:
    """Quantiles along the first axis, skipping NaN, without the warning for cells that are NaN throughout."""
    empty = np.isnan(draws).all(axis=0)
    filled = np.where(empty, 0.0, draws)
    quantiles = (
        np.nanquantile(filled, levels, axis=0) if np.isnan(filled).any() else np.quantile(filled, levels, axis=0)
    )
    return np.where(empty, np.nan, quantiles)
