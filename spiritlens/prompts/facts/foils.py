"""Foils: a false answer for each fact that has none, by a seed.

A foil is one of the relation's other answers. What the set itself says is true of the subject is none: the fact's
answer and aliases, and those of other facts of the same relation and subject.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from spiritlens.arguments import whole
from spiritlens.prompts.facts.fact import Fact, given_facts, same_text


def drawn_foils(facts: Iterable[Fact], seed: int = 0) -> tuple[Fact, ...]:
    """The facts, each without a foil given one of its relation's other answers, drawn by the seed and the fact's id.

    What is drawn depends on neither the order of the facts nor those of other relations. A fact whose relation has no
    other answer stays without.

    Returns the facts in their order. Raises ValueError for what is no fact.
    """
    chosen, seed = given_facts(facts), whole("seed", seed, at_least=0)
    answers: defaultdict[str, set[str]] = defaultdict(set)
    true: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for fact in chosen:
        answers[fact.relation].add(fact.answer)
        true[_asked(fact)].update(map(same_text, fact.accepted))
    spelt = {relation: _spelt(of_relation) for relation, of_relation in answers.items()}
    return tuple(
        fact if fact.foil else replace(fact, foil=_drawn_foil(fact.id, spelt[fact.relation], true[_asked(fact)], seed))
        for fact in chosen
    )


def _asked(fact: Fact) -> tuple[str, str]:
    """What two facts share that ask the same; a fact without a subject shares it with none."""
    return fact.relation, same_text(fact.subject) or fact.id


def _spelt(answers: Iterable[str]) -> dict[str, str]:
    """The answers by what their spellings share, in the order of the alphabet; of several the first counts."""
    found = {same_text(answer): answer for answer in sorted(answers, reverse=True)}
    return {name: found[name] for name in sorted(found)}


def _drawn_foil(fact_id: str, answers: Mapping[str, str], true: Collection[str], seed: int) -> str:
    others = [answer for name, answer in answers.items() if name not in true]
    if not others:
        return ""
    number = int.from_bytes(hashlib.sha256(f"{seed}|{fact_id}|foil".encode()).digest()[:8], "little")
    return others[number % len(others)]
