"""The shipped facts, which the embedded model was taught: their groups and phrasings.

They belong to four groups:

- ``both``: in writing and in speech, as whole statements, as spoken questions with written answers, and mixed by words;
- ``text only``: in writing only;
- ``heard only``: spoken statements only, the answer in units too;
- ``asked aloud``: spoken prompts with a written answer only, never a written prompt.

Each of them has four phrasings. The first three are trained; the last, ``held out``, never occurs in training in either
modality, but all of its words do, and no trained statement begins with it. Their answers are single words. The file
``assets/facts.json`` holds them.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.left_out import LeftOut

Group = Literal["both", "text only", "heard only", "asked aloud"]
GROUPS: tuple[Group, ...] = get_args(Group)
PHRASINGS = ("first", "second", "third", "held out")
TRAINED_PHRASINGS = PHRASINGS[:3]
HELD_OUT = PHRASINGS[3]
CARRIERS = ("As you know", "We learned that", "It is known that", "I think that", "They say that")

ASSETS = Path(__file__).parents[2] / "assets"


def check_shipped(facts: Iterable[Fact], left_out: LeftOut) -> None:
    """What the embedded model's training and its measurements rely on."""
    if left_out:
        raise ValueError(f"the shipped facts were changed; install spiritlens again\n{left_out}")
    for fact in facts:
        if fact.group not in GROUPS or tuple(fact.templates) != PHRASINGS or len(fact.answer.split()) != 1:
            raise ValueError(
                f"the shipped fact {fact.id} has the group {fact.group!r}, the phrasings {', '.join(fact.templates)} "
                f"and the answer {fact.answer!r}; install spiritlens again"
            )
