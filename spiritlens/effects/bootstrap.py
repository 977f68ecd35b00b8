"""Resampling over facts, by clusters: bootstrap draws, and intervals of what is no mean.

Facts about the same subject stand and fall together, so the *cluster* (the subject) is what is drawn: a bootstrap draw
takes whole clusters with all their facts. Noise samples, voices and phrasings of a fact are averaged before they come
here; they are never drawn. Means over facts have closed intervals (`spiritlens.effects.intervals`), and cells are
tested by sign flips (`spiritlens.effects.sign_flips`); draws are for correlations, centres and peaks.

Axes: ``fact`` first, then any cells. NaN means that a fact has no such cell; it counts for nothing there.

Interval: the *expanded percentile* interval, which widens the percentiles so that for a mean of n normal values the
interval has the length of Student's, not of a too short normal one (Hesterberg 2015, "What teachers should know about
the bootstrap", The American Statistician 69(4)); n is the number of clusters. None below `FEWEST_CLUSTERS` of them.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from spiritlens.effects.clusters import Array, cluster_codes
from spiritlens.effects.intervals import FEWEST_CLUSTERS

ROWS_AT_ONCE = 512
"""Draws that are made at once: what is counted for them stays in the processor's cache."""


def bootstrap_weights(clusters: Any, resamples: int = 1000, seed: int = 0, precision: Any = np.float64) -> Array:
    """How often each fact is drawn [resample fact]: clusters with replacement, all facts of a cluster together."""
    if resamples < 1:
        raise ValueError(f"resamples={resamples}: at least 1 is needed (1000 is usual)")
    codes, n_clusters = cluster_codes(clusters)
    rng, weights = np.random.default_rng(seed), np.empty((resamples, len(codes)), dtype=precision)
    for start in range(0, resamples, ROWS_AT_ONCE):
        rows = min(ROWS_AT_ONCE, resamples - start)
        drawn = rng.integers(0, n_clusters, size=(rows, n_clusters))
        drawn += np.arange(rows)[:, None] * n_clusters
        counts = np.bincount(drawn.reshape(-1), minlength=rows * n_clusters).reshape(rows, n_clusters)
        weights[start : start + rows] = counts.take(codes, axis=1)
    return np.asarray(weights)


def weighted_means(values: Any, weights: Array) -> Array:
    """Mean over facts under each row of weights [resample …]; NaN facts are left out, NaN where none is left.

    One product of the weights with the matrix of facts and cells; a second only for cells that some facts lack. In the
    precision of the weights: many draws are as well, and sooner, in float32.
    """
    values = np.asarray(values, dtype=weights.dtype)
    flat = values.reshape(len(values), -1)
    missing = np.isnan(flat)
    partly = missing.any(axis=0)
    counts = weights.sum(axis=1, keepdims=True)
    if partly.any():
        flat = np.where(missing, 0.0, flat)
        counts = np.repeat(counts, flat.shape[1], axis=1)
        counts[:, partly] = weights @ (~missing[:, partly]).astype(weights.dtype)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (weights @ flat) / counts
    return np.asarray(means.reshape(len(weights), *values.shape[1:]))


def interval_ends(draws: Any, n_clusters: int) -> Callable[[float], tuple[float, float]]:
    """Expanded percentile interval of bootstrap draws [resample] at any confidence; the draws are sorted once.

    NaN for fewer than `FEWEST_CLUSTERS` clusters. Draws that are NaN (a role that no drawn fact has) are left out.
    """
    draws = np.asarray(draws, dtype=np.float64)
    ordered = np.sort(draws[~np.isnan(draws)])

    def ends(confidence: float) -> tuple[float, float]:
        if n_clusters < FEWEST_CLUSTERS:
            return float("nan"), float("nan")
        tail = _tail(n_clusters, confidence)
        return _quantile(ordered, tail), _quantile(ordered, 1 - tail)

    return ends


def _tail(n_clusters: int, confidence: float) -> float:
    """The share of draws beyond either end, expanded as the length of Student's interval asks."""
    quantile = scipy.special.stdtrit(n_clusters - 1, (1 - confidence) / 2)
    return float(scipy.special.ndtr(np.sqrt(n_clusters / (n_clusters - 1)) * quantile))


def _quantile(ordered: Array, level: float) -> float:
    """Quantile of sorted values, between its two neighbours."""
    place = level * (len(ordered) - 1)
    below = min(int(place), len(ordered) - 1)
    lower, upper = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
    return lower + (upper - lower) * (place - below)
