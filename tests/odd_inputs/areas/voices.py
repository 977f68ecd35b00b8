"""Voices, what they are given to say, and subjects in speech."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from frame import Bench, Odd, error, result

import spiritlens as sl
from spiritlens.speech.voices.names import available_voices, voice

NO_VOICES = (
    ("a variant that is none", "espeak:en-us+nobody", "nobody", "nearest"),
    ("a variant in capitals", "espeak:en-us+F2", "'F2'", "f2"),
    ("a path for a variant", "espeak:en-us+../../x", "variant"),
    ("two variants", "espeak:en-us+f2+m3", "variant"),
    ("an empty variant", "espeak:en-us+", "variant"),
    ("NUL", "espeak:en-us\0x", "accent or language"),
    ("a language that is none", "espeak:en-uss", "en-us"),
    ("a language in capitals", "espeak:EN-US", "letter case"),
    ("a blank around", "espeak: en-us", "accent"),
    ("a voice's display name", "espeak:English_(America)", "accent"),
    ("flite", "flite:bob", "slt"),
    ("flite in capitals", "flite:SLT", "slt"),
    ("festival", "festival:rab_diphone", "ked_diphone"),
    ("Scheme", 'festival:ked_diphone)(system "ls")', "ked_diphone"),
    ("piper", "piper:jo", "joe"),
    ("a piper model that is not there", "piper:/nowhere/x.onnx", "/nowhere/x.onnx"),
    ("NUL in a path", "piper:a\0.onnx", "no such piper model"),
    ("no engine", "en-us", "ENGINE:VOICE"),
    ("an unknown engine", "acme:bob", "ENGINE:VOICE"),
    ("empty", "", "ENGINE:VOICE"),
    ("no voice", "espeak:", "ENGINE:VOICE"),
    ("None", None, "voice=None", "espeak:en-us"),
    ("a number", 3, "voice=3"),
    ("a list", ["espeak:en-us"], "voice=['espeak:en-us']"),
)
NO_TEXTS = (
    ("None", None, "text=None"),
    ("a number", 5, "text=5"),
    ("bytes", b"rome", "text=b'rome'"),
    ("a list of words", ["rome"], "text=['rome']"),
    ("empty", "", "holds no word"),
    ("blanks", " \n\t", "holds no word"),
    ("points", "... ?!", "holds no word"),
    ("zero-width blanks", "\u200b\u200b", "holds no word"),
    ("NUL", "rome\0", "U+0000"),
    ("half a surrogate pair", "rome \ud800", "U+D800"),
    ("an emoji", "rome 🙂", "SLIGHTLY SMILING FACE"),
    ("SSML", "<speak>rome</speak>", "LESS-THAN SIGN"),
    ("Chinese", "北京 is a city", "北京", "English letters"),
    ("Cyrillic", "the city of Москва", "Москва"),
    ("a raised figure", "10⁶ people", "SUPERSCRIPT SIX"),
    ("a decimal comma", "1,5 is more", "1,5", "more than one way"),
    ("a score", "won 3-1", "3-1"),
    ("a date", "on 9/11", "9/11"),
    ("a currency without an amount", "a $ sign", "DOLLAR SIGN"),
    ("an underscore", "snake_case", "LOW LINE"),
)
SAID = (
    ("minus", "the square of -1 is", "the square of minus one is"),
    ("money", "it costs $5.50", "it costs five dollars and fifty cents"),
    ("a fraction", "3/4 of it", "three quarters of it"),
    ("C#", "C# was", "C sharp was"),
    ("degrees", "it is 5 °C", "it is five degrees Celsius"),
    ("a Roman numeral", "Henry VIII", "Henry eight"),
    ("quotes and Scheme", '"(exit)" rome', "exit rome"),
    ("a letter and its mark", "Co\u0302te", "Côte"),
)
NO_NUMBERS = ("fast", float("nan"), None, True, [1.0], 1j)
OUT_OF_RANGE = (0, -1, float("inf"), 1e300, 100)
SUBJECTS = (
    ("a number", "Apollo 11 landed on the", "Apollo 11", "Apollo eleven"),
    ("points", "J.R.R. Tolkien was born in", "J.R.R. Tolkien", "J R R Tolkien"),
    ("a possessive", "France's capital is", "France", "France's"),
    ("another apostrophe", "The brother of O’Brien is", "O'Brien", "O'Brien"),
    ("a missing comma", "Washington, D.C. is the capital of", "Washington D.C.", "Washington D C"),
    ("signs", "AT&T is based in", "at&t", "AT and T"),
    ("a decomposed letter", "The river of Co\u0302te is", "Côte", "Côte"),
)
NO_SUBJECTS = (
    ("half a word with signs", "C++ was created by", "C", "part of 'C++'"),
    ("half a number", "1917 was directed by", "19", "part of '1917'"),
    ("half a spoken word", "L'Aurore was written by", "Aurore", "no units of its own", "L'Aurore"),
    ("another letter", "The mayor of São Paulo is", "Sao Paulo", "the nearest there is 'São Paulo'"),
    ("empty", "The capital of France is", " ", "subject is empty"),
    ("a number", "Apollo 11 landed on the", 11, "subject=11"),
)


class Strange:
    """No voice, but it has a name."""

    name = "strange"


def cases(bench: Bench) -> Iterator[Odd]:
    yield from _names()
    yield from _texts()
    yield from _settings(bench)
    yield from _subjects(bench)
    yield from _tables(bench)


def _names() -> Iterator[Odd]:
    for what, name, *named in NO_VOICES:
        yield error("voice", what, lambda name=name: voice(name), *named)
    yield result("voice", "numpy's text", lambda: voice(np.str_("espeak:en-us+f2")), lambda found: "f2" in found.name)
    yield result(
        "voices",
        "each that is available",
        lambda: [voice(info.name).name for info in available_voices() if info.available],
        lambda found: len(found) == len(set(found)) > 20,
    )
    for name in ("flite:slt", "festival:ked_diphone", "espeak-debian:en-us"):
        yield result(
            "voices",
            f"{name} tells how to get it",
            lambda: available_voices(),
            lambda found, name=name: name in _named(found),
        )


def _named(found: Any) -> list[str]:
    return [info.name for info in found if info.remedy]


def _texts() -> Iterator[Odd]:
    for what, text, *named in NO_TEXTS:
        yield error("Voice.speak", what, lambda text=text: voice().speak(text), *named)
    for what, text, words in SAID:
        yield result(
            "Voice.speak",
            what,
            lambda text=text: voice().speak(text),
            lambda spoken, words=words: [word.word for word in spoken.words] == words.split(),
        )


def _settings(bench: Bench) -> Iterator[Odd]:
    for value in NO_NUMBERS:
        for setting in ("rate", "pitch"):
            yield error(
                "Voice.speak",
                f"{setting} is {value!r}",
                lambda setting=setting, value=value: voice(**{setting: value}),
                f"{setting}=",
                "expected a number",
            )
    for value in OUT_OF_RANGE:
        yield error("Voice.speak", f"rate {value}", lambda value=value: voice(rate=value), "rate")
        yield error("Voice.speak", f"pitch {value}", lambda value=value: voice(pitch=value), "pitch")
    for value in (np.float32(1.25), torch.tensor(1.25), np.int64(1)):
        yield result(
            "Voice.speak",
            f"rate of {type(value).__name__}",
            lambda value=value: voice(rate=value).speak("rome").waveform.digest,
            lambda found, value=value: found == voice(rate=float(value)).speak("rome").waveform.digest,
        )
    speak = bench.lens.speak
    asked = ("The capital of France is", "France", "Paris")
    yield error("lens.speak", "voice is a number", lambda: speak(*asked, voice=5), "voice=5")
    yield error("lens.speak", "voice cannot speak", lambda: speak(*asked, voice=Strange()), "voice=", "Voice")
    yield error("lens.speak", "a misspelt variant", lambda: speak(*asked, voice="espeak:en-us+F2"), "'F2'")
    yield error("lens.speak", "text is None", lambda: speak(None, "France", "Paris"), "text=None")
    yield error("lens.speak", "text is a number", lambda: speak(12, "France", "Paris"), "text=12")


def _subjects(bench: Bench) -> Iterator[Odd]:
    speak = bench.lens.speak
    for what, text, subject, name in SUBJECTS:
        yield result(
            "lens.speak",
            f"subject with {what}",
            lambda text=text, subject=subject: speak(text, subject=subject, answer="Paris"),
            lambda prompt, name=name: prompt.subject.name == name,
        )
    for what, text, subject, *named in NO_SUBJECTS:
        yield error(
            "lens.speak",
            f"subject is {what}",
            lambda text=text, subject=subject: speak(text, subject=subject, answer="Paris"),
            *named,
        )
    twice = ("Rome, said Rome, is", "Rome", "Paris")
    for value in (1.0, True, "0"):
        yield error(
            "lens.speak",
            f"occurrence is {value!r}",
            lambda value=value: speak(*twice, occurrence=value),
            "occurrence=",
            "whole number",
        )
    yield error("lens.speak", "occurrence out of range", lambda: speak(*twice, occurrence=2), "occurrence=2", "2 time")
    yield result(
        "lens.speak",
        "numpy's occurrence",
        lambda: speak(*twice, occurrence=np.int64(1)).subject.first,
        lambda found: found == speak(*twice, occurrence=-1).subject.first,
    )


def _tables(bench: Bench) -> Iterator[Odd]:
    def spoken(rows: Any, **options: Any) -> Any:
        return sl.speech.speak_texts(rows, bench.folder(), **{"progress": "none", **options})

    row = {"id": "a", "text": "rome"}
    for what, rows, *named in (
        ("None", None, "rows=None"),
        ("a text", "rome", "rows='rome'"),
        ("one row", row, "rows", "expected several"),
        ("texts", ["rome"], "rows[0] is 'rome'"),
        ("none", [], "rows is empty"),
        ("a row without text", [{"id": "a"}], "row 0 has no text"),
        ("a row of blanks", [row, {"text": " "}], "row 1 has no text"),
        ("a row of None", [{"text": None}], "row 0 has no text"),
        ("a row of nan", [{"text": float("nan")}], "row 0", "text=nan"),
        ("a row with a number", [{"text": 1917}], "row 0", "text=1917"),
        ("two equal ids", [row, row], "same id"),
        ("ids that fall together", [{"id": "a b", "text": "x"}, {"id": "a-b", "text": "y"}], "same id"),
        ("a row that cannot be said", [row, {"id": "b", "text": "a*b"}], "b_espeak-en-us", "ASTERISK"),
        ("no id and unspeakable", [{"text": "北京"}], "00000_espeak-en-us", "北京"),
    ):
        yield error("speak_texts", f"rows: {what}", lambda rows=rows: spoken(rows), *named)
    for what, names, *named in (
        ("one name", "espeak:en-us", "voices='espeak:en-us'", "['espeak:en-us']"),
        ("none", (), "voices is empty"),
        ("None", None, "voices=None"),
        ("one twice", ["espeak:en-us", "espeak:en-us"], "named twice"),
        ("a misspelt one", ["espeak:en-us", "espeak:en-us+nobody"], "nobody"),
        ("a number", [5], "voices[0] is 5"),
    ):
        yield error("speak_texts", f"voices: {what}", lambda names=names: spoken([row], voices=names), *named)
    yield error("speak_texts", "progress", lambda: spoken([row], progress=True), "progress=True", "bar")
    yield error("speak_texts", "out is None", lambda: sl.speech.speak_texts([row], None), "out=None")
    yield result(
        "speak_texts", "a generator", lambda: spoken(one for one in [row]), lambda path: len(_lines(path)) == 2
    )
    yield result(
        "speak_texts",
        "rows of a data frame",
        lambda: spoken(pd.DataFrame([row, {"id": "b", "text": "paris"}]).to_dict("records")),
        lambda path: len(_lines(path)) == 3,
    )


def _lines(path: Any) -> list[str]:
    return path.read_text().splitlines()
