"""The interval of a mean by hand, against a slow twin, and against simulated truth."""

import numpy as np
import pytest
import scipy.stats

from spiritlens.effects.bootstrap import weighted_means
from spiritlens.effects.clusters import cluster_codes, cluster_sums
from spiritlens.effects.intervals import cluster_interval, hall_ends, jackknife_interval, left_out_means, n_carriers


def by_leaving_out(values: np.ndarray, labels: np.ndarray, confidence: float = 0.95) -> tuple[float, float, float]:
    """Slow twin of one cell: means without each cluster, degrees of freedom by matrices, the root by bisection."""
    names = np.unique(labels)
    mean, n = values.mean(), len(names)
    moved = np.array([mean - values[labels != name].mean() for name in names]) * np.sqrt((n - 1) / n)
    se = np.sqrt((moved**2).sum())
    share = np.array([(labels == name).mean() for name in names])
    residual = np.eye(n) - np.outer(np.ones(n), share)
    part = np.diag(share / (1 - share) * np.sqrt((n - 1) / n)) @ residual
    square = part @ part.T
    dof = np.trace(square) ** 2 / np.trace(square @ square)
    fisher = np.sqrt((dof + 1) * dof) / (dof - 1)
    a = np.clip(fisher * (moved**3).sum() / se**3, -1, 1) / 3
    t = scipy.stats.t.ppf(0.5 + confidence / 2, dof)

    def root(y: float) -> float:
        low, high = -1e4, 1e4
        for _ in range(200):
            middle = (low + high) / 2
            above = middle + a * middle**2 + a**2 * middle**3 / 3 + a / 2 > y
            low, high = (low, middle) if above else (middle, high)
        return low

    return mean, mean - se * max(root(t), t), mean + se * max(-root(-t), t)


def test_symmetric_values_give_students_interval() -> None:
    values = np.array([-3.0, -2, -1, 1, 2, 3])
    found = cluster_interval(values, np.arange(6))
    assert float(found.mean) == 0
    half = scipy.stats.t.ppf(0.975, 5) * np.sqrt(28 / 5 / 6)  # Σx² = 28
    np.testing.assert_allclose([found.low, found.high], [-half, half])
    assert float(found.dof) == pytest.approx(5)
    assert (found.n_facts, found.n_clusters, found.n_carriers) == (6, 6, 5)


def test_halls_ends_by_hand() -> None:
    # a = 1/3 (skewness 1), y = 2: ((1 + 1·(2 − 1/6))^⅓ − 1)·3 = 1.2455; y = −2: ((1 − 13/6)^⅓ − 1)·3 = −6.1582
    low, high = hall_ends(np.array(10.0), np.array(1.0), np.array(1.0), np.array(2.0))
    assert float(low) == 8  # never nearer than Student's
    assert float(high) == pytest.approx(10 + 3 * (1 + (7 / 6) ** (1 / 3)))
    mirrored = hall_ends(np.array(-10.0), np.array(1.0), np.array(-1.0), np.array(2.0))
    np.testing.assert_allclose([-mirrored[1], -mirrored[0]], [low, high])


@pytest.mark.parametrize("seed", range(4))
def test_the_slow_twin_agrees(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(9), rng.integers(1, 6, 9))
    values = rng.lognormal(size=len(labels))
    found = cluster_interval(values, labels)
    np.testing.assert_allclose([found.mean, found.low, found.high], by_leaving_out(values, labels), rtol=1e-10)


def test_a_fact_without_a_cell_counts_for_nothing_there() -> None:
    rng = np.random.default_rng(5)
    values, labels = rng.normal(size=(20, 2, 3)), np.repeat(np.arange(10), 2)
    values[[0, 3, 4], 1, 2] = np.nan
    found, kept = cluster_interval(values, labels), ~np.isnan(values[:, 1, 2])
    alone = cluster_interval(values[kept, 1, 2], labels[kept])
    for name in ("mean", "low", "high", "se", "dof", "n_facts", "n_clusters"):
        assert getattr(found, name).shape == (2, 3)
        assert getattr(found, name)[1, 2] == pytest.approx(getattr(alone, name))


def test_units_and_signs_pass_through() -> None:
    values, labels = np.random.default_rng(6).lognormal(size=12), np.arange(12)
    one, other = cluster_interval(values, labels), cluster_interval(5 - 3 * values, labels)
    np.testing.assert_allclose([other.low, other.high], [5 - 3 * one.high, 5 - 3 * one.low])


def test_there_is_none_below_six_clusters() -> None:
    few, enough = (cluster_interval(np.arange(n, dtype=float), np.arange(n)) for n in (5, 6))
    assert (str(few.missing), str(enough.missing)) == ("too few clusters", "")
    assert np.isnan([few.low, few.high]).all()
    assert float(few.mean) == 2
    assert enough.low < enough.high
    of_one_subject = cluster_interval(np.arange(30.0), np.repeat(0, 30))
    assert str(of_one_subject.missing) == "too few clusters"


