"""Spoken words find their written twins, also where they are spelled unlike."""

from dataclasses import replace

from spiritlens.prompts.prompt import Prompt
from spiritlens.report.page.twins import twin_prompts, twin_words


def test_equal_words_are_twins_capitals_and_punctuation_aside() -> None:
    assert twin_words(["The", "people", "in", "Israel", "are"], ["the", "people", "in", "israel,", "are"]) == [
        0,
        1,
        2,
        3,
        4,
    ]
    assert twin_words(["of", "the", "sea", "of", "x"], ["of", "the", "sea", "of", "x"]) == [0, 1, 2, 3, 4]


def test_words_between_equal_ones_are_twins_in_their_order() -> None:
    assert twin_words(["Apollo", "eleven", "landed"], ["Apollo", "11", "landed"]) == [0, 1, 2]
    assert twin_words(["in", "nineteen", "eighty", "four", "it"], ["in", "1984", "it"]) == [0, 1, 1, 1, 2]
    assert twin_words(["a", "b", "c"], ["x", "y"]) == [0, 0, 1]


def test_what_is_not_written_has_no_twin() -> None:
    assert twin_words(["so", "the", "sea"], ["the", "sea"]) == [-1, 0, 1]
    assert twin_words(["the"], []) == [-1]


def test_the_twin_is_asked_with_the_same_fact_and_phrasing(prompts: list[Prompt]) -> None:
    given = dict(enumerate([prompts[0], replace(prompts[0], phrasing="b"), prompts[1], replace(prompts[1], voice="x")]))
    rows = [{"fact": 0, "phrasing": phrasing} for phrasing in ("a", "b", "b", "c")]
    assert twin_prompts(given, rows) == {2: 1}
