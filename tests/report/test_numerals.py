"""Numbers are written by the rules: signs, digits that decide, ticks, counts."""

from math import inf, nan

import numpy as np
import pytest

from spiritlens.report.numerals import bounds_words, fixed, interval_of, number_words, several, tick_words, ticks_within

SIGNIFICANT = {
    0.0: "0",
    nan: "–",
    inf: "∞",
    -inf: "−∞",
    0.5: "0.5",
    -0.5: "−0.5",
    0.04123: "0.0412",
    0.0012345: "0.00123",
    0.00041234: "0.000412",
    0.0001: "0.0001",
    4.1e-9: "4.1 × 10⁻⁹",
    -1e-17: "−1 × 10⁻¹⁷",
    12.34: "12.3",
    999.6: "1000",
    1234.4: "1234",
    123456.0: "123456",
    2e6: "2 × 10⁶",
    -2.5e10: "−2.5 × 10¹⁰",
}


@pytest.mark.parametrize("value", SIGNIFICANT, ids=str)
def test_three_significant_digits(value: float) -> None:
    assert number_words(value) == SIGNIFICANT[value]


@pytest.mark.parametrize(
    ("value", "decimals", "apart", "written"),
    [
        (0.5, 2, (0.0,), "0.50"),
        (-0.5, 2, (0.0,), "−0.50"),
        (0.0, 2, (0.0,), "0.00"),
        (-0.0, 2, (0.0,), "0.00"),
        (0.0003, 2, (0.0,), "0.0003"),
        (-0.004, 2, (0.0,), "−0.004"),
        (1e-9, 2, (0.0,), "1 × 10⁻⁹"),
        (0.0496, 2, (0.0, 0.05), "0.0496"),
        (0.05, 2, (0.0, 0.05), "0.05"),
        (0.0504, 2, (0.0, 0.05), "0.0504"),
        (-0.0996, 1, (-0.1,), "−0.0996"),
        (nan, 2, (0.0,), "–"),
        (2.0, 0, (0.0,), "2"),
    ],
)
def test_decimals_until_the_digit_that_decides(value: float, decimals: int, apart: tuple[float], written: str) -> None:
    assert fixed(value, decimals, apart=apart) == written


def test_an_end_of_an_interval_shows_its_sign() -> None:
    assert interval_of(0.02, 0.00003, 0.04) == "0.02 [3 × 10⁻⁵, 0.04]"
    assert interval_of(-0.02, -0.04, -0.0002) == "−0.02 [−0.04, −0.0002]"
    assert bounds_words(nan, nan) == ""


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


def test_counts_have_their_plural() -> None:
    assert [several(count, "fact") for count in (0, 1, 2)] == ["0 facts", "1 fact", "2 facts"]


def test_no_number_has_a_hyphen_for_a_sign() -> None:
    for value in (-1e-30, -1e-5, -0.3, -12, -1e4, -1e9):
        for text in (number_words(value), fixed(value), *tick_words(ticks_within(abs(value)))):
            assert "-" not in text
