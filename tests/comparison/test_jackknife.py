"""The delete-one jackknife, against the formulas that it must give for a mean."""

import numpy as np
import pytest
import scipy.stats

from spiritlens.comparison.jackknife import Jackknifed, difference, jackknifed


def of_mean(values: np.ndarray, names: str) -> Jackknifed:
    without = [np.delete(values, place).mean() for place in range(len(values))]
    return jackknifed(np.array([values.mean(), *without]), tuple(names[: len(values)]))


def test_of_a_mean_it_is_students_interval() -> None:
    values = np.random.default_rng(0).lognormal(size=8)
    found = of_mean(values, "abcdefgh")
    assert found.error == pytest.approx(scipy.stats.sem(values), rel=1e-12)
    expected = scipy.stats.t.interval(0.95, 7, values.mean(), scipy.stats.sem(values))
    assert found.interval(0.95) == pytest.approx(expected, rel=1e-12)


def test_by_hand() -> None:
    # θ = 3 without nobody; 2, 3, 4 without each of three: deviations √(2/3) · (−1, 0, 1), error² = 2/3 · 2
    found = jackknifed(np.array([3.0, 2.0, 3.0, 4.0]), ("a", "b", "c"))
    np.testing.assert_allclose(found.deviations, np.sqrt(2 / 3) * np.array([-1, 0, 1]))
    assert found.error == pytest.approx(np.sqrt(4 / 3))
    assert np.isnan(found.interval()).all()  # three clusters are too few for an interval


def test_a_difference_of_the_same_subjects_is_paired_and_of_others_is_not() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 7))
    paired = difference(of_mean(first, "abcdefg"), of_mean(second, "abcdefg"))
    assert paired.error == pytest.approx(scipy.stats.sem(first - second), rel=1e-12)
    assert paired.value == pytest.approx((first - second).mean())
    apart = difference(of_mean(first, "abcdefg"), of_mean(second[:6], "uvwxyz"))
    assert apart.error**2 == pytest.approx(scipy.stats.sem(first) ** 2 + scipy.stats.sem(second[:6]) ** 2)
    assert (len(apart.clusters), apart.smallest) == (13, 6)


def test_a_statistic_without_a_value_somewhere_has_no_error() -> None:
    found = jackknifed(np.array([1.0, *[1.0] * 6, np.nan]), tuple("abcdefg"))
    assert np.isnan(found.error)
    assert np.isnan(found.interval()).all()
