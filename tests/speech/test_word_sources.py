"""Words with times from TextGrids, JSON, CSV and Python values, and what is refused."""

import json

import pytest

from spiritlens.speech.alignment import WordInterval
from spiritlens.speech.word_sources import read_words

WORDS = (WordInterval("the", 0.1, 0.25), WordInterval("café", 0.25, 0.5), WordInterval("is", 0.75, 1.0))
TRIPLES = [(word.word, word.start, word.end) for word in WORDS]

textgrid = pytest.importorskip("praatio.textgrid")


def grid(path, tiers, kind="short_textgrid", points=()):
    made = textgrid.Textgrid()
    for name in tiers:
        entries = [(start, end, word) for word, start, end in TRIPLES]
        made.addTier(textgrid.IntervalTier(name, entries, 0, 1.2))
    for name in points:
        made.addTier(textgrid.PointTier(name, [(0.3, "x")], 0, 1.2))
    made.save(str(path), format=kind, includeBlankSpaces=True)
    return path


@pytest.mark.parametrize("kind", ["short_textgrid", "long_textgrid", "textgrid_json", "json"])
def test_textgrid_formats(tmp_path, kind):
    ending = ".json" if "json" in kind else ".TextGrid"
    assert read_words(grid(tmp_path / f"me{ending}", ["words"], kind)) == WORDS


def test_textgrid_in_utf_16(tmp_path):
    path = grid(tmp_path / "me.TextGrid", ["words"])
    path.write_bytes(path.read_text(encoding="utf-8").encode("utf-16"))
    assert read_words(path) == WORDS


def test_tier_is_found_or_asked_for(tmp_path):
    assert read_words(grid(tmp_path / "a.TextGrid", ["phones", "anna - words"], points=["tones"])) == WORDS
    assert read_words(grid(tmp_path / "b.TextGrid", ["whatever"], points=["tones"])) == WORDS
    both = grid(tmp_path / "c.TextGrid", ["anna - words", "ben - words"])
    with pytest.raises(ValueError, match=r"name the tier of words.*'anna - words', 'ben - words'"):
        read_words(both)
    assert read_words(both, tier="ben - words") == WORDS
    with pytest.raises(ValueError, match=r"no interval tier 'x'.*anna"):
        read_words(both, tier="x")


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n1\n<exi']
)
def test_textgrid_garbage(tmp_path, content):
    path = tmp_path / "bad.TextGrid"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"bad\.TextGrid is not a TextGrid"):
        read_words(path)


@pytest.mark.parametrize(
    "values",
    [
        WORDS,
        TRIPLES,
        [{"word": f" {word}", "start": start, "end": end} for word, start, end in TRIPLES],
        {"words": [{"word": word, "start": start, "end": end, "score": 0.9} for word, start, end in TRIPLES]},
        {
            "segments": [
                {
                    "text": " the café",
                    "words": [
                        {"word": " the", "start": 0.1, "end": 0.25},
                        {"word": " café", "start": 0.25, "end": 0.5},
                    ],
                },
                {"text": " is", "words": [{"word": " is", "start": 0.75, "end": 1.0}]},
            ]
        },
        {"chunks": [{"text": word, "timestamp": (start, end)} for word, start, end in TRIPLES]},
        [("<sil>", 0.0, 0.1), *TRIPLES, ("", 1.0, 1.2)],
    ],
)
def test_values_of_every_form(values, tmp_path):
    assert read_words(values) == WORDS
    if not isinstance(values, tuple):
        path = tmp_path / "words.json"
        path.write_text(json.dumps(values))
        assert read_words(path) == WORDS


def test_the_word_silence_is_a_word():
    spoken = [WordInterval("the", 0.1, 0.25), WordInterval("silence", 0.25, 0.8)]
    assert read_words(spoken) == tuple(spoken)


def test_csv_and_tsv(tmp_path):
    (tmp_path / "w.csv").write_text("word,start,end\nthe,0.1,0.25\ncafé,0.25,0.5\nis,0.75,1.0\n", encoding="utf-8-sig")
    (tmp_path / "w.tsv").write_text("start\tend\ttext\n0.1\t0.25\tthe\n0.25\t0.5\tcafé\n0.75\t1.0\tis\n")
    assert read_words(tmp_path / "w.csv") == read_words(tmp_path / "w.tsv") == WORDS


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "no words"),
        ("the capital", "no such file"),
        ({"text": "the"}, "expected a list of words"),
        ([("the", 0.1)], "entry 0 is .*expected word, start and end"),
        ([("the", None, 0.2)], "'the' has times None"),
        ([("the", 0.3, 0.2)], "start < end"),
        ([("b", 0.5, 0.6), ("a", 0.1, 0.2)], "unsorted"),
        ([("a", 0.1, 0.5), ("b", 0.3, 0.6)], "overlap"),
        ([("a", 0.1, 0.5), ("b", 0.6, 7.0)], "audio lasts 1.200 s"),
        ({"segments": [{"text": "the", "start": 0, "end": 1}]}, "word_timestamps=True"),
    ],
)
def test_values_refused(values, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_words(values, duration=1.2)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("w.json", b"{", "is not JSON"),
        ("w.csv", b"a,b\n1,2\n", "columns word, start, end; found"),
        ("w.csv", b"", "found none"),
        ("w.csv", "word,start,end\ncafé,0,1\n".encode("latin-1"), "neither UTF-8 nor UTF-16"),
        ("w.docx", b"PK", "read from .TextGrid"),
    ],
)
def test_files_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_words(tmp_path / name)
