"""The dose of a study: found once, kept in its file to the last digit, told in words."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import spiritlens as sl
from spiritlens.studies import doses
from spiritlens.studies.doses import StudyDose, study_dose

SETTINGS = sl.studies.StudySettings(samples=2)


@pytest.fixture(scope="module")
def machine() -> "sl.Planted":
    return sl.planted("fact machine")


def test_matched_doses_take_away_the_same_share_and_are_kept(machine: "sl.Planted", tmp_path: Path) -> None:
    path = tmp_path / "dose.json"
    prompts = [*machine.prompts[:3], *machine.prompts[12:15]]
    found = study_dose(machine.lens, prompts, SETTINGS, path)
    by_hand = sl.tracing.match_dose(machine.lens, prompts, samples=2)
    assert found.rule == "matched"
    assert found.noise.scale == by_hand.scale
    assert abs(found.reached["text"] - found.reached["speech"]) < 0.02
    assert found.n_prompts == 6
    assert (
        f"over 6 prompts it takes away the same share of the answer's probability, {found.reached['text']:.2f} in "
        in (found.sentence)
    )
    again = study_dose(machine.lens, machine.prompts, SETTINGS, path)
    assert again == found, "a folder has one dose, to the last digit"


def test_equal_doses_are_told_as_not_matched_and_need_no_file(machine: "sl.Planted", tmp_path: Path) -> None:
    path = tmp_path / "dose.json"
    found = study_dose(machine.lens, machine.prompts, replace(SETTINGS, dose="equal"), path)
    assert found.noise is None
    assert found.sentence.startswith("Doses are not matched (as was asked for): noise had its default scale")
    assert not path.exists()


def test_where_no_dose_can_be_matched_the_reason_is_told_and_kept(
    machine: "sl.Planted", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "dose.json"
    found = study_dose(machine.lens, machine.prompts[:2], SETTINGS, path)
    assert (found.rule, found.noise) == ("equal", None)
    assert "Doses are not matched (no prompt has its subject in speech" in found.sentence
    monkeypatch.setattr(doses, "match_dose", None)
    assert study_dose(machine.lens, machine.prompts[:2], SETTINGS, path) == found


@pytest.mark.parametrize(
    "change",
    [
        {"rule": "half"},
        {"scale": {"text": -1.0, "speech": 1.0}},
        {"scale": {"text": 1.0}},
        {"reached": {}},
        {"more": 1},
    ],
)
def test_a_changed_file_is_refused(machine: "sl.Planted", tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "dose.json"
    both = {"text": 1.0, "speech": 1.0}
    path.write_text(json.dumps({"rule": "matched", "scale": both, "reached": both, "multiples": both, **change}))
    with pytest.raises(ValueError, match=r"dose\.json cannot be read .*it was changed; use another folder"):
        study_dose(machine.lens, machine.prompts, SETTINGS, path)


def test_half_a_file_is_refused(machine: "sl.Planted", tmp_path: Path) -> None:
    (tmp_path / "dose.json").write_text('{"rule": "mat')
    with pytest.raises(ValueError, match="cannot be read"):
        study_dose(machine.lens, machine.prompts, SETTINGS, tmp_path / "dose.json")


def test_a_dose_is_a_plain_value() -> None:
    assert StudyDose("equal", "one reason") == StudyDose("equal", "one reason")
