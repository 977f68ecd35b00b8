"""Foils: a false answer for each fact that has none, by a seed."""

import hashlib
from collections.abc import Iterable, Sequence
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
    return tuple(fact if fact.foil else replace(fact, foil=_drawn_foil(fact, chosen, seed)) for fact in chosen)


def _drawn_foil(fact: Fact, facts: Sequence[Fact], seed: int) -> str:
    answers = sorted({other.answer for other in facts if other.relation == fact.relation}, reverse=True)
    others = {same_text(answer): answer for answer in answers}  # of several spellings the first in the alphabet
    others.pop(same_text(fact.answer), None)
    if not others:
        return ""
    number = int.from_bytes(hashlib.sha256(f"{seed}|{fact.id}|foil".encode()).digest()[:8], "little")
    return others[sorted(others)[number % len(others)]]
