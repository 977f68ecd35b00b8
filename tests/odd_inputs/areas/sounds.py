"""Facts that bring their sound, sets of sound, pairs of recordings."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from frame import Bench, Odd, error, result
from sounds import encoded

import spiritlens as sl
from spiritlens.prompts.facts.sounds import FactSound

TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)).astype(np.float32)
WORDS = [("marlo", 0.0, 0.5), ("is", 0.5, 0.9)]


def cases(bench: Bench) -> Iterator[Odd]:
    yield from _sounds()
    yield from _pairing(bench)
    yield from _loading(bench)
    yield from _prompts(bench)
    yield from _recording_pairs(bench)
    yield from _speaking(bench)


def fact(**more: Any) -> sl.Fact:
    given = {"relation": "colour", "subject": "marlo", "answer": "blue", "foil": "", **more}
    return sl.Fact(**{"id": "a", "templates": {"first": "{subject} is"}, **given})


def sound(**more: Any) -> FactSound:
    return sl.prompts.FactSound(**{"voice": "", "phrasing": "", "audio": encoded(TONE), "words": WORDS, **more})


def _sounds() -> Iterator[Odd]:
    for name in ("voice", "phrasing", "text", "name"):
        yield error(
            "FactSound", f"{name}=None", lambda name=name: sound(**{name: None}), f"{name} of a sound", "a text"
        )
    yield error("FactSound", "words as a number", lambda: sound(words=3), "words of a sound=3", "times")
    yield error(
        "FactSound.waveform", "no audio", lambda: sound(audio=None, name="row 2").waveform(), "row 2", "no audio"
    )
    yield error("FactSound.waveform", "a number", lambda: sound(audio=3).waveform(), "expected a path")
    yield error("FactSound.waveform", "an array", lambda: sound(audio=TONE).waveform(), "no rate")
    yield error("FactSound.timed_words", "a file that is none", lambda: sound(words="a.ctm").timed_words(1.0), "a.ctm")
    yield error("FactSound.timed_words", "after the audio", lambda: sound().timed_words(0.5), "'is'", "lasts 0.5")
    uneven = {"word": ["a"], "start": [0.0, 1.0], "end": [1.0]}
    yield error("FactSound.timed_words", "uneven columns", lambda: sound(words=uneven).timed_words(2.0), "2 starts")
    yield error("Fact", "sounds that are none", lambda: fact(sounds=["a.wav"]), "sounds of fact a", "FactSound")
    yield result("FactSound", "two alike", lambda: len({sound(), sound()}), (2).__eq__)


def _pairing(bench: Bench) -> Iterator[Odd]:
    rows = [{"id": "a", "clip": encoded(TONE)}]

    def paired(source: Any = rows, facts: Any = None, **options: Any) -> Any:
        return lambda: sl.prompts.with_sounds([fact()] if facts is None else facts, source, **options)

    for value in (None, 3, b"x"):
        yield error("with_sounds", f"{value!r} as a set", paired(value), "source=", "expected")
    yield error("with_sounds", "no rows", paired([]), "no column holds sound")
    yield error("with_sounds", "an empty folder", lambda: paired(bench.folder())(), "empty folder")
    yield error("with_sounds", "no facts", paired(facts=[]), "facts is empty")
    yield error("with_sounds", "a fact", paired(facts=fact()), "facts", "several")
    yield error("with_sounds", "columns as a list", paired(columns=["id"]), "columns=", "mapping")
    yield error("with_sounds", "a role that is none", paired(columns={"sound": "clip"}), "'sound'", "audio")
    yield error("with_sounds", "a column that is none", paired(columns={"audio": "x"}), "'x'", "id, clip")
    yield error("with_sounds", "an id column that is none", paired(columns={"id": "x"}), "'x'", "id, clip")
    yield error("with_sounds", "other ids", paired([{"id": 5, "clip": b"x"}]), "'5'", "'a'", "columns=")
    yield error("with_sounds", "names for rows", paired(names="{id}"), "names=", "columns=")
    yield error(
        "with_sounds", "names without an id", lambda: paired(bench.folder(), names="{voice}")(), "names=", "{id}"
    )
    yield error("with_sounds", "words that are none", paired(words="none.ctm"), "none.ctm", "no such")
    frame = pd.DataFrame({"id": ["a", "b"], "clip": [encoded(TONE), None]})
    yield result("with_sounds", "a frame with an empty cell", paired(frame), lambda facts: len(facts) == 1)
    yield result("with_sounds", "a generator", lambda: paired(iter(rows))(), lambda facts: len(facts[0].sounds) == 1)


def _loading(bench: Bench) -> Iterator[Odd]:
    row = {"subject": "marlo", "answer": "blue", "text": "marlo is", "clip": encoded(TONE)}

    def load(rows: Any, columns: Any = None) -> Any:
        return lambda: sl.load_facts(rows, columns)

    yield error("load_facts", "two columns of sound", load([{**row, "b": "b.wav"}]), "clip, b", "name the one")
    yield error("load_facts", "a column of sound that is none", load([row], {"audio": "x"}), "'x'", "clip")
    yield error("load_facts", "a voice that is no column", load([row], {"voice": 3}), "columns['voice']", "column")
    lacking = load([row, {**row, "subject": "b", "text": "b is", "clip": None}])
    yield result("load_facts", "a row without sound", lacking, lambda facts: facts[1].sounds[0].audio is None)
    twice = load([{**row, "voice": "a"}, {**row, "voice": "b"}, {**row, "voice": "b"}])
    right = {"a relation and subject given twice": 1}
    yield result("load_facts", "three rows of one fact", twice, lambda facts: facts.left_out.counts == right)
    mixed = load([row, {**row, "subject": "b", "text": "b is", "clip": 3}])
    yield result("load_facts", "mixed types of sound", mixed, lambda facts: len(facts) == 2)
    folder = bench.folder()
    (folder / "1_mutual.txt").write_text("the cat")
    yield error("load_facts", "triples that are not whole", load(folder), "1: its mutual sound is missing")


def _prompts(bench: Bench) -> Iterator[Odd]:
    one = fact(subject="France", answer="Paris", templates={"first": "{subject} is"})
    good = replace(one, sounds=(sound(words=[("France", 0.0, 0.5), ("is", 0.5, 0.9)]),))

    def made(facts: Any, lens: Any = None, **options: Any) -> Any:
        return lambda: sl.prompts.spoken_prompts(lens or bench.lens, facts, **{"progress": "none", **options})

    yield error("spoken_prompts", "no lens", made([good], lens="embedded"), "lens", "Lens")
    yield error("spoken_prompts", "no facts", made([]), "facts is empty")
    yield error("spoken_prompts", "no sounds", made([one]), "none of the 1 facts", "no sound")
    yield error("spoken_prompts", "one voice", made([good], voices="anna"), "voices='anna'", "several")
    yield error("spoken_prompts", "a voice that is none", made([good], voices=["anna"]), "no sound in this voice")
    yield error("spoken_prompts", "progress as a bool", made([good], progress=False), "progress=False", "bar")
    broken = replace(one, sounds=(sound(audio=b"x"),))
    yield error("spoken_prompts", "broken sound", made([broken]), "none of the 1 facts", "audio bytes")
    both, right = made([replace(broken, id="b", foil="Rome"), good]), {"the sound cannot be read": 1}
    yield result("spoken_prompts", "one good, one broken", both, lambda found: found.left_out.counts == right)
    spoken = sl.prompts.spoken_prompt
    yield error("spoken_prompt", "another voice", lambda: spoken(bench.lens, good, voice="x"), "no sound in this voice")
    yield error(
        "spoken_prompt", "a phrasing that is none", lambda: spoken(bench.lens, one, phrasing="x"), "'x'", "first"
    )
    yield error("spoken_prompt", "no fact", lambda: spoken(bench.lens, "marlo"), "fact='marlo'", "Fact")
    yield error("spoken_prompt", "no lens", lambda: spoken("embedded", good), "lens", "Lens")


def _recording_pairs(bench: Bench) -> Iterator[Odd]:
    def folder(*names: str) -> Any:
        made = bench.folder()
        for name in names:
            (made / name).write_bytes(encoded(TONE))
        return made

    pairs = sl.speech.recording_pairs
    for value in (None, 3, "nowhere"):
        yield error("recording_pairs", f"{value!r}", lambda value=value: pairs(value), "no such folder")
    yield error("recording_pairs", "no sound", lambda: pairs(folder()), "no sound")
    yield error("recording_pairs", "one file", lambda: pairs(folder("0_a.wav")), "0_a.wav", "missing")
    yield error("recording_pairs", "no numbers", lambda: pairs(folder("a.wav", "b.wav")), "a.wav", "number")
    three = folder("0_a.wav", "1_a.wav", "2_a.wav")
    yield result("recording_pairs", "a file too many", lambda: pairs(three), lambda f: list(f.left_out) == ["2_a.wav"])


def _speaking(bench: Bench) -> Iterator[Odd]:
    def speak(facts: Any = None, voices: Any = ("espeak:en-us",), **options: Any) -> Any:
        given = [fact()] if facts is None else facts
        return lambda: sl.prompts.speak(given, voices, bench.folder() / "out", **{"progress": "none", **options})

    yield error("speak", "no facts", speak([]), "facts is empty")
    yield error("speak", "one voice", speak(voices="espeak:en-us"), "voices=", "several")
    yield error("speak", "a phrasing that is none", speak(phrasings=["x"]), "'x'", "first")
    yield error("speak", "progress as a bool", speak(progress=True), "progress=True", "bar")
