"""Splits of facts that are balanced by relation: each part has its share of every relation, within one fact.

1. Within a relation facts are put into an order that a seed draws from their ids.
2. Each part gets the whole facts of its share; what is left over goes, one each, to the parts that are furthest behind
   over all relations so far. So a part has its share of every relation rounded down or up, and its share of all facts.

Neither the order in which facts come nor the facts of other sets decide who is drawn first. Facts of one subject in
several relations may fall into different parts.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from spiritlens.arguments import number, shown, whole, written
from spiritlens.prompts.facts.fact import Fact, given_facts

ROUNDING = 1e-9
"""A share of a whole number of facts counts as whole within this."""


def split_facts(facts: Iterable[Fact], shares: Mapping[str, float], seed: int = 0) -> dict[str, tuple[Fact, ...]]:
    """The facts by part, as ``{"choose": 0.2, "report": 0.8}`` names the parts and shares out every relation.

    Returns the parts in the order of `shares`, each with its facts in the order given. Raises ValueError for shares
    that are not above 0 or do not add up to 1, and for two facts of one id.
    """
    chosen, parts, seed = given_facts(facts), _given_shares(shares), whole("seed", seed, at_least=0)
    by_relation: dict[str, list[Fact]] = {}
    for fact in chosen:
        by_relation.setdefault(fact.relation, []).append(fact)
    behind = dict.fromkeys(parts, 0.0)
    part_of: dict[str, str] = {}
    for relation in sorted(by_relation):
        drawn = sorted(by_relation[relation], key=lambda fact: _place(fact, seed))
        names = _names(len(drawn), parts, behind)
        part_of |= {fact.id: name for fact, name in zip(drawn, names, strict=True)}
    return {part: tuple(fact for fact in chosen if part_of[fact.id] == part) for part in parts}


def _names(n_facts: int, shares: Mapping[str, float], behind: dict[str, float]) -> Sequence[str]:
    """The part of each of a relation's facts; `behind`, by how many facts each part is short so far, is kept up."""
    counts = {part: int(n_facts * share + ROUNDING) for part, share in shares.items()}
    for part, share in shares.items():
        behind[part] += n_facts * share - counts[part]
    broken = [part for part, share in shares.items() if n_facts * share - counts[part] > ROUNDING]
    furthest = sorted(broken, key=lambda part: -behind[part])
    for part in furthest[: n_facts - sum(counts.values())]:
        counts[part] += 1
        behind[part] -= 1
    return [part for part, count in counts.items() for _ in range(count)]


def _place(fact: Fact, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}|{fact.id}|split".encode()).digest()


def _given_shares(shares: object) -> dict[str, float]:
    if not isinstance(shares, Mapping) or not shares:
        raise ValueError(f"shares={shown(shares)}: expected shares by part, such as {{'choose': 0.2, 'report': 0.8}}")
    found = {
        written("name of a part", part): number(f"shares[{part!r}]", share, above=0) for part, share in shares.items()
    }
    if abs(sum(found.values()) - 1) > ROUNDING:
        raise ValueError(f"shares={shown(shares)} add up to {sum(found.values()):g}: they must add up to 1")
    return found
