"""The four cells of knowing: who is in which, how many were traced, and that each map is that of its facts."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from effects_synthetic import role_effects

import spiritlens as sl
from spiritlens.studies.cells import CELLS, FourCells, cell_of, four_cells
from spiritlens.studies.page_record import cell_maps
from spiritlens.studies.pairs import PairedPrompts

KNOWN = {"b": (True, True), "t": (True, False), "s": (False, True), "n": (False, False)}


@pytest.fixture(scope="module")
def effects() -> xr.Dataset:
    """Six facts in both modalities; each fact's values are its own, so that a map tells whose it is."""
    return role_effects(n_facts=6, n_layers=3, components=("resid_pre",))


def pairs_of(effects: xr.Dataset, cells: str) -> list[PairedPrompts]:
    names = list(dict.fromkeys(effects["fact_id"].values.tolist()))
    facts = [SimpleNamespace(id=name) for name in (*names, *(f"asked/{n}" for n in range(len(cells) - len(names))))]
    return [
        PairedPrompts(fact, None, None, dict(zip(("T2T", "S2T"), KNOWN[cell], strict=True)))
        for fact, cell in zip(facts, cells, strict=True)
    ]


def traced(effects: xr.Dataset, kind: str, facts: tuple[str, ...]) -> xr.Dataset:
    places = [
        place
        for place, row in enumerate(zip(effects["fact_id"].values, effects["modality"].values, strict=True))
        if row[1] == kind and row[0] in facts
    ]
    return effects.isel(prompt=places)


def test_every_fact_is_in_its_cell(effects: xr.Dataset) -> None:
    cells = four_cells(pairs_of(effects, "bbtsnnbn"), effects, sl.prompts.Knowing())
    assert [cell.name for cell in cells.cells] == list(CELLS)
    assert {cell.name: len(cell.facts) for cell in cells.cells} == {
        "both": 3, "text only": 1, "speech only": 1, "neither": 3,
    }  # fmt: skip
    assert cells["both"].facts[-1] == "asked/0"
    assert cells.n_facts == 8
    assert cells.accuracy == {"T2T": pytest.approx(4 / 8), "S2T": pytest.approx(4 / 8)}
    assert cells["both"].traced == {"T2T": 2, "S2T": 2}
    with pytest.raises(KeyError, match="no cell 'speech'; there are both, text only"):
        cells["speech"]


def test_the_maps_of_a_cell_are_the_means_over_its_traced_facts(effects: xr.Dataset) -> None:
    """By hand: restored − corrupted, over samples, then over the cell's facts; known or not."""
    cells = four_cells(pairs_of(effects, "bbtsnn"), effects, sl.prompts.Knowing())
    for cell in cells.cells:
        for group, kind in enumerate(cell.averages["modality"].values.tolist()):
            one = traced(effects, kind, cell.facts)
            assert one.sizes["prompt"] == len(cell.facts) == cell.traced[kind]
            by_hand = (one["restored"] - one["corrupted"]).mean("sample").mean("prompt")
            found = cell.averages["mean"].isel(group=group)
            order = ("component", "layer", "role", "metric")
            np.testing.assert_allclose(
                found.transpose(*order).values, by_hand.transpose(*order).values, rtol=0, atol=1e-12
            )


def test_a_cell_that_was_not_traced_says_so(effects: xr.Dataset) -> None:
    cells = four_cells(pairs_of(effects, "bbbbbbtt"), effects, sl.prompts.Knowing("top k"))
    assert cells["text only"].averages is None
    lines = repr(cells).splitlines()
    assert lines[0].startswith("Of 8 facts asked, 100 % in T2T and 75 % in S2T are known. A fact is known when")
    assert lines[3].split()[:7] == ["text", "only", "2", "25", "%", "not", "traced"]
    assert "asked/0, asked/1" in lines[3]
    assert "and 3 more" in lines[2]
    assert cell_maps(cells) == ()


def test_a_cell_traced_in_one_modality_has_that_map_alone(effects: xr.Dataset) -> None:
    pairs = pairs_of(effects, "btsssn")
    writing = {pair.fact.id for pair in pairs if cell_of(pair) in ("both", "text only")}
    kept = [
        place
        for place, row in enumerate(zip(effects["fact_id"].values, effects["modality"].values, strict=True))
        if row[1] == "S2T" or row[0] in writing
    ]
    cells = four_cells(pairs, effects.isel(prompt=kept), sl.prompts.Knowing())
    assert cells["speech only"].averages["modality"].values.tolist() == ["S2T"]
    assert cells["speech only"].traced == {"T2T": 0, "S2T": 3}
    (maps,) = cell_maps(cells)
    assert maps.heading == "By what is known"
    assert [(one.name, one.file) for one in maps.groups] == [
        ("known in both", "cells/both.nc"),
        ("text only", "cells/text_only.nc"),
        ("speech only", "cells/speech_only.nc"),
        ("known in neither", "cells/neither.nc"),
    ]


def test_a_cell_of_which_nothing_was_traced_keeps_its_column(effects: xr.Dataset) -> None:
    (maps,) = cell_maps(four_cells(pairs_of(effects, "bbbtttsn")[:6], effects, sl.prompts.Knowing()))
    assert [one.file for one in maps.groups] == ["cells/both.nc", "cells/text_only.nc", "", ""]


def test_cells_are_read_back(effects: xr.Dataset, tmp_path: Path) -> None:
    cells = four_cells(pairs_of(effects, "bbtsnnbb"), effects, sl.prompts.Knowing("generated", tokens=3))
    cells.write(tmp_path)
    again = FourCells.read(tmp_path)
    assert repr(again) == repr(cells)
    assert again.rows() == cells.rows()
    assert again.knowing == cells.knowing
    for one, other in zip(again.cells, cells.cells, strict=True):
        assert one.facts == other.facts
        xr.testing.assert_equal(one.averages, other.averages)
    untraced = replace(cells, cells=tuple(replace(c, averages=None, traced={"T2T": 0, "S2T": 0}) for c in cells.cells))
    untraced.write(tmp_path)
    assert not list((tmp_path / "cells").iterdir()), "maps of an earlier call are gone"
    assert FourCells.read(tmp_path)["both"].averages is None


def test_cells_that_are_not_there_or_were_changed_are_refused(effects: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no cells at"):
        FourCells.read(tmp_path)
    four_cells(pairs_of(effects, "bbtsnn"), effects, sl.prompts.Knowing()).write(tmp_path)
    record = json.loads((tmp_path / "cells.json").read_text())
    for change in ({"knowing": "surely"}, {"cells": {}}, {"cells": 5}):
        (tmp_path / "cells.json").write_text(json.dumps(record | change))
        with pytest.raises(ValueError, match=r"cells.json cannot be read"):
            FourCells.read(tmp_path)
