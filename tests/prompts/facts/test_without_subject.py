"""Prompts without the subject, and what a model that reads only the relation answers to them."""

from dataclasses import replace

import pytest

import spiritlens as sl
from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.without_subject import without_subject


@pytest.mark.parametrize(
    ("template", "nothing", "it"),
    [
        ("The capital of {subject} is", "The capital of is", "The capital of it is"),
        ("{subject} is in", "Is in", "It is in"),
        ("{subject}'s tongue is", "Tongue is", "Its tongue is"),
        ("{subject} 's tongue is", "Tongue is", "Its tongue is"),
        ("Moses’ and {subject}’ tongue is", "Moses’ and tongue is", "Moses’ and its tongue is"),
        ("{subject}, a citizen of", "A citizen of", "It, a citizen of"),
        ("Where is {subject}?", "Where is?", "Where is it?"),
    ],
)
def test_the_subject_is_dropped_or_a_pronoun(template: str, nothing: str, it: str) -> None:
    fact = Fact("1", "r", "Marlo", "a", "b", {"first": template})
    (dropped,), (pronoun,) = without_subject([fact]), without_subject([fact], "it")
    assert (dropped.text(), pronoun.text()) == (nothing, it)
    assert replace(dropped, subject="Marlo", templates=fact.templates) == fact


def test_a_fact_of_which_no_word_is_left_is_told() -> None:
    facts = [
        Fact("1", "r", "Marlo", "a", "", {"x": "{subject}:"}),
        Fact("2", "r", "Ivry", "a", "", {"x": "{subject} is"}),
    ]
    found = without_subject(facts)
    assert [fact.id for fact in found] == ["2"]
    assert found.left_out.by_reason == {"no prompt": ("1",)}
    with pytest.raises(ValueError, match="instead='she': expected one of nothing, it"):
        without_subject(facts, "she")


def test_a_model_that_needs_the_subject_knows_no_more_than_a_guess_without_it() -> None:
    planted = sl.planted()
    prompts = [planted.text(subject) for subject in planted.subjects]
    facts = [
        Fact(p.fact_id, p.relation, p.subject.name, p.answer, p.foil, {"plain": "the colour of {subject} is"})
        for p in prompts
    ]
    named = sl.prompts.writable(planted.lens, facts, marker="final")
    assert named.prompts == tuple(prompts)
    assert all(sl.known_prompts(planted.lens, named.prompts))
    bare = sl.prompts.writable(planted.lens, without_subject(facts), marker="final")
    assert len(bare.prompts) == len(facts), "prompts of one template may be alike"
    commonest = max(sum(fact.answer == answer for fact in facts) for answer in {fact.answer for fact in facts})
    assert sum(sl.known_prompts(planted.lens, bare.prompts)) <= commonest < len(facts)
