"""What a prompt asks is checked before anything is spoken or tokenized."""

import pytest

from spiritlens.prompts.building.question import Question
from spiritlens.prompts.building.segments import TextSegment


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subject": 5}, r"subject=5 \(int\): expected a text"),
        ({"answer": None, "foil": "Rome"}, "foil='Rome' without an answer"),
        ({"subject": None, "occurrence": 0}, "occurrence=0 says which subject is meant"),
        ({"subject": " "}, "the subject is empty"),
        ({"answer": ["Paris"]}, "answer=.*expected a text"),
        ({"foil": "  "}, "the foil is empty"),
        ({"foil": 5}, r"foil=5 \(int\)"),
        ({"occurrence": 1.0}, "occurrence=1.0: expected a whole number"),
        ({"occurrence": True}, "occurrence=True: expected a whole number"),
        ({"examples": "ab"}, "examples='ab': expected several"),
        ({"examples": [("text", "answer")]}, r"examples\[0\] is .*: expected a pair of a segment and its answer"),
        ({"examples": [(TextSegment("a b"), "")]}, r"the answer of examples\[0\] is empty"),
    ],
)
def test_a_question_is_texts_and_whole_numbers(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Question(**{"subject": "France", "answer": "Paris", **change})


def test_examples_are_read_once_and_an_empty_foil_is_none() -> None:
    pairs = [(TextSegment("a b"), "c")]
    assert Question("France", "Paris", "", None, iter(pairs)).examples == tuple(pairs)


def test_a_question_may_ask_nothing() -> None:
    assert Question() == Question(None, None, None, None, ())
