"""Text made plain before an engine speaks it, so that the words kept are those spoken.

Engines read "1984", "VIII" or "Dr." each in its own way and report other words than the text holds. `plain_text` writes
out what is not a word, so that each engine says the same: numbers (see `numbers`), amounts, degrees, the signs of
`SIGNS`, Roman numerals of two or more letters (``Henry VIII``: eight), points inside names (``Audible.com``), the
commonest titles. Punctuation is not said. Any other character that has a meaning is refused by its name
(`UnspeakableError`), never left out; so is a number that can be read in two ways (3-1, 9/11, 1,5), and punctuation that
is none (P!nk, 12").

Each word keeps the characters of the text that it was written with, a possessive ``'s`` not among them: this is the way
back by which a subject of the text is found in the speech. A word keeps the case of its letters for display;
`engine_text` is lower case.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from spiritlens.arguments import shown
from spiritlens.speech.engines.numbers import CURRENCIES, amount_words, cardinal, roman_value, spoken_number

ABBREVIATIONS = {
    "dr.": "doctor", "mr.": "mister", "mrs.": "missus", "ms.": "miz", "prof.": "professor", "vs.": "versus",
    "etc.": "et cetera", "e.g.": "for example", "i.e.": "that is",
}  # fmt: skip
SIGNS = {
    "&": "and", "%": "per cent", "+": "plus", "=": "equals", "@": "at", "/": "slash", "−": "minus", "×": "times",
    "÷": "divided by", "±": "plus or minus", "²": "squared", "³": "cubed",
}  # fmt: skip
DEGREES = {"": "", "c": " Celsius", "f": " Fahrenheit"}
WITHOUT_MARKS = {"ø": "o", "æ": "ae", "œ": "oe", "ß": "ss", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
"""Letters that do not come apart into a letter and a mark."""
PAUSES = ",.;:?!"
CLOSERS = "\"')]}”»›"
OPENERS = "\"'([{“„‚«‹"
DASHES = "-–"
SILENT = PAUSES + CLOSERS + OPENERS + "¿¡…—―"
"""Punctuation, which is not said."""
SAME = str.maketrans(dict.fromkeys("’‘ʼʻ‛`´", "'") | dict.fromkeys("‐‑", "-"))
"""Other forms of the apostrophe and of the hyphen, one for one."""

FORMAT_CHARACTERS = "\u00ad\u200b-\u200f\u2060\ufeff"
"""Characters that have no sound: soft hyphens, zero-width blanks and joiners."""
LETTERS = rf"(?:[^\W\d_¹²³¼-¾⁰-₟⅐-⅟↉①-⓿❶-➓][\u0300-\u036f{FORMAT_CHARACTERS}]*)+"
WORD = re.compile(rf"{LETTERS}(?:'{LETTERS})*")
POSSESSIVE = re.compile(r"'s(?![^\W_])", re.IGNORECASE)
NUMBER = r"(?:\d(?:[\d.,:/⁄'\u00a0\u202f\u2009–-]*\d)?|(?<![^\W_])\.\d+)"
SUFFIX = r"(?:(?:st|nd|rd|th|s)(?![^\W_]))"
NUMERALS = re.compile(rf"({NUMBER})({SUFFIX}?)", re.IGNORECASE)
MONEY = "".join(CURRENCIES)
AMOUNT = re.compile(
    rf"(?<![^\W_])([{MONEY}])\s?({NUMBER})(?:\s(thousand|million|billion|trillion))?(?![^\W_])"
    rf"|({NUMBER})\s?([{MONEY}])(?![^\W_])",
    re.IGNORECASE,
)
ABBREVIATION = re.compile("|".join(rf"\b{re.escape(name)}" for name in ABBREVIATIONS), re.IGNORECASE)
DEGREE = re.compile(r"[°º](?:\s?([CF])(?![^\W_]))?", re.IGNORECASE)
NAMES_IN_SMALL = ("xi", "vi")
"""Words that are no Roman numerals unless in capitals."""


class UnspeakableError(ValueError):
    """A text that cannot be said as it is written; the message names the sign and what to write instead."""


@dataclass(frozen=True)
class PlainText:
    """The words as spoken; after each, the punctuation that makes the engine pause; and what each was written with.

    ``characters`` are the first and past-the-last character of the given text, by word; words that were written
    together ("1917": nineteen seventeen) have the same.
    """

    words: tuple[str, ...]
    marks: tuple[str, ...]
    characters: tuple[tuple[int, int], ...]

    @property
    def engine_text(self) -> str:
        """Lower-case text for the engine."""
        return " ".join(word.lower() + mark for word, mark in zip(self.words, self.marks, strict=True))

    def positions(self) -> tuple[int, ...]:
        """The character in `engine_text` at which each word begins."""
        positions, position = [], 0
        for word, mark in zip(self.words, self.marks, strict=True):
            positions.append(position)
            position += len(word.lower()) + len(mark) + 1
        return tuple(positions)


def ascii_word(word: str) -> str:
    """The word in the letters of English, for engines that know no others; refuse what has none ("北京")."""
    letters = "".join(WITHOUT_MARKS.get(letter, letter) for letter in word.lower())
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", letters) if not unicodedata.combining(letter))
    if not plain.isascii():
        raise UnspeakableError(f"{word!r} has letters that this voice does not know; write it in English letters.")
    return plain


def plain_text(text: str) -> PlainText:
    """The words of `text` as they are spoken; refuse text without any, and signs that have no word."""
    if not isinstance(text, str):
        raise ValueError(f"text={shown(text)}: expected a text to speak, a str")
    return _Reading(text).plain()


class _Reading:
    """One text, read from left to right: at each place the first of `read`'s rules that fits."""

    def __init__(self, text: str) -> None:
        self.given = text
        self.text = text.translate(SAME)  # one for one: places in it are places in the given text
        self.words: list[str] = []
        self.characters: list[tuple[int, int]] = []
        self.points: set[int] = set()

    def plain(self) -> PlainText:
        place = 0
        while place < len(self.text):
            place = self.read(place)
        if not self.words:
            raise ValueError(f"text {shown(self.given)} holds no word to speak; give at least one word.")
        return PlainText(tuple(self.words), self._marks(), tuple(self.characters))

    def read(self, place: int) -> int:
        """Read what stands at a place; the place after it."""
        sign = self.text[place]
        if sign.isspace() or unicodedata.category(sign) == "Cf":  # a zero-width or soft character has no sound
            return place + 1
        if match := AMOUNT.match(self.text, place):
            return self._say(self._amount(match), *match.span())
        if match := NUMERALS.match(self.text, place):
            return self._number(match)
        if match := ABBREVIATION.match(self.text, place):
            self.points.add(match.end() - 1)
            return self._say(ABBREVIATIONS[match[0].lower()].split(), *match.span())
        if (
            self.words
            and place
            and not self.text[place - 1].isspace()
            and (match := POSSESSIVE.match(self.text, place))
        ):
            self.words[-1] += match[0]
            return match.end()
        if match := WORD.match(self.text, place):
            return self._word(match)
        return self._sign(sign, place)

    def _say(self, words: Sequence[str], start: int, end: int) -> int:
        self.words += words
        self.characters += [(start, end)] * len(words)
        return end

    def _amount(self, match: re.Match[str]) -> list[str]:
        sign, written = match[1] or match[5], match[2] or match[4]
        words = amount_words(sign, written, (match[3] or "").lower())
        return words or self._refuse_number(match[0])

    def _number(self, match: re.Match[str]) -> int:
        written, suffix = match[1], match[2].lower()
        if re.match(r"\d{3}(?!\d)", written) and re.search(r"(?<!\S)\d{1,3} $", self.text[: match.start()]):
            self._refuse_number(self.text[: match.end()].split(" ")[-2] + " " + written)  # 1 000: one number or two?
        words = spoken_number(written + suffix)
        if words is None and suffix == "s":  # "4s": a number and a letter
            words, suffix = spoken_number(written), ""
        if words is None and (blank := re.search(r"\s", written)):
            words, suffix, written = spoken_number(written[: blank.start()]), "", written[: blank.start()]
        start = match.start()
        end = start + len(written) + len(suffix)
        if words and (dash := re.search(r"[–-]", written)):  # each end of a range can be a subject
            first, last = written[: dash.start()], written[dash.end() :]
            self._say(spoken_number(first) or [], start, start + dash.start())
            self._say(["to"], start + dash.start(), start + dash.end())
            return self._say(spoken_number(last) or [], start + dash.end(), end)
        return self._say(words or self._refuse_number(written), start, end)

    def _word(self, match: re.Match[str]) -> int:
        letters = re.sub(f"[{FORMAT_CHARACTERS}]", "", match[0])
        word = unicodedata.normalize("NFKC", letters)
        _check_letters(word, letters)
        core, end = (word[:-2], match.end() - 2) if word.lower().endswith("'s") else (word, match.end())
        roman = core.isupper() or (core.islower() and core not in NAMES_IN_SMALL)
        value = roman_value(core.upper()) if roman and core.upper() != "XL" else 0
        if not value:
            self._say([word], match.start(), end)
        else:
            *before, last = cardinal(value)
            self._say([*before, last + word[len(core) :]], match.start(), end)
        return match.end()

    def _sign(self, sign: str, place: int) -> int:
        """A character that is neither letter nor figure: a pause, a word, or refused by name."""
        before = self.text[max(0, place - 1) : place]
        if sign in DASHES:
            return self._dash(place)
        if sign == ".":
            return self._say(["dot"] if self._is_dot(place) else [], place, place + 1)
        if self._has_meaning(sign, place):
            return self._refuse(sign)
        if sign in SILENT:
            return place + 1
        if sign == "#":
            word = self._hash(place)
            return self._say([word], place, place + 1) if word else self._refuse(sign)
        figures = self.words and self.text[:place].rstrip()[-1:].isdigit()
        if figures and (match := DEGREE.match(self.text, place)):
            one = re.search(r"(?<![\d.,])1\s?$", self.text[:place])
            unit = ("degree" if one else "degrees") + DEGREES[(match[1] or "").lower()]
            return self._say(unit.split(), *match.span())
        if sign in "²³" and not before.isalnum():
            return self._refuse(sign)
        if sign in SIGNS:
            return self._say(SIGNS[sign].split(), place, place + 1)
        return self._raised(sign, place, "and " if before.isdigit() else "")

    def _has_meaning(self, sign: str, place: int) -> bool:
        """Whether a sign of punctuation is none here: inches and feet (12"), a letter of a name (P!nk, !Kung)."""
        before, after = self.text[:place], self.text[place + 1 :]
        if sign in "!?":
            begins = not before or before[-1].isspace()
            return after[:1].isalpha() if begins else before[-1].isalpha() and after[:1].islower()
        if sign not in "\"'" or not before[-1:].isdigit() or after[:1].isalnum():
            return False
        return re.search(rf"(?<!\w){sign}(?=\w)[^{sign}]*$", before) is None  # no quotation that it closes

    def _dash(self, place: int) -> int:
        """Before a number that it does not join to a word a dash is a minus; between two numbers it is not certain."""
        before, after = self.text[:place], self.text[place + 1 :]
        alone = not before or before[-1].isspace() or before[-1] in OPENERS + DASHES + "".join(SIGNS)
        if alone and re.match(rf"[{MONEY}]?\.?\d", after):
            return self._say(["minus"], place, place + 1)
        if alone and re.search(r"\d\s+$", before) and re.match(r"\s+\d", after):
            return self._refuse_number(
                self.text[len(before.rstrip()) - 1 : place + 1 + len(after) - len(after.lstrip()) + 1]
            )
        return place + 1

    def _is_dot(self, place: int) -> bool:
        """Whether a point is said: in a name (Audible.com), not after an initial or where a sentence ends."""
        left = re.split(r"[\W_]", self.text[:place])[-1]
        right = re.split(r"[\W\d_]", self.text[place + 1 :], maxsplit=1)[0]
        before = self.text[place - 1 : place] if place else " "
        if right and (before.isspace() or before in OPENERS):  # .NET
            return True
        if not left or not right or (len(left) == 1 and (len(right) == 1 or right[0].isupper())):
            return False
        return not (right[0].isupper() and right[1:].lower() == right[1:] and left[-1].islower())

    def _hash(self, place: int) -> str:
        after = self.text[place + 1 : place + 2]
        if after.isdigit():
            return "number"
        if after.isalpha():
            return "hash"
        return "sharp" if re.search(r"(?<![^\W_])[A-G]$", self.text[:place], re.IGNORECASE) else ""

    def _raised(self, sign: str, place: int, joined: str) -> int:
        """A fraction in one character (½), or a lowered figure (CO₂)."""
        plain = unicodedata.normalize("NFKC", sign)
        lowered = unicodedata.decomposition(sign).startswith("<sub>")
        words = spoken_number(plain) if "⁄" in plain or (lowered and plain.isdigit()) else None
        if words is None:
            return self._refuse(sign)
        return self._say([*(joined.split() if "⁄" in plain else []), *words], place, place + 1)

    def _refuse(self, sign: str) -> NoReturn:
        name = unicodedata.name(sign, f"U+{ord(sign):04X}")
        raise UnspeakableError(
            f"{sign!r} ({name}) in {shown(self.given)} is not said by any voice; write in words what it stands for"
        )

    def _refuse_number(self, written: str) -> NoReturn:
        raise UnspeakableError(
            f"{written!r} in {shown(self.given)} can be read in more than one way; write it as it is to be said"
        )

    def _marks(self) -> tuple[str, ...]:
        """After the last word of each blank-separated stretch its pause, if it ends in one."""
        marks = [""] * len(self.words)
        starts = [start for start, _ in self.characters]
        for stretch in re.finditer(r"\S+", self.text):
            core = stretch[0].rstrip(CLOSERS)
            last = bisect_left(starts, stretch.end()) - 1
            if last >= 0 and core and core[-1] in PAUSES and stretch.start() + len(core) - 1 not in self.points:
                marks[last] = core[-1]
        return tuple(marks)


def _check_letters(word: str, given: str) -> None:
    raised = [letter for letter in given if unicodedata.decomposition(letter).startswith(("<super>", "<sub>"))]
    if raised:
        raise UnspeakableError(
            f"{raised[0]!r} ({unicodedata.name(raised[0])}) in {given!r} is not said by any voice; write it in words"
        )
    ascii_word(word)
