"""Facts and their files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from frame import Bench, Odd, error, result

import spiritlens as sl
from spiritlens.prompts.facts import commonest_answers, given_facts

TEMPLATES = ("The colour of {subject} is", "{subject} is", "{subject} has the colour", "I call {subject}")
VALUES = {
    "id": "colour/marlo",
    "relation": "colour",
    "subject": "marlo",
    "answer": "blue",
    "foil": "red",
    "group": "both",
    "templates": TEMPLATES,
}
ROW = ["marlo", "blue", "red", "both"]


def cases(bench: Bench) -> Iterator[Odd]:
    yield from _by_hand()
    yield from _files(bench)
    yield from _contents(bench)


def fact(**values: Any) -> Any:
    return sl.Fact(**{**VALUES, **values})


def _by_hand() -> Iterator[Odd]:
    for name in ("id", "relation", "subject", "answer"):
        for value in (None, 5, " "):
            yield error("Fact", f"{name}={value!r}", lambda name=name, value=value: fact(**{name: value}), name)
    yield error("Fact", "a foil of blanks", lambda: fact(foil=" "), "foil", "empty")
    yield error("Fact", "a foil of None", lambda: fact(foil=None), "foil", "a text")
    yield error("Fact", "the answer as foil", lambda: fact(foil="BLUE"), "foil equals", "'blue'")
    yield error("Fact", "two words as answer", lambda: fact(answer="light blue"), "'light blue'", "one word")
    for value in ("sung", None, ["both"], "Both"):
        yield error("Fact", f"group={value!r}", lambda value=value: fact(group=value), "group", "heard only")
    yield error("Fact", "templates as a text", lambda: fact(templates=TEMPLATES[0]), "templates", "expected several")
    yield error("Fact", "27 letters", lambda: fact(templates="The capital of {subject} is"), "templates", "['The")
    yield error("Fact", "three templates", lambda: fact(templates=TEMPLATES[:3]), "3 templates", "held out")
    yield error("Fact", "templates of None", lambda: fact(templates=(None,) * 4), "templates", "[0] is None")
    yield error("Fact", "no place for the subject", lambda: fact(templates=("a",) * 4), "'a'", "{subject}", "once")
    yield error("Fact", "two places", lambda: fact(templates=("{subject} {subject}",) * 4), "exactly once")
    yield result(
        "Fact", "templates in a list", lambda: fact(templates=list(TEMPLATES)), lambda f: f.templates == TEMPLATES
    )
    yield result("Fact", "templates from a generator", lambda: fact(templates=(t for t in TEMPLATES)), fact().__eq__)
    yield result("Fact", "no foil", lambda: fact(foil=""), lambda f: f.foil == "")
    for value in ("fifth", None, 0, ["first"], "First"):
        yield error("Fact.text", f"{value!r}", lambda value=value: fact().text(value), "phrasing", "held out")
    yield error(
        "Fact.statement", "a carrier of None", lambda: fact().statement("first", None), "carrier=None", "a text"
    )
    for value in (None, 5, "facts", [5], [fact(), "marlo"], fact()):
        yield error("given_facts", f"{value!r:.60}", lambda value=value: given_facts(value), "facts", "expected")
    yield error("given_facts", "none", lambda: given_facts(iter(())), "facts is empty", "Fact")
    yield error("given_facts", "one twice", lambda: given_facts([fact(), fact()]), "colour/marlo", "twice")
    yield result("given_facts", "a generator", lambda: given_facts(f for f in [fact()]), (fact(),).__eq__)
    yield error("commonest_answers", "texts", lambda: commonest_answers(["a"]), "facts[0]", "Fact")
    yield result(
        "commonest_answers", "a generator", lambda: commonest_answers(f for f in [fact()]), {"colour": "blue"}.__eq__
    )


def _files(bench: Bench) -> Iterator[Odd]:
    load = sl.load_facts
    for value in (None, 5, b"facts.json", ["facts.json"], True):
        yield error(
            "load_facts",
            f"{type(value).__name__} {value!r}",
            lambda value=value: load(value),
            "name=",
            "path of a JSON file",
        )
    for value in ("", "none.json", Path("none/none.json"), "a\0b", "x" * 5000, "Embedded"):
        yield error("load_facts", f"{str(value)[:12]!r}", lambda value=value: load(value), "no facts at", "'embedded'")
    yield error("load_facts", "a folder", lambda: load(bench.folder()), "no facts at", "JSON")

    def of(content: bytes | str, name: str = "facts.json") -> Any:
        return load(bench.file(name, content))

    yield error("load_facts", "an empty file", lambda: of(b""), "facts.json", "needed")
    yield error("load_facts", "no JSON", lambda: of("subject,answer\nmarlo,blue"), "no facts file", "needed")
    yield error("load_facts", "half a file", lambda: of('{"relations": {"colour": {"templ'), "no facts file", "needed")
    yield error("load_facts", "latin-1", lambda: of('{"relations": {"é": 1}}'.encode("latin-1")), "UTF-8", "byte 16")
    yield error("load_facts", "UTF-16", lambda: of(_file().encode("utf-16")), "UTF-8", "save it")
    yield error("load_facts", "a wav file", lambda: of(b"RIFF\xff\xff\x00\x00WAVE"), "UTF-8", "facts.json")
    yield error("load_facts", "brackets too deep", lambda: of("[" * 200_000), "no facts file", "needed")
    yield result("load_facts", "UTF-8 with a mark", lambda: of(_file().encode("utf-8-sig")), lambda f: len(f) == 1)


def _file(table: Any = None, **entries: Any) -> str:
    entry = {"templates": TEMPLATES, "facts": [ROW], **entries}
    return json.dumps({"relations": {"colour": entry if table is None else table}}, ensure_ascii=False)


def _contents(bench: Bench) -> Iterator[Odd]:
    def of(content: str) -> Any:
        return sl.load_facts(bench.file("facts.json", content))

    for content in ("[]", "5", "null", '"text"', "NaN"):
        yield error("load_facts", content, lambda content=content: of(content), "the file is", "needed")
    for content in ("{}", '{"relations": []}', '{"relations": null}', '{"relations": "colour"}'):
        yield error("load_facts", content, lambda content=content: of(content), "relations is", "needed")
    yield error("load_facts", "no relations", lambda: of('{"relations": {}}'), "no facts", "needed")
    yield error("load_facts", "relations without facts", lambda: of(_file(facts=[])), "holds no facts", "needed")
    yield error("load_facts", "a relation as list", lambda: of(_file([ROW])), "relations['colour']", "JSON object")
    yield error(
        "load_facts", "templates as a text", lambda: of(_file(templates=TEMPLATES[0])), "templates", "JSON list"
    )
    yield error("load_facts", "no templates", lambda: of(_file(templates=None)), "templates", "None")
    yield error(
        "load_facts", "numbers as templates", lambda: of(_file(templates=[1, 2, 3, 4])), "templates", "expected"
    )
    yield error("load_facts", "facts as an object", lambda: of(_file(facts={"marlo": "blue"})), "facts of", "JSON list")
    for row in (
        ROW[:3],
        [*ROW, "x"],
        [5, *ROW[1:]],
        ["marlo", None, "red", "both"],
        "marlo",
        {},
        [["marlo"], *ROW[1:]],
    ):
        yield error(
            "load_facts", f"the row {row}", lambda row=row: of(_file(facts=[row])), "'colour'", "needed", "texts"
        )
    yield error(
        "load_facts", "a blank subject", lambda: of(_file(facts=[[" ", *ROW[1:]]])), "facts.json", "subject", "empty"
    )
    yield error("load_facts", "an unknown group", lambda: of(_file(facts=[[*ROW[:3], "sung"]])), "facts.json", "'sung'")
    yield error("load_facts", "a fact twice", lambda: of(_file(facts=[ROW, ROW])), "facts.json", "twice")
    yield error(
        "load_facts",
        "subjects of one id",
        lambda: of(_file(facts=[ROW, ["Marlo ", *ROW[1:]]])),
        "colour/marlo",
        "twice",
    )
    double = '{"relations": {"colour": ' + json.dumps({"templates": TEMPLATES, "facts": [ROW]})
    yield error("load_facts", "a relation twice", lambda: of(f'{double}, "colour": {{}}}}}}'), "'colour'", "twice")
    yield result(
        "load_facts", "other letters", lambda: of(_file(facts=[["Żółw", *ROW[1:]]])), lambda f: f[0].subject == "Żółw"
    )
    yield result(
        "load_facts", "numpy's text as name", lambda: sl.load_facts(np.str_("embedded")), lambda f: len(f) > 300
    )
