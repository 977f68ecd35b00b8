"""Intervals of means over facts that hold their promise: the t interval over clusters, corrected for skewness.

Effects are skewed: a few facts carry much, most carry little. Student's interval, and any percentile of a bootstrap,
then lies too low: of nominal 95 % it covers 83 to 91. What is missing is closed form, so nothing is drawn here.

1. **Mean.** Every fact weighs the same: m = Σ_c S_c / N over cluster sums S_c, of N facts in G clusters.
2. **Standard error.** By leaving out one cluster at a time: z_c = √((G−1)/G) (S_c − n_c m) / (N − n_c), se² = Σ z_c².
   With equal clusters that is s²/G; with unequal ones it does not fall short (Bell & McCaffrey 2002; MacKinnon &
   Webb 2018). Degrees of freedom are Satterthwaite's for cluster means of one variance: G − 1 if clusters are equal.
3. **Skewness.** T = (m − μ)/se of a skewed law is skewed to the other side. Hall's cubic transformation removes it:
   g(T) = T + aT² + a²T³/3 + a/2 with a = γ/3, γ the skewness of the mean, has Student's distribution nearly, so the
   interval ends are m − se g⁻¹(±t), with g⁻¹(y) = ((1 + 3a(y − a/2))^⅓ − 1)/a. With γ = 0 it is Student's. γ is that
   of the clusters, Σz³/(Σz²)^{3/2}, enlarged as Fisher's G₁ is, since small samples miss the long tail. The skewness of
   a sample may be chance, so neither end is nearer than Student's: the correction only widens.
4. **Two ways.** Facts may be alike by subject and by relation: se² is that by subject plus that by relation minus that
   by both at once, and never below either (Cameron, Gelbach & Miller 2011); degrees of freedom are the fewer.
5. **None** below `FEWEST_CLUSTERS` clusters (of either kind), and none where fewer than `FEWEST_CARRIERS` clusters
   differ from the commonest value: where a fifth of all facts carries the whole effect, a sample of eight is empty one
   time in six, and no interval that is made of it covers.

Null and coverage: `experiments/calibration.py` counts how often the interval holds the mean of the law.

Axes: ``fact`` first, then any cells; NaN means that a fact has no such cell. Units: those of the values.

Source: Hall 1992, On the removal of skewness by transformation, J. R. Statist. Soc. B 54(1); Johnson 1978, Modified
t tests and confidence intervals for asymmetrical populations, J. Amer. Statist. Assoc. 73.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import scipy.special

from spiritlens.arguments import number
from spiritlens.effects.clusters import (
    Array,
    ClusterSums,
    Whole,
    cluster_codes,
    cluster_sums,
    given_values,
    pairs_of,
    pieces,
)

FEWEST_CLUSTERS = 6
"""Below so many clusters no interval is given."""
FEWEST_CARRIERS = 2
"""Below so many clusters that differ from the commonest value no interval is given."""
SAME = 1e-9
"""Values closer than this share of the largest are the same value: rounding."""
TINY = 1e-100
"""A standard error below this is 0: its cube would be, before it is."""

Missing = Literal["", "no facts", "too few clusters", "too few carry any effect"]
"""Why a cell has no interval; "": it has one."""
MISSING: tuple[Missing, ...] = get_args(Missing)


@dataclass(frozen=True, eq=False)
class MeanInterval:
    """Means over facts and their intervals, each with the shape of one fact's cells.

    `low` and `high` are NaN where there is no interval, and `missing` says why; `se` is the standard error, `dof` the
    degrees of freedom, `skewness` that of the mean, `n_facts` and `n_clusters` (the fewer of two kinds) those with the
    cell, `n_carriers` the clusters that differ from the commonest value.
    """

    mean: Array
    low: Array
    high: Array
    se: Array
    dof: Array
    skewness: Array
    n_facts: Whole
    n_clusters: Whole
    n_carriers: Whole
    missing: np.ndarray[Any, np.dtype[np.str_]]


@dataclass(frozen=True, eq=False)
class Moments:
    """What clusters of one kind say of a mean [cell]: variance, third cumulant, and degrees of freedom."""

    variance: Array
    third: Array
    dof: Array


def cluster_interval(
    values: Any, clusters: Any, second: Any = None, *, confidence: float = 0.95, floor: float = 0.0
) -> MeanInterval:
    """Mean over facts with its skewness-corrected interval over clusters, of `values` [fact …].

    `clusters` are labels [fact]; `second` labels of another kind, for both ways at once. Values within `floor` of 0
    carry no effect (units of the values: pass 10 × the noise floor). Returns a `MeanInterval` with the axes of one
    fact. Raises ValueError for labels that do not fit the values, infinite values, or a confidence outside 0 to 1.
    """
    confidence, floor = number("confidence", confidence, above=0, below=1), number("floor", floor, at_least=0)
    flat, shape = given_values(values, clusters), np.asarray(values).shape[1:]
    ways = [cluster_codes(clusters)]
    if second is not None:
        ways += [cluster_codes(second), cluster_codes(pairs_of(clusters, second))]
    found = [_intervals(flat[:, cells], ways, confidence, floor) for cells in pieces(flat.shape[1], len(flat))]
    found = found or [_intervals(flat, ways, confidence, floor)]
    return MeanInterval(**{name: np.concatenate([one[name] for one in found]).reshape(shape) for name in found[0]})


def _intervals(
    flat: Array, ways: Sequence[tuple[Whole, int]], confidence: float, floor: float
) -> dict[str, np.ndarray[Any, Any]]:
    """The fields of `MeanInterval` of some cells [fact cell]; each way of clustering by its codes and their number."""
    sums = [cluster_sums(flat, *way) for way in ways]
    moments = cluster_moments(sums[0]) if len(ways) == 1 else _both_ways(*(cluster_moments(each) for each in sums))
    se = np.sqrt(moments.variance)
    skewness = np.clip(moments.third / np.where(se > TINY, se, np.inf) ** 3, -1, 1)
    tail = scipy.special.stdtrit(moments.dof, 0.5 + confidence / 2)  # Student's quantile
    low, high = hall_ends(sums[0].means, se, skewness, tail)
    counts = np.min([one.n_clusters for one in sums], axis=0)
    carriers = np.min([n_carriers(one, floor) for one in sums], axis=0)
    missing = _missing(sums[0].n_facts, counts, carriers)
    given = missing == ""
    return {
        "mean": sums[0].means,
        "low": np.where(given, low, np.nan),
        "high": np.where(given, high, np.nan),
        "se": np.where(counts > 1, se, np.nan),
        "dof": moments.dof,
        "skewness": skewness,
        "n_facts": sums[0].n_facts,
        "n_clusters": counts,
        "n_carriers": carriers,
        "missing": missing,
    }


def left_out_means(values: Any, codes: Whole, n_clusters: int) -> Array:
    """Means over all facts, then without each cluster [1 + cluster …], of `values` [fact …]; NaN where none is left.

    `codes` and their number are those of `cluster_codes`. What is computed of these means goes to `jackknife_interval`.
    """
    values = np.asarray(values, dtype=np.float64)
    sums = cluster_sums(values.reshape(len(values), -1), codes, n_clusters)
    every, facts = sums.sums.sum(axis=0), sums.counts.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.concatenate([[every / facts], (every - sums.sums) / (facts - sums.counts)])
    found[1:][sums.counts == facts] = np.nan  # no rounding error divided by 0
    return found.reshape(len(found), *values.shape[1:])


def jackknife_interval(values: Any, sizes: Array, confidence: float = 0.95) -> tuple[Array, Array]:
    """Interval (low, high) of smooth functions of means, from their values without each cluster [1 + cluster …].

    The same steps as for a mean, with z_c = √((G−1)/G) (θ − θ without c); for a mean it is `cluster_interval`. `sizes`
    [cluster] are facts. NaN below `FEWEST_CLUSTERS` clusters, or where a value is NaN. Raises ValueError for a
    confidence outside 0 to 1.
    """
    return jackknife_ends(values, sizes)(number("confidence", confidence, above=0, below=1))


def jackknife_ends(values: Any, sizes: Array) -> Callable[[float], tuple[Array, Array]]:
    """`jackknife_interval` at any confidence: all but the ends is worked out once."""
    values = np.asarray(values, dtype=np.float64)
    n, shape, flat = len(sizes), values.shape[1:], values.reshape(len(values), -1)
    if n < FEWEST_CLUSTERS:
        return lambda confidence: (np.full(shape, np.nan), np.full(shape, np.nan))
    shrink, share = np.sqrt((n - 1) / n), (sizes / sizes.sum())[:, None]
    moved = shrink * (flat[0] - flat[1:])
    dof = _satterthwaite(share, (shrink * share / (1 - share)) ** 2)
    squares = moved**2
    se = np.sqrt(squares.sum(axis=0))
    skewness = np.clip(_fisher(dof) * (squares * moved).sum(axis=0) / np.where(se > TINY, se, np.inf) ** 3, -1, 1)

    def ends(confidence: float) -> tuple[Array, Array]:
        low, high = hall_ends(flat[0], se, skewness, scipy.special.stdtrit(dof, 0.5 + confidence / 2))
        return low.reshape(shape), high.reshape(shape)

    return ends


def cluster_moments(sums: ClusterSums) -> Moments:
    """Moments of the mean by leaving out one cluster at a time [cell]; NaN where there are fewer than two."""
    cells = [*pieces(sums.sums.shape[1], len(sums.sums))]
    if len(cells) > 1:
        some = [cluster_moments(ClusterSums(sums.sums[:, one], sums.counts[:, one])) for one in cells]
        return Moments(*(np.concatenate([getattr(one, name) for one in some]) for name in ("variance", "third", "dof")))
    counts = sums.counts
    if (counts == counts[:, :1]).all():  # all cells have the same facts: one column of counts tells for all
        counts = counts[:, :1]
    n, facts = (counts > 0).sum(axis=0), counts.sum(axis=0)
    usable = n > 1
    facts = np.where(usable, facts, 1.0)
    share = np.where(usable, counts / facts, 0.0)
    shrink = np.sqrt(np.maximum(n - 1, 0) / np.maximum(n, 1))
    left_out = np.where((counts > 0) & usable, shrink / (1 - share), 0.0)
    moved = (left_out / facts) * (sums.sums - counts * np.where(usable, sums.means, 0.0))
    squares = moved**2
    variance, third = squares.sum(axis=0), (squares * moved).sum(axis=0)
    dof = _satterthwaite(share, (left_out * share) ** 2)
    found = (variance, _fisher(dof) * third, np.broadcast_to(dof, variance.shape))
    return Moments(*(np.where(usable, one, np.nan) for one in found))


def _fisher(dof: Array) -> Array:
    """By how much the skewness of a sample falls short, as Fisher's G₁ has it for dof + 1 equal clusters."""
    return np.asarray(np.where(dof > 1, np.sqrt((dof + 1) * dof) / np.where(dof > 1, dof - 1, 1.0), 1.0))


