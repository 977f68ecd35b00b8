"""Numbers of maps and curves, by hand and against simulated truth."""

import numpy as np
import pytest

from spiritlens.comparison.map_statistics import handovers, role_shares
from spiritlens.comparison.shifts import peaks


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


def layer_by_layer(subject: list[float], other: list[float], least: float) -> float:
    """Slow twin of a hand-over: one curve, one layer after another."""
    told = [value for value in subject if not np.isnan(value)]
    if not told or max(told) <= 0 or max(told) < least:
        return float("nan")
    peak = next(layer for layer, value in enumerate(subject) if value == max(told))
    highest = max((value for value in other if not np.isnan(value)), default=float("nan"))
    for layer in range(peak, len(subject)):
        lead = other[layer] - subject[layer]
        if lead >= 0 and other[layer] >= highest / 2 and other[layer] >= least:
            before = other[layer - 1] - subject[layer - 1] if layer > peak else float("nan")
            return layer - 1 - before / (lead - before) if before < 0 and lead > before else float(layer)
    return float("nan")


@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_many_curves_at_once_are_those_of_loops(gaps: float) -> None:
    rng = np.random.default_rng(5)
    subject, other = rng.normal(0.2, 0.5, size=(2, 400, 6))
    subject[rng.random(subject.shape) < gaps] = np.nan
    other[rng.random(other.shape) < gaps] = np.nan
    subject[0], other[1] = np.nan, np.nan
    slowly = [layer_by_layer(one.tolist(), two.tolist(), 0.3) for one, two in zip(subject, other, strict=True)]
    np.testing.assert_allclose(handovers(subject, other, 0.3), slowly, atol=1e-12)
    assert 0.2 < np.isnan(slowly).mean() < 0.95
    highest = [max(((v, -at) for at, v in enumerate(one) if v > 0), default=(0, np.nan))[1] for one in subject.tolist()]
    np.testing.assert_array_equal(peaks(subject, np.arange(6)), [-at for at in highest])
