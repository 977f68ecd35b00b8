"""Columns of sound are found by what they hold."""

from pathlib import Path

import pytest
from sounds import encoded

from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.audio_columns import holds_sound, looked_at, sound_columns, the_sound_column
from spiritlens.speech.recordings import recordings_of_dataset


class Decoder:
    def get_all_samples(self):
        raise AssertionError("nothing is decoded to find a column")


def test_what_is_sound_by_its_form(tone):
    sounds = [
        {"bytes": b"x", "path": None},
        {"bytes": None, "path": None},
        {"path": "a.mp3"},
        {"array": tone, "sampling_rate": 16000, "path": "a"},
        {"bytes": b"x", "path": "a", "sampling_rate": 16000},
        b"RIFF",
        "clips/a.OPUS",
        "hf://sets/a.flac",
        Path("a.m4a"),
        Waveform(tone),
        Decoder(),
    ]
    others = ["what is a.wav of?", "paris", 3, None, ["a.wav"], {}, {"value": "paris"}, {"array": [1]}]
    assert [holds_sound(value) for value in sounds] == [True] * len(sounds)
    assert [holds_sound(value) for value in others] == [False] * len(others)


def test_a_first_row_may_lack_its_sound():
    rows = [{"clip": None, "question": "a?"}, {"clip": "b.mp3", "question": "b?"}]
    assert sound_columns(rows) == ("clip",)
    assert sound_columns([{"clip": None}], {"clip": type("Audio", (), {})()}) == ("clip",)
    first, every = looked_at(iter(rows))
    assert first == rows == list(every)


def test_one_is_chosen_or_asked_for():
    assert the_sound_column(["a", "b"], ["b"]) == "b"
    assert the_sound_column(["a", "audio"], ["a", "audio"]) == "audio"
    with pytest.raises(ValueError, match="the columns a, b all hold sound; name the one"):
        the_sound_column(["a", "b"], ["a", "b"])
    with pytest.raises(ValueError, match=r"no column holds sound .* the columns are id, text"):
        the_sound_column(["id", "text"], [])
    with pytest.raises(ValueError, match="row 1 has no columns; it is 3"):
        looked_at([{}, 3])


def test_recordings_of_whatever_column_and_of_pandas(tmp_path, tone):
    from datasets import Dataset

    rows = [{"question": "a?", "question_audio": {"bytes": encoded(tone), "path": "a.wav"}}]
    for made in (
        rows,
        Dataset.from_list(rows),
        Dataset.from_list(rows).to_iterable_dataset(),
        Dataset.from_list(rows).to_pandas(),
    ):
        (recording,) = recordings_of_dataset(made)
        assert (recording.name, recording.columns["question"]) == ("a.wav", "a?")
        assert len(recording.waveform()) == len(tone)
    with pytest.raises(ValueError, match="no column holds sound"):
        recordings_of_dataset([{"question": "a?"}])
