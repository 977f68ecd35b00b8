"""Facts that bring no sound are spoken, and read back."""

from pathlib import Path

import pytest

from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.loading import load_facts
from spiritlens.prompts.facts.speaking import speak

TEMPLATES = {
    "first": "The capital of {subject} is",
    "second": "{subject} has a capital called",
    "third": "{subject} is ruled from",
    "held out": "The city of {subject} is",
}


def test_spoken_facts_are_read_back_with_their_columns(tmp_path: Path) -> None:
    from datasets import Audio, load_dataset

    from spiritlens.speech.recordings import recordings_of_folder

    facts = load_facts()[:2]
    made = speak(facts, ["espeak:en-us"], tmp_path / "spoken", ("first", "held out"), progress="none")
    assert (len(made.spoken), made.left_out) == (4, {})
    table = made.table
    recordings = recordings_of_folder(tmp_path / "spoken")
    assert [recording.columns["answer"] for recording in recordings] == [fact.answer for fact in facts] * 2
    assert all(recording.waveform().duration > 0.5 for recording in recordings)
    rows = load_dataset("csv", data_files=str(table), split="train", cache_dir=str(tmp_path / "cache"))
    audio = rows.map(lambda row: {"audio": str(table.parent / row["file_name"])}).cast_column(
        "audio", Audio(decode=False)
    )
    assert [Path(row["audio"]["path"]).is_file() for row in audio] == [True] * 4
    assert rows["phrasing"] == ["first", "first", "held out", "held out"]


def test_an_unspeakable_fact_is_left_out_with_its_reason(tmp_path: Path) -> None:

    from spiritlens.speech.recordings import recordings_of_folder

    facts = [Fact(f"capital/{s}", "capital", s, "Rome", "Paris", TEMPLATES, "both") for s in ("Italy", "北京", "Peru*")]
    made = speak(facts, ["espeak:en-us", "espeak:en-us+f2"], tmp_path, progress="none")
    assert made.spoken == ("capital/Italy_first",)
    assert list(made.left_out) == ["capital/北京_first", "capital/Peru*_first"]
    assert "ASTERISK" in made.left_out["capital/Peru*_first"]
    assert str(made).startswith("1 texts spoken, 2 left out\n  capital/北京_first: espeak:en-us: ")
    assert len(recordings_of_folder(tmp_path)) == 2
    with pytest.raises(ValueError, match="none of the 1 texts can be spoken; the first, capital/北京_first"):
        speak(facts[1:2], ["espeak:en-us"], tmp_path / "none", progress="none")
