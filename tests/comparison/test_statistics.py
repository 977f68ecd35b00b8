"""Statistics of two maps: one row gives the value, its interval, the column of the table and the attribute."""

import pickle
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "effects"))

from effects_synthetic import role_effects

from spiritlens.comparison import result, statistics
from spiritlens.comparison.compare import compare
from spiritlens.comparison.sampling import drawn_at_any, samplings
from spiritlens.comparison.statistics import STATISTICS, MapPair, Statistic

NAMES = ["peak_shift", "centre_shift", "handover_shift"]


def test_each_row_is_an_attribute_and_a_column() -> None:
    comparison = compare(role_effects(n_facts=6))
    one = comparison["mlp_out"]
    assert [each.name for each in STATISTICS] == list(one.estimates) == NAMES
    assert list(comparison.table()[1]) == ["component", "r", *(each.words for each in STATISTICS)]
    assert comparison.table()[1]["peak shift at subject"] == f"{one.peak_shift} {one.judged['peak_shift'].verdict}"
    assert set(NAMES) <= set(dir(one))
    with pytest.raises(AttributeError, match="has no 'kendall'; its statistics are peak_shift"):
        _ = one.kendall


def test_a_comparison_survives_pickling() -> None:
    comparison = compare(role_effects(n_facts=6))
    again = pickle.loads(pickle.dumps(comparison))
    assert repr(again) == repr(comparison)
    assert again.findings == comparison.findings


def test_a_comparison_of_before_says_so() -> None:
    comparison = compare(role_effects(n_facts=6))
    state = {name: value for name, value in vars(comparison).items() if name not in ("identity", "rules", "closed")}
    with pytest.raises(ValueError, match=r"saved by an earlier version, without rules.*call compare\(effects\) again"):
        object.__new__(type(comparison)).__setstate__(state)


def test_a_new_statistic_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def largest(pair: MapPair) -> np.ndarray:
        first, second = (np.nanmax(one, axis=(1, 2)) for one in pair.maps)
        return second - first

    rows = (*STATISTICS, Statistic("largest", "largest effect", largest))
    for module in (statistics, result):
        monkeypatch.setattr(module, "STATISTICS", rows)
    effects = role_effects(n_facts=8, noise=0.1).isel(role=[0, 2, 3, 4, 5])
    comparison = compare(effects)
    found = comparison["mlp_out"].largest
    assert found.low <= found.value <= found.high
    assert comparison.table()[1]["largest effect"] == repr(found)
    assert "largest effect" in repr(comparison)


def test_too_few_cells_are_not_correlated() -> None:
    comparison = compare(role_effects(n_facts=6, n_layers=2).sel(role=["subject"]))
    one = comparison["mlp_out"]
    assert one.n_cells == 2
    assert np.isnan([one.r.value, *one.agreement.reliability]).all()
    assert one.agreement.why == "2 shared cells, fewer than 3"
    assert replace(one, component="x").component == "x"


def pair_of_maps(seed: int) -> MapPair:
    """Both maps of noise over a few roles, one of which some facts lack; without each subject in turn."""
    rng, clusters = np.random.default_rng(seed), np.array(list("aabbcdefgh"))
    roles = ("subject", "after subject", "last word", "read-out")
    facts = rng.normal(0.3, 0.4, size=(2, 10, len(roles), 5))
    facts[:, :2, 2] = np.nan
    facts[:, :, 0] += [2.0, 1.0, 0.0, 0.0, 0.0]
    cells = np.ones((len(roles), 5), dtype=bool)
    cells[1, 0] = False
    sampling = samplings(clusters, confidence=0.9, resamples=20, seed=0)[0]
    return MapPair((facts[0], facts[1]), sampling, cells, roles, np.arange(5.0), (1.0, 1.0), 0.05)


@pytest.mark.parametrize("seed", range(6))
def test_what_takes_over_is_the_earliest_of_roles_looked_at_one_by_one(seed: int) -> None:
    pair = pair_of_maps(seed)
    for side in (0, 1):
        layers = {role: float(pair.taken_over(role, side)[0]) for role in pair.roles[1:]}
        there = {role: layer for role, layer in layers.items() if not np.isnan(layer)}
        slowly = "read-out" if "read-out" in there else min(there, key=lambda name: there[name], default="")
        assert pair.taker(side) == slowly


def test_shares_by_role_are_those_of_one_estimate_each() -> None:
    pair = pair_of_maps(0)
    for place, (role, found) in enumerate(statistics._shares([pair]).items()):
        assert role == pair.roles[place]
        first, second = (one[:, place] for one in pair.role_shares)
        for estimate, values in zip(found, (first, second, second - first), strict=True):
            slowly = pair.sampling.at_any(values)(pair.sampling.confidence)
            assert [estimate.value, estimate.low, estimate.high] == pytest.approx([*vars(slowly).values()], abs=1e-14)


def test_ends_of_draws_by_hand() -> None:
    """Draws 0, 1, … 100 around the estimate 30, of eight subjects: the tail is Φ(−√(8/7) · 2.3646) = 0.57 %."""
    draws, tail = np.arange(101.0), 0.0057375
    percentiles, mirrored = (drawn_at_any(30.0, draws, 8, ends_of)(0.95) for ends_of in ("percentiles", "mirrored"))
    assert [percentiles.low, percentiles.high] == pytest.approx([100 * tail, 100 - 100 * tail], abs=1e-3)
    assert [mirrored.low, mirrored.high] == pytest.approx([30 - (70 - 100 * tail), 100 - 100 * tail], abs=1e-3)
    outside = [drawn_at_any(120.0, draws, 8, ends_of)(0.95) for ends_of in ("percentiles", "mirrored")]
    assert [one.high for one in outside] == pytest.approx([120, 240 - 100 * tail], abs=1e-3)
