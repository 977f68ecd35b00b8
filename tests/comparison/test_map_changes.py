"""Maps made in another way beside the baseline: no change, changes by hand, and the values of `sl.compare`."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.comparison.map_changes import Drawing, gap_of, map_change
from spiritlens.comparison.modality_maps import ModalityMaps, modality_maps

DRAWING = Drawing(resamples=200)


@pytest.fixture(scope="module")
def effects() -> xr.Dataset:
    machine = sl.planted("fact machine, speech later")
    grid = sl.Grid(("resid_pre",), at="role")
    return sl.causal_trace(
        machine.lens, [*machine.prompts[:8], *machine.prompts[12:20]], grid, samples=1, progress="none"
    )


@pytest.fixture(scope="module")
def written(effects: xr.Dataset) -> ModalityMaps:
    return modality_maps(effects, "T2T", "probability")


@pytest.fixture(scope="module")
def spoken(effects: xr.Dataset) -> ModalityMaps:
    return modality_maps(effects, "S2T", "probability")


def test_the_same_maps_have_no_change(written: ModalityMaps) -> None:
    found = map_change(written, written, "resid_pre", DRAWING)
    assert (found.agreement.value, found.agreement.low) == (pytest.approx(1), pytest.approx(1))
    assert (found.strength, found.n_facts, found.n_shared, found.why) == ("closely", 8, 8, "")
    assert found.total_change.value == found.crossing_change.value == 0
    assert not found.crossing_change.excludes_zero


def test_a_map_of_half_the_size_agrees_and_its_total_is_smaller(written: ModalityMaps) -> None:
    half = replace(written, values=written.values / 2, totals=written.totals / 2)
    found = map_change(half, written, "resid_pre", DRAWING)
    assert found.agreement.value == pytest.approx(1)
    assert found.total_change.value == pytest.approx(-written.totals.mean() / 2)
    assert found.total_change.high < 0
    other = map_change(replace(half, metric="logit"), written, "resid_pre", DRAWING)
    assert np.isnan(other.total_change.value)
    assert other.total.value == pytest.approx(found.total.value)


def test_a_map_that_is_earlier_crosses_earlier(written: ModalityMaps) -> None:
    """All curves one layer earlier: the crossing is, and the interval of the change is that alone."""
    earlier = replace(written, values=np.concatenate([written.values[:, :, 1:], written.values[:, :, -1:]], axis=2))
    before, found = (map_change(one, written, "resid_pre", DRAWING) for one in (written, earlier))
    assert found.crossing.value == pytest.approx(before.crossing.value - 1, abs=1e-6)
    change = found.crossing_change
    assert (change.value, change.low, change.high) == tuple(pytest.approx(-1, abs=1e-6) for _ in range(3))


def test_changes_are_of_the_facts_that_both_have(written: ModalityMaps) -> None:
    """Seven of the eight facts, whose total effects are 0.1 larger: the other one does not count."""
    some = replace(
        written,
        values=written.values[1:],
        totals=written.totals[1:] + 0.1,
        known=written.known[1:],
        facts=written.facts[1:],
        subjects=written.subjects[1:],
    )
    found = map_change(some, written, "resid_pre", DRAWING)
    assert (found.n_facts, found.n_shared) == (7, 7)
    assert found.total_change.value == pytest.approx(0.1)
    assert found.agreement.value == pytest.approx(1, abs=0.05)
    few = replace(
        some, **{name: getattr(some, name)[:4] for name in ("values", "totals", "known", "facts", "subjects")}
    )
    lost = map_change(few, written, "resid_pre", DRAWING)
    assert np.isnan(lost.peak.low)
    assert np.isnan(lost.agreement.value)
    assert "fewer than" in lost.why or "no map" in lost.why


def test_a_component_that_the_baseline_lacks_has_no_agreement(effects: xr.Dataset, written: ModalityMaps) -> None:
    renamed = replace(written, components=("attn_out",))
    found = map_change(written, renamed, "resid_pre", DRAWING)
    assert (found.strength, found.why) == ("not shown", "the maps share no cell that was run")
    assert np.isnan(found.crossing_change.value)
    assert not np.isnan(found.crossing.value)


def test_a_gap_is_the_shift_that_was_made(effects: xr.Dataset, written: ModalityMaps) -> None:
    """Speech one layer earlier than it was, and the total effects as `sl.effects.total` has them."""
    moved = effects.copy(deep=True)
    heard = (moved["modality"] == "S2T").values
    restored = moved["restored"].transpose("prompt", "layer", ...).values.copy()
    restored[heard, :-1] = restored[heard, 1:]
    axes = moved["restored"].transpose("prompt", "layer", ...).dims
    moved["restored"] = (axes, restored)
    moved["restored"] = moved["restored"].transpose(*effects["restored"].dims)
    found = gap_of(written, modality_maps(moved, "S2T", "probability"), "resid_pre", DRAWING)
    assert found.crossing.value == pytest.approx(-1, abs=0.01)
    totals = sl.effects.total(moved).sel(metric="probability")
    of_kind = {kind: float(totals.values[(totals["modality"] == kind).values].mean()) for kind in ("T2T", "S2T")}
    assert found.total.value == pytest.approx(of_kind["S2T"] - of_kind["T2T"])
    assert found.n_facts == 8


def test_the_change_of_a_gap_is_paired(written: ModalityMaps, spoken: ModalityMaps) -> None:
    before = gap_of(written, spoken, "resid_pre", DRAWING)
    same = gap_of(written, spoken, "resid_pre", DRAWING, before)
    assert (same.change.value, same.change.low, same.change.high) == (0, 0, 0)
    closed = gap_of(written, written, "resid_pre", DRAWING, before)
    assert closed.change.value == pytest.approx(closed.measured.moved.value - before.measured.moved.value)
    alone = replace(spoken, facts=tuple(f"another {fact}" for fact in spoken.facts))
    nothing = gap_of(written, alone, "resid_pre", DRAWING, before)
    assert (nothing.n_facts, nothing.why) == (0, "no fact was traced in both modalities")
    assert np.isnan(nothing.change.value)