def _satterthwaite(share: Array, weight: Array) -> Array:
    """Degrees of freedom of Σ weight_c (x_c − Σ share x)² for independent x of one variance [cell].

    (tr A)² / tr A² with A_cd = √(weight_c weight_d) (δ_cd − share_c − share_d + Σ share²), written out in sums over c.
    """
    s = (share**2).sum(axis=0)
    zeroth, first, second = (np.asarray((weight * share**power).sum(axis=0)) for power in (0, 1, 2))
    trace = (weight * (1 - 2 * share + s)).sum(axis=0)
    square = s**2 * zeroth**2 + 2 * second * zeroth - 4 * s * first * zeroth + 2 * first**2
    square += (weight**2 * (1 + 2 * s - 4 * share)).sum(axis=0)
    return np.asarray(trace**2 / np.where(square > 0, square, np.inf))


def _both_ways(one: Moments, other: Moments, joint: Moments) -> Moments:
    """Moments by two kinds of clusters: their sum less that by both at once, never below the larger."""
    return Moments(
        variance=np.maximum(one.variance + other.variance - joint.variance, np.maximum(one.variance, other.variance)),
        third=one.third + other.third - joint.third,
        dof=np.minimum(one.dof, other.dof),
    )


def hall_ends(mean: Array, se: Array, skewness: Array, quantile: Array) -> tuple[Array, Array]:
    """Ends of the interval at ±`quantile` of Hall's transformed T, of a mean with this standard error and skewness.

    Neither end is nearer to the mean than `quantile` standard errors.
    """
    a = np.where(np.abs(skewness) < SAME, SAME, skewness) / 3  # at 0 the limit is Student's interval

    def inverse(y: Array) -> Array:
        return np.asarray((np.cbrt(1 + 3 * a * (y - a / 2)) - 1) / a)

    reach = np.maximum(-inverse(-quantile), quantile), np.maximum(inverse(quantile), quantile)
    return mean - se * reach[1], mean + se * reach[0]


