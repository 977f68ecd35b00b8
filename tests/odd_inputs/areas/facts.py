"""Facts and their files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from frame import Bench, Odd, error, result

import spiritlens as sl
from spiritlens.prompts.facts.fact import given_facts
from spiritlens.prompts.facts.foils import drawn_foils
from spiritlens.prompts.facts.guesses import commonest_answers

TEXTS = ("The colour of {subject} is", "{subject} is", "{subject} has the colour", "I call {subject}")
TEMPLATES = dict(zip(("first", "second", "third", "held out"), TEXTS, strict=True))
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
    yield from _tables()
    yield from _of_facts(bench)


def fact(**values: Any) -> Any:
    return sl.Fact(**{**VALUES, **values})


def _by_hand() -> Iterator[Odd]:
    for name in ("id", "relation", "subject", "answer"):
        for value in (None, 5, " "):
            yield error("Fact", f"{name}={value!r}", lambda name=name, value=value: fact(**{name: value}), name)
    yield error("Fact", "a foil of blanks", lambda: fact(foil=" "), "foil", "empty")
    yield error("Fact", "a foil of None", lambda: fact(foil=None), "foil", "a text")
    yield error("Fact", "the answer as foil", lambda: fact(foil="BLUE"), "foil equals", "'blue'")
    yield result("Fact", "two words as answer", lambda: fact(answer="light blue"), lambda f: f.answer == "light blue")
    yield result("Fact", "a group of one's own", lambda: fact(group="sung"), lambda f: f.group == "sung")
    for value in (None, ["both"], 5):
        yield error("Fact", f"group={value!r}", lambda value=value: fact(group=value), "group", "a text")
    for value in (TEXTS[0], list(TEXTS), None, {}, 5):
        yield error(
            "Fact", f"templates {value!r:.40}", lambda value=value: fact(templates=value), "templates", "mapping"
        )
    for name, text, *words in (
        ("a", None, "template 'a'", "a text"),
        ("a", " ", "template 'a'", "empty"),
        (5, TEXTS[0], "name of a phrasing", "5"),
        ("a", "b", "'b'", "{subject}", "once"),
        ("a", "{subject} {subject}", "exactly once"),
    ):
        made = {name: text}
        yield error("Fact", f"templates {made}", lambda made=made: fact(templates=made), "colour/marlo", *words)
    yield result("Fact", "one template", lambda: fact(templates={"a": TEXTS[1]}).text(), "marlo is".__eq__)
    yield result("Fact", "no foil", lambda: fact(foil=""), lambda f: f.foil == "")
    for value in ("fifth", "First"):
        yield error("Fact.text", f"{value!r}", lambda value=value: fact().text(value), "phrasing", "held out")
    for value in (0, ["first"]):
        yield error("Fact.text", f"{value!r}", lambda value=value: fact().text(value), "phrasing=", "a text")
    yield error("drawn_foils", "half a seed", lambda: drawn_foils([fact(foil="")], 0.5), "seed=0.5", "whole")
    yield error("drawn_foils", "a fact", lambda: drawn_foils(fact()), "facts", "several")
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
    for value in (None, 5, b"facts.json", ["facts.json"], True, {"relations": {}}):
        yield error(
            "load_facts",
            f"{type(value).__name__} {value!r}",
            lambda value=value: load(value),
            "source",
            "expected",
        )
    for value in ("", "none.json", Path("none/none.json"), "a\0b", "x" * 5000, "Embedded"):
        yield error("load_facts", f"{str(value)[:12]!r}", lambda value=value: load(value), "no facts at", "'embedded'")
    yield error("load_facts", "an empty folder", lambda: load(bench.folder()), "no facts at", "JSON")

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
    entry = {"templates": TEXTS, "facts": [ROW], **entries}
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
    yield error("load_facts", "templates as a text", lambda: of(_file(templates=TEXTS[0])), "templates", "JSON list")
    yield error("load_facts", "no templates", lambda: of(_file(templates=None)), "templates", "None")
    yield error(
        "load_facts", "numbers as templates", lambda: of(_file(templates=[1, 2, 3, 4])), "template 'first'", "expected"
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
    yield error("load_facts", "three templates", lambda: of(_file(templates=TEXTS[:3])), "3 templates", "held out")
    yield error("load_facts", "no named template", lambda: of(_file(templates={})), "templates", "{}", "JSON list")
    yield result("load_facts", "a new group", lambda: of(_file(facts=[[*ROW[:3], "a"]])), lambda f: f[0].group == "a")
    yield result("load_facts", "a fact twice", lambda: of(_file(facts=[ROW, ROW])), _first_counts)
    yield result(
        "load_facts", "subjects of one id", lambda: of(_file(facts=[ROW, ["Marlo ", *ROW[1:]]])), _first_counts
    )
    double = '{"relations": {"colour": ' + json.dumps({"templates": TEXTS, "facts": [ROW]})
    yield error("load_facts", "a relation twice", lambda: of(f'{double}, "colour": {{}}}}}}'), "'colour'", "twice")
    yield result(
        "load_facts", "other letters", lambda: of(_file(facts=[["Żółw", *ROW[1:]]])), lambda f: f[0].subject == "Żółw"
    )
    yield result(
        "load_facts", "numpy's text as name", lambda: sl.load_facts(np.str_("embedded")), lambda f: len(f) > 300
    )


def _first_counts(facts: Any) -> bool:
    return len(facts) == 1 and facts.left_out.counts == {"a relation and subject given twice": 1}


GOOD = {"subject": "marlo", "answer": "blue", "prompt": "{} is"}


def _tables() -> Iterator[Odd]:
    load = sl.load_facts
    yield error("load_facts", "no rows", lambda: load([]), "holds no facts", "row")
    yield error("load_facts", "rows of numbers", lambda: load([5, 6]), "source[0] is 5", "mapping")
    yield error("load_facts", "no column of answers", lambda: load([{"subject": "a", "b": 1}]), "answer", "subject, b")
    yield error(
        "load_facts", "only broken rows", lambda: load([{**GOOD, "answer": " "}]), "no facts", "answer is empty"
    )
    for value in (["answer"], "answer", 5):
        yield error(
            "load_facts",
            f"columns={value!r}",
            lambda value=value: load([GOOD], value),
            "columns=",
            "a mapping of roles",
        )
    for value in ({"answer": "x"}, {"answer": 5}, {"answr": "answer"}, {"tags": "a"}, {"prompt": {}}, {5: "answer"}):
        yield error("load_facts", f"columns={value}", lambda value=value: load([GOOD], value), "column")
    for value in ({}, [], "{} is", {"first": " "}, {"first": 5}, {"any": {"first": None}}, {"any": {}}):
        yield error(
            "load_facts", f"templates={value!r}", lambda value=value: load([GOOD], templates=value), "templates"
        )
    yield error("load_facts", "a split of rows", lambda: load([GOOD], split="test"), "split='test'", "leave it out")
    yield error("load_facts", "a number as split", lambda: load([GOOD], split=5), "split=5", "a text")
    for column, value, reason in (
        ("subject", None, "no subject"),
        ("subject", ["marlo"], "a value of another kind"),
        ("answer", np.bool_(True), "a value of another kind"),
        ("answer", float("nan"), "no answer"),
        ("prompt", "tollo is tollo", "the subject is twice in the prompt"),
        ("prompt", "the marlos are", "the subject is not in the prompt"),
        ("prompt", {"a": None}, "no prompt"),
        ("foil", "Blue ", "the foil is an answer"),
    ):
        rows = [GOOD, {**GOOD, "subject": "tollo", column: value}]
        yield result(
            "load_facts",
            f"{column}={value!r}",
            lambda rows=rows: load(rows),
            lambda found, reason=reason: len(found) == 1 and found.left_out.counts == {reason: 1},
        )


def _of_facts(bench: Bench) -> Iterator[Odd]:
    split, without, write = sl.prompts.split_facts, sl.prompts.without_subject, sl.prompts.writable
    for shares in ({}, [1.0], {"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": "1"}, {5: 1.0}, None, {"a": float("nan")}):
        yield error("split_facts", f"shares={shares!r}", lambda shares=shares: split([fact()], shares), "a")
    yield error("split_facts", "half a seed", lambda: split([fact()], {"a": 1}, 0.5), "seed=0.5", "whole")
    yield error("split_facts", "no facts", lambda: split([], {"a": 1}), "facts is empty")
    yield result("split_facts", "one part", lambda: split([fact()], {"a": 1}), {"a": (fact(),)}.__eq__)
    for value in (None, "she", ["it"]):
        yield error("without_subject", f"instead={value!r}", lambda value=value: without([fact()], value), "instead=")
    yield error("without_subject", "a fact", lambda: without(fact()), "facts", "several")
    yield error("without_subject", "texts", lambda: without(["a"]), "facts[0]", "Fact")
    for value in (None, 5, "lens", bench.lens.backend):
        yield error("writable", f"lens {value!r:.30}", lambda value=value: write(value, [fact()]), "lens=", "Lens")
    yield error("writable", "no facts", lambda: write(bench.lens, []), "facts is empty")
    yield error("writable", "a number as phrasing", lambda: write(bench.lens, [fact()], 5), "phrasing=5", "a text")
    yield error("writable", "another marker", lambda: write(bench.lens, [fact()], None, "end"), "marker='end'", "final")
    yield result(
        "writable",
        "an unknown phrasing",
        lambda: write(bench.lens, [fact()], "sung"),
        lambda made: made.left_out.counts == {"no prompt": 1} and made.prompts == (),
    )
    for value in ("WA", [5], [" "], ["RED"]):
        yield error("Fact", f"aliases={value!r}", lambda value=value: fact(aliases=value), "colour/marlo")
    for value in ("a", {"a": 5}, {5: "a"}, None):
        yield error("Fact", f"tags={value!r}", lambda value=value: fact(tags=value), "tag")
