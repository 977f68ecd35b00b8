"""Different, equivalent, undecided: by hand, against SciPy's tests, and by counting errors."""

import numpy as np
import pytest
import scipy.stats

from spiritlens.comparison.equivalence import (
    detectable,
    judge_cells,
    judge_intervals,
    judge_mean,
    overall,
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
    # at 90 %: t(7) = 1.8946, so [-0.0516, 0.0916], inside ± 0.1 and not inside ± 0.09
    assert found.verdict == "equivalent"
    assert judge_mean(EIGHT, range(8), margin=0.09).verdict == "undecided"
    assert judge_mean(EIGHT + 0.2, range(8), margin=0.09).verdict == "different"
    assert judge_mean(EIGHT + 0.2, range(8), margin=0.25).verdict == "undecided"  # too small to be told as different
    assert judge_mean(EIGHT + 0.2, range(8), margin=0.3).verdict == "equivalent"  # not 0, but ruled out to matter


def tost(values: np.ndarray, margin: float) -> float:
    """The larger p of SciPy's two one-sided tests."""
    below = scipy.stats.ttest_1samp(values, margin, alternative="less").pvalue
    return max(below, scipy.stats.ttest_1samp(values, -margin, alternative="greater").pvalue)


def test_equivalence_is_two_one_sided_tests() -> None:
    said = 0
    for half in np.random.default_rng(0).normal(0, 0.4, size=(60, 5)):
        values = np.concatenate([0.1 + half, 0.1 - half])  # not skewed, so that nothing is corrected
        equivalent = judge_mean(values, range(10), margin=0.3).verdict == "equivalent"
        assert equivalent == (tost(values, 0.3) < 0.05)
        said += equivalent
    assert 0 < said < 60


def test_of_skewed_differences_less_is_said_never_more() -> None:
    for values in np.random.default_rng(1).lognormal(-2, 1, size=(60, 10)):
        if judge_mean(values, range(10), margin=0.3).verdict == "equivalent":
            assert tost(values, 0.3) < 0.05


def test_too_few_subjects_leave_all_undecided() -> None:
    found = judge_mean(np.zeros(10), np.repeat(range(5), 2), margin=0.1)
    assert (found.verdict, found.why) == ("undecided", "too few clusters")
    assert np.isnan([found.low, found.high, found.detectable]).all()
    given = judge_intervals(0.0, (-0.01, 0.01), (-0.01, 0.01), margin=0.1, n_clusters=5)
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
    found = judge_intervals(moved.value, moved.interval(0.95), moved.interval(0.9), margin=0.1, n_clusters=8)
    of_mean = judge_mean(EIGHT, range(8), margin=0.1)
    assert (found.low, found.high, found.detectable) == pytest.approx((of_mean.low, of_mean.high, of_mean.detectable))
    inner = cluster_interval(EIGHT, range(8), confidence=0.9)
    narrow = (float(inner.low), float(inner.high))
    given = judge_intervals(0.02, (of_mean.low, of_mean.high), narrow, margin=0.1, n_clusters=8)
    assert given.verdict == found.verdict == "equivalent"
    assert given.detectable == pytest.approx(of_mean.detectable)


def test_a_map_is_equivalent_where_all_its_cells_are() -> None:
    values = np.stack([EIGHT, EIGHT + 0.2, np.full(8, np.nan)], axis=1)
    cells = judge_cells(values, range(8), [1.0, 0.001, np.nan], margin=0.1)
    assert cells.verdict.tolist() == ["equivalent", "different", "undecided"]
    assert cells.everywhere == "different"
    # the same difference, whose p over all cells is not small
    assert judge_cells(values, range(8), [1.0, 0.2, np.nan], margin=0.1).everywhere == "undecided"
    assert judge_cells(values[:, [0, 2]], range(8), [1.0, np.nan], margin=0.1).everywhere == "equivalent"
    assert cells.detectable[0] == pytest.approx(detectable(0.1 / np.sqrt(7), 7, alpha=0.025))
    assert overall([]) == "undecided"


def test_errors_are_as_rare_as_promised() -> None:
    rng = np.random.default_rng(3)
    alike = [judge_mean(rng.normal(size=12), range(12), margin=1e-9).verdict for _ in range(400)]
    apart = [judge_mean(rng.normal(0.8, 1, size=12), range(12), margin=0.8).verdict for _ in range(400)]
    assert alike.count("different") / 400 == pytest.approx(0.05, abs=0.035)
    assert apart.count("equivalent") / 400 == pytest.approx(0.05, abs=0.035)
