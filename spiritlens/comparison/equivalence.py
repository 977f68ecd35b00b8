"""Different, equivalent within δ, or undecided: the three things that data can say of a difference.

That no difference was found is no finding: few or noisy facts find none either. For a difference d, its interval at
1 − α and the declared margin δ (`spiritlens.comparison.margins`):

- **equivalent** within δ: the interval at 1 − α lies inside (−δ, δ). These are two one-sided tests at level α/2, of
  d ≤ −δ and of d ≥ δ, both refused (TOST: Schuirmann 1987, at half his level). It also holds where d is not 0, but too
  small to matter. Of means, each end is moreover that of a law half a standard error more skewed than the sample
  (`DOUBT`): a sample that misses a long tail looks both equal and sure of it.
- **different**: not equivalent, the interval at 1 − α excludes 0, and the estimate reaches δ. Null: d = 0. Of several
  differences each is told only where its p also passes for all of them (`spiritlens.comparison.families`).
- **undecided**: all else; also wherever there is no interval.

Beside it stands the smallest difference that these data could have shown: the d that the test of d = 0 finds with
probability 0.8, given the standard error found (Student's noncentral law; Cohen 1988). An undecided comparison with a
detectable difference far above δ says that more facts are needed, and how strong its silence is.

**Families.** Many cells at once: *different* needs a p that is adjusted for all of them (max-T); that *all* cells are
equivalent needs no adjustment, since it is said only where every single test allows it (intersection-union test:
Berger 1982). That one certain cell is equivalent is not said from a family.

**Errors.** Nulls: *different*, that the mean is 0; *equivalent*, that it is −δ or δ. Both are of means, whatever the
law; no interval holds for all laws, so ``experiments/calibration.py`` counts over seven of them and 8 to 100 subjects
(docs/calibration.md): of a difference of exactly δ, half a standard deviation, *equivalent* is said in at most 6 %.

Intervals of means are those of `spiritlens.effects.intervals` (over clusters, corrected for skewness); those of other
statistics come from a jackknife or a bootstrap.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import scipy.optimize
import scipy.special
import scipy.stats

from spiritlens.effects.clusters import Array
from spiritlens.effects.intervals import FEWEST_CLUSTERS, MeanInterval, cluster_interval, hall_ends, hall_p

Verdict = Literal["different", "equivalent", "undecided"]
"""different: more than nothing and at least δ; equivalent: nothing as large as δ; undecided: the data allow both."""

POWER = 0.8
"""Probability with which the detectable difference would have been found."""

DOUBT = 0.5
"""How many of its standard errors the skewness of a sample may be off, where equivalence is told."""

HALVINGS = 20
"""After so many halvings the smallest level is known to 1e-5 of its logarithm."""


@dataclass(frozen=True)
class Judged:
    """A difference, its interval (`low`, `high`) at 1 − α, its margin, what is said of it, and the smallest difference
    that would have been found with probability 0.8; NaN where there is no interval, with the reason in `why`.

    `p` is of the difference being 0: the smallest α at which it could be told; NaN where it was not tested.
    """

    value: float
    low: float
    high: float
    margin: float
    detectable: float
    verdict: Verdict
    why: str = ""
    p: float = float("nan")


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


def judge_mean(
    differences: Any, clusters: Any, *, margin: float, second: Any = None, alpha: float = 0.05, floor: float = 0.0
) -> Judged:
    """A mean difference over facts, `differences` [fact], against 0 and against the margin.

    `clusters`, `second` and `floor` as `cluster_interval` takes them. Where (nearly) all facts differ by the same there
    is no interval, hence no verdict: what few facts would show may be missing from the sample.
    """
    found = cluster_interval(differences, clusters, second, confidence=1 - alpha, floor=floor)
    value, why = float(found.mean), str(found.missing)
    low, high = (float(one) for one in equivalence_ends(found, alpha))
    least = float("nan") if why else detectable(float(found.se), float(found.dof), alpha)
    p = float("nan") if why else float(hall_p(found.mean, found.se, found.skewness, found.dof))
    judged = _judged(value, (float(found.low), float(found.high)), (low, high), margin, least, why)
    return replace(judged, p=p)


def judge_interval(
    value: float,
    of_level: Callable[[float], tuple[float, float]],
    *,
    margin: float,
    n_clusters: int,
    alpha: float = 0.05,
    least: float = 1e-6,
) -> Judged:
    """A difference whose interval at 1 − α is made elsewhere, as by a bootstrap: `of_level` gives it for any α.

    Its standard error is taken from the interval's length. No p is below `least`: draws bear none below their share.
    """
    nan = float("nan")
    if n_clusters < FEWEST_CLUSTERS:
        return _judged(value, (nan, nan), (nan, nan), margin, nan, "too few clusters")
    ends = of_level(alpha)
    error = (ends[1] - ends[0]) / 2 / float(scipy.special.stdtrit(n_clusters - 1, 1 - alpha / 2))
    judged = _judged(value, ends, ends, margin, detectable(error, n_clusters - 1, alpha), "")
    return replace(judged, p=smallest_level(of_level, least))


def smallest_level(of_level: Callable[[float], tuple[float, float]], least: float = 1e-6) -> float:
    """The smallest α ≥ `least` at which an interval at 1 − α excludes 0, by halving on the scale of log α.

    1 where none does, NaN where there is no interval.
    """

    def excludes(level: float) -> bool:
        low, high = of_level(level)
        return low > 0 or high < 0

    if np.isnan(of_level(0.05)).any():
        return float("nan")
    if excludes(least):
        return least
    low, high = float(np.log(least)), 0.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if excludes(float(np.exp(middle))) else (middle, high)
    return float(np.exp(high))


def judge_cells(
    differences: Any,
    clusters: Any,
    p_values: Any,
    *,
    margin: float,
    second: Any = None,
    alpha: float = 0.05,
    floor: float = 0.0,
) -> JudgedCells:
    """Mean differences of the cells of a map, `differences` [fact cell], with p adjusted for all cells [cell].

    A cell whose p is NaN was not tested and is not different; a cell that no fact has does not count for `everywhere`.
    """
    wide = cluster_interval(differences, clusters, second, confidence=1 - alpha, floor=floor)
    low, high = equivalence_ends(wide, alpha)
    with np.errstate(invalid="ignore"):
        equivalent = (low > -margin) & (high < margin)
        found = np.asarray(p_values, dtype=np.float64) <= alpha
        different = ~equivalent & found & (np.abs(wide.mean) >= margin)
    verdict = np.where(equivalent, "equivalent", np.where(different, "different", "undecided"))
    measured = wide.n_facts > 0
    share = alpha / max(1, int(measured.sum()))
    errors = np.where(wide.missing == "", wide.se, np.nan)
    least = [detectable(float(e), float(n), share) for e, n in zip(errors.flat, wide.dof.flat, strict=True)]
    return JudgedCells(
        value=wide.mean,
        low=wide.low,
        high=wide.high,
        margin=margin,
        detectable=np.reshape(least, wide.mean.shape),
        verdict=verdict,
        everywhere=overall(verdict[measured].tolist()),
    )


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """What is said of several comparisons at once: different if one is, equivalent if all are; undecided of none."""
    found = set(verdicts)
    if "different" in found:
        return "different"
    return "equivalent" if found == {"equivalent"} else "undecided"


def detectable(error: float, freedom: float, alpha: float = 0.05, power: float = POWER) -> float:
    """The smallest true difference that Student's two-sided test with this standard error and so many degrees of
    `freedom` finds with probability `power`; NaN without an error."""
    return error * _errors_needed(round(freedom, 6), alpha, power) if error >= 0 else float("nan")


@lru_cache(maxsize=4096)
def _errors_needed(freedom: float, alpha: float, power: float) -> float:
    """The detectable difference in standard errors: where the noncentral t law reaches beyond the critical value."""
    critical = float(scipy.stats.t.ppf(1 - alpha / 2, freedom))

    def missing(difference: float) -> float:
        return float(scipy.stats.nct.sf(critical, freedom, difference)) - power

    return float(scipy.optimize.brentq(missing, 0.0, 3 * critical + 10))


def equivalence_ends(found: MeanInterval, alpha: float) -> tuple[Array, Array]:
    """Ends of the interval at 1 − α of means whose law may be more skewed than the sample, to either side.

    The skewness of a sample of G clusters has the standard error √(6/G), and that of their mean √6/G.
    """
    doubt = DOUBT * np.sqrt(6) / (found.dof + 1)
    quantile = scipy.special.stdtrit(found.dof, 1 - alpha / 2)
    ends = [
        hall_ends(found.mean, found.se, np.clip(found.skewness + side * doubt, -1, 1), quantile) for side in (-1, 1)
    ]
    given = found.missing == ""
    return (
        np.where(given, np.minimum(ends[0][0], ends[1][0]), np.nan),
        np.where(given, np.maximum(ends[0][1], ends[1][1]), np.nan),
    )


def _judged(
    value: float, ends: tuple[float, float], outer: tuple[float, float], margin: float, least: float, why: str
) -> Judged:
    """The verdict: equivalent by the `outer` ends, different by the interval's own."""
    verdict: Verdict = "undecided"
    if outer[0] > -margin and outer[1] < margin:
        verdict = "equivalent"
    elif (ends[0] > 0 or ends[1] < 0) and abs(value) >= margin:
        verdict = "different"
    return Judged(value, ends[0], ends[1], margin, least, verdict, why)
