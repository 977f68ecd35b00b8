import pytest

from spiritlens.prompts.words import bare_word, chosen_place, overlaps, phrase_in_text, phrase_in_words, word_characters


def words_of(text):
    return [text[start:end] for start, end in word_characters(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the capital of Rome", ["the", "capital", "of", "Rome"]),
        ("  in  Rome,\tthe “Eternal” city! ", ["in", "Rome", "the", "Eternal", "city"]),
        ("Spain's king – Côte d'Ivoire", ["Spain's", "king", "Côte", "d'Ivoire"]),
        ("the U.S. and Guinea-Bissau.", ["the", "U.S.", "and", "Guinea-Bissau"]),
        ("... ?!", []),
    ],
)
def test_words_of_a_text(text, words):
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("word", "bare"),
    [
        ("Rome,", "rome"),
        ("d’Ivoire", "d'ivoire"),
        ("'tis", "tis"),
        ("Guinea-Bissau", "guinea-bissau"),
        ("U.S.", "us"),
        ("–", ""),
    ],
)
def test_bare_words(word, bare):
    assert bare_word(word) == bare


def test_phrases_in_a_text_are_whole_words():
    assert phrase_in_text("Rome, rome and Romeo", "Rome") == [(0, 4)]
    assert phrase_in_text("rome and ROME", "Rome") == [(0, 4), (9, 13)]
    assert phrase_in_text("New  York's", "New York") == [(0, 9)]
    assert phrase_in_text("a (b) c", "(b)") == [(2, 5)]
    assert phrase_in_text("Guinea-Bissau", "Guinea") == []


def test_phrases_in_words():
    words = ["in", "New", "York,", "new", "york"]
    assert phrase_in_words(words, "new York") == [(1, 3), (3, 5)]
    assert phrase_in_words(words, "york new") == [(2, 4)]
    assert phrase_in_words(words, "in New York new york city") == []


def test_ranges_overlap_when_they_share_something():
    assert overlaps((0, 2), (1, 3))
    assert not overlaps((0, 2), (2, 3))
    assert not overlaps(None, (0, 9))


def test_which_of_several_places():
    assert chosen_place(["a"], None, "it", "here") == 0
    assert chosen_place(["a", "b"], -1, "it", "here") == -1
    with pytest.raises(ValueError, match="it occurs 2 times in here; say which one by occurrence=0 to 1"):
        chosen_place(["a", "b"], None, "it", "here")
    with pytest.raises(ValueError, match=r"occurrence=2, but it occurs 2 time\(s\) in here"):
        chosen_place(["a", "b"], 2, "it", "here")
