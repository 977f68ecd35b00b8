"""Intervals cover what they say and the max-T test errs as often as it says, on simulated facts."""

import numpy as np
import pytest

from spiritlens.effects.bootstrap import bootstrap_mean, bootstrap_weights, interval, max_t, weighted_means


def test_clusters_are_drawn_whole() -> None:
    weights = bootstrap_weights(["a", "a", "b", "c"], resamples=50)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert ((weights[:, 1:].sum(axis=1)) == 3).all()


def test_same_seed_same_draws() -> None:
    assert (bootstrap_weights(list("abc"), seed=3) == bootstrap_weights(list("abc"), seed=3)).all()
    assert (bootstrap_weights(list("abc"), seed=3) != bootstrap_weights(list("abc"), seed=4)).any()


def test_weighted_mean_leaves_nan_facts_out() -> None:
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])
    means = weighted_means(values, np.array([[1.0, 1.0, 1.0], [3.0, 1.0, 9.0]]))
    np.testing.assert_allclose(means[:, 0], [2.0, 1.5])
    assert np.isnan(means[:, 1]).all()


def test_coverage_on_normal_facts_is_about_the_confidence() -> None:
    rng = np.random.default_rng(0)
    trials, facts = 1500, 20
    values = rng.normal(0.3, 1.0, (facts, trials))
    _, low, high = bootstrap_mean(values, np.arange(facts), resamples=1500)
    covered = float(((low <= 0.3) & (high >= 0.3)).mean())
    assert 0.93 <= covered <= 0.97


def test_coverage_holds_for_facts_that_share_a_subject() -> None:
    rng = np.random.default_rng(1)
    trials, subjects, each = 1500, 20, 4
    shared = rng.normal(0, 1, (subjects, 1, trials)) + rng.normal(0, 0.5, (subjects, each, trials))
    values, names = shared.reshape(subjects * each, trials), np.repeat(np.arange(subjects), each)
    _, low, high = bootstrap_mean(values, names, resamples=1500)
    assert 0.93 <= float(((low <= 0) & (high >= 0)).mean()) <= 0.97
    _, low, high = bootstrap_mean(values, np.arange(len(names)), resamples=1500)
    assert float(((low <= 0) & (high >= 0)).mean()) < 0.8  # drawing facts instead of subjects would claim too much


def test_one_cluster_gives_no_interval() -> None:
    _, low, high = bootstrap_mean(np.ones((3, 2)), ["a", "a", "a"])
    assert np.isnan([low, high]).all()


def test_the_interval_of_a_cell_rests_on_the_clusters_that_have_it() -> None:
    names = ["a", "a", "b", "c", "d", "e"]
    values = np.random.default_rng(4).normal(size=(6, 4))
    values[1:, 1] = np.nan  # one fact
    values[2:, 2] = np.nan  # two facts of one subject
    values[[1, 3, 4, 5], 3] = np.nan  # facts of two subjects
    mean, low, high = bootstrap_mean(values.reshape(6, 2, 2), names)
    assert not np.isnan(mean).any()
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [[False, True], [True, False]]
    draws = weighted_means(values[:, 3], bootstrap_weights(names))
    np.testing.assert_allclose((low[1, 1], high[1, 1]), interval(draws, 2))


def test_max_t_type_one_rate_over_a_whole_map() -> None:
    rng = np.random.default_rng(2)
    smallest = []
    for trial in range(400):
        map_values = rng.normal(0, 1, (16, 30)) + rng.normal(0, 1, (16, 1))  # cells of a fact are correlated
        smallest.append(max_t(map_values, np.arange(16), permutations=199, seed=trial)[1].min())
    assert 0.025 <= float((np.array(smallest) <= 0.05).mean()) <= 0.08


def test_max_t_finds_the_planted_cell_only() -> None:
    values = np.random.default_rng(3).normal(0, 1, (30, 5, 4))
    values[:, 2, 1] += 1.5
    _, p_value = max_t(values, np.arange(30))
    assert p_value[2, 1] < 0.01
    assert (np.delete(p_value.reshape(-1), 2 * 4 + 1) > 0.05).all()


def test_max_t_leaves_empty_cells_nan_and_zero_cells_at_one() -> None:
    values = np.column_stack([np.full(6, np.nan), np.zeros(6), np.ones(6)])
    statistic, p_value = max_t(values, np.arange(6))
    assert np.isnan([statistic[0], p_value[0]]).all()
    assert (statistic[1], p_value[1]) == (0, 1)
    assert statistic[2] == pytest.approx(np.sqrt(6))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_weights([]), "no facts"),
        (lambda: bootstrap_weights(["a"], resamples=0), "resamples=0"),
        (lambda: interval(np.zeros((3, 1)), 3, confidence=95), "confidence=95"),
        (lambda: max_t(np.zeros((2, 1)), ["a", "b"], permutations=0), "permutations=0"),
    ],
)
def test_one_clear_error_each(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
