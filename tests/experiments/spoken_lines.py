"""Tiny facts and lines as if spoken, for the tests of the recipe."""

from pathlib import Path

import numpy as np

from experiments.embedded_model.corpus import SpokenLine
from experiments.embedded_model.language_model.unit_corpus import EncodedLine, word_groups
from experiments.embedded_model.settings import SMOKE
from spiritlens.prompts.facts.fact import Fact

ROOT = Path(__file__).parents[2]
FACTS = SMOKE.facts()
N_UNITS = 41


def encoded(kind: str, text: str, fact: str = "", phrasing: str = "") -> EncodedLine:
    """A line as if spoken: each word takes four frames, whose units follow from its letters."""
    words = tuple((word, 0.16 * index, 0.16 * (index + 1)) for index, word in enumerate(text.split()))
    frames = np.array([(ord(word[0]) + 7 * frame) % N_UNITS for word, _, _ in words for frame in range(4)], np.int16)
    groups, starts = word_groups(words, 1.0, len(frames))
    line = SpokenLine(kind, text, fact, phrasing, "espeak:en-us", 0, 640 * len(frames), words, ())
    return EncodedLine(line, frames, groups, starts)


def spoken_lines(facts: tuple[Fact, ...]) -> list[EncodedLine]:
    """Lines as the corpus has them."""
    lines = [encoded("list", "write down france paris"), encoded("list", "germany spain")]
    for fact in facts:
        if fact.group in ("both", "heard only"):
            lines.append(encoded("statement", fact.statement("first").lower(), fact.id, "first"))
        if fact.group in ("both", "asked aloud"):
            lines.append(encoded("prompt", fact.text("second").lower(), fact.id, "second"))
    return lines
