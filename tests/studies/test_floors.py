"""Floors: a control beside the subject, facts that are not known, twins that learnt nothing; on a planted machine."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import spiritlens as sl
from spiritlens.studies.floors import study_floors, twin_effects, unknown_pairs, with_control
from spiritlens.studies.pairs import PairedPrompts

SETTINGS = sl.studies.StudySettings(
    components=("resid_pre",), samples=5, n_facts=2, floors=("control", "unknown"), twins=2
)


@pytest.fixture(scope="module")
def machine() -> "sl.Planted":
    return sl.planted("fact machine")


@pytest.fixture(scope="module")
def pairs(machine: "sl.Planted") -> tuple[PairedPrompts, ...]:
    fact = sl.load_facts()[0]
    known = {"T2T": True, "S2T": True}
    return tuple(PairedPrompts(fact, machine.text(name), machine.speech(name), known) for name in machine.subjects[:2])


@pytest.fixture(scope="module")
def strangers(machine: "sl.Planted", pairs: tuple[PairedPrompts, ...]) -> list[PairedPrompts]:
    """Facts whose answer is wrong, so that the machine does not know them."""
    return [
        replace(
            pair,
            written=replace(pair.written, answer_ids=pair.written.foil_ids, foil_ids=()),
            spoken=replace(pair.spoken, answer_ids=pair.spoken.foil_ids, foil_ids=()),
            known={"T2T": False, "S2T": False},
        )
        for pair in pairs
    ]


@pytest.fixture(scope="module")
def found(
    machine: "sl.Planted",
    pairs: tuple[PairedPrompts, ...],
    strangers: list[PairedPrompts],
    tmp_path_factory: pytest.TempPathFactory,
) -> "sl.studies.Floors":
    return study_floors(machine.lens, pairs, strangers, SETTINGS, tmp_path_factory.mktemp("floors"))


def test_floors_are_traced_as_the_study_is_with_fewer_samples(found: "sl.studies.Floors") -> None:
    assert list(found.by_name) == ["control", "unknown"]
    assert (len(found.twins), dict(found.missing)) == (2, {})
    for effects in (*found.by_name.values(), *found.twins):
        assert effects.sizes["sample"] == 3
        assert effects.attrs["at"] == "role"
        assert effects["modality"].values.tolist() == ["T2T", "S2T"] * 2
        assert effects["known"].values.all(), "what is traced is what the model says"


def test_a_control_costs_the_planted_machine_nothing(found: "sl.studies.Floors") -> None:
    """Its circuit reads the subject and the marker only."""
    control = found.by_name["control"]
    assert control.attrs["corruption"].endswith("of the control")
    assert np.abs(sl.effects.total(control)).max() < 1e-3


def test_unknown_facts_are_traced_for_what_the_model_says_instead(
    found: "sl.studies.Floors", machine: "sl.Planted", strangers: list[PairedPrompts]
) -> None:
    unknown = found.by_name["unknown"]
    said = [machine.text(pair.written.subject.name).answer for pair in strangers]
    assert unknown["answer"].values[::2].tolist() == said
    assert (sl.effects.total(unknown).sel(metric="probability") > 0.5).all()


def test_twins_differ_and_are_not_the_model(found: "sl.studies.Floors", machine: "sl.Planted") -> None:
    hashes = {one.attrs["model_hash"] for one in found.twins}
    assert len(hashes | {machine.lens.id}) == 3


def test_the_same_call_goes_on_where_it_stopped(
    machine: "sl.Planted", pairs: tuple[PairedPrompts, ...], tmp_path: Path
) -> None:
    prompts = [prompt for pair in pairs for prompt in pair.prompts]
    first = twin_effects(machine.lens, prompts, SETTINGS, tmp_path)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").glob("*.nc")}
    again = twin_effects(machine.lens, prompts, SETTINGS, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    np.testing.assert_array_equal(first["restored"], again["restored"])
    with pytest.raises(ValueError, match="model_hash"):
        twin_effects(machine.lens, prompts, SETTINGS, tmp_path, seed=1)


def test_a_floor_that_cannot_be_made_is_told(
    machine: "sl.Planted", pairs: tuple[PairedPrompts, ...], tmp_path: Path
) -> None:
    settings = replace(SETTINGS, twins=0, floors=("unknown",))
    found = study_floors(machine.lens, pairs, unknown_pairs(pairs), settings, tmp_path)
    assert dict(found.missing) == {"unknown": "no asked fact is unknown in both modalities"}
    assert (dict(found.by_name), found.twins) == ({}, ())
    assert list(tmp_path.iterdir()) == []


def test_facts_without_room_for_a_control_are_left_out(machine: "sl.Planted", pairs: tuple[PairedPrompts, ...]) -> None:
    whole = pairs[0].written
    everywhere = replace(whole, subject=whole.span(range(1, len(whole) - 1)))
    assert with_control([replace(pairs[0], written=everywhere), pairs[1]], seed=0) == [pairs[1]]
