"""Words with times: every format read, what is chosen in it, words without times, and what is refused."""

import dataclasses
import json
import types

import numpy as np
import pandas as pd
import pytest

from spiritlens.speech.alignment.unit_words import unit_table
from spiritlens.speech.units import UnitStream
from spiritlens.speech.word_files.sources import read_words, words_beside
from spiritlens.speech.words import WordInterval

WORDS = (WordInterval("the", 0.1, 0.25), WordInterval("café", 0.25, 0.5), WordInterval("is", 0.75, 1.0))
TRIPLES = [(word.word, word.start, word.end) for word in WORDS]
DICTS = [{"word": word, "start": start, "end": end} for word, start, end in TRIPLES]


@pytest.fixture
def written(tmp_path):
    """A function that writes a file and returns its path."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    "values",
    [
        WORDS,
        TRIPLES,
        [{"word": f" {word}", "start": start, "end": end} for word, start, end in TRIPLES],
        {"words": [{**word, "score": 0.9} for word in DICTS]},
        {"segments": [{"text": " the café", "words": DICTS[:2]}, {"text": " is", "words": DICTS[2:]}]},
        [{"text": " the café", "words": DICTS[:2]}, {"text": " is", "words": DICTS[2:]}],
        {"chunks": [{"text": word, "timestamp": (start, end)} for word, start, end in TRIPLES]},
        {"result": DICTS, "text": "the café is"},
        [("<sil>", 0.0, 0.1), *TRIPLES, ("", 1.0, 1.2), ("SP", 1.2, 1.3)],
        [("the", "0.1", "2.5e-1"), *TRIPLES[1:]],
    ],
)
def test_values_of_every_form(values, written):
    assert read_words(values) == WORDS
    if not isinstance(values, tuple):
        assert read_words(written("words.json", json.dumps(values))) == WORDS


def test_objects_of_faster_whisper():
    """Objects with attributes, in a generator, with what is said about the whole beside it."""
    words = [types.SimpleNamespace(word=f" {w}", start=np.float64(a), end=b, probability=1.0) for w, a, b in TRIPLES]
    segment = types.SimpleNamespace(text=" the café is", start=0.1, end=1.0, words=words)
    assert read_words(iter([segment])) == read_words([segment]) == WORDS
    assert read_words((iter([segment]), types.SimpleNamespace(language="en"))) == WORDS


def test_whisper_cpp_joins_its_tokens(written):
    def piece(text, start, end):
        return {"text": text, "offsets": {"from": start, "to": end}}

    tokens = [piece("[_BEG_]", 0, 0), piece(" the", 100, 250), piece(" ca", 250, 300), piece("fé", 300, 500)]
    whole = {"transcription": [{**piece(" the café", 0, 500), "tokens": tokens}, piece(" is", 750, 1000)]}
    assert read_words(written("w.json", json.dumps(whole))) == WORDS
    with pytest.raises(ValueError, match=r"one time for several words; run whisper\.cpp with -ojf"):
        read_words({"transcription": [piece(" the café", 0, 500)]})


def test_tables_of_pandas_and_of_units():
    frame = pd.DataFrame(TRIPLES, columns=["word", "start", "end"])
    assert read_words(frame) == WORDS
    units = UnitStream.from_frames([0, 1, 2, 3, 4, 5, 6, 7])
    words = (WordInterval("in", 0.0, 0.12), WordInterval("the", 0.0, 0.12), WordInterval("city", 0.16, 0.2))
    assert read_words(unit_table(units, words)) == words
    frame.loc[1, "end"] = np.nan
    with pytest.raises(ValueError, match="row 1: the word 'café' has no end time"):
        read_words(frame)


def test_the_word_silence_is_a_word():
    spoken = [WordInterval("the", 0.1, 0.25), WordInterval("silence", 0.25, 0.8)]
    assert read_words(spoken) == tuple(spoken)


# words without times

GENTLE = {"words": [DICTS[0], {"word": "2014", "case": "not-found-in-audio"}, DICTS[2]]}
PIPELINE = {"chunks": [{"text": " the", "timestamp": (0.0, 0.3)}, {"text": " is", "timestamp": (0.3, None)}]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (GENTLE, "entry 1: the word '2014' has no time: .*missing='interpolate'.*missing='drop'"),
        (PIPELINE, "chunk 1: the word 'is' has no end time"),
        ([DICTS[0], {"word": "a"}, {"word": "b"}], "the word 'a' has no time, and so do 1 more"),
    ],
)
def test_a_word_without_times_is_named(values, message):
    with pytest.raises(ValueError, match=message):
        read_words(values)


def test_words_without_times_are_dropped_or_take_the_gap():
    assert read_words(GENTLE, missing="drop") == (WORDS[0], WORDS[2])
    assert read_words(GENTLE, missing="interpolate")[1] == WordInterval("2014", 0.25, 0.75)
    three = [{"word": "a"}, {"word": "b"}, ("c", 1.0, 2.0), {"word": "d", "start": 2.5}, {"word": "e"}]
    found = read_words(three, missing="interpolate", duration=4.5)
    assert [(word.start, word.end) for word in found] == [(0, 0.5), (0.5, 1), (1, 2), (2.5, 3.5), (3.5, 4.5)]
    with pytest.raises(ValueError, match=r"last word 'is' has no end.*duration="):
        read_words(PIPELINE, missing="interpolate")
    with pytest.raises(ValueError, match="'b' has no time, and its neighbours leave it none"):
        read_words([("a", 0.0, 1.0), {"word": "b"}, ("c", 1.0, 2.0)], missing="interpolate")
    with pytest.raises(ValueError, match="missing='guess': expected one of refuse, drop, interpolate"):
        read_words(GENTLE, missing="guess")


# one of several

SPEAKERS = {
    "segments": [{"text": w["word"], "words": [{**w, "speaker": s}]} for w, s in zip(DICTS, "aba", strict=True)]
}


def test_speakers_are_chosen():
    with pytest.raises(
        ValueError, match=r"name the speaker, or a list of several \(speaker=\); its speakers are 'a', 'b'"
    ):
        read_words(SPEAKERS)
    assert read_words(SPEAKERS, speaker="a") == (WORDS[0], WORDS[2])
    assert read_words(SPEAKERS, speaker=["a", "b"]) == WORDS
    with pytest.raises(ValueError, match="no speaker 'c'; its speakers are 'a', 'b'"):
        read_words(SPEAKERS, speaker="c")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"tier": "words"}, "no tier 'words'; it names no tiers"),
        ({"tier": 1}, "tier=1: expected a name"),
        ({"channel": 2}, "no channel '2'; it names no channels"),
        ({"channel": 1.5}, "channel=1.5"),
        ({"recording": "x"}, "no recording 'x'"),
        ({"duration": "1"}, "duration='1'"),
    ],
)
def test_a_choice_that_the_words_do_not_offer(choice, message):
    with pytest.raises(ValueError, match=message):
        read_words(WORDS, **choice)


# refusals


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "no words"),
        ("the capital", "the capital: no such file"),
        ({"text": "the"}, "expected a list of words .* found dict with text"),
        ([("the", 0.1)], "entry 0 is .*expected a word, its start and its end"),
        (["the", "cat"], "entry 0 is 'the'; expected a word"),
        ([("the", None, 0.2)], "'the' has no start time"),
        ([("the", True, 0.2)], "'the'.*a time=True: expected a number"),
        ([("the", "0,1", 0.2)], "'0,1' is no number; .*decimal point"),
        ([("the", 0.3, 0.2)], "entry 0: .*start < end"),
        ([("b", 0.5, 0.6), ("a", 0.1, 0.2)], "unsorted"),
        ([("a", 0.1, 0.5), ("b", 0.3, 0.6)], "overlap"),
        ([("a", 0.1, 0.5), ("b", 0.6, 7.0)], "audio lasts 1.200 s.*are they seconds, of this file"),
        ([("a", 100, 500), ("b", 600, 1000)], "ends at 1000.000 s, but the audio lasts 1.200 s.*milliseconds"),
        ({"segments": [{"text": "the", "start": 0, "end": 1}]}, "word_timestamps=True"),
        ({"segments": [{"text": "the", "words": None}]}, r"segment 0 \('the'\) holds no words"),
        ({"chunks": [{"text": " the end", "timestamp": (0, 1)}]}, 'return_timestamps="word"'),
        (("a", 0.0, 1.0), "expected a list of words"),
        (b"a", "found b'a'; give the file's path"),
        (5, "found int"),
    ],
)
def test_values_refused(values, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_words(values, duration=1.2)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("w.json", b"{", "is not JSON"),
        ("w.json", b"[" * 100_000, "nested too deep"),
        ("w.csv", b"a,b\n1,2\n", "columns word, start, end; found a, b"),
        ("w.csv", b"", "found none"),
        ("w.csv", "word,start,end\ncafé,0,1\n".encode("latin-1"), "neither UTF-8 nor UTF-16"),
        ("w.csv", "word,start,end\ncafé,0,1\n".encode("utf-16-le"), "neither UTF-8 nor UTF-16"),
        ("w.docx", b"PK", "begins with 'PK', .* Read are: TextGrid .*ELAN.*JSON.*CTM"),
        ("w.txt", b"the capital of france", "no file of words with times"),
        ("w.lrc", b"[00:12.00]the", "no file of words with times"),
        ("w.wav", b"RIFF\0\0\0\0WAVE", "it is audio"),
    ],
)
def test_files_refused(written, name, content, message):
    with pytest.raises(ValueError, match=message):
        read_words(written(name, content))


def test_a_folder_and_a_name_too_long(tmp_path):
    with pytest.raises(ValueError, match="is a folder; name a file"):
        read_words(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such file of words"):
        read_words("a" * 5000)


def test_what_is_beside_audio(tmp_path):
    audio = tmp_path / "a.1.wav"
    for name in ("a.1.wav", "a.1.TextGrid", "a.1.srt", "a.1.lab", "a.2.json", "a.1.md"):
        (tmp_path / name).write_text("the capital")
    assert [path.name for path in words_beside(audio)] == ["a.1.TextGrid", "a.1.srt"], "the .lab holds a transcript"
    (tmp_path / "a.1.lab").write_text("0 1000000 the\n")
    assert [path.name for path in words_beside(audio)] == ["a.1.TextGrid", "a.1.srt", "a.1.lab"]


def test_intervals_are_plain_values():
    word = WordInterval("a", np.float32(0.5), 1)
    assert [type(getattr(word, field.name)) for field in dataclasses.fields(word)] == [str, float, float]


def test_columns_of_words_and_the_content_of_files():
    import numpy as np

    columns = {"word": ["a", "b"], "start": [0.0, 0.5], "end": [0.5, 1.0]}
    wanted = read_words([("a", 0.0, 0.5), ("b", 0.5, 1.0)])
    assert read_words(columns) == wanted
    assert (
        read_words({"text" if name == "word" else name: np.array(cells) for name, cells in columns.items()}) == wanted
    )
    assert read_words('[{"word": "a", "start": 0, "end": 0.5}, {"word": "b", "start": 0.5, "end": 1}]') == wanted
    assert read_words("x 1 0.0 0.5 a\r\nx 1 0.5 0.5 b\r\n") == wanted
    with pytest.raises(ValueError, match="words: there are 2 words, 1 starts and 2 ends; give one each"):
        read_words({**columns, "start": [0.0]})
    with pytest.raises(ValueError, match="words: it begins with"):
        read_words("hello\nyou\n")
