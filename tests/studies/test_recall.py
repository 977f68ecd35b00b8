"""Kinds of recall of a study's facts: each has the map of its facts, and a fact is asked once."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from effects_synthetic import role_effects

import spiritlens as sl
from spiritlens.studies import recall as module
from spiritlens.studies.page_record import kind_maps
from spiritlens.studies.recall import fact_kinds, recall_file, recall_maps, tagged


@pytest.fixture(scope="module")
def effects() -> xr.Dataset:
    """Ten facts in both modalities: seven recalled exactly, two by a heuristic, one without a tag."""
    plain = role_effects(n_facts=10, n_layers=3, components=("resid_pre",), noise=0.1)
    names = list(dict.fromkeys(plain["fact_id"].values.tolist()))
    return tagged(plain, dict(zip(names[:9], ["exact"] * 7 + ["heuristic"] * 2, strict=True)))


def test_each_kind_with_enough_subjects_has_the_map_of_its_facts(effects: xr.Dataset) -> None:
    found = recall_maps(effects)
    assert [(one.kind, len(one.facts), one.n_subjects) for one in found.kinds] == [
        ("exact", 7, 7), ("heuristic", 2, 2), ("guess", 0, 0), ("unknown", 0, 0),
    ]  # fmt: skip
    assert found["heuristic"].averages is found["guess"].averages is None
    means = found["exact"].averages
    assert means is not None
    for kind in ("T2T", "S2T"):
        mine = (effects["recall"].values == "exact") & (effects["modality"].values == kind)
        by_hand = (effects["restored"] - effects["corrupted"]).values[mine].mean(axis=0)
        place = means["modality"].values.tolist().index(kind)
        expected = by_hand.mean(axis=effects["restored"].dims.index("sample") - 1)
        np.testing.assert_allclose(means["mean"].isel(group=place).values, expected, atol=1e-10)
    with pytest.raises(KeyError, match="no kind 'exactly'; there are exact, heuristic, guess, unknown"):
        found["exactly"]
    assert [line.split()[:3] for line in repr(found).splitlines()[1:3]] == [
        ["exact", "7", "7"],
        ["heuristic", "2", "2"],
    ]


def test_the_maps_are_kept_and_shown(effects: xr.Dataset, tmp_path: Path) -> None:
    found = recall_maps(effects)
    (tmp_path / "recall").mkdir()
    (tmp_path / recall_file("guess")).write_text("of an earlier call")
    found.write(tmp_path)
    assert [path.name for path in (tmp_path / "recall").iterdir()] == ["exact.nc"]
    xr.testing.assert_identical(sl.effects.load(tmp_path / recall_file("exact")), found["exact"].averages)
    (shown,) = kind_maps(found)
    assert shown.heading == "By kind of recall"
    assert [(one.name, one.file) for one in shown.groups if one.file] == [("exact", "recall/exact.nc")]
    assert [one.name for one in shown.groups] == [one.kind for one in found.kinds if one.facts]
    one_kind = effects.isel(prompt=effects["recall"].values == "exact")
    assert kind_maps(recall_maps(one_kind)) == ()


def test_facts_are_asked_once_in_the_phrasing_of_their_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lens, path = sl.load(), tmp_path / "recall.json"
    facts = {one.id: one for one in sl.load_facts() if one.id in ("capital/france", "animal/cuba")}
    asked = [(fact, next(iter(fact.templates))) for fact in facts.values()]
    kinds = fact_kinds(lens, asked, path)
    assert kinds == {"capital/france": "exact", "animal/cuba": "unknown"}
    assert json.loads(path.read_text())["kinds"] == kinds

    def refused(*args: object, **more: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr(module, "recall_kinds", refused)
    assert fact_kinds(lens, asked, path) == kinds
    with pytest.raises(AssertionError, match="asked again"):
        fact_kinds(lens, asked[:1], path)
    path.write_text("{")
    with pytest.raises(AssertionError, match="asked again"):
        fact_kinds(lens, asked, path)
