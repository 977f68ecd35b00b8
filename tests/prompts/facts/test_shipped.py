"""The shipped facts keep what the training recipe and the measurements rely on; broken files are refused."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from spiritlens.prompts.facts.loading import load_facts
from spiritlens.prompts.facts.shipped import CARRIERS, GROUPS, HELD_OUT, PHRASINGS, TRAINED_PHRASINGS

FACTS = load_facts()


def words(text: str) -> set[str]:
    return set(text.lower().split())


def test_there_are_enough_facts_relations_and_well_known_subjects() -> None:
    per_subject = Counter(fact.subject for fact in FACTS)
    assert len(FACTS) >= 350
    assert len({fact.relation for fact in FACTS}) >= 10
    assert sum(count >= 7 for count in per_subject.values()) >= 44


def test_groups_have_their_declared_shares() -> None:
    shares = {group: sum(fact.group == group for fact in FACTS) / len(FACTS) for group in GROUPS}
    assert shares["both"] == pytest.approx(0.62, abs=0.02)
    assert shares["text only"] == pytest.approx(0.22, abs=0.02)
    assert shares["heard only"] == pytest.approx(0.08, abs=0.015)
    assert shares["asked aloud"] == pytest.approx(0.08, abs=0.015)


def test_each_country_has_at_least_five_facts_in_both_modalities() -> None:
    per_subject = Counter(fact.subject for fact in FACTS)
    both = Counter(fact.subject for fact in FACTS if fact.group == "both")
    assert min(both[subject] for subject, count in per_subject.items() if count >= 7) >= 5


def test_held_out_phrasings_use_trained_words_only() -> None:
    trained = set().union(
        *(
            words(template)
            for fact in FACTS
            for phrasing in TRAINED_PHRASINGS
            for template in [fact.templates[phrasing]]
        )
    )
    assert set().union(*(words(fact.templates[HELD_OUT]) for fact in FACTS)) <= trained


def test_no_trained_statement_begins_with_a_held_out_prompt() -> None:
    trained = [fact.statement(phrasing).lower() for fact in FACTS for phrasing in TRAINED_PHRASINGS]
    held = {fact.text(HELD_OUT).lower() for fact in FACTS}
    assert not [(prompt, statement) for prompt in held for statement in trained if statement.startswith(prompt)]


def test_no_trained_template_goes_on_after_the_end_of_the_held_out_one() -> None:
    """'The name of a river in S is' would be continued by 'named' if 'A river in S is named' was trained."""
    for fact in FACTS:
        held = fact.templates[HELD_OUT].split()
        tail = " ".join(held[max(0, held.index("{subject}") - 2) :])
        assert not [name for name in TRAINED_PHRASINGS if f"{tail} " in fact.templates[name]], (fact.relation, tail)


def test_prompts_do_not_end_in_an_article() -> None:
    assert not {
        fact.text(phrasing)
        for fact in FACTS
        for phrasing in PHRASINGS
        if fact.text(phrasing).split()[-1] in ("a", "the", "an")
    }


def test_no_subject_word_is_an_answer_and_foils_are_other_answers_of_the_relation() -> None:
    answers = {
        relation: {fact.answer for fact in FACTS if fact.relation == relation}
        for relation in {f.relation for f in FACTS}
    }
    subjects = {fact.subject.lower() for fact in FACTS}
    assert not subjects & {answer.lower() for of_relation in answers.values() for answer in of_relation}
    assert all(fact.foil in answers[fact.relation] for fact in FACTS)


def test_the_readme_phrase_is_a_trained_phrasing_of_a_fact_told_in_both_modalities() -> None:
    fact = next(fact for fact in FACTS if fact.id == "capital/france")
    assert (fact.text("first"), fact.answer, fact.group) == ("The capital of France is", "Paris", "both")


def test_statement_lowers_the_first_letter_after_a_carrier() -> None:
    fact = FACTS[0]
    assert fact.statement("first", CARRIERS[0]) == "As you know the capital of France is Paris"
    assert fact.statement("first") == "The capital of France is Paris"


def test_drawing_the_groups_again_changes_nothing(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    before = (root / "spiritlens/assets/facts.json").read_text()
    copy = tmp_path / "spiritlens" / "assets"
    copy.mkdir(parents=True)
    (copy / "facts.json").write_text(before)
    recipe = tmp_path / "experiments" / "embedded_model"
    recipe.mkdir(parents=True)
    for name in ("draw_fact_groups.py", "also_true.json"):
        (recipe / name).write_text((root / "experiments" / "embedded_model" / name).read_text())
    subprocess.run([sys.executable, str(recipe / "draw_fact_groups.py")], check=True)
    assert (copy / "facts.json").read_text() == before


def test_the_shipped_list_is_checked_for_what_training_relies_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = {"relations": {"c": {"templates": {"one": "{subject} is"}, "facts": [["a", "b", "c", "both"]]}}}
    (tmp_path / "facts.json").write_text(json.dumps(broken))
    monkeypatch.setattr("spiritlens.prompts.facts.tables.ASSETS", tmp_path)
    with pytest.raises(ValueError, match="the shipped fact c/a has the group 'both', the phrasings one"):
        load_facts()
    assert load_facts(tmp_path / "facts.json")[0].text() == "a is"
