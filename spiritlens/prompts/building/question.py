"""What a prompt asks: checked before anything is spoken or tokenized.

A prompt may ask nothing: without a subject no token is the subject's, without an answer none is scored. Lenses,
attention and continuations serve such prompts; a method that needs more says what to add.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from spiritlens.arguments import check_choice, listed, shown, whole, written
from spiritlens.prompts.building.segments import Segment, SpeechSegment, TextSegment

Transcript = Literal["none", "forced"]
"""Whether what was said is written after the speech, where the model would write its own transcript: ``forced``, so
that the answer comes next."""


@dataclass(frozen=True)
class Question:
    """The subject (which of its occurrences, from 0), the answer, a foil, solved examples that stand before, and
    whether the transcript of what is heard is forced (`Transcript`)."""

    subject: str | None = None
    answer: str | None = None
    foil: str | None = None
    occurrence: int | None = None
    examples: Sequence[tuple[Segment, str]] = ()
    transcript: Transcript = "none"

    def __post_init__(self) -> None:
        for name in ("subject", "answer"):
            if getattr(self, name) is not None:
                written(name, getattr(self, name))
        if self.foil not in (None, ""):
            written("foil", self.foil)
            if self.answer is None:
                raise ValueError(f"foil={shown(self.foil)} without an answer to compare it with; give answer= as well")
        if self.occurrence is not None and self.subject is None:
            raise ValueError(f"occurrence={shown(self.occurrence)} says which subject is meant; give subject= as well")
        if self.occurrence is not None:
            object.__setattr__(self, "occurrence", whole("occurrence", self.occurrence))
        check_choice("transcript", self.transcript, Transcript)
        examples = listed("examples", self.examples, empty=True)
        object.__setattr__(self, "examples", tuple(_example(place, pair) for place, pair in enumerate(examples)))


def _example(place: int, pair: object) -> tuple[Segment, str]:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], (TextSegment, SpeechSegment)):
        raise ValueError(f"examples[{place}] is {shown(pair)}: expected a pair of a segment and its answer")
    return pair[0], written(f"the answer of examples[{place}]", pair[1])
