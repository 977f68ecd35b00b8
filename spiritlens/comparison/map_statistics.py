"""Numbers that describe maps and curves: agreement, reliability, hand-over, mass by role.

Axes: maps are [draw cell] or [draw role layer], curves [draw layer]; ``draw`` counts bootstrap draws (or is 1 for the
estimate itself). Layers that were not measured are NaN and passed over. Nothing is averaged over draws here, so
intervals stay to the caller. Centres and peaks: `spiritlens.comparison.shifts`.

None of these numbers changes when a map is multiplied by a positive number: they tell *where* effects are, not how
large.

Sources: split-half reliability with the correction of Spearman (1910) and Brown (1910); the ceiling of a correlation of
two noisy maps is the geometric mean of their reliabilities (Spearman 1904).
"""

from typing import Any

import numpy as np
import scipy.stats

from spiritlens.comparison.shifts import peaks
from spiritlens.effects.bootstrap import weighted_means
from spiritlens.effects.clusters import Array


def pearson(first: Array, second: Array) -> Array:
    """Correlation over cells of each draw [draw]; NaN where a map is flat."""
    first = first - first.mean(axis=1, keepdims=True)
    second = second - second.mean(axis=1, keepdims=True)
    scale = np.sqrt(_products(first, first) * _products(second, second))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(scale > 0, _products(first, second) / scale, np.nan))


def _products(first: Array, second: Array) -> Array:
    """Sum of products over cells [draw]."""
    return np.asarray(np.einsum("dc,dc->d", first, second))


def spearman(first: Array, second: Array) -> Array:
    """Rank correlation over cells of each draw [draw]: says whether the order of cells agrees."""
    return pearson(ranks(first), ranks(second))


def ranks(values: Array) -> Array:
    """Rank of each cell within its draw, from 1 [draw cell]; equal cells share their mean rank, draws with NaN are NaN.

    Without equal cells, which is how bootstrap draws are, one sort does; with them SciPy's (four times as long).
    """
    order = np.argsort(values, axis=1)
    places = np.empty(values.shape)
    np.put_along_axis(places, order, np.arange(1.0, values.shape[1] + 1)[None], axis=1)
    ordered = np.sort(values, axis=1)  # sooner than by the order
    equal = ~(ordered[:, 1:] > ordered[:, :-1]).all(axis=1)  # or NaN
    if equal.any():
        places[equal] = scipy.stats.rankdata(values[equal], axis=1, nan_policy="propagate")
    return places


def split_half_reliability(values: Array, clusters: Any, splits: int = 200, seed: int = 0) -> float:
    """Reliability of the mean map over facts, of `values` [fact cell].

    The correlation of the maps of two random halves of the subjects, corrected to the full number of facts; NaN for
    fewer than four subjects, 0 where halves do not agree.
    """
    names, codes = np.unique(np.asarray(clusters), return_inverse=True)
    if len(names) < 4:
        return float("nan")
    rng = np.random.default_rng(seed)
    order = np.stack([rng.permutation(len(names)) for _ in range(splits)])
    inside = (order < len(names) // 2)[:, codes.reshape(-1)].astype(np.float64)
    half = float(np.nanmean(pearson(weighted_means(values, inside), weighted_means(values, 1 - inside))))
    return max(0.0, 2 * half / (1 + half)) if half > -1 else 0.0


def handovers(subject: Array, other: Array, least: Any = 0.0) -> Array:
    """Place at which another role's curve takes over from the subject's, at or after the subject's peak [draw].

    It takes over where it is no lower than the subject, at least half of its own maximum, and at least `least` [draw]
    or one number: two curves that are both 0 cross everywhere. Interpolated between layers; NaN where it never does,
    or where the subject itself never reaches `least`.
    """
    rows, n_layers = np.arange(len(subject)), subject.shape[1]
    least = np.broadcast_to(np.asarray(least, dtype=np.float64), (len(subject),))[:, None]
    peak = peaks(subject, np.arange(n_layers))[:, None]
    highest = np.nan_to_num(other, nan=-np.inf).max(axis=1, keepdims=True)
    start = np.nan_to_num(peak).astype(np.int64)
    lead = other - subject
    carries = (peak >= 0) & (np.nan_to_num(subject, nan=-np.inf).max(axis=1, keepdims=True) >= least)
    ahead = (lead >= 0) & (other >= highest / 2) & (other >= least) & (np.arange(n_layers) >= start) & carries
    at = ahead.argmax(axis=1)
    before = np.maximum(at - 1, 0)
    early, step = lead[rows, before], lead[rows, at] - lead[rows, before]
    with np.errstate(invalid="ignore", divide="ignore"):
        between = np.where((at > start[:, 0]) & (early < 0), before - early / np.where(step > 0, step, 1.0), at)
    return np.where(ahead.any(axis=1), between, np.nan)


def role_shares(maps: Array) -> Array:
    """Share of the mass that lies in each role [draw role], of maps [draw role layer]; absent roles have 0.

    Masses are signed, so noise of either sign cancels and adds to no role: a share may be below 0. NaN where the whole
    is not above 0.
    """
    mass = np.nan_to_num(maps).sum(axis=2)
    total = mass.sum(axis=1, keepdims=True)
    return np.where(total > 0, mass / np.where(total > 0, total, 1.0), np.nan)
