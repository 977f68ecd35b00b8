"""The seed study's protocol beside our own: subsets by modality, single tokens, probabilities, the same asked facts."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from effects_synthetic import role_effects, token_effects

import spiritlens as sl
from spiritlens.studies.seed import beside, seed_study

Knowing = sl.prompts.Knowing


@pytest.fixture(scope="module")
def lens() -> "sl.Lens":
    return sl.load()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seed")


@pytest.fixture(scope="module")
def found(lens: "sl.Lens", folder: Path) -> "sl.studies.Study":
    """The first facts of each group; one of them is known in speech only."""
    facts = {fact.id: fact for fact in sl.load_facts()}
    names = ("capital/france", "capital/germany", "continent/nigeria")
    settings = sl.studies.StudySettings(
        n_facts=3, n_token_maps=0, components=("resid_pre",), samples=1, ask="all", selection="each", floors=()
    )
    return sl.study(lens, folder, settings, [facts[name] for name in names], protocol="seed")


def test_each_subset_is_known_in_its_modality_and_traced_token_by_token(found: "sl.studies.Study") -> None:
    seed = found.seed
    effects = seed.effects
    assert effects.attrs["at"] == "token"
    assert effects["metric"].values.tolist() == ["probability"]
    assert effects["known"].values.all()
    for kind, name in (("T2T", "Known-t2t"), ("S2T", "Known-s2t")):
        traced = effects["fact_id"].values[effects["modality"].values == kind].tolist()
        assert traced == list(seed.subsets[name])
        cells = ("both", "text only" if kind == "T2T" else "speech only")
        assert set(traced) <= {fact for cell in cells for fact in found.cells[cell].facts}
    assert seed.subsets["Known-t2t"] != seed.subsets["Known-s2t"], "subsets, not their intersection"
    assert len(set(effects["voice"].values.tolist()) - {""}) == 1


def test_the_own_protocol_stands_beside_it_on_the_same_asked_facts(found: "sl.studies.Study", folder: Path) -> None:
    rows = found.seed.rows
    assert [(row["protocol"], row["modality"]) for row in rows] == [
        ("seed", "T2T"), ("seed", "S2T"), ("own", "T2T"), ("own", "S2T"),
    ]  # fmt: skip
    clean_less_corrupted = (found.seed.effects["clean"] - found.seed.effects["corrupted"].mean("sample")).isel(metric=0)
    for kind, row in zip(("T2T", "S2T"), rows, strict=False):
        by_hand = clean_less_corrupted.values[found.seed.effects["modality"].values == kind]
        assert row["ATE"] == pytest.approx(by_hand.mean(), abs=1e-7)
        assert row["facts"] == len(by_hand)
    kept = json.loads((folder / "seed" / "beside.json").read_text(encoding="utf-8"))
    np.testing.assert_equal(kept, list(rows))  # intervals of so few subjects are NaN in both
    subsets = json.loads((folder / "seed" / "subsets.json").read_text(encoding="utf-8"))
    assert {name: tuple(facts) for name, facts in subsets.items()} == found.seed.subsets
    xr.testing.assert_equal(sl.effects.load(folder / "seed" / "effects.nc"), found.seed.effects)
    assert repr(found.seed) in repr(found)


def test_the_cells_with_other_facts_have_their_maps_on_the_page(found: "sl.studies.Study", folder: Path) -> None:
    speech = found.cells["speech only"]
    assert speech.facts
    assert speech.traced["T2T"] == 0 < speech.traced["S2T"]
    assert "<h2>By what is known</h2>" in re.sub(r"<h2[^>]*>", "<h2>", found.page.read_text(encoding="utf-8"))
    assert repr(sl.studies.FourCells.read(folder)) == repr(found.cells)


def test_the_largest_effect_is_that_of_the_planted_peak() -> None:
    """Planted: the subject at layer 2 in writing and at layer 5 in speech."""
    own = role_effects(n_facts=8, peaks={"T2T": 2.0, "S2T": 5.0}, noise=0.0)
    for row in beside("own", own, "role"):
        assert (row["role"], row["layer"]) == ("subject", 2 if row["modality"] == "T2T" else 5)
        one = own.isel(prompt=own["modality"].values == row["modality"]).sel(
            component=row["component"], metric="probability", role="subject", layer=row["layer"]
        )
        assert row["AIE"] == pytest.approx(float((one["restored"] - one["corrupted"]).mean()), abs=1e-12)
        assert row["low"] <= row["AIE"] <= row["high"]


def test_a_protocol_without_a_known_fact_has_no_rows() -> None:
    own = role_effects(n_facts=2)
    assert (
        beside("own", own.assign_coords(known=("prompt", np.zeros(own.sizes["prompt"], dtype=np.int8))), "role") == []
    )


def test_tokens_are_told_by_the_parts_of_the_subject() -> None:
    found = seed_study(token_effects(), role_effects(n_facts=4), [])
    assert {row["role"].startswith("subject ") for row in found.rows if row["protocol"] == "seed"} == {True}
    assert repr(found).splitlines()[0] == (
        "The seed study's protocol on 0 facts of Known-t2t and 0 facts of Known-s2t, beside our own"
    )


def test_a_protocol_of_another_name_is_refused(lens: "sl.Lens", tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="protocol='theirs'"):
        sl.study(lens, tmp_path / "new", protocol="theirs")
    assert not (tmp_path / "new").exists()
