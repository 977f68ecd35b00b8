"""A study's folder keeps the settings that it was begun with; others are refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import spiritlens as sl
from spiritlens.studies.begun import begin

SETTINGS = sl.studies.StudySettings(samples=2, components=("resid_pre",))


def test_a_folder_of_an_earlier_version_goes_on_with_its_settings_and_is_refused_with_others(
    tmp_path: Path,
) -> None:
    """Before there were rules of knowing, endings and doses: exact, plain, equal."""
    lens = sl.planted().lens
    before = replace(SETTINGS, ending="plain", dose="equal")
    begin(tmp_path, lens, before)
    path = tmp_path / "study.json"
    begun = json.loads(path.read_text())
    assert [begun.pop(name) for name in ("knowing", "ending", "dose")] == ["exact", "plain", "equal"]
    path.write_text(json.dumps(begun))
    begin(tmp_path, lens, before)
    assert path.read_text() == json.dumps(begun)  # it is only read
    with pytest.raises(ValueError, match="knowing: 'exact' there, 'top 5' here"):
        begin(tmp_path, replace(lens, knowing=sl.prompts.Knowing("top k")), before)
    with pytest.raises(ValueError, match=r"ending: 'plain' there, 'as spoken' here; dose: 'equal' there, 'matched' h"):
        begin(tmp_path, lens, SETTINGS)
