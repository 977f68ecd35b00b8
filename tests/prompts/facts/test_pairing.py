"""Facts and sounds of two sets go together by id; what has no partner is told by reason."""

import pytest

from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.loaded import Facts
from spiritlens.prompts.facts.pairing import with_sounds


def fact(name):
    return Fact(name, "any", "", "paris", "", {"first": f"question {name}"})


FACTS = tuple(map(fact, "abcd"))
ROWS = [
    {"id": "c", "clip": b"3", "voice": "anna"},
    {"id": "a", "clip": b"1", "voice": "anna"},
    {"id": "c", "clip": b"4", "voice": "ben"},
    {"id": "a", "clip": b"5", "voice": "anna"},
    {"id": "x", "clip": b"6", "voice": "anna"},
    {"id": None, "clip": b"7", "voice": "anna"},
    {"id": "b", "clip": None, "voice": "anna"},
]


def test_by_id_in_any_order_with_rows_missing_in_both():
    paired = with_sounds(Facts(FACTS, source="questions", layout="PopQA"), ROWS)
    assert [(one.id, [sound.audio for sound in one.sounds]) for one in paired] == [("a", [b"1"]), ("c", [b"3", b"4"])]
    assert paired.left_out.counts == {"no sound": 3, "a sound of no fact": 2, "a sound given twice": 1}
    told = {row.id: row.detail for row in paired.left_out.rows}
    assert told["x"] == "no fact has the id 'x'"
    assert told["row 6"] == "row 6 has no id"
    assert told["a"] == "row 2 and row 4 are both there in the voice 'anna'"
    assert told["d"] == "no sound has its id"
    assert paired.layout == "PopQA"
    assert "questions with a set of sounds" in str(paired)


def test_sounds_are_added_to_those_that_are_there():
    once = with_sounds(FACTS[:1], ROWS[1:2])
    twice = with_sounds(once, [{"id": "a", "clip": b"9", "voice": "ben"}])
    assert [sound.voice for sound in twice[0].sounds] == ["anna", "ben"]


def test_words_of_the_whole_set(tmp_path):
    (tmp_path / "set.ctm").write_text("row-1 1 0.1 0.2 hello\nclip 1 0.0 0.5 bye\n")
    rows = [
        {"id": "a", "clip": {"bytes": b"1", "path": "clips/clip.mp3"}},
        {"id": "b", "clip": b"2", "words": [{"word": "own", "start": 0.0, "end": 0.5}]},
        {"id": "c", "clip": b"3"},
    ]
    paired = with_sounds(FACTS, rows, words=tmp_path / "set.ctm")
    words = [one.sounds[0].timed_words(1.0) for one in paired]
    assert [found and found[0].word for found in words] == ["bye", "own", None]


def test_refusals():
    with pytest.raises(
        ValueError, match="none of the 1 sounds goes with one of the 4 facts: the first sound's id is 'x'"
    ):
        with_sounds(FACTS, ROWS[4:5])
    with pytest.raises(ValueError, match="facts is empty"):
        with_sounds([], ROWS)
    with pytest.raises(FileNotFoundError, match="no such file or folder of words"):
        with_sounds(FACTS, ROWS, words="none.ctm")
    with pytest.raises(ValueError, match="no argument voices"):
        with_sounds(FACTS, ROWS, voices=["anna"])
