"""Halves of facts: by subject, balanced by relation, drawn by a seed."""

from collections import Counter
from dataclasses import replace

import pytest

import spiritlens as sl
from spiritlens.analysis.interchange.halves import check_same_facts, fact_name, halves
from spiritlens.models.planted.planted import Planted


@pytest.fixture(scope="module")
def machine() -> Planted:
    return sl.planted()


def of_relations(prompts: tuple[sl.Prompt, ...], relations: list[str]) -> list[sl.Prompt]:
    pairs = zip(prompts, relations, strict=True)
    return [replace(prompt, relation=relation, fact_id=f"{prompt.fact_id}-{relation}") for prompt, relation in pairs]


@pytest.mark.parametrize("seed", range(8))
def test_relations_are_spread_evenly(machine: Planted, seed: int) -> None:
    prompts = of_relations(machine.prompts[:12], ["a"] * 4 + ["b"] * 5 + ["c"] * 3)
    found = halves(prompts, seed)
    counts = Counter((prompt.relation, found[prompt.subject.name.casefold()]) for prompt in prompts)
    assert all(abs(counts[relation, 0] - counts[relation, 1]) <= 1 for relation in "abc")
    assert Counter(found.values()) == {0: 6, 1: 6}


def test_a_subject_is_in_one_half_with_all_its_facts(machine: Planted) -> None:
    twice = [*of_relations(machine.prompts[:6], ["a"] * 6), *of_relations(machine.prompts[:6], ["b"] * 6)]
    found = halves(twice, 0)
    assert sorted(Counter(found.values()).values()) == [3, 3]


def test_halves_depend_on_the_seed_and_not_on_the_order_or_the_modality(machine: Planted) -> None:
    found = halves(machine.prompts, 3)
    assert halves(machine.prompts[::-1], 3) == found == halves(machine.prompts[:12], 3)
    assert any(halves(machine.prompts, seed) != found for seed in range(4, 8))


def test_too_few_subjects_and_unlike_facts_are_refused(machine: Planted) -> None:
    written, spoken = machine.prompts[:12], machine.prompts[12:]
    with pytest.raises(ValueError, match="about 3 subjects; at least 4 are needed"):
        halves(written[:3], 0)
    with pytest.raises(ValueError, match=r"written\[0\] is a S2T prompt: expected T2T prompts only"):
        check_same_facts(spoken, spoken)
    with pytest.raises(ValueError, match="spoken lacks the fact 'sigru'"):
        check_same_facts(written, spoken[:-1])
    check_same_facts(written, spoken[::-1])


def test_a_fact_without_an_id_is_what_it_says(machine: Planted) -> None:
    prompt = machine.prompts[0]
    assert fact_name(prompt) == "marlo"
    assert fact_name(replace(prompt, fact_id="")) == "colour/marlo → red"
