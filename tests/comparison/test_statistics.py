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
