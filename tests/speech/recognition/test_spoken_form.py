"""The rule by which two texts say the same."""

import pytest

from spiritlens.speech.recognition.spoken_form import spoken_form


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The capital of France is...", "the capital of france is"),
        ("in 1917, it was", "in nineteen seventeen it was"),
        ("Henry VIII", "henry eight"),
        ("$5 million", "five million dollars"),
        ("80%", "eighty per cent"),
        ("New York-based", "new york based"),
        ("Curaçao’s", "curacao is"),
        ("It isn't Canada's, and they won't", "it is not canada is and they will not"),
        ("O'Brien", "obrien"),
        ("Straße", "strasse"),
        ("Colours of the Theatre", "colors of the theater"),
        ("It was 3-1.", "it was three one"),  # what can be read in two ways is read by its parts
        ("3-1 and 1917", "three one and nineteen seventeen"),
        ("北京 is", "北京 is"),  # what no voice says stands as it is
        ("... !", ""),
        ("", ""),
        ("a\tb\nc\u00a0d", "a b c d"),  # jiwer itself parts words at plain blanks alone
    ],
)
def test_words_as_they_are_said(text: str, words: str) -> None:
    assert list(spoken_form(text).words) == words.split()


def test_each_word_keeps_the_characters_it_was_written_with() -> None:
    text = "in 1917, 3-1 and Paris."
    form = spoken_form(text)
    assert [text[a:b] for a, b in form.characters] == ["in", "1917", "1917", "3", "1", "and", "Paris"]


def test_it_changes_nothing_twice() -> None:
    once = spoken_form("In 1984, $5 million and 20°C on St. Mary's Road, 3-1!").words
    assert spoken_form(" ".join(once)).words == once
