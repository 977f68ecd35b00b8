"""The shared checks of arguments: what is taken, and what an error says."""

from types import SimpleNamespace
from typing import Literal

import numpy as np
import pytest
import torch

from spiritlens.arguments import CallError, check_choice, listed, number, shown, told_keywords, whole, written

Colour = Literal["red", "blue"]


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), torch.tensor(3)])
def test_whole_numbers_of_every_library_become_ints(value):
    assert type(whole("seed", value)) is int
    assert whole("seed", value) == 3


@pytest.mark.parametrize(
    "value", [3.0, True, np.True_, torch.tensor(True), "3", None, float("nan"), [3], torch.tensor([1, 2])]
)
def test_what_only_looks_like_a_whole_number_is_refused(value):
    with pytest.raises(ValueError, match=r"seed=.*whole number ≥ 0"):
        whole("seed", value, at_least=0)


def test_bounds_are_told():
    with pytest.raises(ValueError, match="top=0: expected a whole number ≥ 1 and ≤ 5"):
        whole("top", 0, at_least=1, at_most=5)
    with pytest.raises(ValueError, match="alpha=1: expected a number > 0 and < 1"):
        number("alpha", 1.0, above=0, below=1)
    assert number("scale", float("inf"), above=0) == float("inf")


@pytest.mark.parametrize("value", [float("nan"), True, "1", None, [1, 2], torch.tensor([1.0, 2.0]), torch.tensor(True)])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match=r"scale=.*expected a number"):
        number("scale", value)


def test_lists_are_read_once_and_single_values_are_told_apart():
    assert listed("names", (name for name in ("a", "b")), of=str) == ("a", "b")
    for values, words in (
        ("ab", r"write \['ab'\]"),
        (["a", 1], r"names\[1\] is 1 \(int\)"),
        ([], "at least one"),
        (5, "list of str"),
    ):
        with pytest.raises(ValueError, match=words):
            listed("names", values, of=str)
    assert listed("names", [], of=str, empty=True) == ()
    with pytest.raises(ValueError, match=r"expected a list of strs; give its \.names"):
        listed("names", SimpleNamespace(names=("a", "b")), of=str)


def test_options_are_told_with_what_may_be_given():
    check_choice("colour", "red", Colour)
    for value in ("green", None, ["red"], 1):
        with pytest.raises(ValueError, match=r"colour=.*red, blue"):
            check_choice("colour", value, Colour)


def test_long_values_are_cut_in_errors():
    assert len(shown("x" * 1000)) == 80


def test_a_misspelt_keyword_is_told_with_the_closest():
    @told_keywords
    def trace(lens, *, samples=10):
        return samples

    assert trace(None, samples=3) == 3
    with pytest.raises(
        CallError, match=r"trace has no argument sampels=: did you mean samples=\? It takes lens, samples"
    ):
        trace(None, sampels=3)
    with pytest.raises(CallError, match="missing a required argument: 'lens'; it takes lens, samples"):
        trace()


def test_an_error_inside_a_told_function_stays_what_it_is():
    @told_keywords
    def broken(value):
        return len(value)

    with pytest.raises(TypeError, match="has no len") as raised:
        broken(5)
    assert not isinstance(raised.value, CallError)


def test_texts_are_not_blank_unless_they_may_be():
    assert written("text", "a") == "a"
    assert written("text", " ", blank="allowed") == " "
    for value, words in ((" ", "the text is empty"), (5, r"text=5 \(int\): expected a text"), (None, "text=None")):
        with pytest.raises(ValueError, match=words):
            written("text", value)
