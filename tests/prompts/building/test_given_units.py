"""Units from elsewhere: read from strings and numbers, dated where they can be, the subject a span of them."""

import math

import numpy as np
import pytest

from spiritlens.prompts.building.build import build_prompt
from spiritlens.prompts.building.given_units import given_units, unit_segment
from spiritlens.prompts.building.question import Question
from spiritlens.prompts.prompt import Prompt
from spiritlens.speech.units import UnitStream
from spiritlens.speech.words import WordInterval


def prompt_of(vocabulary, units, subject=None, words=(), text="", answer=None) -> Prompt:
    given = given_units(vocabulary, units)
    segment, name = unit_segment(given, subject, words, text)
    return given.dated(build_prompt(vocabulary, [segment], Question(name, answer)))


def units_of(prompt):
    return [label for label, family in zip(prompt.labels, prompt.families, strict=True) if family == "unit"]


STRINGS = {
    "user_defined": "[Hu{}]",
    "added_tokens": "[Hu{}]",
    "sims-qwen": "<Un{}>",
    "speechgpt": "<{}>",
    "ustm": "<|unit{}|>",
    "ichigo": "<|sound_{:04d}|>",
    "anygpt": "<🗣️{}>",
}


@pytest.mark.parametrize("name", STRINGS)
def test_a_string_of_units_is_their_numbers(vocabularies, name):
    vocabulary, numbers = vocabularies[name], [7, 3, 12, 499, 0]
    string = "".join(STRINGS[name].format(number) for number in numbers)
    family = vocabulary.family
    marked = f"{family.speech_open or ''}{string}{family.speech_close or ''}"
    for units in (
        string,
        f" {string}\n",
        string.replace("><", "> <"),
        marked,
        numbers,
        np.array(numbers),
        string.split(),
    ):
        assert given_units(vocabulary, units).stream.ids.tolist() == numbers
    assert units_of(prompt_of(vocabulary, string)) == [STRINGS[name].format(number) for number in numbers]


def test_characters_are_units_too(vocabularies):
    string = "".join(chr(0xF0000 + number) for number in (4, 0, 49))
    assert given_units(vocabularies["spire"], string).stream.ids.tolist() == [4, 0, 49]


def test_a_span_of_units_is_the_subject(spirit):
    prompt = prompt_of(spirit, "[Hu5][Hu6][Hu7][Hu8][Hu9]", ("New Zealand", 1, 3), answer="Wellington")
    assert [prompt.labels[at] for at in prompt.subject] == ["[Hu6]", "[Hu7]"]
    assert prompt.subject.name == "New Zealand"
    assert prompt.kind == "S2T"
    assert [prompt.roles[at] for at in range(2, len(prompt))] == [
        *("modality marker", "before subject", "subject", "subject", "after subject", "after subject", "final marker")
    ]
    unnamed = prompt_of(spirit, [5, 6, 7, 8, 9], (1, 3), answer="Wellington")
    assert unnamed.ids == prompt.ids
    assert unnamed.subject.positions == prompt.subject.positions
    assert unnamed.subject.name == "units 1-2"


def test_merged_units_have_no_times(spirit):
    prompt = prompt_of(spirit, [5, 6, 7], (0, 1))
    assert all(math.isnan(time) for time in (*prompt.starts, *prompt.ends))
    assert Prompt.from_dict(prompt.to_dict()) == prompt


def test_frames_have_times_and_their_runs_are_merged(spirit):
    """Runs are still there, so that each number is a frame of 40 ms."""
    prompt = prompt_of(spirit, [5, 5, 5, 6, 7, 7], ("France", 3, 6))
    assert units_of(prompt) == ["[Hu5]", "[Hu6]", "[Hu7]"]
    places = [at for at, family in enumerate(prompt.families) if family == "unit"]
    assert [prompt.starts[at] for at in places] == pytest.approx([0, 0.12, 0.16])
    assert [prompt.ends[at] for at in places] == pytest.approx([0.12, 0.16, 0.24])
    assert [prompt.labels[at] for at in prompt.subject] == ["[Hu6]", "[Hu7]"], "the span counts the frames given"


