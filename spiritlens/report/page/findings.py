"""Findings on the page: each number of a sentence is a link to what it speaks of.

A sentence stays as `Comparison.findings` wrote it; it is cut at its numbers (with their intervals), and each number
gets the *goal* of the first `Topic` whose words the sentence holds: which view, and what is outlined there.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spiritlens.comparison.conditions import KIND_WORDS
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


TOPICS = (
    Topic(("the effect passes from", "centre of the effect", "takes over"), {"view": "first", "mark": "crossings"}),
    Topic(
        ("cells differ", "cell differs", "cells are equivalent", "of the cells"),
        {"view": "difference", "mark": "cells"},
    ),
    Topic(("By role and layer", "correlate"), {"view": "difference", "quantity": "effect"}),
    Topic(("fits the same fact", "fits better", "own map"), {"view": "facts"}),
)
OTHERWISE: Goal = {"view": "first", "quantity": "effect"}


def linked(sentences: Sequence[str]) -> list[list[Part]]:
    """The sentences in parts; those with a number have a goal."""
    return [_parts(sentence) for sentence in sentences]


def _parts(sentence: str) -> list[Part]:
    goal = next((topic.goal for topic in TOPICS if any(words in sentence for words in topic.words)), OTHERWISE)
    parts: list[Part] = []
    at = 0
    for found in NUMBER.finditer(sentence):
        if found.start() and sentence[found.start() - 1].isalnum():  # T2T, layer names
            continue
        parts += [Part(sentence[at : found.start()]), Part(found.group(), goal)]
        at = found.end()
    return [part for part in (*parts, Part(sentence[at:])) if part.text]


def headline(header: Mapping[str, Any]) -> list[Part]:
    """The first sentence of the page: where the read-out takes over from the subject, in each modality."""
    averages = next((one for one in header["averages"].values() if not one["missing"] and not one["heads"]), None)
    if averages is None:
        return []
    crossings, component = averages["crossings"]["share"], averages["components"][0]["name"]
    n_facts = several(int(max(row[0] for row in averages["total"]["n_facts"])), "fact")
    goal = {"view": "first", "mark": "crossings", "quantity": "share"}
    layers = {kind: crossings[group][0][0] for group, kind in enumerate(averages["groups"])}
    told = {kind: layer for kind, layer in layers.items() if layer is not None}
    if not told:
        return [Part(f"In {component} the read-out nowhere takes over from the subject (mean over {n_facts}).")]
    parts = [Part(f"In {component} the effect passes from the subject to the read-out ")]
    for place, (kind, layer) in enumerate(told.items()):
        parts += [Part(f"{', and ' if place else ''}{KIND_WORDS[kind]} at layer "), Part(f"{layer:.1f}", goal)]
    return [*parts, Part(f" (mean over {n_facts}).")]
