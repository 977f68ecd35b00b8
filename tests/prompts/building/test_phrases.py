import pytest

from spiritlens.prompts.building.phrases import (
    chosen_place,
    difference,
    overlaps,
    phrase_in_text,
    phrase_in_words,
    spoken_characters,
    spoken_members,
    word_characters,
)


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


@pytest.mark.parametrize(
    ("text", "phrase", "found"),
    [
        ("The brother of O’Brien is", "O'Brien", "O’Brien"),
        ("The brother of O'Brien is", "O’Brien", "O'Brien"),
        ("Rome’s king", "Rome", "Rome"),
        ("Martin Luther King, Jr. was", "Martin Luther King Jr", "Martin Luther King, Jr"),
        ("Martin Luther King Jr was", "Martin Luther King, Jr.", "Martin Luther King Jr"),
        ("Martin Luther King, Jr.'s son", "Martin Luther King Jr", "Martin Luther King, Jr"),
        ("in Washington, D.C. is", "Washington D.C.", "Washington, D.C."),
        ("St. Louis is", "St Louis", "St. Louis"),
        ("Yahoo was", "Yahoo!", "Yahoo"),
        ("Die Straße ist", "STRASSE", "Straße"),
        ("DIE STRASSE IST", "Straße", "STRASSE"),
        ("Co\u0302te is", "Côte", "Co\u0302te"),
        ("Côte is", "Co\u0302te", "Côte"),
        ("vie\u0323\u0302t nam is", "việt nam", "vie\u0323\u0302t nam"),
        ("vi\u00ea\u0323t nam is", "việt nam", "vi\u00ea\u0323t nam"),
        ("New\u00a0York is", "New York", "New\u00a0York"),
        ("the year 1939–45 is", "1939-45", "1939–45"),
        ("a Jean\u2010Pierre is", "Jean-Pierre", "Jean\u2010Pierre"),
        ("soft\u00adware is", "software", "soft\u00adware"),
        ("“Rome” is", '"Rome"', "“Rome”"),
        ("C++ was", "C++", "C++"),
        ("it costs $5 in", "$5", "$5"),
        ("AC/DC is", "AC", "AC"),
        ("Paris–Dakar is", "Paris", "Paris"),
    ],
)
def test_forms_of_one_spelling(text, phrase, found):
    assert [text[start:end] for start, end in phrase_in_text(text, phrase)] == [found]


@pytest.mark.parametrize(
    ("text", "phrase", "why"),
    [
        ("C++ was", "C", "only a part of 'C++'"),
        ("1917 was", "19", "only a part of '1917'"),
        ("it costs $5 in", "5", "only a part of '$5'"),
        ("Windows 3.11 is", "Windows 3.1", "only a part of '3.11'"),
        ("version 8.1 is", "8", "only a part of '8.1'"),
        ("1,000 ships", "1", "only a part of '1,000'"),
        ("at 10:30 it", "30", "only a part of '10:30'"),
        ("AT&T is", "AT", "only a part of 'AT&T'"),
        ("Guinea-Bissau is", "Guinea", "only a part of 'Guinea-Bissau'"),
        ("Straße is", "stras", "the nearest there is 'Straße'"),
        ("Bogotá is", "Bogota", "with 'á' (LATIN SMALL LETTER A WITH ACUTE) for 'a' (LATIN SMALL LETTER A)"),
        ("Bogota is", "Bogotá", "the nearest there is 'Bogota'"),
        ("the US is", "U.S.", "the nearest there is 'US'"),
        ("give us", "Peru", ""),
        ("J. R. R. Tolkien is", "J.R.R. Tolkien", "the nearest there is 'J. R. R. Tolkien'"),
    ],
)
def test_what_does_not_occur_and_why(text, phrase, why):
    assert phrase_in_text(text, phrase) == []
    assert why in difference(text, phrase)
    assert bool(why) == bool(difference(text, phrase))


@pytest.mark.parametrize(
    ("words", "phrase", "place"),
    [
        (["apollo", "eleven", "is"], "Apollo 11", (0, 2)),
        (["Apollo", "11", "is"], "Apollo eleven", (0, 2)),
        (["the", "spider", "man"], "Spider-Man", (1, 3)),
        (["C", "plus", "plus", "is"], "C++", (0, 3)),
        (["france's", "capital"], "France", (0, 1)),
        (["mister", "bean"], "Mr. Bean", (0, 2)),
    ],
)
def test_phrases_as_they_are_said(words, phrase, place):
    assert phrase_in_words(words, phrase) == [place]


def test_spoken_words_lead_back_to_the_text():
    text = "Apollo 11 landed"
    characters = spoken_characters(text, ["apollo", "eleven", "landed"])
    assert [text[start:end] for start, end in characters] == ["Apollo", "11", "landed"]
    assert spoken_members(text, characters, "Apollo 11") == ([(0, 2)], [])
    assert spoken_characters(text, ["apollo", "one", "one", "landed"]) is None
    assert spoken_characters("北京 is", ["beijing", "is"]) is None
    text = "L'Histoire is"
    assert spoken_members(text, spoken_characters(text, ["L'Histoire", "is"]), "Histoire") == (
        [],
        ["'Histoire' is spoken as a part of 'L'Histoire'"],
    )


def test_an_occurrence_is_a_whole_number():
    for odd in (1.0, True, "0"):
        with pytest.raises(ValueError, match=r"occurrence=.*whole number"):
            chosen_place(["a", "b"], odd, "it", "here")


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
