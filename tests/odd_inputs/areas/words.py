"""Words with times: files and values of aligners, choices among them, forced alignment, recognition, unit tables."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from frame import Bench, Odd, error, result

import spiritlens as sl

THE = ("the", 0.1, 0.25)
CAT = ("cat", 0.25, 0.5)
BOTH = [THE, CAT]
GRID = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n0\n1\n<exists>\n2\n"IntervalTier"\n"anna"\n0\n1\n1\n'
    '0.1\n0.25\n"the"\n"IntervalTier"\n"ben"\n0\n1\n1\n0.3\n0.5\n"cat"\n'
)


def cases(bench: Bench) -> Iterator[Odd]:
    yield from _values()
    yield from _choices(bench)
    yield from _files(bench)
    yield from _read_files(bench)
    yield from _aligned(bench)
    yield from _tables()
    yield from _audio(bench)


def _is(*triples: tuple[str, float, float]) -> Any:
    return lambda found: found == tuple(sl.speech.WordInterval(*triple) for triple in triples)


def _values() -> Iterator[Odd]:
    for what, value, *names in (
        ("None", None, "list of words", "NoneType"),
        ("a number", 5, "list of words", "int"),
        ("bytes", b"the", "path"),
        ("one tuple", THE, "list of words"),
        ("one interval", sl.speech.WordInterval(*THE), "list of words"),
        ("nothing", [], "no words"),
        ("silence alone", [("sil", 0, 1), ("", 1, 2)], "no words"),
        ("a set of texts", {"the"}, "entry 0", "start"),
        ("a pair", [("the", 0.1)], "entry 0", "start"),
        ("times first", [(0.1, 0.25, "the")], "entry 0", "0.25"),
        ("an array", np.zeros(3), "entry 0"),
        ("a text for a time", [("the", "soon", 1)], "soon", "seconds"),
        ("a decimal comma", [("the", "0,1", "0,2")], "0,1", "decimal point"),
        ("a bool for a time", [("the", True, 2)], "True", "the"),
        ("nan", [("the", float("nan"), 1)], "nan", "the"),
        ("infinity", [("the", 0, float("inf"))], "inf", "the"),
        ("a huge whole number", [("the", 0, 10**400)], "number", "the"),
        ("negative", [("the", -0.1, 1)], "-0.1", "0 <= start"),
        ("end before start", [("the", 0.5, 0.1)], "0.5", "start < end"),
        ("no length", [("the", 0.5, 0.5)], "start < end"),
        ("unsorted", [CAT, THE], "unsorted", "sort"),
        ("overlap", [("the", 0, 1), ("cat", 0.5, 2)], "overlap", "'cat'"),
        ("WhisperX's number", [THE, {"word": "2014"}], "2014", "no time", "missing="),
        ("the pipeline's last word", {"chunks": [{"text": "a", "timestamp": (0, None)}]}, "no end time", "missing="),
        ("the pipeline's phrases", {"chunks": [{"text": "a cat", "timestamp": (0, 1)}]}, "return_timestamps"),
        ("Whisper without words", {"segments": [{"text": "a cat"}]}, "word_timestamps=True"),
        ("segments whose words are a number", {"segments": [{"text": "a", "words": 5}]}, "segment 0", "no words"),
        ("an unknown dictionary", {"hypothesis": "the cat"}, "hypothesis", "list of words"),
        ("tiers of another kind", {"tiers": {"words": 5}}, "words", "intervals"),
        ("whisper.cpp's sentence", {"transcription": [{"text": " a cat"}]}, "several words", "-ojf"),
        ("a table of numbers", pd.DataFrame({"word": [1], "start": [0.0], "end": [1.0]}), "row 0", "text"),
        ("a table without times", pd.DataFrame({"word": ["a"], "phone": ["b"]}), "columns", "phone"),
        ("a table with a gap", pd.DataFrame({"word": ["a"], "start": [np.nan], "end": [1.0]}), "no start time"),
        ("an open file", open("/dev/null", "rb"), "path"),  # noqa: SIM115
    ):
        yield error("read_words", what, lambda value=value: sl.speech.read_words(value), *names)
    yield result("read_words", "a generator", lambda: sl.speech.read_words(word for word in BOTH), _is(THE, CAT))
    yield result(
        "read_words",
        "numpy's times",
        lambda: sl.speech.read_words([("a", np.float32(0.5), np.int64(1))]),
        _is(("a", 0.5, 1)),
    )
    yield result(
        "read_words", "texts of times", lambda: sl.speech.read_words([("a", "1e-1", " 2")]), _is(("a", 0.1, 2))
    )
    for what, args, *names in (
        ("a number for a word", (5, 0, 1), "word=5", "text"),
        ("None for a word", (None, 0, 1), "word=None"),
        ("a blank word", (" ", 0, 1), "blank"),
        ("a text for a time", ("a", "0", 1), "start", "'0'"),
        ("None for a time", ("a", 0, None), "end", "None"),
        ("nan", ("a", 0, float("nan")), "end", "nan"),
        ("a complex time", ("a", 1j, 1), "start", "number"),
    ):
        yield error("WordInterval", what, lambda args=args: sl.speech.WordInterval(*args), *names)


def _choices(bench: Bench) -> Iterator[Odd]:
    grid = bench.file("two.TextGrid", GRID)
    ctm = bench.file("two.ctm", "a 1 0.1 0.1 the\na 2 0.1 0.1 cat\nb 1 0.1 0.1 dog\n")
    speakers = [
        {"word": "a", "start": 0, "end": 1, "speaker": "x"},
        {"word": "b", "start": 1, "end": 2, "speaker": "y"},
    ]
    for what, source, choice, *names in (
        ("two tiers", grid, {}, "tier=", "anna", "ben"),
        ("a tier that is not there", grid, {"tier": "carl"}, "carl", "anna"),
        ("a tier by number", grid, {"tier": 1}, "tier=1", "name"),
        ("a tier of a list", BOTH, {"tier": "words"}, "no tier", "words"),
        ("two recordings", ctm, {}, "recording=", "'a'", "'b'"),
        ("two channels", ctm, {"recording": "a"}, "channel=", "'1'", "'2'"),
        ("a channel that is not there", ctm, {"recording": "a", "channel": 3}, "no channel '3'", "'1'"),
        ("a channel of 1.0", ctm, {"recording": "a", "channel": 1.0}, "channel=1.0", "whole"),
        ("two speakers", speakers, {}, "speaker=", "'x'", "'y'"),
        ("no speaker", speakers, {"speaker": []}, "speaker", "at least one"),
        ("a speaker by number", speakers, {"speaker": [0]}, "speaker[0]", "int"),
        ("an unknown way with missing times", BOTH, {"missing": "guess"}, "guess", "interpolate"),
        ("None for missing", BOTH, {"missing": None}, "missing=None", "refuse"),
        ("a duration as text", BOTH, {"duration": "1"}, "duration='1'"),
        ("a duration of 0", BOTH, {"duration": 0}, "duration=0", "> 0"),
        ("longer than the audio", BOTH, {"duration": 0.3}, "0.500 s", "0.300 s"),
        ("milliseconds", [("the", 100, 250), ("cat", 250, 500)], {"duration": 0.6}, "500", "0.600", "milliseconds"),
        ("no room", [("a", 0, 1), {"word": "b"}, ("c", 1, 2)], {"missing": "interpolate"}, "'b'", "drop"),
    ):
        call = lambda source=source, choice=choice: sl.speech.read_words(source, **choice)  # noqa: E731
        yield error("read_words", what, call, *names)
    yield result(
        "read_words",
        "a list of speakers",
        lambda: sl.speech.read_words(speakers, speaker=["y", "x"]),
        lambda found: len(found) == 2,
    )
    yield result(
        "read_words",
        "numpy's channel",
        lambda: sl.speech.read_words(ctm, recording="b", channel=np.int64(1)),
        _is(("dog", 0.1, 0.2)),
    )


def _files(bench: Bench) -> Iterator[Odd]:
    for name, content, *names in (
        ("mfa.json", "{", "mfa.json", "JSON"),
        ("deep.json", "[" * 100_000, "nested"),
        ("number.json", "3", "list of words", "int"),
        ("nan.json", '[{"word": "a", "start": NaN, "end": 1}]', "nan"),
        ("empty.TextGrid", "", "not a TextGrid"),
        ("cut.TextGrid", GRID[:120], "cut or damaged"),
        ("pitch.TextGrid", 'File type = "ooTextFile"\nObject class = "PitchTier"\n', "PitchTier", "TextGrid"),
        ("binary.TextGrid", b"ooBinaryFile\x08TextGrid\0\0", "cut or damaged"),
        ("count.TextGrid", GRID.replace("<exists>\n2", "<exists>\n2.5"), "2.5"),
        ("more.TextGrid", GRID.replace("<exists>\n2", "<exists>\n9"), "ends before the class of tier 3"),
        ("segments", "utt rec 0.1 0.5\n", "segments", "word"),
        ("a.ctm", "a 1 0.1 0.2 the\na 1 x 0.2 cat\n", "line 2", "duration"),
        ("a.rttm", "SPEAKER a 1 0.1 0.5 <NA> <NA> anna <NA>\n", "RTTM", "CTM"),
        ("a.lab", "the capital of france", "line 1", "start, end, label"),
        ("a.txt", "the capital of france", "Read are", "TextGrid", "CTM"),
        ("points.txt", "0.5\t0.5\tthe\n", "line 1", "point"),
        ("a.srt", "1\n00:00:00,100 --> 00:00:01,000\nthe cat\n", "cue 1", "the cat", "several words"),
        ("a.vtt", "WEBVTT\n", "no words"),
        ("a.csv", "word;start;end\nthe;0,1;0,2\n", "0,1", "decimal point"),
        ("head.csv", "word,begin,start,end\n", "begin", "start", "keep one"),
        ("short.csv", "word,start,end\nthe\n", "row 2", "1 cells"),
        ("a.eaf", "<ANNOTATION_DOCUMENT", "XML"),
        ("page.eaf", "<html></html>", "html", "ELAN"),
        ("latin.csv", "word,start,end\ncafé,0,1\n".encode("latin-1"), "UTF-8"),
        ("a.wav", b"RIFF\0\0\0\0WAVEfmt ", "audio"),
        ("a.pdf", b"%PDF-1.4\n", "%PDF", "Read are"),
        ("a.npy", b"\x93NUMPY\x01\x00", "UTF-8"),
    ):
        yield error(
            "read_words",
            f"the file {name}",
            lambda name=name, content=content: sl.speech.read_words(bench.file(name, content)),
            *names,
        )
    yield error(
        "read_words", "no file", lambda: sl.speech.read_words("the capital of france"), "no such file", "capital"
    )
    yield error("read_words", "a folder", lambda: sl.speech.read_words(bench.folder()), "folder", "file")
    yield error("read_words", "no name", lambda: sl.speech.read_words(""), "folder")
    yield error("read_words", "a name too long", lambda: sl.speech.read_words("a" * 5000), "no such file")


def _read_files(bench: Bench) -> Iterator[Odd]:
    grid = GRID.replace("<exists>\n2", "<exists>\n1")
    for name, content in (
        (
            "crlf.TextGrid",
            GRID.replace("\n", "\r\n").partition('"IntervalTier"\r\n"ben"')[0].replace("\r\n2\r\n", "\r\n1\r\n", 1),
        ),
        ("utf16.TextGrid", grid.encode("utf-16")),
        ("mark.TextGrid", b"\xef\xbb\xbf" + grid.encode()),
        ("scientific.TextGrid", grid.replace("0.1\n", "1e-1\n")),
        ("no ending", "a 1 0.1 0.15 the\n"),
        ("another.ctm", json.dumps({"tiers": {"w": {"type": "interval", "entries": [[0.1, 0.25, " the "]]}}})),
        ("align.txt", "   0.100    0.250  the\n"),
        ("htk.lab", "0 1000000 SIL\n1000000 2500000 the -44.2\n"),
        ("semicolons.csv", "END;WORD;START\n0.25;the;0.1\n"),
        ("whisper.tsv", "start\tend\ttext\n100\t250\tthe\n"),
        ("hours.srt", "1\r\n00:00:00,100 --> 00:00:00,250\r\n<i>the</i>\r\n"),
    ):
        yield result(
            "read_words",
            f"the file {name}",
            lambda name=name, content=content: sl.speech.read_words(bench.file(name, content)),
            _is(THE),
        )


def _aligned(bench: Bench) -> Iterator[Odd]:
    silent = sl.speech.Waveform(np.zeros(16000, np.float32))
    spoken = sl.speech.voice().speak("the capital of france is").waveform
    for what, audio, text, *names in (
        ("no text", spoken, None, "text=None"),
        ("bytes for a text", spoken, b"the", "text=b'the'"),
        ("a list of words", spoken, ["the", "capital"], "text=", "text that is said"),
        ("a blank text", spoken, "  ", "no word"),
        ("signs alone", spoken, "...!?", "no word"),
        ("a text too long", spoken, "the capital of france is " * 8, "cannot be placed"),
        ("silence", silent, "the capital", "cannot be placed", "1.00 s"),
        ("no samples", sl.speech.Waveform(np.zeros(0, np.float32)), "the", "0.000 s", "too short"),
        ("a hundred samples", sl.speech.Waveform(np.zeros(100, np.float32)), "the", "too short"),
        ("another rate", sl.speech.Waveform(np.zeros(8000, np.float32), 8000), "the", "8000 Hz", "16000"),
        ("no file", bench.folder() / "a.wav", "the", "no such audio file"),
        ("text for audio", bench.file("a.wav", "the"), "the", "a.wav", "audio"),
    ):
        yield error("align", what, lambda audio=audio, text=text: sl.speech.align(audio, text), *names)
    yield result(
        "align",
        "capitals and signs",
        lambda: sl.speech.align(spoken, "The CAPITAL of France, is?"),
        lambda found: len(found) == 5,
    )
    yield result(
        "align",
        "a wav's bytes",
        lambda: sl.speech.align(spoken.wav_bytes(), "the capital of france is"),
        lambda found: found == sl.speech.align(spoken, "the capital of france is"),
    )
    yield result("established_words", "silence", lambda: sl.speech.established_words(silent), lambda found: found == ())
    short, slow = sl.speech.Waveform(np.zeros(1, np.float32)), sl.speech.Waveform(np.zeros(8000, np.float32), 8000)
    yield error("established_words", "one sample", lambda: sl.speech.established_words(short), "too short")
    yield error("established_words", "another rate", lambda: sl.speech.established_words(slow), "8000 Hz")
    yield error(
        "established_words", "no file", lambda: sl.speech.established_words("nowhere.wav"), "nowhere.wav", "no such"
    )


def _tables() -> Iterator[Odd]:
    units = sl.speech.UnitStream.from_frames([0, 1, 2, 3, 4, 5, 6, 7])
    words = [sl.speech.WordInterval("in", 0.0, 0.12), sl.speech.WordInterval("city", 0.12, 0.2)]
    for what, args, *names in (
        ("ids for units", ([0, 1, 2], words), "units=", "UnitStream"),
        ("no words", (units, None), "words=None"),
        ("a text for words", (units, "in the city"), "words="),
        ("tuples for words", (units, [THE]), "words[0]", "WordInterval"),
        ("empty words", (units, []), "no words"),
        ("an unknown rule", (units, words, "middle"), "middle", "centre"),
        ("overlapping words", (units, [words[0], sl.speech.WordInterval("a", 0.1, 0.2)]), "overlap"),
    ):
        yield error("unit_table", what, lambda args=args: sl.speech.unit_table(*args), *names)
    yield result(
        "unit_table",
        "words of a generator",
        lambda: sl.speech.unit_table(units, iter(words)),
        lambda found: len(found) == 8,
    )
    yield result(
        "unit_table",
        "read back",
        lambda: sl.speech.read_words(sl.speech.unit_table(units, words)),
        lambda found: found == tuple(words),
    )


def _audio(bench: Bench) -> Iterator[Odd]:
    said = sl.speech.voice().speak("the capital of france is")
    grid = bench.file("two.TextGrid", GRID)

    def heard(words: Any = said.words, **more: Any) -> Any:
        return bench.lens.audio(said.waveform, "france", "Paris", words=words, **more)

    def read(words: Any, **choice: Any) -> Any:
        return heard(sl.speech.read_words(words, **choice))

    yield error("Lens.audio", "two tiers", lambda: heard(grid), "tier=", "anna")
    yield error("Lens.audio", "a tier that is not there", lambda: read(grid, tier="x"), "no tier 'x'", "anna")
    yield error("Lens.audio", "the wrong tier's words", lambda: read(grid, tier="anna"), "france")
    yield error("Lens.audio", "a word after the end", lambda: heard([("france", 0.1, 9.0)]), "9.000 s", "audio lasts")
    yield error("Lens.audio", "milliseconds", lambda: heard([("france", 100, 900)]), "milliseconds")
    yield error("Lens.audio", "a word without time", lambda: heard([{"word": "france"}]), "no time", "missing=")
    yield error("Lens.audio", "a tier", lambda: heard(grid, tier="anna"), "no argument tier=", "words")
    yield result("Lens.audio", "words and a text", lambda: heard(text=said.text), lambda found: found == heard())
    yield error("Lens.audio", "words and no text", lambda: heard(text=5), "text=5")
    yield error("Lens.audio", "neither", lambda: heard(None), "neither", "words=")
    yield error("Lens.audio", "an empty list", lambda: heard([]), "no words")
    gap = [*said.words[:3], {"word": "france"}, said.words[4]]
    yield result("Lens.audio", "a gap closed", lambda: read(gap, missing="interpolate"), lambda found: found == heard())
