"""Ids of sounds: a column, or a part of the files' names."""

import pytest
from clips import clip

from spiritlens.prompts.facts.sound_sets import sounds_of_set
from spiritlens.speech.recordings import recordings_of_folder


@pytest.fixture
def folder(tmp_path):
    def made(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"RIFF")
        return tmp_path

    return made


def told(source, columns=None, names=None):
    return [(name, sound.voice, sound.phrasing) for name, sound in sounds_of_set(source, columns, names, None, None)]


def test_names_of_files(folder):
    made = folder("anna/1.wav", "ben/2.mp3", "3.wav")
    assert sorted(told(made)) == [("1", "anna", ""), ("2", "ben", ""), ("3", "", "")]
    assert told(recordings_of_folder(made)) == told(made)


def test_a_pattern_of_names(folder):
    made = folder("test/alloy/algebra_4o/12.mp3", "test/alloy/notes.mp3", "other.mp3")
    found = told(made, names="test/{voice}/{id}")
    assert found == [("", "", ""), ("algebra_4o/12", "alloy", ""), ("notes", "alloy", "")]
    made = folder("x/q-7_anna_second_take2.wav")
    assert told(made / "x", names="q-{id}_{voice}_{phrasing}_{}") == [("7", "anna", "second")]


def test_columns_of_ids(tmp_path):
    rows = [{"id": 3, "clip": b"x", "reader": "anna"}, {"id": None, "clip": b"y", "reader": None}]
    assert told(rows, {"voice": "reader"}) == [("3", "anna", ""), ("", "", "")]
    rows = [{"key": " a ", "fact_id": "b", "clip": b"x"}]
    assert told(rows) == [("b", "", "")]
    assert told(rows, {"id": "key"}) == [("a", "", "")]
    (tmp_path / "metadata.csv").write_text("file_name,fact_id,voice\na.wav,7,ben\n")
    (tmp_path / "a.wav").write_bytes(clip("hello"))
    ((name, sound),) = sounds_of_set(tmp_path, None, None, None, None)
    assert (name, sound.voice) == ("7", "ben")
    assert sound.waveform().duration > 0.2


def test_what_is_no_set(folder, tmp_path):
    rows = [{"key": "a", "clip": b"x"}]
    for source, columns, names, words in (
        (rows, None, None, "has no column 'id' of ids; the columns are key, clip"),
        (rows, {"id": "x"}, None, "has no column 'x' of ids"),
        ([{"id": 1}], None, None, "no column holds sound; the columns are id"),
        (rows, {"answer": "x"}, None, "'answer' is nothing of a sound; expected id, audio"),
        (rows, ["id"], None, "columns=.*expected a mapping"),
        (rows, None, "{id}", "names= is for folders of sound"),
        (rows, None, "{name}", r"names='{name}': expected {id} once"),
        (rows, None, "{id}{id}", "expected {id} once"),
        (3, None, None, "source=3"),
    ):
        with pytest.raises(ValueError, match=words):
            list(sounds_of_set(source, columns, names, None, None))
    with pytest.raises(FileNotFoundError):
        list(sounds_of_set(tmp_path / "none", None, None, None, None))
