"""Centres and peaks along the layers, by hand and against simulated truth."""

import json

import numpy as np
import pytest
import xarray as xr

from spiritlens.comparison.shifts import as_high_as_the_peak, centres, has_a_peak, peaks, window_centres

LAYERS = np.arange(3)


def test_centres_and_peaks_by_hand() -> None:
    curves = np.array([[0.0, 1.0, 3.0], [-1.0, -2.0, -3.0], [np.nan, np.nan, np.nan], [2.0, np.nan, -1.0]])
    np.testing.assert_allclose(centres(curves, LAYERS), [1.75, np.nan, np.nan, -2.0])  # (0·2 − 2·1) / (2 − 1)
    np.testing.assert_array_equal(peaks(curves, LAYERS), [2.0, np.nan, np.nan, 0.0])
    np.testing.assert_allclose(centres(curves[:1], [4, 8, 16]), [(8 + 48) / 4])
    np.testing.assert_array_equal(peaks(curves[:1], [4, 8, 16]), [16])


def test_layers_that_were_not_measured_are_passed_over() -> None:
    curves = np.array([[np.nan, 1.0, 3.0, np.nan]])
    assert peaks(curves, np.arange(4)) == 2
    assert centres(curves, np.arange(4)) == 1.75


def test_noise_draws_no_centre_to_the_middle() -> None:
    """A bump at layer 8 of 32 with noise of either sign: unbiased at any strength, where clipping gave layers."""
    rng = np.random.default_rng(0)
    bump = np.exp(-0.5 * ((np.arange(32) - 8) / 2) ** 2)
    for strength in (0.7, 0.3):
        curves = strength * bump + rng.normal(0, 0.02, (4000, 32))
        assert centres(curves, np.arange(32)).mean() == pytest.approx(8, abs=0.1)
        clipped = np.clip(curves, 0, None)
        assert (clipped @ np.arange(32) / clipped.sum(axis=1)).mean() > 8.4


def test_a_bump_has_a_peak_and_a_plateau_has_none() -> None:
    rng = np.random.default_rng(1)
    bump = np.exp(-0.5 * ((np.arange(12) - 4) / 1.5) ** 2)
    plateau = (np.arange(12) < 6).astype(float)
    for curve, peaked in ((bump, True), (plateau, False), (-bump, False)):
        facts = curve * rng.uniform(0.5, 1.5, (20, 1)) + rng.normal(0, 1e-3, (20, 12))
        assert has_a_peak(facts, np.arange(20)) is peaked
    assert not has_a_peak(np.zeros((20, 12)), np.arange(20))
    assert not has_a_peak(np.full((20, 12), np.nan), np.arange(20))


def test_rounding_makes_no_peak() -> None:
    """A plateau whose layers differ by 1e-9 in every fact alike: far more than their standard error, and no effect."""
    plateau = np.array([1.0, 1.0 + 1e-9, 1.0 - 1e-9, 1.0 - 2e-9, 0.1])
    facts = np.repeat(plateau[None], 10, axis=0)
    assert has_a_peak(facts, np.arange(10))
    assert not has_a_peak(facts, np.arange(10), floor=1e-8)
    assert as_high_as_the_peak(facts, np.arange(10), floor=1e-8).tolist() == [True, True, True, True, False]


def test_as_high_is_within_one_standard_error_by_hand() -> None:
    """Differences from the peak 1, 3 and 2, 2: means 2 and 2, standard errors 1 and 0; of 9, −5: 2 and 7."""
    facts = np.array([[10.0, 9, 8, 1], [10.0, 7, 8, 15]])
    assert as_high_as_the_peak(facts, ["a", "b"]).tolist() == [True, False, False, True]
    assert not has_a_peak(facts, ["a", "b"])


def test_one_subject_has_no_standard_error_and_its_peak_is_its_own() -> None:
    assert has_a_peak(np.array([[0.0, 1.0, 0.5]]), ["a"])
    assert not has_a_peak(np.array([[1.0, 0.9, 1.0]]), ["a"])


def test_a_window_stands_for_its_middle() -> None:
    spans = {"mlp_out": {"0": [0, 0], "1": [0, 1], "2": [1, 2]}, "attn_out": {"0": [0, 1], "1": [0, 2], "2": [1, 2]}}
    effects = xr.Dataset(coords={"layer": [0, 1, 2]}, attrs={"window_layers": json.dumps(spans)})
    assert window_centres(effects, "mlp_out").tolist() == [0, 0.5, 1.5]  # even: half a layer lower
    assert window_centres(effects, "attn_out").tolist() == [0.5, 1, 1.5]  # odd: cut off at the ends
    assert window_centres(effects, "resid_pre").tolist() == [0, 1, 2]
