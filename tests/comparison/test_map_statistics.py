"""Numbers of maps and curves, by hand and against simulated truth."""

import numpy as np
import pytest

from spiritlens.comparison.map_statistics import handovers, role_shares
from spiritlens.comparison.sampling import drawn_at_any
from spiritlens.comparison.shifts import peaks
from spiritlens.effects.bootstrap import bootstrap_weights, weighted_means


def test_handover_is_interpolated_and_comes_after_the_peak() -> None:
    subject = np.array([[0.0, 0.4, 1.0, 0.6, 0.0], [0.1, 1.0, 0.9, 0.8, 0.7], [-1.0, -1.0, -1.0, -1.0, -1.0]])
    readout = np.array([[0.1, 0.0, 0.0, 0.2, 0.8], [0.2, 0.0, 0.1, 0.2, 0.3], [0.0, 0.1, 0.2, 0.3, 0.4]])
    # lead of the first row: 0.1 −0.4 −1 −0.4 0.8: it crosses 0 a third of the way from layer 3 to layer 4
    np.testing.assert_allclose(handovers(subject, readout), [3 + 0.4 / 1.2, np.nan, np.nan])


def test_two_curves_at_nothing_hand_over_nothing() -> None:
    """The curves cross at 1e-9 in layer 2; the other role has half of its maximum halfway from layer 3 to layer 4."""
    subject, other = np.array([[1.0, 1.0, 0.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 1e-9, 1e-9, 0.9]])
    np.testing.assert_allclose(handovers(subject, other, 0.1), [3.5])
    assert np.isnan(handovers(subject, other / 10, 0.1)).all()
    assert np.isnan(handovers(subject / 100, other, 0.1)).all()


@pytest.mark.parametrize("late", [0.4, 0.6])
def test_what_takes_over_has_half_of_its_maximum(late: float) -> None:
    """At 0.4 it is ahead of the subject in layer 2, but reaches 0.45 only a tenth of the way to layer 3; at 0.6 it
    crosses the subject at 1.5 and reaches 0.45 at 1.7."""
    subject, other = np.array([[1.0, 0.5, 0.2, 0.0]]), np.array([[0.0, 0.1, late, 0.9]])
    np.testing.assert_allclose(handovers(subject, other), [1.7 if late > 0.45 else 2.1])


def test_a_handover_moves_little_where_the_curves_move_little() -> None:
    """Where subject and read-out share one effect, they cross at half of it: just there the layer must not jump."""
    subject, other = np.array([1.0, 1.0, 0.5, 0.0, 0.0]), np.array([0.0, 0.0, 0.5, 1.0, 1.0])
    moved = other + 1e-6 * np.random.default_rng(0).normal(size=(200, 5))
    np.testing.assert_allclose(handovers(np.tile(subject, (200, 1)), moved), 2.0, atol=1e-5)


def test_mirrored_draws_hold_the_handover_of_few_facts() -> None:
    """Eight facts, half of the effect left to each: 300 studies of a mechanism whose hand-over is at layer 2.5.

    The standard error of a share of 300 that is 0.95 is 0.013; the percentiles of the same draws hold fewer than 0.9.
    """
    subject, other = np.array([1.0, 1.0, 0.8, 0.2, 0.0, 0.0]), np.array([0.0, 0.0, 0.2, 0.8, 1.0, 1.0])
    held = {"mirrored": 0, "percentiles": 0}
    for trial in range(300):
        rng = np.random.default_rng(trial)
        sizes = 1 + 0.2 * rng.normal(size=(8, 1, 1))
        facts = sizes * np.stack([subject, other]) + 0.15 * rng.normal(size=(8, 2, 6))
        means = weighted_means(facts, np.concatenate([np.ones((1, 8)), bootstrap_weights(np.arange(8), 200, trial)]))
        places = handovers(means[:, 0], means[:, 1], 0.1)
        for ends_of in ("mirrored", "percentiles"):
            found = drawn_at_any(float(places[0]), places[1:], 8, ends_of)(0.95)
            held[ends_of] += found.low <= 2.5 <= found.high
    assert held["mirrored"] >= 0.93 * 300
    assert held["percentiles"] < 0.9 * 300


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
    enough = max(highest / 2, least)
    for layer in range(peak, len(subject)):
        if other[layer] >= subject[layer] and other[layer] >= enough:
            if layer == peak:
                return float(layer)
            return max(came_to_hold(other, subject, layer), came_to_hold(other, [enough] * len(other), layer))
    return float("nan")


def came_to_hold(other: list[float], bound: list[float], layer: int) -> float:
    """Where, within the step that ends at a layer, `other` came to be no lower than a bound."""
    before, now = other[layer - 1] - bound[layer - 1], other[layer] - bound[layer]
    if np.isnan(before):
        return float(layer)
    return layer - now / (now - before) if before < 0 else layer - 1.0


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
