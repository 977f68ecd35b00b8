"""Does a fact that was only read carry over to speech, and how many facts of its subject must be told in both?

A fact of *text only* was never spoken. That it is recalled from a spoken prompt shows that the spoken subject stands
for the written one; the model learns that from the subject's other facts, those told in both modalities. So the
recall of *text only* facts asked aloud is a curve over the number of these others. The points are few and the
subjects with no other fact are of other relations than the rest: `guess` says what each point is worth.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spiritlens.prompts.facts.fact import Fact

SPOKEN = "S2T"


class Answer(Protocol):
    """What is read of an answered prompt."""

    fact: str
    group: str
    condition: str
    recalled: bool
    guess: bool


@dataclass(frozen=True)
class CarryOver:
    """One point: *text only* facts asked aloud whose subject has `others` facts told in both modalities."""

    condition: str
    others: int
    facts: int
    prompts: int
    recalled: float
    guess: float


def carry_over(facts: Sequence[Fact], answers: Sequence[Answer]) -> list[CarryOver]:
    """The curve of each spoken condition, in the order of first appearance, over the number of others."""
    told = Counter(fact.subject for fact in facts if fact.group == "both")
    others = {fact.id: told[fact.subject] for fact in facts}
    asked = [answer for answer in answers if answer.group == "text only" and answer.condition.startswith(SPOKEN)]
    points = []
    for condition in dict.fromkeys(answer.condition for answer in asked):
        of_condition = [answer for answer in asked if answer.condition == condition]
        for count in sorted({others[answer.fact] for answer in of_condition}):
            own = [answer for answer in of_condition if others[answer.fact] == count]
            recalled, guess = (
                float(np.mean([getattr(answer, name) for answer in own])) for name in ("recalled", "guess")
            )
            points.append(CarryOver(condition, count, len({answer.fact for answer in own}), len(own), recalled, guess))
    return points


def carry_over_table(points: Sequence[CarryOver]) -> list[str]:
    """The points as lines of markdown; none without points."""
    if not points:
        return []
    return [
        "*Text only* facts asked aloud, by the number of the subject's other facts told in both modalities:",
        "",
        "| condition | other facts in both | facts | prompts | recalled | guess |",
        "|---|---|---|---|---|---|",
        *(
            f"| {point.condition} | {point.others} | {point.facts} | {point.prompts} | {point.recalled:.3f} "
            f"| {point.guess:.3f} |"
            for point in points
        ),
    ]
