"""What a prompt asks, and where it comes from: two values that are checked before anything is spoken or tokenized."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from spiritlens.arguments import listed, shown, whole, written
from spiritlens.prompts.building.segments import Segment, SpeechSegment, TextSegment


@dataclass(frozen=True)
class Question:
    """The subject (which of its occurrences, from 0), the answer, a foil, and solved examples that stand before."""

    subject: str
    answer: str
    foil: str | None = None
    occurrence: int | None = None
    examples: Sequence[tuple[Segment, str]] = ()

    def __post_init__(self) -> None:
        for name in ("subject", "answer"):
            written(name, getattr(self, name))
        if self.foil not in (None, ""):
            written("foil", self.foil)
        if self.occurrence is not None:
            object.__setattr__(self, "occurrence", whole("occurrence", self.occurrence))
        examples = listed("examples", self.examples, empty=True)
        object.__setattr__(self, "examples", tuple(_example(place, pair) for place, pair in enumerate(examples)))


@dataclass(frozen=True)
class Origin:
    """The fact that a prompt tells, its relation, phrasing and group, the voice that speaks it and its audio file."""

    fact_id: str = ""
    relation: str = ""
    phrasing: str = ""
    voice: str = ""
    group: str = ""
    audio: str = ""

    def __post_init__(self) -> None:
        for field in fields(self):
            written(field.name, getattr(self, field.name), blank="allowed")


def _example(place: int, pair: object) -> tuple[Segment, str]:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], (TextSegment, SpeechSegment)):
        raise ValueError(f"examples[{place}] is {shown(pair)}: expected a pair of a segment and its answer")
    return pair[0], written(f"the answer of examples[{place}]", pair[1])
