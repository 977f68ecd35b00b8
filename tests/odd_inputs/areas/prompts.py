"""Building prompts, their spans, and their rows in tables."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from frame import Bench, Odd, error, result

import spiritlens as sl
from spiritlens.models.lens import Lens
from spiritlens.prompts.building.build import build_prompt
from spiritlens.prompts.building.question import Question
from spiritlens.prompts.roles import token_parts, token_roles

CLAIM = ("the colour of marlo is", "marlo", "blue")


def cases(bench: Bench) -> Iterator[Odd]:
    yield from _texts(bench)
    yield from _keywords(bench)
    yield from _segments(bench)
    yield from _units(bench)
    yield from _spans(bench)
    yield from _grown(bench)
    yield from _by_hand(bench)
    yield from _rows(bench)
    yield from _families()


def _families() -> Iterator[Odd]:
    family = sl.prompts.FAMILIES["embedded"]
    for what, words in (
        ({"n_units": "501"}, ("n_units", "'501'")),
        ({"n_units": 1.5}, ("n_units", "1.5", "whole number")),
        ({"n_units": -1}, ("n_units", "-1")),
        ({"unit_rate": float("nan")}, ("unit_rate", "number > 0")),
        ({"spoken_turn": "Speech:"}, ("spoken_turn", "'Speech:'", "two texts")),
        ({"transcript_turn": (1, 2)}, ("transcript_turn", "(1, 2)", "two texts")),
        ({"answers": "after_transcript"}, ("after_transcript", "needs transcript_turn")),
        ({"further_tokens": "<eoh>"}, ("further_tokens", "'<eoh>'")),
        ({"text_case": "upper"}, ("text_case", "'upper'", "as_given, lower")),
        ({"unit_template": "[Hu]"}, ("template '[Hu]'", "'{}'")),
        ({"unit_template": "[Hu{}{}]"}, ("template", "'[Hu{}{}]'", "'{}'")),
        ({"extra_streams": "pitch"}, ("extra_streams", "'pitch'")),
        ({"text_open": 5}, ("text_open", "5", "a text")),
        ({"name": ""}, ("name of the family", "empty")),
        ({"nunits": 5}, ("no nunits=", "did you mean n_units=?")),
    ):
        yield error("Family", f"{what}", lambda what=what: family.replace(**what), *words)
    yield result(
        "Family", "numpy's number of units", lambda: family.replace(n_units=np.int64(42)), lambda f: f == family
    )
    for name in ("nothing", None, 5, ["fact machine"]):
        yield error("planted", f"{name!r}", lambda name=name: sl.planted(name), "no planted circuit", "'fact machine'")
    for backend in ("HookedTransformer", "nnsight", 5, ["bridge"]):
        words = ("backend", "hooked_transformer, bridge")
        yield error("planted", f"backend {backend!r}", lambda b=backend: sl.planted(backend=b), *words)
        yield error("load", f"backend {backend!r}", lambda b=backend: sl.load(backend=b), *words)
    for dtype in ("float64", int, None):
        yield error(
            "planted", f"dtype {dtype!r}", lambda dtype=dtype: sl.planted(dtype=dtype), "dtype=", "torch.float64"
        )
    for text in (b"the", ["the"], ""):
        yield error(
            "TextSegment",
            f"{text!r}",
            lambda text=text: sl.TextSegment(text),
            "text",
            "word" if text == "" else "a text",
        )


def _texts(bench: Bench) -> Iterator[Odd]:
    lens = bench.planted.lens

    def text(*asked: Any, **about: Any) -> Any:
        return lens.text(*asked, **about)

    for what in (None, 5, b"the colour of marlo is", ["the", "colour"], float("nan")):
        yield error("lens.text", f"text is {what!r}", lambda what=what: text(what, "marlo", "blue"), "text=", "a text")
    for what in ("", "   ", "\n\t"):
        yield error("lens.text", f"text is {what!r}", lambda what=what: text(what, "marlo", "blue"), "text is empty")
    for what in (b"marlo", 3, ("marlo",)):
        yield error("lens.text", f"subject is {what!r}", lambda what=what: text(CLAIM[0], what, "blue"), "subject=")
    yield error("lens.text", "a blank subject", lambda: text(CLAIM[0], " ", "blue"), "subject is empty")
    yield error(
        "lens.text", "a subject that is not there", lambda: text(CLAIM[0], "tolda", "blue"), "tolda", "not occur"
    )
    yield error("lens.text", "half a word as subject", lambda: text(CLAIM[0], "marl", "blue"), "marl", "not occur")
    for what in (True, 7, ["blue"]):
        yield error("lens.text", f"answer is {what!r}", lambda what=what: text(*CLAIM[:2], what), "answer=", "a text")
    yield error("lens.text", "a blank answer", lambda: text(*CLAIM[:2], "\t"), "answer is empty")
    yield error("lens.text", "an unknown answer", lambda: text(*CLAIM[:2], "Ж"), "Ж", "unknown to the vocabulary")
    for what in (5, True, ["red"]):
        yield error("lens.text", f"foil is {what!r}", lambda what=what: text(*CLAIM, what), "foil=", "a text")
    yield error("lens.text", "a foil of blanks", lambda: text(*CLAIM, "  "), "foil is empty")
    yield error("lens.text", "the answer as foil", lambda: text(*CLAIM, "blue"), "foil", "same tokens")
    yield result("lens.text", "an empty foil is none", lambda: text(*CLAIM, ""), lambda found: found.foil_ids == ())
    for what in ("always", None, True, "FINAL"):
        yield error("marker", f"{what!r}", lambda what=what: text(*CLAIM, marker=what), "marker=", "none, final")
    for what in (1.0, "0", True, float("nan")):
        yield error(
            "occurrence", f"{what!r}", lambda what=what: text(*CLAIM, occurrence=what), "occurrence=", "whole number"
        )
    yield error("occurrence", "too far", lambda: text(*CLAIM, occurrence=1), "occurrence=1", "1 time")
    yield result("occurrence", "numpy's 0", lambda: text(*CLAIM, occurrence=np.int8(0)), lambda p: len(p.subject) == 2)
    for name in ("fact_id", "relation", "phrasing", "voice", "group", "audio"):
        yield error("Origin", f"{name}=5", lambda name=name: sl.Origin(**{name: 5}), f"{name}=5", "a text")
    for what in ("fact", {"fact_id": "a"}, None):
        yield error("origin", f"{what!r}", lambda what=what: text(*CLAIM, origin=what), "origin=", "Origin(")
    yield error("lens.text", "a foil without an answer", lambda: text(*CLAIM[:2], foil="red"), "foil='red'", "answer=")
    yield error("lens.text", "which of no subject", lambda: text(CLAIM[0], occurrence=0), "occurrence=0", "subject=")
    yield result("lens.text", "a text alone", lambda: text(CLAIM[0]), lambda found: found.answer_ids == ())
    written = sl.TextSegment(CLAIM[0])
    for what in (None, lens, "folder"):
        yield error(
            "build_prompt",
            f"{what!r:.20} as vocabulary",
            lambda what=what: build_prompt(what, [written], Question(*CLAIM[1:])),
            "vocabulary=",
            "lens.vocabulary",
        )
    yield error("Lens", "no model", lambda: Lens(None, lens.vocabulary), "TransformerBridge", "load")
    yield error("Lens", "no vocabulary", lambda: Lens(lens.model, "words"), "Vocabulary", "load")


def _keywords(bench: Bench) -> Iterator[Odd]:
    lens = bench.planted.lens
    yield error(
        "lens.text", "subjekt=", lambda: lens.text(CLAIM[0], subjekt="marlo", answer="blue"), "Lens.text", "subject="
    )
    yield error("lens.text", "relation=", lambda: lens.text(*CLAIM, relation="c"), "Lens.text", "origin")
    yield error("lens.text", "nothing", lambda: lens.text(), "Lens.text", "text")
    yield error("lens.text", "five in order", lambda: lens.text(*CLAIM, "red", "none"), "Lens.text", "positional")
    yield error("lens.speak", "voices=", lambda: lens.speak(*CLAIM, voices="a"), "Lens.speak", "voice=")
    yield error("lens.speak", "ansver=", lambda: lens.speak(*CLAIM, ansver="Rome"), "Lens.speak", "answer=")
    yield error("lens.audio", "word=", lambda: lens.audio("a.wav", *CLAIM[1:], word=[]), "Lens.audio", "words=")
    yield error(
        "lens.prompt", "markers=", lambda: lens.prompt([], *CLAIM[1:], markers="final"), "Lens.prompt", "marker="
    )
    yield error("lens.speak", "voice is a number", lambda: lens.speak(*CLAIM, voice=3), "voice=3", "Voice")
    yield error("lens.speak", "no ears", lambda: lens.speak(*CLAIM), "no speech encoder", "encoder=")
    yield error("lens.audio", "neither words nor text", lambda: lens.audio("a.wav", *CLAIM[1:]), "neither", "words=")


def _segments(bench: Bench) -> Iterator[Odd]:
    lens = bench.planted.lens
    written = sl.TextSegment(CLAIM[0])
    heard = sl.speech.UnitStream.from_frames(np.arange(12), 25.0)
    words = [sl.speech.WordInterval("marlo", 0.0, 0.4)]

    def prompt(segments: Any, **about: Any) -> Any:
        return lens.prompt(segments, "marlo", "blue", **about)

    yield error("lens.prompt", "one segment", lambda: prompt(written), "segments=TextSegment", "[segment]")
    yield error("lens.prompt", "a text", lambda: prompt(CLAIM[0]), "segments=", "expected several")
    yield error("lens.prompt", "texts in a list", lambda: prompt([CLAIM[0]]), "segments[0]", "TextSegment")
    yield error("lens.prompt", "nothing", lambda: prompt(()), "segments is empty", "TextSegment")
    yield error("lens.prompt", "None", lambda: prompt(None), "segments=None", "list")
    yield result("lens.prompt", "a generator", lambda: prompt(s for s in [written]), lambda p: p.kind == "T2T")
    yield error("examples", "a text", lambda: prompt([written], examples="ab"), "examples=", "several")
    yield error(
        "examples", "texts in pairs", lambda: prompt([written], examples=[("a", "b")]), "examples[0]", "segment"
    )
    yield error("examples", "no pair", lambda: prompt([written], examples=[written]), "examples[0]", "pair")
    yield error(
        "examples", "a blank answer", lambda: prompt([written], examples=[(written, "")]), "examples[0]", "empty"
    )
    yield error("TextSegment", "None", lambda: sl.TextSegment(None), "text=None", "a text")
    yield error("SpeechSegment", "a list of units", lambda: sl.SpeechSegment([1, 2], words), "units=", "UnitStream")
    yield error(
        "SpeechSegment", "words as texts", lambda: sl.SpeechSegment(heard, ["marlo"]), "words[0]", "WordInterval"
    )
    yield error("SpeechSegment", "one word", lambda: sl.SpeechSegment(heard, words[0]), "words=", "several")
    yield result("SpeechSegment", "no words", lambda: sl.SpeechSegment(heard, []), lambda part: part.words == ())
    for what in ("always", True, 1):
        yield error(
            "transcript",
            f"{what!r}",
            lambda what=what: prompt([written], transcript=what),
            "transcript=",
            "none, forced",
        )
    yield error(
        "transcript",
        "of a family without",
        lambda: prompt([written], transcript="forced"),
        "forced",
        "transcript_turn=",
    )
    yield error("WordRule", "middle", lambda: sl.speech.WordRule("middle"), "rule='middle'", "centre")
    yield error("WordRule", "1.0", lambda: sl.speech.WordRule(slack_units=1.0), "slack_units=1", "whole")
    yield error("WordRule", "-1", lambda: sl.speech.WordRule(slack_units=-1), "slack_units=-1", "≥ 0")
    yield error("word_rule", "a name", lambda: sl.SpeechSegment(heard, words, word_rule="start"), "word_rule='start'")
    yield error(
        "SpeechSegment", "a path as sound", lambda: sl.SpeechSegment(heard, words, "a.wav"), "waveform=", "read"
    )
    yield error("streams", "a list", lambda: sl.SpeechSegment(heard, words, streams=[heard]), "streams=", "mapping")
    yield result(
        "SpeechSegment",
        "words from a generator are read once",
        lambda: sl.SpeechSegment(heard, (word for word in words)),
        lambda segment: segment.words == tuple(words),
    )


def _units(bench: Bench) -> Iterator[Odd]:
    units = bench.planted.lens.units
    for what in (None, 7, 1.5, b"[Hu1]", {1, 2}, {1: 2}, [1.5], [[1]], [True], [None], object(), [10**30]):
        yield error(
            "lens.units", f"{type(what).__name__} {what!r:.20}", lambda what=what: units(what), "units=", "[Hu0]"
        )
    for what in ("", "  ", [], (), np.array([], dtype=int)):
        yield error("lens.units", f"empty {what!r}", lambda what=what: units(what), "units=", "at least one")
    yield error("lens.units", "text", lambda: units("the capital"), "is no unit", "[Hu0][Hu1]")
    yield error("lens.units", "another model's", lambda: units("<Un5><Un6>"), "is no unit", "[Hu0][Hu1]")
    yield error("lens.units", "a unit too far", lambda: units("[Hu5][Hu120]"), "unit 120", "0 to 119")
    yield error("lens.units", "a negative unit", lambda: units([3, -1]), "-1", "0 to 119")
    for span in ((0,), (0, 1, 2, 3), (3, 3), (2, 9), (-1, 1), ("a", "0", 1), ("a", 0.0, 1), (True, 2)):
        yield error("lens.units", f"subject {span}", lambda span=span: units([1, 2, 3], span, "blue"), "subject")
    yield error(
        "lens.units", "a name without words", lambda: units([1, 2], "marlo", "blue"), "'marlo'", "words=", "span"
    )
    words = [("marlo", 0.0, 0.08)]
    yield error(
        "lens.units", "words without times", lambda: units([1, 2], "marlo", words=words), "words=", "UnitStream"
    )
    yield error("lens.units", "words past the end", lambda: units([1, 1], words=[("a", 0.0, 9.0)]), "9.000 s", "lasts")
    yield error("lens.units", "text is a number", lambda: units([1, 2], text=5), "text=5", "a text")
    yield error("lens.units", "unit=", lambda: units(unit="[Hu1]"), "Lens.units", "units=")
    for what in (np.array([1, 2], np.int8), torch.tensor([1, 2]), ["[Hu1]", "[Hu2]"], " [Hu1] [Hu2] ", (1, 2)):
        yield result(
            "lens.units",
            f"{type(what).__name__} {what!r:.30}",
            lambda what=what: units(what).text,
            lambda text: text == "[Speech][Hu1][Hu2][Text]",
        )
    yield result(
        "lens.units",
        "words of repeated frames",
        lambda: units([1, 1, 2], "marlo", "blue", words=words),
        lambda prompt: [prompt.labels[at] for at in prompt.subject] == ["[Hu1]"],
    )


def _spans(bench: Bench) -> Iterator[Odd]:
    prompt = bench.planted.prompts[0]
    size = len(prompt)
    for where in (1.5, 1.0, None, True, "", float("nan"), b"12", object(), 1j, np.float32(2), torch.tensor(True)):
        said = ("''", "subject") if where == "" else ("position=", "whole number")
        yield error("span", f"{type(where).__name__} {where!r:.20}", lambda where=where: prompt.span(where), *said)
    for where in (["1", "2"], [1.7], [None], [[1]], np.array([1.5]), [True, 2]):
        yield error("span", f"several, {where!r}", lambda where=where: prompt.span(where), "position=", "whole number")
    for where in ([], (), np.array([], dtype=int), slice(3, 3), range(0)):
        yield error(
            "span", f"empty {where!r}", lambda where=where: prompt.span(where), f"{size} positions", "needs one"
        )
    yield error("span", "a slice of floats", lambda: prompt.span(slice(1.5, 3)), "slice(1.5", "whole numbers")
    yield error("span", "a slice by 0", lambda: prompt.span(slice(1, 3, 0)), "slice", "step")
    yield error("span", "far outside", lambda: prompt.span(10**12), "position 1000000000000", f"0 to {size - 1}")
    yield error("span", "a word that is not there", lambda: prompt.span("paris"), "'paris'", "last token")
    yield error("span", "occurrence of a position", lambda: prompt.span(3, occurrence=1), "occurrence=1", "3")
    yield error("span", "occurrence of the subject", lambda: prompt.span("subject", 1), "occurrence=1", "'subject'")
    yield error("span", "occurrence is a float", lambda: prompt.span("colour", 0.0), "occurrence=0.0", "whole number")
    for where in (np.int64(2), np.array(2), torch.tensor(2)):
        yield result("span", f"{type(where).__name__}", lambda where=where: prompt.span(where).positions, (2,).__eq__)
    for where in ({4, 2}, (n for n in (4, 2)), {4: 0, 2: 0}.keys(), np.array([4, 2]), torch.tensor([2, 4]), [2, -4, 4]):
        yield result(
            "span",
            f"{type(where).__name__} of positions",
            lambda where=where: prompt.span(where).positions,
            lambda found: set(found) <= {2, 4, size - 4} and {2, 4} <= set(found),
        )
    for positions in ("12", "ab", 3, None):
        yield error(
            "Span",
            f"{positions!r}",
            lambda positions=positions: sl.prompts.Span("x", positions),
            "span 'x'",
            "expected",
        )
    for positions in ([1.5], ["1"], [True], [None]):
        yield error(
            "Span", f"{positions!r}", lambda positions=positions: sl.prompts.Span("x", positions), "span 'x'", "whole"
        )
    yield error("Span", "a name of None", lambda: sl.prompts.Span(None, (1,)), "name of the span", "a text")
    yield error("Span", "twice the same", lambda: sl.prompts.Span("x", (2, 2)), "(2, 2)", "unique")
    yield result(
        "Span", "numpy's positions", lambda: sl.prompts.Span("x", np.array([1, 3])), lambda s: s.positions == (1, 3)
    )


def _grown(bench: Bench) -> Iterator[Odd]:
    prompt = bench.planted.prompts[0]
    for verb in (prompt.dilate, prompt.erode):
        for by in (-1, 1.5, "1", None, True):
            yield error(
                verb.__name__, f"by={by!r}", lambda verb=verb, by=by: verb("subject", by=by), "by=", "whole number ≥ 0"
            )
    yield result(
        "dilate", "by a huge number ends at once", lambda: prompt.dilate("subject", 10**15), lambda s: len(s) == 6
    )
    yield error("erode", "by a huge number", lambda: prompt.erode("subject", 10**30), "2 token(s)", "smaller")
    yield error(
        "dilate", "a span of a longer prompt", lambda: prompt.dilate(sl.prompts.Span("x", (99,))), "99", "tokens"
    )
    yield result("erode", "by numpy's 0", lambda: prompt.erode("subject", np.int64(0)), lambda s: len(s) == 2)


def _by_hand(bench: Bench) -> Iterator[Odd]:
    prompt = bench.planted.prompts[0]
    n = len(prompt)

    def changed(**values: Any) -> Any:
        return replace(prompt, **values)

    yield error("Prompt", "float ids", lambda: changed(ids=tuple(map(float, prompt.ids))), "ids[0]=", "whole number")
    yield error("Prompt", "negative ids", lambda: changed(ids=(-1, *prompt.ids[1:])), "ids[0]=-1", "≥ 0")
    yield error("Prompt", "ids as a text", lambda: changed(ids="1" * n), "ids=", "several")
    yield error("Prompt", "one role as a text", lambda: changed(roles="subject"), "roles=", "several")
    yield error("Prompt", "roles of None", lambda: changed(roles=(None,) * n), "roles[0]=None", "a text")
    yield error("Prompt", "infinite times", lambda: changed(starts=(math.inf,) * n), "starts[0]=inf", "number")
    yield error("Prompt", "times as texts", lambda: changed(ends=("1",) * n), "ends[0]='1'", "number")
    yield error("Prompt", "word_index of floats", lambda: changed(word_index=(0.0,) * n), "word_index[0]=", "whole")
    yield error("Prompt", "subject as a text", lambda: changed(subject="marlo"), "subject='marlo'", "Span")
    yield error("Prompt", "answer_ids of one number", lambda: changed(answer_ids=5), "answer_ids=5", "list")
    yield error("Prompt", "answer of None", lambda: changed(answer=None), "answer=None", "a text")
    yield error("Prompt", "kind of None", lambda: changed(kind=None), "kind=None", "T2T")
    yield result(
        "Prompt", "arrays", lambda: changed(ids=np.array(prompt.ids)), lambda p: p == prompt and type(p.ids[0]) is int
    )
    yield result("Prompt", "a generator of labels", lambda: changed(labels=(x for x in prompt.labels)), prompt.__eq__)
    yield error("token_parts", "outside", lambda: token_parts(3, (5,)), "5", "3 tokens")
    yield result("token_roles", "no subject", lambda: token_roles(["bos"], [-1], []), ("bos",).__eq__)
    yield error(
        "token_roles", "numbers that differ", lambda: token_roles(["bos"], [-1, 0], [0]), "1 families", "2 word"
    )


def _rows(bench: Bench) -> Iterator[Odd]:
    prompt = bench.planted.prompts[12]
    row = prompt.to_dict()

    def read(**changes: Any) -> Any:
        return sl.Prompt.from_dict({**row, **changes})

    for what in (None, "row", 5, [row], [("id", 1)]):
        yield error("from_dict", f"{what!r:.60}", lambda what=what: sl.Prompt.from_dict(what), "row=", "mapping")
    yield error("from_dict", "nothing", lambda: sl.Prompt.from_dict({}), "lacks", "to_dict")
    yield error("from_dict", "ids of None", lambda: read(ids=None), "ids=None", "list")
    yield error("from_dict", "ids as JSON", lambda: read(ids="[1, 2]"), "ids=", "several")
    yield error("from_dict", "another voice", lambda: read(voice="other"), "id", "changed after it was written")
    yield error("from_dict", "another answer", lambda: read(answer_ids=[5]), "id", "build the prompt anew")
    yield error("from_dict", "subject_positions as text", lambda: read(subject_positions="45"), "span", "several")
    yield error("from_dict", "text of NaN", lambda: read(text=math.nan), "text=nan", "a text")
    yield error("from_dict", "an id of None", lambda: read(id=None), "id None", "changed")
    yield result("from_dict", "a row of pandas", lambda: sl.Prompt.from_dict(pd.Series(row)), prompt.__eq__)
    yield result("from_dict", "None for NaN", lambda: read(starts=[None] * len(prompt)), prompt.__eq__)
    old = {name: value for name, value in row.items() if name != "vocabulary"} | {"id": prompt._digest([])}
    yield result("from_dict", "a row of 0.1", lambda: sl.Prompt.from_dict(old), lambda p: p.id == prompt.id)
    yield result(
        "from_dict",
        "a row of 0.1 in a longer table",
        lambda: sl.Prompt.from_dict({**old, "vocabulary": math.nan}),
        prompt.__eq__,
    )
