"""Foils are drawn by the seed."""

from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.foils import drawn_foils
from spiritlens.prompts.facts.loading import load_facts

FACTS = load_facts()
TEMPLATES = {
    "first": "The capital of {subject} is",
    "second": "{subject} has a capital called",
    "third": "{subject} is ruled from",
    "held out": "The city of {subject} is",
}


def test_missing_foils_are_other_answers_of_the_relation_by_the_seed() -> None:
    def fact(subject: str, answer: str, foil: str = "", relation: str = "capital") -> Fact:
        return Fact(f"{relation}/{subject}", relation, subject, answer, foil, TEMPLATES)

    facts = [fact(f"s{n}", answer) for n, answer in enumerate(["Paris", "Rome", "Oslo", "paris", "Bern"])]
    facts += [fact("own", "Lima", "Quito"), fact("alone", "blue", relation="colour")]
    drawn = drawn_foils(facts, seed=3)
    assert drawn == drawn_foils(iter(facts), seed=3)
    assert set(drawn_foils(facts[::-1], seed=3)) == set(drawn), "whatever the order"
    assert [found.foil for found in drawn[-2:]] == ["Quito", ""]
    for found in drawn[:5]:
        assert found.foil in {"Paris", "paris", "Rome", "Oslo", "Bern", "Lima"}
        assert found.foil.lower() != found.answer.lower()
    assert len({tuple(found.foil for found in drawn_foils(facts, seed)) for seed in range(5)}) > 1
    assert drawn_foils(FACTS) == FACTS, "the shipped facts have foils of their own"


def test_what_is_true_of_the_subject_is_no_foil() -> None:
    """Neither an alias nor another answer of the same subject and relation, whatever the seed."""
    facts = [
        Fact("1", "borders", "France", "Spain", "", TEMPLATES, aliases=("España",)),
        Fact("2", "borders", "france", "Italy", "", TEMPLATES),
        Fact("3", "borders", "Portugal", "españa", "", TEMPLATES),
        Fact("4", "borders", "Norway", "Sweden", "", TEMPLATES),
    ]
    drawn = [drawn_foils(facts, seed) for seed in range(12)]
    assert {of_seed[0].foil for of_seed in drawn} == {of_seed[1].foil for of_seed in drawn} == {"Sweden"}
    assert {of_seed[3].foil for of_seed in drawn} == {"Spain", "Italy", "españa"}


def test_questions_without_subjects_share_none() -> None:
    facts = [Fact(str(n), "any", "", answer, "", {"asked": f"Number {n}?"}) for n, answer in enumerate("ab")]
    assert [fact.foil for fact in drawn_foils(facts)] == ["b", "a"]
