"""What a finding speaks of, beside its words: so that a page can lead from its numbers to their places, and reads no
sentence for that.

A sentence is cut into *stretches*, each of which speaks of one spot; numbers of a stretch that have a spot of their own
are listed as they are written, in their order.
"""

from dataclasses import dataclass
from typing import Literal

What = Literal[
    "total effects",
    "facts",
    "map",
    "cells",
    "cell",
    "crossing",
    "centre",
    "peak",
    "parts",
    "kept",
    "beyond random",
    "below own",
]
"""total effects: of each fact; facts: those that were compared; map, cells: of a component, all that were compared or
all that differ; cell: one; crossing, centre, peak: of the curves of a component. Of an interchange into the modality
`kind`: parts: how many were kept; kept: of the recall; beyond random, below own: more and less than other parts."""


@dataclass(frozen=True)
class Spot:
    """A place in the results; `kind` is a modality, or "difference" for both less each other ("": both)."""

    what: What
    kind: str = ""
    component: str = ""
    role: str = ""
    layer: str = ""
    metric: str = ""


@dataclass(frozen=True)
class Stretch:
    """A part of a sentence from the letter `begins` on; `numbers` are those with a spot of their own."""

    begins: int
    spot: Spot
    numbers: tuple[tuple[str, Spot], ...] = ()


@dataclass(frozen=True)
class Said:
    """A sentence and its stretches, in their order."""

    text: str
    stretches: tuple[Stretch, ...]


def about(text: str, spot: Spot) -> Said:
    """A sentence that speaks of one spot."""
    return Said(text, (Stretch(0, spot),))


def joined(start: str, clauses: list[tuple[str, Stretch]], end: str = ".", between: str = "; ") -> Said:
    """Clauses in one sentence; their stretches begin where they do."""
    text, stretches = start, []
    for place, (words, stretch) in enumerate(clauses):
        text += between if place else ""
        stretches.append(Stretch(len(text), stretch.spot, stretch.numbers))
        text += words
    text = f"{text[0].upper()}{text[1:]}{end}"
    return Said(text, tuple(stretches))
