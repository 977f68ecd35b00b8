"""The curve of carry-over counts the subject's other facts in both modalities, and only text-only facts asked aloud."""

from dataclasses import dataclass

import pytest

from experiments.embedded_model.carry_over import carry_over, carry_over_table
from spiritlens.prompts.facts.fact import Fact

TEMPLATES = {name: f"{name} of {{subject}} is" for name in ("first", "second", "third", "held out")}


@dataclass(frozen=True)
class Asked:
    fact: str
    group: str
    condition: str
    recalled: bool
    guess: bool = False


def fact(subject: str, relation: str, group: str) -> Fact:
    return Fact(f"{relation}/{subject}", relation, subject, "X", "Y", TEMPLATES, group)


FACTS = [
    *(fact("France", relation, "both") for relation in ("capital", "river", "food")),
    fact("France", "flag", "text only"),
    fact("France", "city", "heard only"),
    fact("Spain", "capital", "both"),
    fact("Spain", "flag", "text only"),
    fact("Spain", "city", "text only"),
    fact("Hamlet", "author", "text only"),
]


def asked(name: str, hits: list[bool], condition: str = "S2T, trained voices") -> list[Asked]:
    group = next(fact.group for fact in FACTS if fact.id == name)
    return [Asked(name, group, condition, hit, guess=name == "flag/Spain") for hit in hits]


ANSWERS = [
    *asked("flag/France", [True, True]),
    *asked("flag/Spain", [True, False]),
    *asked("city/Spain", [False, False]),
    *asked("author/Hamlet", [False]),
    *asked("flag/France", [False], "S2T, held-out voice"),
    *asked("city/France", [True, True]),
    *asked("capital/France", [True]),
    *asked("flag/France", [True], "T2T"),
]


def test_each_point_is_the_recall_of_subjects_with_as_many_facts_in_both() -> None:
    points = carry_over(FACTS, ANSWERS)
    trained = [point for point in points if point.condition == "S2T, trained voices"]
    assert [(point.others, point.facts, point.prompts) for point in trained] == [(0, 1, 1), (1, 2, 4), (3, 1, 2)]
    assert [point.recalled for point in trained] == pytest.approx([0, 1 / 4, 1])
    assert [point.guess for point in trained] == pytest.approx([0, 1 / 2, 0])
    assert [(point.condition, point.recalled) for point in points[3:]] == [("S2T, held-out voice", 0)]


def test_the_table_has_a_line_for_each_point_and_is_empty_without_speech() -> None:
    lines = carry_over_table(carry_over(FACTS, ANSWERS))
    assert len(lines) == 4 + 4
    assert lines[5] == "| S2T, trained voices | 1 | 2 | 4 | 0.250 | 0.500 |"
    written = [answer for answer in ANSWERS if answer.condition == "T2T"]
    assert carry_over_table(carry_over(FACTS, written)) == []
