"""Different, equivalent within δ, or undecided: the three things that data can say of a difference.

That no difference was found is no finding: few or noisy facts find none either. For a difference d, its interval at
1 − α and the declared margin δ (`spiritlens.comparison.margins`):

- **equivalent** within δ: the interval at 1 − 2α lies inside (−δ, δ). These are two one-sided tests at level α, of
  d ≤ −δ and of d ≥ δ, both refused (TOST: Schuirmann 1987). It also holds where d is not 0, but too small to matter.
- **different**: not equivalent, the interval at 1 − α excludes 0, and the estimate reaches δ. Null: d = 0.
- **undecided**: all else; also wherever there is no interval.

Beside it stands the smallest difference that these data could have shown: the d that the test of d = 0 finds with
probability 0.8, given the standard error found (Student's noncentral law; Cohen 1988). An undecided comparison with a
detectable difference far above δ says that more facts are needed, and how strong its silence is.

**Families.** Many cells at once: *different* needs a p that is adjusted for all of them (max-T); that *all* cells are
equivalent needs no adjustment, since it is said only where every single test at level α allows it (intersection-union
test: Berger 1982). That one certain cell is equivalent is not said from a family.

Intervals come from a function of ``(values [fact …], clusters, *, confidence)`` that returns mean, low and high, such
as `cluster_t`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol

import numpy as np
import scipy.optimize
import scipy.stats

from spiritlens.comparison.jackknife import FEWEST_CLUSTERS, Jackknifed
from spiritlens.effects.bootstrap import Array

Verdict = Literal["different", "equivalent", "undecided"]
"""different: more than nothing and at least δ; equivalent: nothing as large as δ; undecided: the data allow both."""

POWER = 0.8
"""Probability with which the detectable difference would have been found."""


class IntervalOf(Protocol):
    """Mean over facts with its interval: (mean, low, high), each with the shape of one fact's cells."""

    def __call__(self, values: Any, clusters: Any, *, confidence: float) -> tuple[Array, Array, Array]: ...


@dataclass(frozen=True)
class Judged:
    """A difference, its interval (`low`, `high`) at 1 − α, its margin, what is said of it, and the smallest difference
    that would have been found with probability 0.8 (NaN where there is no interval)."""

    value: float
    low: float
    high: float
    margin: float
    detectable: float
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class JudgedCells:
    """The same for each cell of a map [cell]; `everywhere` is said of the map: different where any cell differs,
    equivalent where all cells are, else undecided. `detectable` is for one cell among all (Bonferroni)."""

    value: Array
    low: Array
    high: Array
    margin: float
    detectable: Array
    verdict: np.ndarray[Any, np.dtype[np.str_]]
    everywhere: Verdict


def cluster_t(values: Any, clusters: Any, *, confidence: float = 0.95) -> tuple[Array, Array, Array]:
    """Student's interval of a mean over facts whose clusters are drawn together: (mean, low, high).

    NaN facts are left out; no interval below `FEWEST_CLUSTERS` clusters. Source: linearised ratio mean (Cochran 1977).
    """
    mean, error, counts = cluster_errors(values, clusters)
    with np.errstate(invalid="ignore"):
        reach = scipy.stats.t.ppf((1 + confidence) / 2, np.maximum(counts - 1, 1)) * error
    reach = np.where(counts >= FEWEST_CLUSTERS, reach, np.nan)
    return mean, mean - reach, mean + reach


def cluster_errors(values: Any, clusters: Any) -> tuple[Array, Array, Array]:
    """Mean over facts, its standard error, and the number of clusters that it rests on, of `values` [fact …].

    With sums S_c and counts n_c of c clusters: error² = c/(c − 1) · Σ (S_c − n_c · mean)² / n².
    """
    values = np.asarray(values, dtype=np.float64)
    flat = values.reshape(len(values), -1)
    names, codes = np.unique(np.asarray(clusters), return_inverse=True)
    member = (codes.reshape(-1) == np.arange(len(names))[:, None]).astype(np.float64)
    present = ~np.isnan(flat)
    sums, counts = member @ np.where(present, flat, 0.0), member @ present
    n_clusters = (counts > 0).sum(axis=0).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums.sum(axis=0) / counts.sum(axis=0)
        squares = ((sums - counts * mean) ** 2).sum(axis=0)
        error = np.sqrt(n_clusters / (n_clusters - 1) * squares) / counts.sum(axis=0)
    shape = values.shape[1:]
    return mean.reshape(shape), error.reshape(shape), n_clusters.reshape(shape)


