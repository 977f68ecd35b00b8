"""Findings on the page: each number of a sentence is a link to what it speaks of.

A sentence stays as `Comparison.findings` wrote it and is cut at its numbers (with their intervals). What a number is
of, the comparison says itself (`spiritlens.comparison.said`); a sentence of others speaks of what its words name
(`TOPICS`).

A *goal* is a part of the page's state: which ``view``, and by ``mark`` what is outlined there: ``crossings``,
``curves`` (the subject's) or ``peaks`` of the first picture; ``compared`` or ``different`` cells, or ``cell``, that of
word and layer; ``totals``, the rows of total effects; ``paired``, the facts that were compared. With a ``kind`` only
that modality's. What no view shows stands in tables of a section, whose rows are marked
(`spiritlens.report.page.row_marks`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spiritlens.comparison.compared import Compared
from spiritlens.comparison.conditions import KIND_WORDS
from spiritlens.comparison.findings import told
from spiritlens.comparison.said import Said, Spot, What
from spiritlens.report.numerals import several
from spiritlens.report.page.row_marks import row_mark

NUMBER = re.compile(r"[-−]?\d+(?:[.,]\d+)*(?:e[-−]?\d+)?(?: %)?(?: \[[^\]]*\])?")
"""A number, with its unit and its interval where it has them."""

Goal = dict[str, str]


@dataclass(frozen=True)
class Part:
    """A stretch of a sentence; with a `goal` it is a link."""

    text: str
    goal: Goal | None = None


@dataclass(frozen=True)
class Topic:
    """A sentence that holds one of the `words` speaks of what the first of `goals` shows that the page has."""

    words: tuple[str, ...]
    goals: tuple[Goal, ...]


WHOLE: Goal = {"head": "", "by": "", "kind": "", "set": "", "plain": ""}
"""What every goal has unless it says otherwise: whole layers, both modalities, prompts as they were compared."""
TOTALS: Goal = {**WHOLE, "view": "difference", "word": "total effect", "quantity": "effect", "mark": "totals"}
FACTS: Goal = {**WHOLE, "view": "facts", "sort": "differs most", "mark": "paired"}
MAP: Goal = {**WHOLE, "view": "difference", "mark": "compared", "quantity": "effect"}
FIRST: Goal = {**WHOLE, "view": "first", "quantity": "effect"}
GOALS: Mapping[What, Goal] = {
    "total effects": TOTALS,
    "facts": FACTS,
    "map": MAP,
    "cells": {**MAP, "mark": "different", "quantity": "share"},
    "cell": {**MAP, "mark": "cell", "quantity": "share"},
    "crossing": {**FIRST, "mark": "crossings"},
    "centre": {**FIRST, "mark": "curves"},
    "peak": {**FIRST, "mark": "peaks"},
}
TOPICS = (
    Topic(("the marker by itself",), ({**FIRST, "plain": "yes", "kind": "T2T", "mark": "curves"},)),
    Topic(("cells",), (MAP,)),
    Topic(("total effect", "takes away", "dose"), (TOTALS, {"view": "curves"})),
    Topic(("facts",), (FACTS,)),
)
OTHERWISE: Goal = {"view": "methods"}
"""Numbers of what was run: samples, levels, conditions."""
MAIN_VIEWS = ("first", "facts", "difference")


@dataclass(frozen=True)
class Shown:
    """Where a page shows what findings speak of: its `views` and, for the comparison, those `drawn` of it; `tables` is
    the section with its tables."""

    views: Sequence[str] = MAIN_VIEWS
    drawn: Sequence[str] = MAIN_VIEWS
    tables: str = ""


def linked(sentences: Sequence[str], comparison: Compared | None = None, shown: Shown = Shown()) -> list[list[Part]]:
    """The sentences in parts; those with a number have a goal on the page."""
    found = {} if comparison is None else {one.text: one for one in told(comparison)}
    return [
        _parts(
            sentence, _said_goals(found[sentence], shown) if sentence in found else _named_goals(sentence, shown.views)
        )
        for sentence in sentences
    ]


Numbered = Callable[[int, str], Goal]
"""The goal of a number at a place of its sentence; numbers are asked for in their order."""


def _said_goals(said: Said, shown: Shown) -> Numbered:
    left = {stretch: list(stretch.numbers) for stretch in said.stretches}

    def goal(at: int, number: str) -> Goal:
        stretch = next((one for one in reversed(said.stretches) if one.begins <= at), said.stretches[0])
        for place, (text, spot) in enumerate(left[stretch]):
            if text == number:
                del left[stretch][: place + 1]
                return _goal_of(spot, shown)
        return _goal_of(stretch.spot, shown)

    return goal


def _goal_of(spot: Spot, shown: Shown) -> Goal:
    """Where a spot is shown: in a view that is drawn of the comparison, else in its tables."""
    goal = GOALS.get(spot.what)
    if goal is None or goal["view"] not in shown.drawn:
        return {"view": shown.tables, "mark": row_mark(spot)}
    own = {"component": spot.component, "word": spot.role, "layer": spot.layer, "metric": spot.metric}
    return {**goal, **{name: value for name, value in {**own, "kind": spot.kind}.items() if value}}


def _named_goals(sentence: str, views: Sequence[str]) -> Numbered:
    """What the words of a sentence name, where the page has it."""
    goals = next((topic.goals for topic in TOPICS if any(words in sentence for words in topic.words)), ())
    found = next((goal for goal in goals if goal["view"] in views), OTHERWISE)
    return lambda at, number: found


def _parts(sentence: str, goal: Numbered) -> list[Part]:
    parts: list[Part] = []
    at = 0
    for found in NUMBER.finditer(sentence):
        if found.start() and (sentence[found.start() - 1].isalnum() or sentence[found.start() - 1] == "_"):
            continue  # T2T, names
        number = found.group()
        parts += [Part(sentence[at : found.start()]), Part(number, goal(found.start(), number))]
        at = found.end()
    return [part for part in (*parts, Part(sentence[at:])) if part.text]


def headline(header: Mapping[str, Any]) -> list[Part]:
    """The first sentence of the page: where the read-out takes over from the subject, in each modality."""
    averages = next((one for one in header["averages"].values() if not one["missing"] and not one["heads"]), None)
    if averages is None:
        missing = next((one["missing"] for one in header["averages"].values() if one["missing"]), "")
        count = several(header["facts"]["name"]["shape"][0], "fact")
        why = f"; averages are left out: {missing}" if missing else ""
        return [Part(f"{count} can be opened below{why}.")]
    crossings, component = averages["crossings"]["effect"], averages["components"][0]["name"]
    n_facts = several(int(max(row[0] for row in averages["total"]["n_facts"])), "fact")
    goal = {**GOALS["crossing"], "component": component, "metric": averages["metrics"][0]["name"]}
    layers = {kind: crossings[group][0][0] for group, kind in enumerate(averages["groups"])}
    told = {kind: layer for kind, layer in layers.items() if layer is not None}
    if not told:
        return [Part(f"In {component} the read-out nowhere takes over from the subject (mean over {n_facts}).")]
    parts = [Part(f"In {component} the effect passes from the subject to the read-out ")]
    for place, (kind, layer) in enumerate(told.items()):
        between = ", and " if place else ""
        parts += [Part(f"{between}{KIND_WORDS[kind]} at layer "), Part(_layer_words(layer), {**goal, "kind": kind})]
    return [*parts, Part(f" (mean over {n_facts}).")]


def _layer_words(crossing: Sequence[float | None]) -> str:
    """A layer with its interval, where it has one."""
    layer, low, high = crossing
    return f"{layer:.1f}" if low is None or high is None else f"{layer:.1f} [{low:.1f}, {high:.1f}]"
