"""Numbers are written by the rules: signs, digits that decide, ticks, counts."""

from math import nan

import numpy as np
import pytest
from numeral_cases import COUNTS, DECIMALS, INTERVALS, SIGNIFICANT, TICKS

from spiritlens.report.numerals import bounds_words, fixed, interval_of, number_words, several, tick_words, ticks_within


@pytest.mark.parametrize("value", SIGNIFICANT, ids=str)
def test_three_significant_digits(value: float) -> None:
    assert number_words(value) == SIGNIFICANT[value]


@pytest.mark.parametrize(("value", "decimals", "written"), DECIMALS)
def test_decimals_until_it_is_not_0(value: float, decimals: int, written: str) -> None:
    assert fixed(value, decimals) == written


@pytest.mark.parametrize(
    ("value", "decimals", "apart", "written"),
    [
        (0.0496, 2, (0.0, 0.05), "0.0496"),
        (0.05, 2, (0.0, 0.05), "0.05"),
        (0.0504, 2, (0.0, 0.05), "0.0504"),
        (-0.0996, 1, (-0.1,), "−0.0996"),
    ],
)
def test_decimals_until_the_digit_that_decides(value: float, decimals: int, apart: tuple[float], written: str) -> None:
    assert fixed(value, decimals, apart=apart) == written


@pytest.mark.parametrize(("three", "written"), INTERVALS)
def test_an_end_of_an_interval_shows_its_sign(three: tuple[float, float, float], written: str) -> None:
    assert interval_of(*three) == written
    assert bounds_words(nan, nan) == ""


@pytest.mark.parametrize(("ticks", "written"), TICKS)
def test_ticks_have_the_same_decimals(ticks: tuple[float, ...], written: list[str]) -> None:
    assert tick_words(ticks) == written


@pytest.mark.parametrize(
    ("limit", "written"),
    [
        (0.85, ["−0.8", "−0.4", "0", "0.4", "0.8"]),
        (1.0, ["−1.0", "−0.5", "0", "0.5", "1.0"]),
        (0.25, ["−0.2", "−0.1", "0", "0.1", "0.2"]),
        (7.3, ["−6", "−4", "−2", "0", "2", "4", "6"]),
        (4e-9, ["−4 × 10⁻⁹", "−2 × 10⁻⁹", "0", "2 × 10⁻⁹", "4 × 10⁻⁹"]),
    ],
)
def test_ticks_are_round_and_alike(limit: float, written: list[str]) -> None:
    ticks = ticks_within(limit)
    assert max(ticks) <= limit * (1 + 1e-9)
    assert tick_words(ticks) == written
    assert {len(ticks_within(size)) for size in np.geomspace(1e-3, 1e3, 2000)} == {5, 7}


@pytest.mark.parametrize(("count", "written"), COUNTS)
def test_counts_have_their_plural(count: int, written: str) -> None:
    assert several(count, "fact") == written


def test_no_number_has_a_hyphen_for_a_sign() -> None:
    for value in (-1e-30, -1e-5, -0.3, -12, -1e4, -1e9):
        for text in (number_words(value), fixed(value), *tick_words(ticks_within(abs(value)))):
            assert "-" not in text
