"""Numbers in words; forms with two readings have none."""

import pytest

from spiritlens.speech.engines.numbers import amount_words, cardinal, roman_value, spoken_number


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("11", "eleven"),
        ("113", "one hundred thirteen"),
        ("1917", "nineteen seventeen"),
        ("1,917", "one thousand nine hundred seventeen"),
        ("1\u00a0000\u00a0000", "one million"),
        ("1,000,000,000", "one billion"),
        ("5551234567", "five five five one two three four five six seven"),
        ("007", "zero zero seven"),
        ("8.1", "eight point one"),
        ("6.0", "six point zero"),
        (".5", "point five"),
        ("1.2.3", "one point two point three"),
        ("22nd", "twenty second"),
        ("1980s", "nineteen eighties"),
        ("1900s", "nineteen hundreds"),
        ("80s", "eighties"),
        ("10:30", "ten thirty"),
        ("9:05", "nine oh five"),
        ("12:00", "twelve o'clock"),
        ("3/4", "three quarters"),
        ("1/2", "one half"),
        ("2/3", "two thirds"),
        ("7⁄16", "seven sixteenths"),
        ("1939–45", "nineteen thirty nine to forty five"),
        ("1939-45", "nineteen thirty nine to forty five"),
        ("2010-2012", "two thousand ten to two thousand twelve"),
        ("10–12", "ten to twelve"),
        ("٣", "three"),
    ],
)
def test_words_of_numbers(written, words):
    assert spoken_number(written) == words.split()


@pytest.mark.parametrize(
    "written",
    ["3-1", "9-11", "3–1", "9/11", "24/7", "5/12", "3/2", "0/4", "1,5", "1,00,000", "1.000.000,5", "24.12.2020", "3:1",
     "25:00", "10:61", "10:30:15", "5'10", "2023-11-05", "4s", "101s", "3.5th", "1,2,3"],
)  # fmt: skip
def test_forms_that_can_be_read_in_two_ways_have_no_words(written):
    assert spoken_number(written) is None


@pytest.mark.parametrize(
    ("sign", "written", "size", "words"),
    [
        ("$", "5", "", "five dollars"),
        ("$", "1", "", "one dollar"),
        ("€", "5.50", "", "five euros and fifty cents"),
        ("£", "0.01", "", "one penny"),
        ("£", "1.02", "", "one pound and two pence"),
        ("$", "1.5", "million", "one point five million dollars"),
        ("¥", "1,000", "", "one thousand yen"),
    ],
)
def test_amounts_of_money(sign, written, size, words):
    assert amount_words(sign, written, size) == words.split()
    assert amount_words(sign, "3-1") is None


def test_roman_numerals():
    values = {"II": 2, "IV": 4, "VIII": 8, "IX": 9, "XIV": 14, "XXXIX": 39, "XLII": 42}
    assert {word: roman_value(word) for word in values} == values
    assert [roman_value(word) for word in ("I", "X", "MIX", "DC", "IIII", "VX", "")] == [0] * 7


def test_cardinals_count_up():
    assert cardinal(999_999_999_999_999)[:4] == ["nine", "hundred", "ninety", "nine"]
    assert len({tuple(cardinal(value)) for value in range(3000)}) == 3000