def test_families_that_merge_nothing_date_every_unit(vocabularies):
    prompt = prompt_of(vocabularies["ichigo"], [5, 6, 7], ("France", 1, 2))
    places = [at for at, family in enumerate(prompt.families) if family == "unit"]
    assert [prompt.starts[at] for at in places] == pytest.approx([0, 0.04, 0.08])


def test_words_with_times_are_those_of_the_units(vocabularies, spirit, words):
    heard = [WordInterval("the", 0.0, 0.1), WordInterval("france", 0.1, 0.2)]
    prompt = prompt_of(vocabularies["ustm"], list(range(10)), "France", heard, answer="Paris")
    assert [prompt.labels[at] for at in prompt.subject] == [f"<|unit{unit}|>" for unit in range(5, 10)]
    stream = UnitStream(np.array([4, 9]), np.array([0.0, 0.1]), np.array([0.1, 0.2]), np.array([2, 3]), 25.0)
    prompt = prompt_of(spirit, stream, "France", heard)
    assert [prompt.labels[at] for at in prompt.subject] == ["[Hu9]"]


def test_a_span_of_a_stream_lies_on_its_own_clock(spirit):
    stream = UnitStream.from_frames([4, 4, 9, 9, 2], 25.0, offset=1.0).dedup()
    prompt = prompt_of(spirit, stream, ("France", 1, 3))
    assert [prompt.labels[at] for at in prompt.subject] == ["[Hu9]", "[Hu2]"]
    assert prompt.starts[prompt.subject.first] == pytest.approx(1.08)


def test_units_alone_are_a_prompt_without_words(spirit):
    prompt = prompt_of(spirit, "[Hu1][Hu2]")
    assert prompt.words == ()
    assert prompt.word_spans() == ()
    assert set(prompt.word_index) == {-1}
    assert [prompt.roles[at] for at in (2, 3, 4, 5)] == [
        *("modality marker", "before subject", "before subject", "final marker")
    ]


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ("[Hu1][Hu501]", "unit 501 is not one of the 501 of family 'spiritlm-base'"),
        ("[Hu1]the[Hu2]", "is no unit of family 'spiritlm-base'; give its unit tokens only, such as"),
        ("<Un1>", "is no unit of family"),
        ("", "there is none; give at least one unit"),
        ([], "there is none; give at least one unit"),
        ([1, 501], "unit 501 is not one of the 501"),
        ([1, -2], "-2"),
        ([1.5], "expected their numbers in order, a string of them"),
        ([[1, 2]], "expected their numbers in order"),
        (7, "expected their numbers in order"),
        (None, "expected their numbers in order"),
        ([True, False], "expected their numbers in order"),
    ],
)
def test_what_is_no_unit_is_refused(spirit, units, message):
    with pytest.raises(ValueError, match=message):
        given_units(spirit, units)


def test_families_that_cannot_take_bare_units_say_so(vocabularies):
    with pytest.raises(ValueError, match="family 'text-only' reads no speech; ask it in writing"):
        given_units(vocabularies["text"], "[Hu1]")
    with pytest.raises(ValueError, match="family 'spiritlm-expressive' writes other streams beside its units"):
        given_units(vocabularies["expressive"], "[Hu1]")


@pytest.mark.parametrize(
    ("subject", "heard", "message"),
    [
        ("France", False, "is looked for in the words, and there are none; give words="),
        ((0, 9), False, "subject's end, past its last unit=9"),
        ((3, 4), False, "subject's first unit=3"),
        ((2, 2), False, "subject's end, past its last unit=2"),
        ((-1, 2), False, "subject's first unit=-1"),
        ((0.5, 2), False, "subject's first unit=0.5"),
        ((1,), False, "expected a text, or a span of units"),
        (5, False, "expected a text, or a span of units"),
        (("", 0, 1), False, "blank"),
        ((7, 0, 1), False, "word=7"),
        ("France", True, "words= have times, but these units have none"),
    ],
)
def test_a_subject_that_cannot_be_found_is_refused(spirit, subject, heard, message):
    words = [WordInterval("france", 0.0, 0.1)] if heard else []
    with pytest.raises(ValueError, match=message):
        prompt_of(spirit, [5, 6, 7], subject, words)


def test_a_span_and_words_together_are_refused(spirit):
    with pytest.raises(ValueError, match="with words= name it by its words"):
        prompt_of(spirit, [5, 5, 7], (0, 1), [WordInterval("france", 0.0, 0.1)])
