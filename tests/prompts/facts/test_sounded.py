"""A fact gets its row's sounds; rows that differ in their sound alone are one fact."""

from dataclasses import replace

from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.left_out import Refusal
from spiritlens.prompts.facts.sound_rows import SoundColumns
from spiritlens.prompts.facts.sounded import joined_sounds, sounded
from spiritlens.prompts.facts.sounds import FactSound


def fact(voice="anna", answer="paris", phrasing="first", text="The capital of {subject} is"):
    return Fact("a", "capital", "france", answer, "", {phrasing: text}, sounds=(FactSound(voice, phrasing, b"x"),))


def test_the_row_names_its_phrasing():
    columns = SoundColumns(("clip",), phrasing="phrasing", voice="voice")
    row = {"clip": b"x", "phrasing": "held out", "voice": "ben"}
    made = sounded(replace(fact(), sounds=()), columns, row, "row 1")
    assert list(made.templates) == ["held out"]
    assert [(sound.voice, sound.phrasing, sound.name) for sound in made.sounds] == [("ben", "held out", "row 1")]
    two = replace(fact(), templates={"first": "{subject} is", "held out": "what is {subject}"}, sounds=())
    assert list(sounded(two, columns, row, "row 1").templates) == ["first", "held out"]


def test_words_and_times_that_do_not_fit_are_a_reason():
    columns = SoundColumns(("clip",), words="words", starts="starts", ends="ends")
    row = {"clip": b"x", "words": ["a"], "starts": [0.0, 1.0], "ends": [1.0]}
    refused = sounded(fact(), columns, row, "row 4")
    assert refused == Refusal(
        "the words do not fit the sound", "row 4: it has 1 words, 2 starts and 1 ends; give one each"
    )


def test_voices_and_phrasings_of_one_fact_are_joined():
    joined = joined_sounds(fact(), fact("ben"))
    assert [sound.voice for sound in joined.sounds] == ["anna", "ben"]
    joined = joined_sounds(joined, fact("ben", phrasing="second", text="{subject} has the capital"))
    assert list(joined.templates) == ["first", "second"]
    assert len(joined.sounds) == 3


def test_others_are_not():
    assert joined_sounds(fact(), fact("ben", answer="rome")) is None
    assert joined_sounds(fact(), fact("ben", text="{subject} has the capital")) is None, "one phrasing, two texts"
    assert joined_sounds(fact(), fact()) is None, "one voice says it twice"
    assert joined_sounds(fact(), replace(fact("ben"), sounds=())) is None
