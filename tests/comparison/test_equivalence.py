"""Different, equivalent, undecided: by hand, against SciPy's tests, and by counting errors."""

import numpy as np
import pytest
import scipy.stats

from spiritlens.comparison.equivalence import (
    detectable,
    judge_cells,
    judge_interval,
    judge_mean,
    overall,
    smallest_level,
)
from spiritlens.comparison.jackknife import jackknifed
from spiritlens.effects.intervals import cluster_interval

# mean 0.02; errors of ± 0.1 in eight facts: standard error 0.1 · √(8/7) / √8 = 0.0378
EIGHT = 0.02 + 0.1 * np.array([1, -1, 1, -1, 1, -1, 1, -1.0])


def test_by_hand() -> None:
    found = judge_mean(EIGHT, range(8), margin=0.1)
    error = 0.1 / np.sqrt(7)
    assert found.value == pytest.approx(0.02)
    assert (found.low, found.high) == pytest.approx((0.02 - 2.3646 * error, 0.02 + 2.3646 * error), abs=1e-5)
    # p: twice the upper tail of t(7) at 0.02 / 0.0378
    assert found.p == pytest.approx(2 * scipy.stats.t.sf(0.02 / error, 7))
    # skewness 0 ± half of √6/8 = 0.1531, so a = ± 0.1531/3: Hall's end at y = 2.3646 is
    # (∛(1 + 3a(y − a/2)) − 1)/a = 2.7608 errors away for a < 0, so [-0.0843, 0.1243] must lie inside the margin
    a = -0.5 * np.sqrt(6) / 8 / 3
    reach = (np.cbrt(1 + 3 * a * (2.36462 - a / 2)) - 1) / a * error
    assert reach == pytest.approx(0.10435, abs=1e-4)
    assert found.verdict == "undecided"
    assert judge_mean(EIGHT, range(8), margin=0.02 + reach - 1e-4).verdict == "undecided"
    assert judge_mean(EIGHT, range(8), margin=0.02 + reach + 1e-4).verdict == "equivalent"
    assert judge_mean(EIGHT + 0.2, range(8), margin=0.09).verdict == "different"
    assert judge_mean(EIGHT + 0.2, range(8), margin=0.25).verdict == "undecided"  # too small to be told as different
    assert judge_mean(EIGHT + 0.2, range(8), margin=0.33).verdict == "equivalent"  # not 0, but ruled out to matter


def tost(values: np.ndarray, margin: float) -> float:
    """The larger p of SciPy's two one-sided tests."""
    below = scipy.stats.ttest_1samp(values, margin, alternative="less").pvalue
    return max(below, scipy.stats.ttest_1samp(values, -margin, alternative="greater").pvalue)


def test_equivalence_is_two_one_sided_tests_where_subjects_are_many() -> None:
    """With many subjects the doubt about skewness is nothing, and what remains is SciPy's test at α/2."""
    said = 0
    for half in np.random.default_rng(0).normal(0, 2.5, size=(40, 1000)):
        values = np.concatenate([0.2 + half, 0.2 - half])  # not skewed, so that nothing is corrected
        p = tost(values, 0.3)
        if abs(p - 0.025) > 0.002:
            equivalent = judge_mean(values, range(2000), margin=0.3).verdict == "equivalent"
            assert equivalent == (p < 0.025)
            said += equivalent
    assert 0 <= said < 40


def test_less_is_said_than_by_student_never_more() -> None:
    rng = np.random.default_rng(1)
    said = 0
    for values in (*rng.lognormal(-2, 0.5, size=(60, 12)), *rng.normal(0.05, 0.2, size=(60, 12))):
        if judge_mean(values, range(12), margin=0.3).verdict == "equivalent":
            said += 1
            assert tost(values, 0.3) < 0.025
    assert said > 20


@pytest.mark.parametrize("law", [np.random.Generator.normal, np.random.Generator.lognormal])
def test_p_is_the_level_at_which_the_interval_ends_at_0(law: object) -> None:
    for sign in (1, -1):
        values = sign * (law(np.random.default_rng(5), size=14) + 0.3)  # type: ignore[operator]
        p = judge_mean(values, range(14), margin=0.01).p
        low, high = (float(end) for end in interval_at(values, 1 - p))
        assert min(abs(low), abs(high)) == pytest.approx(0, abs=1e-9)
        assert smallest_level(lambda level, own=values: interval_at(own, 1 - level)) == pytest.approx(p, rel=1e-3)


