"""Which columns of a row make its sound."""

from pathlib import Path

import pytest

from spiritlens.prompts.facts.sound_rows import sound_columns

FILE = {"bytes": b"x", "path": "a.mp3"}


def made(row, chosen=None, folder=None):
    columns = sound_columns([row], None, chosen or {}, folder)
    return columns.sounds(row, "row 1")


def test_found_by_what_they_hold_and_by_their_usual_names():
    row = {
        "id": 1,
        "clip": FILE,
        "Speaker": "anna",
        "phrasing": "held out",
        "words": [{"word": "a", "start": 0, "end": 1}],
    }
    (sound,) = made(row)
    assert (sound.voice, sound.phrasing, sound.audio, sound.name) == ("anna", "held out", b"x", "a.mp3")
    assert sound.timed_words(1.0)[0].word == "a"
    assert sound_columns([{"question": "a?"}], None, {}) is None


def test_named_columns_and_several_voices():
    row = {"one": FILE, "two": {"bytes": b"y", "path": None}, "said": "hello", "who": "x"}
    sounds = made(row, {"audio": ["one", "two"], "spoken": "said"})
    assert [(sound.voice, sound.audio, sound.text, sound.name) for sound in sounds] == [
        ("one", b"x", "hello", "a.mp3"),
        ("two", b"y", "hello", "row 1"),
    ]
    assert made(row, {"audio": "two", "voice": "who"})[0].voice == "x"


def test_words_beside_columns_of_times():
    row = {"clip": FILE, "words": ["the", "cat"], "word_starts": [0.0, 0.5], "word_ends": [0.5, 0.9]}
    assert [(w.word, w.end) for w in made(row)[0].timed_words(1.0)] == [("the", 0.5), ("cat", 0.9)]
    text = {**row, "words": "the cat"}
    assert len(made(text)[0].timed_words(1.0)) == 2
    listed = {**row, "words": '["the", "cat"]', "word_starts": "[0.0, 0.5]", "word_ends": "0.5 0.9"}
    assert made(listed)[0].timed_words(1.0) == made(row)[0].timed_words(1.0), "lists are texts in a table of texts"
    with pytest.raises(ValueError, match="row 1: 'soon later' are no times; give seconds, one for each word"):
        made({**listed, "word_starts": "soon later"})
    with pytest.raises(ValueError, match="row 1: it has 2 words, 1 starts and 2 ends"):
        made({**row, "word_starts": [0.0]})
    lacking = {**row, "word_starts": None}
    assert made(lacking)[0].words is None, "words alone are no times"
    assert made(lacking, {"words": "words"})[0].words == ["the", "cat"], (
        "but what is named is taken, and refused when read"
    )


def test_paths_start_at_the_folder_of_the_table():
    row = {"file_name": "clips/a.wav", "words": "clips/a.TextGrid"}
    (sound,) = made(row, folder=Path("/data"))
    assert (sound.audio, sound.words) == (Path("/data/clips/a.wav"), Path("/data/clips/a.TextGrid"))
    assert made({**row, "words": "the cat sat"}, folder=Path("/data"))[0].words is None, "a transcript is no path"
    assert made({**row, "words": '[{"word": "a", "start": 0, "end": 1}]'})[0].timed_words(1.0)[0].word == "a"
    assert made({**row, "words": ""})[0].words is None


def test_a_row_without_sound_has_a_sound_without_audio():
    columns = sound_columns([{"clip": FILE}], None, {})
    for empty in (None, {"bytes": None, "path": None}, ""):
        (sound,) = columns.sounds({"clip": empty}, "row 7")
        assert (sound.audio or None) is None
        assert sound.called == "row 7"


def test_columns_that_are_missing_or_many():
    with pytest.raises(ValueError, match=r"columns\['audio'\]: there is no column 'sound'; the columns are clip, id"):
        made({"clip": FILE, "id": 1}, {"audio": "sound"})
    with pytest.raises(ValueError, match="the columns a, b all hold sound"):
        made({"a": FILE, "b": FILE})
    with pytest.raises(ValueError, match=r"columns\['voice'\]=3: expected the name of a column"):
        made({"a": FILE}, {"voice": 3})
