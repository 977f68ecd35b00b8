"""What limits a mean? Shares of variance of relations, subjects, facts, voices, phrasings and noise samples.

A measured value is a sum of independent deviations, one for each *level* of each *source*: that of its relation, its
subject, its fact, its voice, its phrasing, and what is left from one row to the next. An interval over facts says
nothing of other voices if there was one; which source limits a claim is seen from the variance each brings to the mean.

1. **Components** (`variance_components`). Two rows differ by the deviations of the sources whose levels they do not
   share: E (y_i − y_j)²/2 = Σ σ_f² over the sources f in which i and j differ. Pairs of rows are pooled by the set of
   sources in which they differ, and the means of their half squared differences are solved for the σ², weighted by
   the number of pairs over the square of what is expected there. The equations hold for any design, however unbalanced;
   balanced nested designs, and two crossed sources, give the analysis of variance (expected mean squares = found ones).
   An estimate may be below 0, which tells that the source is small; its share is then 0.
2. **Variance of the mean.** Facts weigh the same, and the rows of a fact among themselves. A level with weight w brings
   σ² w²: the source brings σ²/n, n = 1 / Σ w² being its effective number of levels.
3. **Plan** (`more_levels`). How many more levels of a source would halve the standard error, alone? With more levels
   of a source come more of those nested in it (facts bring samples, relations bring facts). None, however many, do so
   where the other sources keep the variance above a quarter of today's.

Not told apart: sources with one level (one voice: its variance is unknown, not 0), and sources whose levels coincide
(each fact its own subject), which are taken as one under the name of the first.

Axes: ``row``, one measured value each; labels of sources [row]. Units: squares of the values'.

Source: Koch 1968, Some further remarks concerning "A general approach to the estimation of variance components",
Technometrics 10(3) (squared differences); Searle, Casella & McCulloch 1992, Variance Components.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import ceil, inf
from typing import Any

import numpy as np

from spiritlens.effects.clusters import Array, Whole, cluster_codes, pairs_of

REST = "remainder"
"""Source of what differs between rows that share all levels: noise samples where rows are samples, else prompts."""
UNKNOWN = float("nan")
STEPS = 5
"""Rounds in which weights are taken from the estimates of the round before."""


@dataclass(frozen=True)
class VarianceComponent:
    """One source: its levels, its variance (which may come out below 0), and its part of the variance of the mean.

    `share` is that of a single row's variance, `share_of_mean` of the variance of the mean over all; `effective` the
    number of equal levels that would weigh as these do; `more` how many more levels would halve the standard error of
    the mean (infinite where none would, NaN where the source has no estimate). NaN where the source has one level.
    """

    source: str
    n_levels: int
    effective: float
    variance: float
    share: float
    share_of_mean: float
    more: float

    def __repr__(self) -> str:
        if np.isnan(self.variance):
            return f"{self.source}: {self.n_levels} level, variance unknown"
        shares = f"{self.share:.0%} of a value's variance, {self.share_of_mean:.0%} of the mean's"
        return f"{self.source}: {self.n_levels} levels, {shares}"


@dataclass(frozen=True)
class VarianceComponents:
    """All sources in the order given, the remainder last; `variance_of_mean` is what the estimated ones bring."""

    components: tuple[VarianceComponent, ...]
    variance_of_mean: float
    mean: float

    def __getitem__(self, source: str) -> VarianceComponent:
        for one in self.components:
            if source in one.source.split(" = "):
                return one
        raise KeyError(f"source {source!r} is none of {[one.source for one in self.components]}")

    @property
    def limiting(self) -> str:
        """The source that brings most to the variance of the mean; "" where nothing varies."""
        known = [one for one in self.components if one.share_of_mean > 0]
        return max(known, key=lambda one: one.share_of_mean).source if known else ""

    @property
    def unknown(self) -> tuple[str, ...]:
        """Sources with one level, about whose other levels the mean says nothing."""
        return tuple(one.source for one in self.components if one.n_levels == 1)


def variance_components(values: Any, sources: Mapping[str, Any], *, weigh: str = "fact") -> VarianceComponents:
    """Components of variance of `values` [row] by the labels of each source [row]; rows that are NaN are left out.

    Levels of the source `weigh` weigh the same in the mean (all rows do where it is none of them). Returns
    `VarianceComponents`. Raises ValueError for labels that do not fit the values, or fewer than two rows.
    """
    values, codes = _given(values, sources)
    weights = _row_weights(codes.get(weigh), len(values))
    codes = _told_apart({**codes, REST: np.arange(len(values))})
    fitted = {name: code for name, code in codes.items() if code.max() > 0}
    variances = dict(zip(fitted, _estimates(values, list(fitted.values())).tolist(), strict=True))
    effective = {name: 1 / float((np.bincount(code, weights) ** 2).sum()) for name, code in codes.items()}
    brought = {name: max(one, 0.0) / effective[name] for name, one in variances.items() if not np.isnan(one)}
    total, spread = sum(brought.values()), sum(max(variances[name], 0.0) for name in brought)
    found = []
    for name, code in codes.items():
        n_levels, variance = int(code.max()) + 1, variances.get(name, UNKNOWN)
        scaled = [other for other in brought if _is_nested(codes[other], code)]
        more = more_levels(brought, scaled, n_levels) if name in brought else UNKNOWN
        shares = _share(variance, spread), _share(brought.get(name, UNKNOWN), total)
        found.append(VarianceComponent(name, n_levels, effective[name], variance, *shares, more))
    return VarianceComponents(tuple(found), total, float(weights @ values))


def more_levels(brought: Mapping[str, float], scaled: list[str], n_levels: int) -> float:
    """How many more levels halve the standard error, where each source brought so much to the variance of the mean.

    The sources `scaled` (the one with `n_levels` and those nested in it) bring less by the same factor. Infinite where
    the others alone bring a quarter of all or more; 0 where nothing varies.
    """
    total = sum(brought.values())
    if not total > 0:
        return 0.0
    own = sum(brought[name] for name in scaled)
    left = total / 4 - (total - own)
    return inf if left <= total * 1e-12 else float(ceil(n_levels * (own / left - 1) - 1e-9))


def pair_means(values: Array, codes: list[Whole]) -> tuple[Array, Array, Array]:
    """Pairs of rows by the sources in which they differ: which differ [kind source], how many pairs, and the mean of
    their half squared differences [kind].

    Pairs that share at least a set of sources are counted by groups of rows; those that share exactly it follow by
    inclusion and exclusion.
    """
    n_sources = len(codes)
    values = values - values.mean()
    subsets = [frozenset(one) for size in range(n_sources, -1, -1) for one in combinations(range(n_sources), size)]
    exactly: dict[frozenset[int], tuple[float, float]] = {}
    for shared in subsets:  # the largest first
        pairs, squares = _within(values, [codes[place] for place in shared])
        above = [found for other, found in exactly.items() if other > shared]
        exactly[shared] = pairs - sum(one for one, _ in above), squares - sum(one for _, one in above)
    kinds = [shared for shared in subsets if exactly[shared][0] > 0.5 and len(shared) < n_sources]
    differ = np.array([[float(place not in shared) for place in range(n_sources)] for shared in kinds])
    counts = np.array([exactly[shared][0] for shared in kinds])
    return differ, counts, np.array([exactly[shared][1] for shared in kinds]) / counts


def _within(values: Array, codes: list[Whole]) -> tuple[float, float]:
    """Pairs of rows that share all these levels, and the sum of their half squared differences."""
    if any(code.max() + 1 == len(values) for code in codes):
        return 0.0, 0.0  # each row has a level of its own
    groups = np.zeros(len(values), dtype=np.int64)
    for code in codes:
        groups = pairs_of(groups, code)
    groups, _ = cluster_codes(groups)
    n, sums = np.bincount(groups), np.bincount(groups, values)
    squares = np.bincount(groups, values**2)
    return float((n * (n - 1)).sum() / 2), float((n * squares - sums**2).sum() / 2)


def _estimates(values: Array, codes: list[Whole]) -> Array:
    """σ² of each source [source]; NaN where the pairs do not tell it from the others."""
    differ, counts, means = pair_means(values, codes)
    overall = float(counts @ means / counts.sum()) if len(counts) else 0.0
    scale = np.full(len(means), max(overall, 1e-300))
    for _ in range(STEPS):
        root = np.sqrt(counts) / scale
        found = np.linalg.lstsq(differ * root[:, None], means * root, rcond=None)[0]
        scale = np.maximum(differ @ np.maximum(found, 0.0), 1e-3 * max(overall, 1e-300))
    _, sizes, directions = np.linalg.svd(differ)
    rank = int((sizes > 1e-9 * sizes[0]).sum())
    blind = np.abs(directions[rank:]).max(axis=0, initial=0.0) > 1e-9
    return np.where(blind, np.nan, found)


def _given(values: Any, sources: Mapping[str, Any]) -> tuple[Array, dict[str, Whole]]:
    """The rows that have a value, and the number of each row's level by source."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"values have the shape {values.shape}: give one value for each row, as one list")
    labels = {str(name): np.asarray(one) for name, one in sources.items()}
    unfit = {name: len(one) for name, one in labels.items() if one.shape != values.shape}
    if unfit:
        raise ValueError(f"{len(values)} values and labels of {unfit}: give one label of each source for each value")
    present = ~np.isnan(values)
    if present.sum() < 2 or np.isinf(values).any():
        raise ValueError(f"{int(present.sum())} values are there: at least 2 finite ones are needed")
    return values[present], {name: cluster_codes(one[present])[0] for name, one in labels.items()}


def _row_weights(levels: Whole | None, n_rows: int) -> Array:
    """Weight of each row in the mean: the levels weigh the same, and within them rows."""
    if levels is None:
        return np.full(n_rows, 1 / n_rows)
    sizes = np.bincount(levels)
    return np.asarray(1 / sizes[levels] / len(sizes))


def _told_apart(codes: dict[str, Whole]) -> dict[str, Whole]:
    """Sources whose levels coincide joined under both names."""
    found: dict[str, Whole] = {}
    for name, code in codes.items():
        same = next((other for other, known in found.items() if code.max() > 0 and _same(known, code)), None)
        if same is None:
            found[name] = code
        else:
            found = {f"{other} = {name}" if other == same else other: known for other, known in found.items()}
    return found


def _same(one: Whole, other: Whole) -> bool:
    return _is_nested(one, other) and _is_nested(other, one)


def _is_nested(fine: Whole, coarse: Whole) -> bool:
    """Each level of the one lies within one level of the other."""
    return bool(cluster_codes(pairs_of(fine, coarse))[1] == fine.max() + 1)


def _share(part: float, whole: float) -> float:
    return part if np.isnan(part) else max(part, 0.0) / whole if whole > 0 else 0.0
