"""Estimates: what is said of differences that do not vary, and of several ways of clustering."""

import numpy as np
import pytest

from spiritlens.comparison.estimates import ALL_ALIKE, ROUNDING, Estimate, judged_mean, mean_estimate, widest
from spiritlens.comparison.rules import Rules
from spiritlens.effects.intervals import cluster_interval

TEN = np.array([f"subject {place}" for place in range(10)])
RULES = Rules()


def verdict(differences: object, clusters: np.ndarray = TEN) -> tuple[str, str]:
    found = judged_mean(np.asarray(differences, dtype=float), (clusters,), RULES, margin=0.05, floor=1e-8)
    return found.verdict, found.why


def test_rounding_is_equality() -> None:
    rng = np.random.default_rng(0)
    assert verdict(1e-9 * rng.normal(size=10)) == ("equivalent", ROUNDING)
    assert verdict(np.zeros(10)) == ("equivalent", ROUNDING)
    assert verdict(np.zeros(5), TEN[:5])[0] == "undecided"
    assert verdict(np.zeros(10), np.repeat(TEN[:5], 2))[0] == "undecided"


def test_one_difference_in_every_fact_is_a_difference_if_it_is_large() -> None:
    assert verdict(np.full(10, 0.2)) == ("different", ALL_ALIKE)
    assert verdict(np.full(10, -0.2)) == ("different", ALL_ALIKE)
    assert verdict(np.full(10, 0.01)) == ("undecided", ALL_ALIKE)


def test_what_varies_is_judged_by_its_interval() -> None:
    rng = np.random.default_rng(1)
    assert verdict(0.3 + 0.05 * rng.normal(size=10)) == ("different", "")
    assert verdict(0.01 * rng.normal(size=10)) == ("equivalent", "")
    assert verdict(0.3 * rng.normal(size=10)) == ("undecided", "")


def test_the_widest_interval_holds_all() -> None:
    found = widest([Estimate(1.0, 0.5, 1.2), Estimate(1.0, 0.7, 1.9)])
    assert found == Estimate(1.0, 0.5, 1.9)
    assert np.isnan(widest([Estimate(1.0, 0.5, 1.2), Estimate(1.0)]).low)


def test_a_mean_has_the_interval_of_its_clusters() -> None:
    values = np.random.default_rng(2).lognormal(size=10)
    found = mean_estimate(values, (TEN,), RULES, 0.0)
    expected = cluster_interval(values, TEN)
    ends = (expected.mean, expected.low, expected.high)
    assert (found.value, found.low, found.high) == pytest.approx(tuple(map(float, ends)))
