"""Groups dealt anew: subjects of several facts keep the wanted number in both, and nothing else changes."""

from collections import Counter

from experiments.embedded_model.settings import FEW, FULL, dealt
from spiritlens.prompts.facts.loading import load_facts


def test_subjects_keep_in_turn_the_wanted_numbers_of_facts_in_both() -> None:
    before, after = load_facts(), FEW.facts()
    moved = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert {(old.group, new.group) for old, new in moved} == {("both", "text only")}
    told = Counter(fact.subject for fact in after if fact.group == "both")
    countries = {fact.subject for fact in before if fact.relation == "continent"}
    numbers = Counter(told[country] for country in countries)
    assert set(numbers) == set(FEW.told_in_both)
    assert min(numbers.values()) >= len(countries) // len(FEW.told_in_both) - 1
    assert all(new.subject in countries for _, new in moved)


def test_without_numbers_the_groups_are_those_of_the_facts() -> None:
    assert dealt(load_facts(), ()) == FULL.facts() == load_facts()
