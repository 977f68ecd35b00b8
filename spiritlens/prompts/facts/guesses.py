"""Blind guesses: what can be answered without having read the fact."""

from collections.abc import Iterable

from spiritlens.arguments import listed
from spiritlens.prompts.facts.fact import Fact


def commonest_answers(facts: Iterable[Fact]) -> dict[str, str]:
    """The best blind guess per relation: the answer that most of the facts have (ties: the alphabetically first).

    Returns relation → answer. Raises ValueError for values that are no facts.
    """
    counts: dict[str, dict[str, int]] = {}
    for fact in listed("facts", facts, of=Fact, empty=True):
        of_relation = counts.setdefault(fact.relation, {})
        of_relation[fact.answer] = of_relation.get(fact.answer, 0) + 1
    return {relation: min(tally, key=lambda answer: (-tally[answer], answer)) for relation, tally in counts.items()}
