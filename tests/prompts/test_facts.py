"""The shipped facts keep what the training recipe and the measurements rely on; broken files are refused."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.foils import drawn_foils
from spiritlens.prompts.facts.guesses import commonest_answers
from spiritlens.prompts.facts.loading import load_facts
from spiritlens.prompts.facts.shipped import CARRIERS, GROUPS, HELD_OUT, PHRASINGS, TRAINED_PHRASINGS

FACTS = load_facts()
TEMPLATES = {
    "first": "The capital of {subject} is",
    "second": "{subject} has a capital called",
    "third": "{subject} is ruled from",
    "held out": "The city of {subject} is",
}


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
    root = Path(__file__).parents[2]
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


def test_commonest_answer_is_counted_per_relation() -> None:
    facts = [Fact(f"c/{s}", "c", s, a, "x", TEMPLATES, "both") for s, a in (("A", "b"), ("B", "a"), ("C", "b"))]
    assert commonest_answers(facts) == {"c": "b"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group": None}, "group of fact x=None"),
        ({"templates": {}}, "templates={}: expected a mapping of phrasings to templates"),
        ({"templates": {**TEMPLATES, "fifth": "no subject"}}, "exactly once"),
        ({"foil": "paris"}, "the foil equals the answer"),
        ({"templates": "The capital of {subject} is"}, "templates='The capital of .*: expected a mapping"),
        ({"templates": tuple(TEMPLATES.values())}, "templates=.*: expected a mapping"),
        ({"subject": " "}, "the subject of fact 'x' is empty"),
        ({"relation": None}, "relation of fact 'x'=None"),
        ({"foil": " "}, "the foil of fact x is empty"),
    ],
)
def test_a_broken_fact_is_refused(change: dict[str, object], message: str) -> None:
    values = {"id": "x", "relation": "capital", "subject": "France", "answer": "Paris", "foil": "Rome", "group": "both"}
    values["templates"] = TEMPLATES
    with pytest.raises(ValueError, match=message):
        Fact(**(values | change))


def test_an_unknown_phrasing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"phrasing 'fifth' is unknown to fact capital/france; choose one of first"):
        FACTS[0].text("fifth")


def test_a_fact_of_ones_own_has_any_phrasings_groups_and_answers(tmp_path: Path) -> None:
    own = Fact("p17/1", "P17", "Perth", "Western Australia", "", {"known": "{subject} is in"}, "CounterFact")
    assert own.text() == own.text("known") == "Perth is in"
    assert own.statement() == "Perth is in Western Australia"
    assert hash(own) == hash(
        Fact("p17/1", "P17", "Perth", "Western Australia", "", {"known": "{subject} is in"}, "CounterFact")
    )
    path = tmp_path / "own.json"
    rows = [["Perth", "Western Australia", "", "CounterFact"], ["Lyon", "France", "", ""]]
    path.write_text(json.dumps({"relations": {"P17": {"templates": {"known": "{subject} is in"}, "facts": rows}}}))
    assert [(fact.answer, fact.group, fact.text("known")) for fact in load_facts(path)] == [
        ("Western Australia", "CounterFact", "Perth is in"),
        ("France", "", "Lyon is in"),
    ]
    path.write_text(json.dumps({"relations": {"P17": {"templates": ["{subject} is in"], "facts": rows}}}))
    with pytest.raises(ValueError, match=r"has 1 templates, 4 needed: first, .*or name them in an object"):
        load_facts(path)


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


def test_the_shipped_list_is_checked_for_what_training_relies_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = {"relations": {"c": {"templates": {"one": "{subject} is"}, "facts": [["a", "b", "c", "both"]]}}}
    (tmp_path / "facts.json").write_text(json.dumps(broken))
    monkeypatch.setattr("spiritlens.prompts.facts.loading.ASSETS", tmp_path)
    with pytest.raises(ValueError, match="the shipped fact c/a has the group 'both', the phrasings one"):
        load_facts()
    assert load_facts(tmp_path / "facts.json")[0].text() == "a is"


def test_missing_broken_and_double_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no facts at"):
        load_facts(tmp_path / "none.json")
    broken = tmp_path / "broken.json"
    broken.write_text('{"relations": {"capital": {"facts": [1]}}}')
    with pytest.raises(ValueError, match="is no facts file"):
        load_facts(broken)
    row = ["France", "Paris", "Rome", "both"]
    broken.write_text(json.dumps({"relations": {"capital": {"templates": TEMPLATES, "facts": [row, row]}}}))
    with pytest.raises(ValueError, match="is there twice"):
        load_facts(broken)
    twins = [["S\u00e3o", "Paris", "Rome", "both"], ["Sa\u0303o", "Lyon", "Rome", "both"]]
    broken.write_text(json.dumps({"relations": {"capital": {"templates": TEMPLATES, "facts": twins}}}))
    with pytest.raises(ValueError, match="is there twice"):  # composed and decomposed, they look the same
        load_facts(broken)
    broken.write_text(
        json.dumps({"relations": {"c": {"templates": TEMPLATES, "facts": [["a", "S\u00e3o", "sa\u0303o ", "both"]]}}})
    )
    with pytest.raises(ValueError, match="the foil equals the answer"):
        load_facts(broken)
    broken.write_text(json.dumps({"relations": {"capital": {"templates": TEMPLATES, "facts": [row[:3]]}}}))
    with pytest.raises(ValueError, match=r"relation 'capital' has the row \['France', 'Paris', 'Rome'\]; needed"):
        load_facts(broken)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[]", r"the file is \[\], no JSON object"),
        (b'{"relations": {}}', "holds no facts"),
        (
            b'{"relations": {"c": {"templates": "The {subject}", "facts": []}}}',
            "templates of relation 'c' is .*no JSON",
        ),
        (b'{"relations": {"c": {}, "c": {}}}', "'c' is there twice"),
        ('{"relations": {"é": {}}}'.encode("latin-1"), "is not UTF-8 .*at byte 16"),
        (b"[" * 100_000, "is no facts file"),
    ],
)
def test_a_file_in_another_form_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"facts.json.*{message}"):
        load_facts(path)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    row = ["France", "Paris", "Rome", "both"]
    path.write_text(json.dumps({"relations": {"c": {"templates": TEMPLATES, "facts": [row]}}}), encoding="utf-8-sig")
    assert [fact.id for fact in load_facts(path)] == ["c/france"]


def test_spoken_facts_are_read_back_with_their_columns(tmp_path: Path) -> None:
    from datasets import Audio, load_dataset

    from spiritlens.prompts.facts.speaking import speak
    from spiritlens.speech.recordings import recordings_of_folder

    facts = load_facts()[:2]
    made = speak(facts, ["espeak:en-us"], tmp_path / "spoken", ("first", "held out"), progress="none")
    assert (len(made.spoken), made.left_out) == (4, {})
    table = made.table
    recordings = recordings_of_folder(tmp_path / "spoken")
    assert [recording.columns["answer"] for recording in recordings] == [fact.answer for fact in facts] * 2
    assert all(recording.waveform().duration > 0.5 for recording in recordings)
    rows = load_dataset("csv", data_files=str(table), split="train", cache_dir=str(tmp_path / "cache"))
    audio = rows.map(lambda row: {"audio": str(table.parent / row["file_name"])}).cast_column(
        "audio", Audio(decode=False)
    )
    assert [Path(row["audio"]["path"]).is_file() for row in audio] == [True] * 4
    assert rows["phrasing"] == ["first", "first", "held out", "held out"]


def test_an_unspeakable_fact_is_left_out_with_its_reason(tmp_path: Path) -> None:
    from spiritlens.prompts.facts.speaking import speak
    from spiritlens.speech.recordings import recordings_of_folder

    facts = [Fact(f"capital/{s}", "capital", s, "Rome", "Paris", TEMPLATES, "both") for s in ("Italy", "北京", "Peru*")]
    made = speak(facts, ["espeak:en-us", "espeak:en-us+f2"], tmp_path, progress="none")
    assert made.spoken == ("capital/Italy_first",)
    assert list(made.left_out) == ["capital/北京_first", "capital/Peru*_first"]
    assert "ASTERISK" in made.left_out["capital/Peru*_first"]
    assert str(made).startswith("1 texts spoken, 2 left out\n  capital/北京_first: espeak:en-us: ")
    assert len(recordings_of_folder(tmp_path)) == 2
    with pytest.raises(ValueError, match="none of the 1 texts can be spoken; the first, capital/北京_first"):
        speak(facts[1:2], ["espeak:en-us"], tmp_path / "none", progress="none")
