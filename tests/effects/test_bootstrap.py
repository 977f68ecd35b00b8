"""Draws are of whole clusters, and intervals of them cover what they say, on simulated facts."""

import numpy as np
import pytest
import scipy.stats

from spiritlens.effects.bootstrap import bootstrap_weights, interval_ends, weighted_means


def test_clusters_are_drawn_whole() -> None:
    weights = bootstrap_weights(["a", "a", "b", "c"], resamples=50)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert ((weights[:, 1:].sum(axis=1)) == 3).all()


def test_each_cluster_is_drawn_as_often() -> None:
    weights = bootstrap_weights(np.arange(5), resamples=20000)
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.03)
    drawn = [(weights == times).mean() for times in range(6)]
    np.testing.assert_allclose(drawn, scipy.stats.binom.pmf(range(6), 5, 0.2), atol=0.01)


def test_same_seed_same_draws() -> None:
    assert (bootstrap_weights(list("abc"), seed=3) == bootstrap_weights(list("abc"), seed=3)).all()
    assert (bootstrap_weights(list("abc"), seed=3) != bootstrap_weights(list("abc"), seed=4)).any()


def test_weighted_mean_leaves_nan_facts_out() -> None:
    values = np.array([[1.0, np.nan, 2.0], [3.0, np.nan, 4.0], [np.nan, np.nan, 6.0]])
    means = weighted_means(values, np.array([[1.0, 1.0, 1.0], [3.0, 1.0, 9.0]]))
    np.testing.assert_allclose(means[:, 0], [2.0, 1.5])
    assert np.isnan(means[:, 1]).all()
    np.testing.assert_allclose(means[:, 2], [4.0, (3 * 2 + 4 + 9 * 6) / 13])


def test_weighted_means_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=(7, 3, 2)), bootstrap_weights(np.arange(7), resamples=20)
    values[rng.random(values.shape) < 0.3] = np.nan
    values[:, 0, 0] = 1.0
    found = weighted_means(values, weights)
    for draw, row in enumerate(weights):
        for cell in np.ndindex(3, 2):
            there = ~np.isnan(values[:, *cell])
            expected = (row * np.nan_to_num(values[:, *cell])).sum() / row[there].sum() if row[there].sum() else np.nan
            assert found[draw, *cell] == pytest.approx(expected, nan_ok=True)


def test_coverage_on_normal_facts_is_about_the_confidence() -> None:
    rng = np.random.default_rng(0)
    trials, facts = 1500, 20
    values = rng.normal(0.3, 1.0, (facts, trials))
    draws = weighted_means(values, bootstrap_weights(np.arange(facts), 1500))
    ends = [interval_ends(one, facts)(0.95) for one in draws.T]
    covered = float(np.mean([low <= 0.3 <= high for low, high in ends]))
    assert 0.93 <= covered <= 0.97


def test_there_is_none_below_six_clusters() -> None:
    draws = np.random.default_rng(1).normal(size=100)
    assert np.isnan(interval_ends(draws, 5)(0.95)).all()
    assert not np.isnan(interval_ends(draws, 6)(0.95)).any()


def test_draws_without_a_value_are_left_out() -> None:
    draws = np.random.default_rng(2).normal(size=200)
    draws[::10] = np.nan
    assert interval_ends(draws, 10)(0.9) == interval_ends(draws[~np.isnan(draws)], 10)(0.9)


def test_ends_are_expanded_percentiles_at_every_confidence() -> None:
    """As numpy and scipy have them: for a mean of n normal values the interval has Student's length."""
    for n_draws in (1, 2, 501):
        draws = np.random.default_rng(4).normal(size=n_draws)
        ends = interval_ends(draws, 9)
        for confidence in (0.5, 0.9, 0.95, 0.999999):
            tail = scipy.stats.norm.cdf(np.sqrt(9 / 8) * scipy.stats.t.ppf((1 - confidence) / 2, 8))
            np.testing.assert_allclose(ends(confidence), np.quantile(draws, [tail, 1 - tail]), rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_weights([]), "no facts"),
        (lambda: bootstrap_weights(["a"], resamples=0), "resamples=0"),
    ],
)
def test_one_clear_error_each(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def test_draws_made_in_pieces_are_those_made_at_once() -> None:
    subjects = ["b", "a", "c", "a", "d"]
    drawn = np.random.default_rng(3).integers(0, 4, size=(1300, 4))
    slowly = [[list(row).count("abcd".index(subject)) for subject in subjects] for row in drawn.tolist()]
    np.testing.assert_array_equal(bootstrap_weights(subjects, 1300, 3), slowly)
