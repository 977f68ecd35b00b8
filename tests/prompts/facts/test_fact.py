"""What a fact is, and what is refused as one."""

import json
from pathlib import Path

import pytest

from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.loading import load_facts
from spiritlens.prompts.facts.sounds import FactSound

FACTS = load_facts()
TEMPLATES = {
    "first": "The capital of {subject} is",
    "second": "{subject} has a capital called",
    "third": "{subject} is ruled from",
    "held out": "The city of {subject} is",
}


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


def test_aliases_tags_and_sounds_are_free() -> None:
    sound = FactSound("anna", "first", "x.wav")
    values = ("p17/1", "P17", "Perth", "Western Australia", "Ohio", {"first": "{subject} is in"}, "own")
    fact = Fact(*values, aliases=["WA", "the West"], tags={"popularity": "3"}, sounds=[sound])
    assert fact.accepted == ("Western Australia", "WA", "the West")
    assert (fact.tags["popularity"], fact.sounds) == ("3", (sound,))
    assert hash(fact) == hash(Fact(*values, aliases=["WA", "the West"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"aliases": "WA"}, "aliases of fact x='WA': expected several"),
        ({"aliases": [" "]}, "alias of fact x is empty"),
        ({"aliases": ["rome"]}, "the foil equals the answer 'Rome'"),
        ({"tags": ["a"]}, "tags=.'a'.: expected a mapping"),
        ({"tags": {"a": 5}}, "tag 'a' of fact x=5"),
        ({"sounds": ["x.wav"]}, "expected a FactSound"),
        ({"subject": ""}, "nowhere: the fact has no subject"),
    ],
)
def test_what_belongs_to_a_fact_is_checked(change: dict[str, object], message: str) -> None:
    values = {"id": "x", "relation": "capital", "subject": "France", "answer": "Paris", "foil": "Rome"}
    with pytest.raises(ValueError, match=message):
        Fact(**(values | {"templates": TEMPLATES} | change))


def test_a_fact_may_have_no_subject() -> None:
    fact = Fact("q", "any", "", "Paris", "", {"asked": "Where is the Louvre?"})
    assert (fact.text(), fact.statement()) == ("Where is the Louvre?", "Where is the Louvre? Paris")