def test_there_is_none_where_too_few_carry_any_effect() -> None:
    values = np.zeros((8, 4))
    values[0, 1] = values[:2, 2] = 1
    values[:, 3] = np.nan
    found = cluster_interval(values, np.arange(8))
    assert found.missing.tolist() == ["too few carry any effect", "too few carry any effect", "", "no facts"]
    assert np.isnan(found.low).tolist() == [True, True, False, True]
    # effects within the floor are none
    assert str(cluster_interval(np.array([1.0, 2e-6, 1e-6, 0, 0, 0, 0]), np.arange(7), floor=1e-5).missing) != ""


def test_carriers_are_counted_from_the_commonest_value() -> None:
    values = np.array([[1.0, 0.0], [1, 1e-12], [1, 3], [0, 3], [np.nan, 3], [0.5, -2]])
    found = n_carriers(cluster_sums(values, *cluster_codes(np.arange(6))))
    assert found.tolist() == [2, 3]


@pytest.mark.parametrize("seed", range(3))
def test_the_jackknife_of_a_mean_is_its_interval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(8), rng.integers(1, 5, 8))
    values = rng.lognormal(size=len(labels))
    found = jackknife_interval(left_out_means(values, labels, 8), np.bincount(labels))
    own = cluster_interval(values, labels)
    np.testing.assert_allclose(found, [own.low, own.high])


def test_the_jackknife_needs_six_clusters_and_numbers() -> None:
    assert np.isnan(jackknife_interval(np.zeros(6), np.ones(5))).all()
    assert np.isnan(jackknife_interval([0.0, 1, 2, 3, 4, 5, np.nan], np.ones(6))).all()
    assert jackknife_interval(np.ones(7), np.ones(6)) == (1, 1)


def test_both_ways_by_hand() -> None:
    """Facts in a grid of 7 subjects × 7 relations: the variances of either less that of single facts."""
    rng = np.random.default_rng(7)
    subjects, relations = np.repeat(np.arange(7), 7), np.tile(np.arange(7), 7)
    values = (rng.normal(size=7)[subjects] + rng.normal(size=7)[relations]) + 0.1 * rng.normal(size=49)
    both = cluster_interval(values, subjects, relations)
    parts = [float(cluster_interval(values, labels).se) ** 2 for labels in (subjects, relations, np.arange(49))]
    assert float(both.se) ** 2 == pytest.approx(parts[0] + parts[1] - parts[2])
    assert float(both.dof) == pytest.approx(6)
    same = cluster_interval(values, subjects, subjects)
    assert float(same.se) == pytest.approx(float(cluster_interval(values, subjects).se))
    assert str(cluster_interval(values, subjects, relations // 2).missing) == "too few clusters"


def test_relations_that_facts_share_are_covered_both_ways_only() -> None:
    rng = np.random.default_rng(8)
    subjects, relations = np.repeat(np.arange(20), 8), np.tile(np.arange(8), 20)
    values = rng.normal(size=(20, 600))[subjects] * 0.3 + rng.normal(size=(8, 600))[relations] + 0.5

    def covered(*labels: np.ndarray) -> float:
        found = cluster_interval(values, *labels)
        return float(((found.low <= 0.5) & (found.high >= 0.5)).mean())

    assert covered(subjects) < 0.6
    assert covered(subjects, relations) > 0.93


@pytest.mark.parametrize(
    ("law", "mean"),
    [
        (lambda rng, shape: rng.lognormal(size=shape), np.exp(0.5)),
        (lambda rng, shape: rng.beta(0.5, 2, shape), 0.2),
        (lambda rng, shape: rng.normal(size=shape), 0.0),
    ],
)
def test_coverage_of_skewed_and_plain_laws(law: object, mean: float) -> None:
    values = law(np.random.default_rng(9), (16, 3000))  # type: ignore[operator]
    found = cluster_interval(values, np.arange(16))
    assert 0.92 <= float(((found.low <= mean) & (found.high >= mean)).mean()) <= 0.985


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cluster_interval([1.0, 2.0], ["a"]), "1 clusters"),
        (lambda: cluster_interval([], []), "no facts"),
        (lambda: cluster_interval([1.0], ["a"], confidence=95), "confidence=95"),
        (lambda: cluster_interval([1.0], ["a"], floor=-1), "floor=-1"),
        (lambda: cluster_interval([1.0, 2.0], ["a", "b"], ["x"]), "labels|clusters"),
    ],
)
def test_one_clear_error_each(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def test_means_without_each_cluster_by_a_table_of_weights() -> None:
    """The plain way: a row of weights without each cluster; a cell that one cluster alone has is nothing without it."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 6, 20)
    values = rng.normal(size=(20, 2, 3))
    values[rng.random(values.shape) < 0.3] = np.nan
    values[labels != 2, 0, 0] = np.nan
    rows = np.concatenate([np.ones((1, 20)), 1.0 - (labels == np.arange(6)[:, None])])
    found = left_out_means(values, labels, 6)
    np.testing.assert_allclose(found, weighted_means(values, rows), rtol=1e-12)
    assert np.isnan(found[3, 0, 0])
