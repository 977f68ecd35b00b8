"""Numbers of maps and curves, by hand and against simulated truth."""

import numpy as np
import pytest

from spiritlens.comparison.map_statistics import handovers, role_shares


def test_handover_is_interpolated_and_comes_after_the_peak() -> None:
    subject = np.array([[0.0, 0.4, 1.0, 0.6, 0.0], [0.1, 1.0, 0.9, 0.8, 0.7], [-1.0, -1.0, -1.0, -1.0, -1.0]])
    readout = np.array([[0.1, 0.0, 0.0, 0.2, 0.8], [0.2, 0.0, 0.1, 0.2, 0.3], [0.0, 0.1, 0.2, 0.3, 0.4]])
    # lead of the first row: 0.1 −0.4 −1 −0.4 0.8: it crosses 0 a third of the way from layer 3 to layer 4
    np.testing.assert_allclose(handovers(subject, readout), [3 + 0.4 / 1.2, np.nan, np.nan])


def test_two_curves_at_nothing_hand_over_nothing() -> None:
    """The curves cross at 1e-9 in layer 2; the other role carries something in layer 4 only."""
    subject, other = np.array([[1.0, 1.0, 0.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 1e-9, 1e-9, 0.9]])
    np.testing.assert_allclose(handovers(subject, other, 0.1), [4.0])
    assert np.isnan(handovers(subject, other / 10, 0.1)).all()
    assert np.isnan(handovers(subject / 100, other, 0.1)).all()


@pytest.mark.parametrize("late", [0.4, 0.6])
def test_what_takes_over_has_half_of_its_maximum(late: float) -> None:
    subject, other = np.array([[1.0, 0.5, 0.2, 0.0]]), np.array([[0.0, 0.1, late, 0.9]])
    crossing = 1 + 0.4 / (0.4 + late - 0.2)
    np.testing.assert_allclose(handovers(subject, other), [crossing if late > 0.45 else 3.0])


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
