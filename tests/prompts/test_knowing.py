"""The rule of knowing: a value, its text, and what counts as said."""

import pytest

import spiritlens as sl
from spiritlens.prompts.knowing import EXACT, contains_answer

Knowing = sl.prompts.Knowing

RULES = {
    "exact": Knowing(),
    "top 5": Knowing("top k"),
    "top 1": Knowing("top k", k=1),
    "generated 10": Knowing("generated"),
    "generated 3 case": Knowing("generated", tokens=3, normalise="case"),
}


@pytest.mark.parametrize(("text", "rule"), RULES.items())
def test_a_rule_is_read_back_from_its_text(text: str, rule: Knowing) -> None:
    assert str(rule) == text
    assert Knowing.read(text) == rule


def test_the_default_is_exact() -> None:
    assert EXACT == Knowing("exact") == Knowing.read("exact")
    assert len({rule.words for rule in RULES.values()}) == len(RULES)


@pytest.mark.parametrize(
    "text", ["", "exactly", "exact 3", "top", "top k", "top -1", "top 3 case", "generated x", "generated 3 case 4"]
)
def test_a_text_that_is_no_rule_is_refused(text: str) -> None:
    if text == "top":
        assert Knowing.read(text) == Knowing("top k")
        return
    with pytest.raises(ValueError, match="knowing"):
        Knowing.read(text)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rule": "likely"}, "rule='likely'"),
        ({"k": 3}, "k=3: the rule 'exact' does not read it; it belongs to 'top k'"),
        ({"rule": "top k", "tokens": 3}, "tokens=3: the rule 'top k' does not read it"),
        ({"rule": "top k", "k": 0}, "k=0: expected a whole number ≥ 1"),
        ({"rule": "generated", "tokens": 0}, "tokens=0"),
        ({"rule": "generated", "normalise": "none"}, "normalise='none'"),
        ({"normalise": "case"}, "normalise='case': the rule 'exact' does not read it"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Knowing(**given)


@pytest.mark.parametrize(
    ("said", "accepted", "found"),
    [
        ("the city of Paris.", ["Paris"], True),
        ("PARIS, of course", ["Paris"], True),
        ("parisian", ["Paris"], False),
        ("New York City", ["York City"], True),
        ("New York", ["York City"], False),
        ("the Hague", ["The Hague"], True),
        ("in U.S.A. now", ["USA"], True),
        ("“Côte d’Ivoire”", ["Cote d'Ivoire", "Côte d'Ivoire"], True),
        ("the U K", ["United Kingdom", "u k"], True),
        ("", ["Paris"], False),
        ("by the the", ["The The"], True),
        ("by a band", ["The The"], False),
        ("Straße", ["STRASSE"], True),
    ],
)
def test_answers_are_looked_for_as_whole_words_once_normalised(said: str, accepted: list[str], found: bool) -> None:
    assert contains_answer(said, accepted) == found


def test_case_keeps_punctuation_and_articles() -> None:
    assert contains_answer("The city of paris", ["Paris"], "case")
    assert not contains_answer("Paris.", ["Paris"], "case")
    assert not contains_answer("hague", ["The Hague"], "case")
