"""Splits are balanced by relation, drawn by the seed, and do not depend on the order of the facts."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.loading import load_facts
from spiritlens.prompts.facts.splits import split_facts


def facts_of(sizes: list[int]) -> list[Fact]:
    return [
        Fact(f"r{relation}/{n}", f"r{relation}", f"s{n}", "a", "", {"first": "{subject} is"})
        for relation, size in enumerate(sizes)
        for n in range(size)
    ]


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12),
    weights=st.lists(st.integers(1, 20), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
def test_each_part_has_its_share_of_each_relation(sizes: list[int], weights: list[int], seed: int) -> None:
    shares = {f"part {n}": weight / sum(weights) for n, weight in enumerate(weights)}
    facts = facts_of(sizes)
    parts = split_facts(facts, shares, seed)
    assert sorted(fact.id for part in parts.values() for fact in part) == sorted(fact.id for fact in facts)
    for part, share in shares.items():
        counts = Counter(fact.relation for fact in parts[part])
        assert all(abs(counts[f"r{n}"] - size * share) < 1 for n, size in enumerate(sizes))
        assert [fact for fact in facts if fact in parts[part]] == list(parts[part]), "in the order given"
    assert {name: set(part) for name, part in split_facts(facts[::-1], shares, seed).items()} == {
        name: set(part) for name, part in parts.items()
    }


def test_relations_of_one_fact_are_shared_out_too() -> None:
    parts = split_facts(facts_of([1] * 40), {"choose": 0.25, "report": 0.75})
    assert {name: len(part) for name, part in parts.items()} == {"choose": 10, "report": 30}


def test_the_seed_decides_who_is_drawn() -> None:
    facts = load_facts()
    halves = {seed: split_facts(facts, {"a": 0.5, "b": 0.5}, seed)["a"] for seed in (0, 1)}
    assert halves[0] == split_facts(facts, {"a": 0.5, "b": 0.5})["a"]
    assert halves[0] != halves[1]
    assert abs(len(halves[0]) - len(facts) / 2) <= 1


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"a": 0.5, "b": 0.6}, "add up to 1.1: they must add up to 1"),
        ({"a": 1.0, "b": 0}, r"shares\['b'\]=0: expected a number > 0"),
        ({}, r"shares=\{\}: expected shares by part"),
        ([0.5, 0.5], "expected shares by part"),
    ],
)
def test_shares_that_are_none_are_refused(shares: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split_facts(facts_of([3]), shares)
