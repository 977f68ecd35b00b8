"""Tests by sign flips: by hand, against all flips one by one, and how often they err."""

from itertools import product

import numpy as np
import pytest
import scipy.stats

from spiritlens.effects.intervals import cluster_interval
from spiritlens.effects.sign_flips import (
    cell_p_values,
    false_discovery,
    max_t,
    max_t_family,
    sign_flips,
    simultaneous_interval,
)


def flip_by_flip(values: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slow twin: T, p over all cells and p of each cell, from every flip of every cluster."""
    names = np.unique(labels)
    sums = np.array([np.nansum(values[labels == name], axis=0) for name in names])

    def t(signs: tuple[int, ...]) -> np.ndarray:
        return np.array([sum(s * x for s, x in zip(signs, column, strict=True)) for column in sums.T]) / np.sqrt(
            (sums**2).sum(axis=0)
        )

    own = t((1,) * len(names))
    every = np.abs([t(signs) for signs in product((1, -1), repeat=len(names))])
    largest = every.max(axis=1)
    adjusted = np.array([(largest >= abs(one) - 1e-12).mean() for one in own])
    return own, adjusted, (every >= np.abs(own) - 1e-12).mean(axis=0)


def test_signs_are_all_there_once() -> None:
    flips = sign_flips(5, 10, 0)
    assert flips.shape == (16, 5)
    assert len({tuple(row) for row in flips.tolist()} | {tuple(-row) for row in flips}) == 32
    assert (flips[0] == 1).all()
    drawn = sign_flips(13, 10, 0)
    assert drawn.shape == (11, 13)
    assert (drawn[0] == 1).all()
    assert set(np.unique(drawn)) == {-1, 1}
    assert (drawn == sign_flips(13, 10, 0)).all()
    assert (drawn != sign_flips(13, 10, 1)).any()


def test_three_clusters_by_hand() -> None:
    """Sums 1, 2, 3: of the flips +++ ++− +−+ +−− only the first reaches 6, and of 4 ones at best 1/4."""
    found = max_t(np.array([[1.0], [2.0], [3.0]]), ["a", "b", "c"])
    assert float(found.statistic[0]) == pytest.approx(6 / np.sqrt(14))
    assert (float(found.p_value[0]), float(found.smallest_p[0]), found.n_flips, found.flips) == (0.25, 0.25, 4, "all")


@pytest.mark.parametrize("seed", range(3))
def test_all_flips_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(7), [1, 2, 3, 1, 2, 1, 1])
    values = rng.normal(0.5, 1, (11, 6))
    values[rng.random(values.shape) < 0.2] = np.nan
    values[0, 0] = 1.0
    own, adjusted, alone = flip_by_flip(values, labels)
    found, cells = max_t(values, labels), cell_p_values(values, labels)
    np.testing.assert_allclose(found.statistic, own)
    np.testing.assert_allclose(found.p_value, np.maximum(adjusted, found.smallest_p))
    np.testing.assert_allclose(cells.p_value, np.maximum(alone, cells.smallest_p))


@pytest.mark.parametrize("clusters", [3, 5, 13])
def test_p_is_never_below_what_the_design_allows(clusters: int) -> None:
    for seed in range(20):
        found = max_t(
            np.ones((clusters, 2)), np.arange(clusters), permutations=20000 if clusters > 12 else 9, seed=seed
        )
        assert (found.p_value >= 2.0 ** (1 - clusters)).all()
        assert (found.smallest_p == 2.0 ** (1 - clusters)).all()


def test_a_cell_that_a_fact_lacks_is_tested_over_the_others() -> None:
    values = np.random.default_rng(3).normal(1, 1, (9, 2))
    values[[2, 5], 1] = np.nan
    found = max_t(values, np.arange(9))
    assert found.n_facts.tolist() == found.n_clusters.tolist() == [9, 7]
    np.testing.assert_allclose(found.smallest_p, [2.0**-8, 2.0**-6])
    kept = ~np.isnan(values[:, 1])
    assert found.statistic[1] == pytest.approx(max_t(values[kept, 1], np.arange(7)).statistic)


def test_empty_cells_are_nan_and_zero_cells_at_one() -> None:
    found = max_t(np.column_stack([np.full(6, np.nan), np.zeros(6), np.ones(6)]), np.arange(6))
    assert np.isnan([found.statistic[0], found.p_value[0], found.smallest_p[0]]).all()
    assert (found.statistic[1], found.p_value[1]) == (0, 1)
    assert found.statistic[2] == pytest.approx(np.sqrt(6))
    assert found.p_value[2] == 1 / 32


def test_one_family_over_two_maps_is_one_map_of_both() -> None:
    rng = np.random.default_rng(4)
    first, second = rng.normal(0.4, 1, (14, 3, 2)), rng.normal(0.4, 1, (14, 5))
    together = max_t(np.concatenate([first.reshape(14, 6), second], axis=1), np.arange(14), permutations=300)
    one, other = max_t_family([(first, np.arange(14)), (second, np.arange(14))], permutations=300)
    np.testing.assert_array_equal(np.concatenate([one.p_value.reshape(-1), other.p_value]), together.p_value)
    assert (one.p_value >= max_t(first, np.arange(14), permutations=300).p_value).all()


def test_maps_of_a_family_may_have_other_facts() -> None:
    first, second = np.ones((8, 1)), -np.ones((6, 1))
    one, other = max_t_family([(first, list("abcdefgh")), (second, list("cdefxy"))])
    assert (one.n_clusters.tolist(), other.n_clusters.tolist()) == ([8], [6])
    assert one.n_flips == 2**9
    assert one.statistic[0] == pytest.approx(np.sqrt(8))


def test_false_discovery_by_hand_and_as_scipy_does() -> None:
    p_values = np.array([[0.01, 0.04], [np.nan, 0.03]])
    np.testing.assert_allclose(false_discovery(p_values, "positive"), [[0.03, 0.04], [np.nan, 0.04]])
    np.testing.assert_allclose(
        false_discovery(p_values), np.array([[0.03, 0.04], [np.nan, 0.04]]) * (1 + 1 / 2 + 1 / 3)
    )
    many = np.random.default_rng(5).random(40) ** 3
    np.testing.assert_allclose(false_discovery(many, "positive"), scipy.stats.false_discovery_control(many))
    np.testing.assert_allclose(false_discovery(many), scipy.stats.false_discovery_control(many, method="by"))
    assert false_discovery(np.array([np.nan])).tolist() == pytest.approx([np.nan], nan_ok=True)


def test_simultaneous_ends_by_flips_one_by_one() -> None:
    rng = np.random.default_rng(6)
    labels = np.repeat(np.arange(7), [1, 3, 2, 1, 1, 2, 1])
    values = rng.normal(size=(11, 3))
    low, high = simultaneous_interval(values, labels)
    residuals = values - values.mean(axis=0)
    means = np.array([residuals[labels == name].sum(axis=0) / (labels == name).sum() for name in range(7)])
    largest = []
    for signs in product((1, -1), repeat=7):
        flipped = (np.array(signs)[:, None] * means)[labels]  # each cluster's mean residual, its sign flipped
        found = cluster_interval(flipped, labels)
        largest.append(np.abs(found.mean / found.se).max())
    bound = np.quantile(largest, 0.95, method="higher")
    own = cluster_interval(values, labels)
    nearest = np.minimum(own.mean - low, high - own.mean) / own.se
    np.testing.assert_allclose(nearest, bound)


def test_simultaneous_intervals_are_wider_and_missing_below_six() -> None:
    values = np.random.default_rng(7).normal(size=(20, 40))
    own = cluster_interval(values, np.arange(20))
    low, high = simultaneous_interval(values, np.arange(20))
    assert ((low < own.low) & (high > own.high)).all()
    assert np.isnan(simultaneous_interval(values[:5], np.arange(5))).all()
    values[:15, 0] = np.nan
    assert np.isnan(simultaneous_interval(values, np.arange(20))[0]).tolist() == [True] + [False] * 39


def test_the_largest_cell_of_nothing_holds_zero() -> None:
    """Over 30 cells the plain interval of the largest misses 0 in most studies; the one for all cells in 1 of 20."""
    plain, corrected = [], []
    for seed in range(200):
        values = np.random.default_rng(seed).normal(size=(16, 30))
        largest = int(np.abs(values.mean(axis=0)).argmax())
        own = cluster_interval(values, np.arange(16))
        plain.append(own.low[largest] > 0 or own.high[largest] < 0)
        low, high = simultaneous_interval(values, np.arange(16), permutations=299, seed=seed)
        corrected.append(low[largest] > 0 or high[largest] < 0)
    assert np.mean(plain) > 0.5
    assert np.mean(corrected) <= 0.08


@pytest.mark.parametrize("law", ["normal", "skewed in pairs", "of unequal clusters"])
def test_type_one_rate_over_a_whole_map(law: str) -> None:
    rng = np.random.default_rng(8)
    labels = np.repeat(np.arange(10), np.arange(10) % 3 * 2 + 1) if law == "of unequal clusters" else np.arange(16)
    smallest = []
    for trial in range(300):
        shape = (len(set(labels.tolist())), 30)
        if law == "skewed in pairs":
            cells = rng.lognormal(size=shape) - rng.lognormal(size=shape)
        else:
            cells = rng.normal(size=shape) + rng.normal(size=(shape[0], 1))  # cells of a fact are correlated
        smallest.append(max_t(cells[labels], labels, permutations=199, seed=trial).p_value.min())
    assert 0.02 <= float((np.array(smallest) <= 0.05).mean()) <= 0.08


def test_a_mean_of_zero_by_a_skewed_law_is_not_the_null() -> None:
    """What the module says it does not test: −1 in a fifth of facts, +¼ else."""
    rng = np.random.default_rng(9)
    found = [
        max_t(np.where(rng.random((8, 30)) < 0.2, -1.0, 0.25), np.arange(8)).p_value.min() <= 0.05 for _ in range(50)
    ]
    assert np.mean(found) > 0.5


def test_the_planted_cell_only_is_found() -> None:
    values = np.random.default_rng(10).normal(0, 1, (30, 5, 4))
    values[:, 2, 1] += 1.5
    p_value = max_t(values, np.arange(30)).p_value
    assert p_value[2, 1] < 0.01
    assert (np.delete(p_value.reshape(-1), 2 * 4 + 1) > 0.05).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: max_t(np.zeros((2, 1)), ["a", "b"], permutations=0), "permutations=0"),
        (lambda: max_t(np.zeros((2, 1)), ["a"]), "1 clusters"),
        (lambda: max_t([], []), "no facts"),
        (lambda: max_t_family([]), "no facts"),
        (lambda: cell_p_values([np.inf, 1], ["a", "b"]), "infinite"),
        (lambda: false_discovery([0.5, 1.5]), "from 0.5 to 1.5"),
        (lambda: false_discovery([0.5], "some"), "any, positive"),  # type: ignore[arg-type]
        (lambda: simultaneous_interval([1.0], ["a"], confidence=1), "confidence=1"),
    ],
)
def test_one_clear_error_each(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


@pytest.mark.parametrize("seed", range(4))
def test_single_precision_decides_nothing(seed: int) -> None:
    """Many clusters: p by float32 where it is sure, float64 where it is not, are those of float64 throughout."""
    values = np.random.default_rng(seed).normal(0, 1, size=(60, 50))
    values[:, 7] = values[:, 3]  # ties
    values[:40, 9] = np.nan
    values[:, 11] = 0.0
    found = max_t(values, range(60), permutations=3000, seed=seed)
    sums = np.nan_to_num(values)
    with np.errstate(invalid="ignore"):
        units = np.nan_to_num(sums / np.sqrt((sums**2).sum(axis=0)))
    flips = sign_flips(60, 3000, seed)
    largest = np.array([np.abs(np.einsum("c,ck->k", row.astype(np.float64), units)).max() for row in flips])
    slowly = [(largest >= abs(own) - 1e-12).mean() for own in units.sum(axis=0)]
    np.testing.assert_allclose(found.p_value, slowly, atol=1e-15)
    assert (found.p_value[3], found.p_value[11]) == (found.p_value[7], 1)
