"""Numbers of maps and curves, by hand and against simulated truth."""

import numpy as np
import pytest
import scipy.stats

from spiritlens.comparison.map_statistics import (
    handovers,
    pearson,
    ranks,
    role_shares,
    spearman,
    split_half_reliability,
)


def test_correlations_agree_with_scipy_and_ignore_scale() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(3, 20)), rng.normal(size=(3, 20))
    for row in range(3):
        assert pearson(first, second)[row] == pytest.approx(scipy.stats.pearsonr(first[row], second[row])[0])
        assert spearman(first, second)[row] == pytest.approx(scipy.stats.spearmanr(first[row], second[row])[0])
    np.testing.assert_allclose(pearson(first, 5 * second + 1), pearson(first, second))
    assert np.isnan(pearson(np.ones((1, 4)), first[:1, :4])).all()


def test_split_halves_recover_the_known_reliability() -> None:
    rng = np.random.default_rng(1)
    facts, cells, noise = 40, 4000, 4.0
    truth = rng.normal(size=cells)
    values = truth + rng.normal(0, noise, (facts, cells))
    expected = truth.var() / (truth.var() + noise**2 / facts)
    assert split_half_reliability(values, np.arange(facts)) == pytest.approx(expected, abs=0.03)


def test_facts_of_one_subject_do_not_feign_reliability() -> None:
    rng = np.random.default_rng(2)
    subjects = np.repeat(np.arange(8), 10)
    values = rng.normal(size=(8, 300))[subjects]  # subjects' maps have nothing in common
    assert split_half_reliability(values, subjects) < 0.2
    assert split_half_reliability(values, np.arange(80)) > 0.7
    assert np.isnan(split_half_reliability(values[:30], subjects[:30]))


def test_ranks_are_scipys_with_and_without_equal_cells() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(6, 30))
    values[2] = np.round(values[2])
    values[4, 3] = np.nan
    np.testing.assert_array_equal(ranks(values), scipy.stats.rankdata(values, axis=1, nan_policy="propagate"))
    np.testing.assert_array_equal(ranks(np.array([[2.0, 1.0, 2.0]])), [[2.5, 1.0, 2.5]])


def test_handover_is_interpolated_and_comes_after_the_peak() -> None:
    subject = np.array([[0.0, 0.4, 1.0, 0.6, 0.0], [0.1, 1.0, 0.9, 0.8, 0.7], [-1.0, -1.0, -1.0, -1.0, -1.0]])
    readout = np.array([[0.1, 0.0, 0.0, 0.2, 0.8], [0.2, 0.0, 0.1, 0.2, 0.3], [0.0, 0.1, 0.2, 0.3, 0.4]])
    # lead of the first row: 0.1 −0.4 −1 −0.4 0.8: it crosses 0 a third of the way from layer 3 to layer 4
    np.testing.assert_allclose(handovers(subject, readout), [3 + 0.4 / 1.2, np.nan, np.nan])


def test_shares_are_of_the_signed_mass() -> None:
    maps = np.array([[[1.0, 2.0], [-1.0, 4.0], [np.nan, np.nan]]])
    np.testing.assert_allclose(role_shares(maps), [[0.5, 0.5, 0.0]])
    np.testing.assert_allclose(role_shares(np.array([[[3.0, 2.0], [-1.0, 0.0]]])), [[1.25, -0.25]])
    assert np.isnan(role_shares(-np.abs(maps))).all()


def test_noise_adds_to_no_role() -> None:
    """All of the effect at one role, noise at another: its share is 0 on average, where clipping gave it mass."""
    rng = np.random.default_rng(4)
    maps = rng.normal(0, 0.03, (4000, 2, 16))
    maps[:, 0] += 1 / 16
    np.testing.assert_allclose(role_shares(maps).mean(axis=0)[1], 0, atol=0.02)