def hall_p(mean: Array, se: Array, skewness: Array, dof: Array) -> Array:
    """The smallest α at which the interval of `hall_ends` at 1 − α excludes 0: the two-sided p of a mean of 0.

    1 where the corrected T is not above 0, NaN without a standard error.
    """
    t = np.abs(mean) / np.where(se > 0, se, np.nan)
    a = np.sign(mean) * skewness / 3
    corrected = t + a * t**2 + a**2 * t**3 / 3 + a / 2
    return np.asarray(2 * scipy.special.stdtr(dof, -np.maximum(np.minimum(t, corrected), 0)))


def n_carriers(sums: ClusterSums, floor: float = 0.0) -> Whole:
    """Clusters whose mean differs from the commonest cluster mean [cell]; means within `floor` of 0 count as 0."""
    has = sums.counts > 0
    means = sums.sums / np.where(has, sums.counts, 1.0)
    means = np.where(np.abs(means) <= floor, 0.0, means)
    close = SAME * np.abs(means).max(axis=0, initial=0.0)
    ordered = np.sort(np.where(has, means, np.inf), axis=0)
    with np.errstate(invalid="ignore"):
        new = np.diff(ordered, axis=0, prepend=-np.inf) > close  # where another value begins
    place = np.arange(len(ordered))[:, None]
    began = np.maximum.accumulate(np.where(new, place, 0), axis=0)
    commonest = np.where(np.isfinite(ordered), place - began + 1, 0).max(axis=0, initial=0)
    return np.asarray(sums.n_clusters - commonest)


def _missing(facts: Whole, counts: Whole, carriers: Whole) -> np.ndarray[Any, np.dtype[np.str_]]:
    """Why there is no interval [cell]."""
    why = np.where(carriers < FEWEST_CARRIERS, "too few carry any effect", "")
    why = np.where(counts < FEWEST_CLUSTERS, "too few clusters", why)
    return np.asarray(np.where(facts == 0, "no facts", why))