def judge_mean(
    differences: Any, clusters: Any, *, margin: float, alpha: float = 0.05, interval: IntervalOf = cluster_t
) -> Judged:
    """A mean difference over facts, `differences` [fact], against 0 and against the margin."""
    differences = np.asarray(differences, dtype=np.float64)
    value, low, high = (float(one) for one in interval(differences, clusters, confidence=1 - alpha))
    _, inner_low, inner_high = (float(one) for one in interval(differences, clusters, confidence=1 - 2 * alpha))
    _, error, counts = cluster_errors(differences, clusters)
    return _judged(value, (low, high), (inner_low, inner_high), margin, detectable(float(error), int(counts), alpha))


def judge_jackknifed(difference: Jackknifed, *, margin: float, alpha: float = 0.05) -> Judged:
    """A difference of two statistics that are no means, such as two r, by its jackknife interval."""
    wide, narrow = difference.interval(1 - alpha), difference.interval(1 - 2 * alpha)
    least = detectable(difference.error, difference.smallest, alpha)
    return _judged(difference.value, wide, narrow, margin, least)


def judge_intervals(
    value: float, wide: tuple[float, float], narrow: tuple[float, float], *, margin: float, n_clusters: int
) -> Judged:
    """A difference whose intervals at 0.95 (`wide`) and 0.90 (`narrow`) were made elsewhere, as by a bootstrap.

    Its standard error is taken from the length of the wide one.
    """
    usable = n_clusters >= FEWEST_CLUSTERS
    nan = (float("nan"), float("nan"))
    error = (wide[1] - wide[0]) / 2 / float(scipy.stats.t.ppf(0.975, n_clusters - 1)) if usable else float("nan")
    least = detectable(error, n_clusters, 0.05)
    return _judged(value, wide if usable else nan, narrow if usable else nan, margin, least)


def judge_cells(
    differences: Any,
    clusters: Any,
    p_values: Any,
    *,
    margin: float,
    alpha: float = 0.05,
    interval: IntervalOf = cluster_t,
) -> JudgedCells:
    """Mean differences of the cells of a map, `differences` [fact cell], with p adjusted for all cells [cell].

    Cells whose p is NaN were not tested and are undecided; they keep the map from being called equivalent only where
    they have values.
    """
    differences, p_values = np.asarray(differences, dtype=np.float64), np.asarray(p_values, dtype=np.float64)
    value, low, high = interval(differences, clusters, confidence=1 - alpha)
    _, inner_low, inner_high = interval(differences, clusters, confidence=1 - 2 * alpha)
    with np.errstate(invalid="ignore"):
        equivalent = (inner_low > -margin) & (inner_high < margin)
        different = ~equivalent & (p_values <= alpha) & (np.abs(value) >= margin)
    verdict = np.where(equivalent, "equivalent", np.where(different, "different", "undecided"))
    measured = ~np.isnan(value)
    _, error, counts = cluster_errors(differences, clusters)
    share = alpha / max(1, int(measured.sum()))
    least = np.array([detectable(float(e), int(n), share) for e, n in zip(error.flat, counts.flat, strict=True)])
    return JudgedCells(
        value=value,
        low=low,
        high=high,
        margin=margin,
        detectable=least.reshape(value.shape),
        verdict=verdict,
        everywhere=overall(verdict[measured].tolist()),
    )


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """What is said of several comparisons at once: different if one is, equivalent if all are; undecided of none."""
    found = set(verdicts)
    if "different" in found:
        return "different"
    return "equivalent" if found == {"equivalent"} else "undecided"


def detectable(error: float, n_clusters: int, alpha: float = 0.05, power: float = POWER) -> float:
    """The smallest true difference that Student's two-sided test finds with probability `power`; NaN without error."""
    if n_clusters < FEWEST_CLUSTERS or np.isnan(error):
        return float("nan")
    return error * _errors_needed(n_clusters - 1, alpha, power)


@lru_cache(maxsize=4096)
def _errors_needed(freedom: int, alpha: float, power: float) -> float:
    """The detectable difference in standard errors: where the noncentral t law reaches beyond the critical value."""
    critical = float(scipy.stats.t.ppf(1 - alpha / 2, freedom))

    def missing(difference: float) -> float:
        return float(scipy.stats.nct.sf(critical, freedom, difference)) - power

    return float(scipy.optimize.brentq(missing, 0.0, 3 * critical + 10))


def _judged(
    value: float, wide: tuple[float, float], narrow: tuple[float, float], margin: float, least: float
) -> Judged:
    verdict: Verdict = "undecided"
    if narrow[0] > -margin and narrow[1] < margin:
        verdict = "equivalent"
    elif (wide[0] > 0 or wide[1] < 0) and abs(value) >= margin:
        verdict = "different"
    return Judged(value, wide[0], wide[1], margin, least, verdict)
