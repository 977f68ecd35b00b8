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

**Errors.** Counted in ``experiments/agreement_calibration.py`` (400 trials a row, 8 to 100 subjects): of no difference,
*different* is said in 3 to 7 % of normal differences and in 5 to 9 % of lognormal ones (9 with 8 subjects); of a
difference of exactly δ, *equivalent* in 1 to 7 % of normal ones, and where a few facts carry it (lognormal) in 15, 11,
10 and 6 % with 8, 16, 24 and 100 subjects: a sample may miss the few, so of skewed differences equivalence needs many
subjects.

Intervals of means are those of `spiritlens.effects.intervals` (over clusters, corrected for skewness); those of other
statistics come from a jackknife or a bootstrap.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import scipy.optimize
import scipy.special
import scipy.stats

from spiritlens.effects.clusters import Array
from spiritlens.effects.intervals import FEWEST_CLUSTERS, MeanInterval, cluster_intervals

Verdict = Literal["different", "equivalent", "undecided"]
"""different: more than nothing and at least δ; equivalent: nothing as large as δ; undecided: the data allow both."""

POWER = 0.8
"""Probability with which the detectable difference would have been found."""


@dataclass(frozen=True)
class Judged:
    """A difference, its interval (`low`, `high`) at 1 − α, its margin, what is said of it, and the smallest difference
    that would have been found with probability 0.8; NaN where there is no interval, with the reason in `why`."""

    value: float
    low: float
    high: float
    margin: float
    detectable: float
    verdict: Verdict
    why: str = ""


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
    wide, narrow = _intervals(differences, clusters, second, alpha, floor)
    least = detectable(float(wide.se), float(wide.dof), alpha) if not str(wide.missing) else float("nan")
    ends = [(float(one.low), float(one.high)) for one in (wide, narrow)]
    return _judged(float(wide.mean), ends[0], ends[1], margin, least, str(wide.missing))


def judge_intervals(
    value: float, wide: tuple[float, float], narrow: tuple[float, float], *, margin: float, n_clusters: int
) -> Judged:
    """A difference whose intervals at 0.95 (`wide`) and 0.90 (`narrow`) were made elsewhere, as by a bootstrap.

    Its standard error is taken from the length of the wide one.
    """
    if n_clusters < FEWEST_CLUSTERS:
        nan = (float("nan"), float("nan"))
        return _judged(value, nan, nan, margin, float("nan"), "too few clusters")
    error = (wide[1] - wide[0]) / 2 / float(scipy.special.stdtrit(n_clusters - 1, 0.975))
    return _judged(value, wide, narrow, margin, detectable(error, n_clusters - 1, 0.05), "")


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
    wide, narrow = _intervals(differences, clusters, second, alpha, floor)
    with np.errstate(invalid="ignore"):
        equivalent = (narrow.low > -margin) & (narrow.high < margin)
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


def _intervals(
    differences: Any, clusters: Any, second: Any, alpha: float, floor: float
) -> tuple[MeanInterval, MeanInterval]:
    """The interval at 1 − α, for what is different, and that at 1 − 2α, for what is equivalent."""
    wide, narrow = cluster_intervals(differences, clusters, second, confidences=(1 - alpha, 1 - 2 * alpha), floor=floor)
    return wide, narrow


def _judged(
    value: float, wide: tuple[float, float], narrow: tuple[float, float], margin: float, least: float, why: str
) -> Judged:
    verdict: Verdict = "undecided"
    if narrow[0] > -margin and narrow[1] < margin:
        verdict = "equivalent"
    elif (wide[0] > 0 or wide[1] < 0) and abs(value) >= margin:
        verdict = "different"
    return Judged(value, wide[0], wide[1], margin, least, verdict, why)
