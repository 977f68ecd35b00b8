"""Findings on the page: each number of a sentence is a link to what it speaks of.

A sentence stays as `Comparison.findings` wrote it and is cut at its numbers (with their intervals). A number that the
comparison holds leads to its own place: a total effect, a map, a cell, a crossing. Any other leads to where its
sentence is shown (`TOPICS`). A *goal* is a part of the page's state: which ``view``, and by ``mark`` what is outlined
there (``crossings``; ``curves``: the subject's; ``compared`` or ``different`` cells; ``cell``: that of word and layer).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spiritlens.comparison.compared import Compared
from spiritlens.comparison.conditions import KIND_WORDS
from spiritlens.comparison.estimates import two_digits
from spiritlens.report.numerals import several

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
    """A sentence that holds one of the `words` speaks of what `goal` shows."""

    words: tuple[str, ...]
    goal: Goal


TOTALS: Goal = {"view": "difference", "word": "total effect", "quantity": "effect"}
TOPICS = (
    Topic(("effect passes from", "takes over"), {"view": "first", "mark": "crossings", "quantity": "effect"}),
    Topic(("centre of the effect", "its peak"), {"view": "first", "mark": "curves", "quantity": "effect"}),
    Topic(
        ("cells differ", "cell differs", "cells the two", "No cell", "cells neither"),
        {"view": "difference", "mark": "different"},
    ),
    Topic(("correlate", "maps of"), {"view": "difference", "mark": "compared", "quantity": "effect"}),
    Topic(("same fact", "own map"), {"view": "facts", "sort": "differs most"}),
    Topic(("total effect", "known both"), TOTALS),
)
OTHERWISE: Goal = {"view": "methods"}
"""Numbers of what was run: samples, levels, conditions."""


def linked(sentences: Sequence[str], comparison: Compared | None = None) -> list[list[Part]]:
    """The sentences in parts; those with a number have a goal."""
    known = [] if comparison is None else list(_known(comparison))
    return [_parts(sentence, known) for sentence in sentences]


def _known(comparison: Compared) -> Iterator[tuple[str, str, Goal]]:
    """Numbers of the comparison as its sentences write them: a word that stands before each, the number, its goal."""
    for total in comparison.total:
        yield "", repr(total), TOTALS
    for one in comparison.components:
        component = {"component": one.component, "metric": comparison.metric}
        yield one.component, repr(one.r), {**component, "view": "difference", "mark": "compared", "quantity": "effect"}
        for taken in one.taken_over:
            if taken.role:
                crossing = {"view": "first", "mark": "crossings", "quantity": "effect"}
                yield one.component, repr(taken.layer), {**component, **crossing}
    cells = comparison.cells
    sizes = np.where(cells["verdict"].values == "different", np.abs(cells["difference"].values), -1.0)
    if (sizes > 0).any():
        names = [str(dim) for dim in cells["difference"].dims]
        place = dict(zip(names, np.unravel_index(int(np.nanargmax(sizes)), sizes.shape), strict=True))
        at = {name: str(cells[name].values[place[name]]) for name in names}
        cell = {"component": at["component"], "word": at["role"], "layer": at["layer"], "quantity": "share"}
        goal = {**cell, "view": "difference", "mark": "cell", "metric": comparison.metric}
        yield at["component"], two_digits(abs(float(cells["difference"].values[tuple(place.values())]))), goal
        yield f"{at['component']} ", at["layer"], goal


def _parts(sentence: str, known: Sequence[tuple[str, str, Goal]]) -> list[Part]:
    parts: list[Part] = []
    at = 0
    for found in NUMBER.finditer(sentence):
        if found.start() and (sentence[found.start() - 1].isalnum() or sentence[found.start() - 1] == "_"):
            continue  # T2T, names
        before, number = sentence[: found.start()], found.group()
        goals = [
            goal for word, text, goal in known if word in before and (number == text or number.startswith(f"{text} ["))
        ]
        parts += [
            Part(sentence[at : found.start()]),
            Part(number, goals[0] if goals else _goal(sentence, before, known)),
        ]
        at = found.end()
    return [part for part in (*parts, Part(sentence[at:])) if part.text]


def _goal(sentence: str, before: str, known: Sequence[tuple[str, str, Goal]]) -> Goal:
    """What was spoken of last before a number (else what the sentence speaks of), of the component named last."""
    said = [(max(before.rfind(words) for words in topic.words), topic.goal) for topic in TOPICS]
    place, goal = max(said, key=lambda one: one[0])
    if place < 0:
        goal = next((topic.goal for topic in TOPICS if any(words in sentence for words in topic.words)), OTHERWISE)
    components = {goal["component"] for _, _, goal in known if "component" in goal}
    named = max(components, key=before.rfind, default="")
    if goal["view"] in ("facts", "methods") or goal is TOTALS or named not in before:
        return goal
    return {**goal, "component": named} if named else goal


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
    goal = {"view": "first", "mark": "crossings", "quantity": "effect", "component": component}
    layers = {kind: crossings[group][0][0] for group, kind in enumerate(averages["groups"])}
    told = {kind: layer for kind, layer in layers.items() if layer is not None}
    if not told:
        return [Part(f"In {component} the read-out nowhere takes over from the subject (mean over {n_facts}).")]
    parts = [Part(f"In {component} the effect passes from the subject to the read-out ")]
    for place, (kind, layer) in enumerate(told.items()):
        between = ", and " if place else ""
        parts += [Part(f"{between}{KIND_WORDS[kind]} at layer "), Part(_layer_words(layer), goal)]
    return [*parts, Part(f" (mean over {n_facts}).")]


def _layer_words(crossing: Sequence[float | None]) -> str:
    """A layer with its interval, where it has one."""
    layer, low, high = crossing
    return f"{layer:.1f}" if low is None or high is None else f"{layer:.1f} [{low:.1f}, {high:.1f}]"