def interval_at(values: np.ndarray, confidence: float) -> tuple[float, float]:
    found = cluster_interval(values, range(len(values)), confidence=confidence)
    return float(found.low), float(found.high)


def test_p_of_nothing_and_of_everything() -> None:
    assert smallest_level(lambda level: (-1.0, 1.0)) == 1
    assert smallest_level(lambda level: (1.0, 2.0), least=0.001) == 0.001
    assert np.isnan(smallest_level(lambda level: (np.nan, np.nan)))
    assert judge_mean(np.array([1.0, -1] * 5), range(10), margin=0.1).p == 1


def test_too_few_subjects_leave_all_undecided() -> None:
    found = judge_mean(np.zeros(10), np.repeat(range(5), 2), margin=0.1)
    assert (found.verdict, found.why) == ("undecided", "too few clusters")
    assert np.isnan([found.low, found.high, found.detectable]).all()
    given = judge_interval(0.0, lambda level: (-0.01, 0.01), margin=0.1, n_clusters=5)
    assert (given.verdict, given.why) == ("undecided", "too few clusters")


def test_of_facts_that_all_differ_by_the_same_nothing_follows() -> None:
    found = judge_mean(np.full(10, 0.3), range(10), margin=0.1)
    assert (found.value, found.verdict, found.why) == (pytest.approx(0.3), "undecided", "too few carry any effect")


def test_what_would_have_been_found_is_found_four_times_in_five() -> None:
    least = detectable(1 / np.sqrt(10), 9)
    values = np.random.default_rng(2).normal(least, 1, size=(4000, 10))
    assert (scipy.stats.ttest_1samp(values, 0, axis=1).pvalue <= 0.05).mean() == pytest.approx(0.8, abs=0.02)
    # for many subjects the normal law's 1.960 + 0.842
    assert detectable(1.0, 100_000) == pytest.approx(2.8016, abs=1e-3)


def test_statistics_that_are_no_means() -> None:
    without = [np.delete(EIGHT, place).mean() for place in range(8)]
    moved = jackknifed(np.array([EIGHT.mean(), *without]), tuple("abcdefgh"))
    found = judge_interval(moved.value, lambda level: moved.interval(1 - level), margin=0.1, n_clusters=8)
    of_mean = judge_mean(EIGHT, range(8), margin=0.1)
    assert (found.low, found.high, found.detectable) == pytest.approx((of_mean.low, of_mean.high, of_mean.detectable))
    assert found.p == pytest.approx(of_mean.p, rel=1e-3)
    given = judge_interval(0.02, lambda level: interval_at(EIGHT, 1 - level), margin=0.11, n_clusters=8)
    assert (given.verdict, given.low, given.high) == ("equivalent", pytest.approx(found.low), pytest.approx(found.high))
    assert (given.detectable, given.p) == pytest.approx((of_mean.detectable, of_mean.p), rel=1e-3)


def test_a_map_is_equivalent_where_all_its_cells_are() -> None:
    values = np.stack([EIGHT, EIGHT + 0.2, np.full(8, np.nan)], axis=1)
    cells = judge_cells(values, range(8), [1.0, 0.001, np.nan], margin=0.13)
    assert cells.verdict.tolist() == ["equivalent", "different", "undecided"]
    assert cells.everywhere == "different"
    # the same difference, whose p over all cells is not small
    assert judge_cells(values, range(8), [1.0, 0.2, np.nan], margin=0.13).everywhere == "undecided"
    assert judge_cells(values[:, [0, 2]], range(8), [1.0, np.nan], margin=0.13).everywhere == "equivalent"
    assert cells.detectable[0] == pytest.approx(detectable(0.1 / np.sqrt(7), 7, alpha=0.025))
    assert overall([]) == "undecided"


def test_errors_are_as_rare_as_promised() -> None:
    rng = np.random.default_rng(3)
    alike = [judge_mean(rng.normal(size=12), range(12), margin=1e-9).verdict for _ in range(400)]
    apart = [judge_mean(rng.normal(0.8, 1, size=12), range(12), margin=0.8).verdict for _ in range(400)]
    assert alike.count("different") / 400 == pytest.approx(0.05, abs=0.035)
    assert apart.count("equivalent") / 400 <= 0.06
