"""The best blind guess per relation."""

from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.guesses import commonest_answers

TEMPLATES = {
    "first": "The capital of {subject} is",
    "second": "{subject} has a capital called",
    "third": "{subject} is ruled from",
    "held out": "The city of {subject} is",
}


def test_commonest_answer_is_counted_per_relation() -> None:
    facts = [Fact(f"c/{s}", "c", s, a, "x", TEMPLATES, "both") for s, a in (("A", "b"), ("B", "a"), ("C", "b"))]
    assert commonest_answers(facts) == {"c": "b"}
