from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlens.prompts.roles import token_parts, token_roles
from spiritlens.terms import PARTS, READOUT_ROLES, ROLES, Role


def test_roles_of_a_spoken_prompt():
    families = ["bos", "marker", *["unit"] * 7, "marker"]
    words = [-1, -1, -1, 0, 1, 1, -1, 2, -1, -1]  # silence, "the", subject of two units, a pause, "is", silence
    assert token_roles(families, words, [4, 5]) == (
        "bos",
        "modality marker",
        "before subject",
        "before subject",
        "subject",
        "subject",
        "after subject",
        "last word",
        "after subject",
        "final marker",
    )


def test_a_subject_that_is_the_last_word_leaves_no_last_word():
    assert token_roles(["bos", "text", "text"], [-1, 0, 1], [2]) == ("bos", "before subject", "subject")


def test_a_marker_before_a_written_end_is_no_final_marker():
    roles = token_roles(["bos", "marker", "unit", "marker", "text"], [-1, -1, 0, -1, 1], [2])
    assert roles == ("bos", "modality marker", "subject", "modality marker", "last word")


def test_a_formula_counts_as_marker_at_both_ends():
    frame = [False, True, False, False, True, True]
    roles = token_roles(["bos", *["text"] * 5], [-1, -1, 0, 1, -1, -1], [2], frame)
    assert roles == ("bos", "modality marker", "subject", "last word", "final marker", "final marker")


@pytest.mark.parametrize(
    ("subject", "parts"),
    [
        ([1], ["none", "last", "none", "none"]),
        ([1, 2], ["none", "first", "last", "none"]),
        ([0, 1, 2, 3], ["first", "middle", "middle", "last"]),
    ],
)
def test_parts(subject, parts):
    assert list(token_parts(4, subject)) == parts


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), min_size=1))))
def test_a_subject_has_one_last_token_and_at_most_one_first(drawn):
    size, subject = drawn
    parts = token_parts(size, sorted(subject))
    assert parts.count("last") == 1
    assert parts.count("first") == (len(subject) > 1)
    assert len(parts) - parts.count("none") == len(subject)


def test_role_and_part_names_are_the_design_s():
    assert ROLES[0] == "bos"
    assert ROLES[-1] == "final marker"
    assert get_args(Role) == ROLES
    assert READOUT_ROLES == ("final marker", "last word")
    assert PARTS == ("first", "middle", "last", "none")


def test_without_a_subject_all_words_but_the_last_count_as_before_it():
    families = ["bos", "marker", "text", "text", "text", "marker"]
    roles = ("bos", "modality marker", "before subject", "before subject", "last word", "final marker")
    assert token_roles(families, [-1, -1, 0, 1, 2, -1], []) == roles


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="2 families, 1 word indices"):
        token_roles(["bos", "text"], [-1], [1])
