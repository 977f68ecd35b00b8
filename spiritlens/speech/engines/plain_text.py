"""Text made plain before an engine speaks it, so that the words kept are those spoken.

Engines read "1984" or "Dr." each in its own way and report other words than the text holds. `plain_text` writes
numbers and abbreviations out, so that each engine says the same words: numbers up to 999,999,999 (a year from 1100 to
1999 in two halves), ordinals, per cent, decimals, and the commonest titles. A word keeps the case of its letters for
display; `engine_text` is lower case.
"""

import re
import unicodedata
from dataclasses import dataclass

SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
IRREGULAR_ORDINALS = {
    "one": "first", "two": "second", "three": "third",
    "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
ABBREVIATIONS = {
    "dr.": "doctor", "mr.": "mister", "mrs.": "missus", "ms.": "miz", "prof.": "professor", "vs.": "versus",
    "etc.": "et cetera", "e.g.": "for example", "i.e.": "that is",
    "&": "and", "%": "per cent", "+": "plus", "=": "equals",
}  # fmt: skip
WITHOUT_MARKS = {"ø": "o", "æ": "ae", "œ": "oe", "ß": "ss", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
"""Letters that do not come apart into a letter and a mark."""
PAUSES = ",.;:?!"


@dataclass(frozen=True)
class PlainText:
    """The words as spoken and, after each, the punctuation that makes the engine pause or change its tune."""

    words: tuple[str, ...]
    marks: tuple[str, ...]

    @property
    def engine_text(self) -> str:
        """Lower-case text for the engine."""
        return " ".join(word.lower() + mark for word, mark in zip(self.words, self.marks, strict=True))

    def positions(self) -> tuple[int, ...]:
        """The character in `engine_text` at which each word begins."""
        positions, position = [], 0
        for word, mark in zip(self.words, self.marks, strict=True):
            positions.append(position)
            position += len(word) + len(mark) + 1
        return tuple(positions)


def ascii_word(word: str) -> str:
    """The word in the letters of English, for engines that know no others; refuse what has none ("北京")."""
    letters = "".join(WITHOUT_MARKS.get(letter, letter) for letter in word.lower())
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", letters) if not unicodedata.combining(letter))
    if not plain.isascii():
        raise ValueError(f"{word!r} has letters that this voice does not know; write it in English letters.")
    return plain


def plain_text(text: str) -> PlainText:
    """The words of `text` as they are spoken; refuse text without any."""
    words: list[str] = []
    marks: list[str] = []
    for token in text.replace("’", "'").split():
        spoken = _spoken(token)
        words += spoken
        marks += [""] * len(spoken)
        mark = token.rstrip("\"')]}")[-1:]
        if words and mark and mark in PAUSES and token.lower() not in ABBREVIATIONS:
            marks[-1] = mark
    if not words:
        raise ValueError(f"text {text!r} holds no word to speak; give at least one word.")
    return PlainText(tuple(words), tuple(marks))


def _spoken(token: str) -> list[str]:
    if token.lower() in ABBREVIATIONS:
        return ABBREVIATIONS[token.lower()].split()
    core = token.strip("\"'()[]{}" + PAUSES)
    words: list[str] = []
    for piece in re.findall(r"\d[\d,]*(?:\.\d+)?(?:st|nd|rd|th)?|[^\W\d_]+(?:'[^\W\d_]+)*|[%&+=]", core):
        words += _number(piece) if piece[0].isdigit() else ABBREVIATIONS.get(piece, piece).split()
    return words


def _number(piece: str) -> list[str]:
    ordinal = piece[-2:] in ("st", "nd", "rd", "th")
    digits = (piece[:-2] if ordinal else piece).replace(",", "")
    whole, _, decimals = digits.partition(".")
    value = int(whole)
    if ordinal and not decimals:
        return _ordinal(cardinal(value))
    if not decimals and "," not in piece and len(whole) == 4 and 1100 <= value <= 1999:
        return _year(value)
    if value > 999_999_999 or (len(whole) > 1 and whole[0] == "0"):
        words = [SMALL[int(digit)] for digit in whole]
    else:
        words = cardinal(value)
    return words + (["point", *(SMALL[int(digit)] for digit in decimals)] if decimals else [])


def cardinal(value: int) -> list[str]:
    """The words of a whole number from 0 to 999,999,999."""
    for size, name in ((1_000_000, "million"), (1000, "thousand"), (100, "hundred")):
        if value >= size:
            return cardinal(value // size) + [name] + (cardinal(value % size) if value % size else [])
    if value < 20:
        return [SMALL[value]]
    return [TENS[value // 10]] + ([SMALL[value % 10]] if value % 10 else [])


def _ordinal(words: list[str]) -> list[str]:
    last = words[-1]
    regular = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return [*words[:-1], IRREGULAR_ORDINALS.get(last, regular)]


def _year(value: int) -> list[str]:
    century, year = divmod(value, 100)
    if year == 0:
        return [*cardinal(century), "hundred"]
    return cardinal(century) + (["oh", SMALL[year]] if year < 10 else cardinal(year))
