"""Text as it is spoken: numbers, abbreviations and punctuation."""

import pytest

from spiritlens.speech.engines.plain_text import plain_text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("in 1984", "in nineteen eighty four"),
        ("in 1905", "in nineteen oh five"),
        ("in 1900", "in nineteen hundred"),
        ("2005 ships", "two thousand five ships"),
        ("1,234,567", "one million two hundred thirty four thousand five hundred sixty seven"),
        ("3.14", "three point one four"),
        ("the 21st of May", "the twenty first of May"),
        ("the 12th, 30th", "the twelfth thirtieth"),
        ("007", "zero zero seven"),
        ("50%", "fifty per cent"),
        ("Dr. Smith & Mrs. Jones", "doctor Smith and missus Jones"),
        ("didn't it?", "didn't it"),
        ("it didn’t", "it didn't"),
        ('"Guinea-Bissau" (Africa)', "Guinea Bissau Africa"),
        ("Côte d'Ivoire", "Côte d'Ivoire"),
    ],
)
def test_words_are_those_spoken(text, words):
    assert " ".join(plain_text(text).words) == words


def test_punctuation_goes_to_the_engine_and_not_into_the_words():
    plain = plain_text("Well, the Capital of France is Paris.")
    assert plain.engine_text == "well, the capital of france is paris."
    assert plain.words[2] == "Capital"
    assert [plain.engine_text[position:][:2] for position in plain.positions()][:3] == ["we", "th", "ca"]


def test_text_without_words_is_refused():
    with pytest.raises(ValueError, match="holds no word"):
        plain_text(" ... !")
