"""The rule by which two texts say the same: *as spoken*.

1. Numbers, amounts, signs and titles are written out as they are said ("1917": nineteen seventeen, "$5 million": five
   million dollars), by the rule that voices follow (`spiritlens.speech.engines.plain_text`). A stretch between blanks
   that this rule refuses ("3-1") is read by its runs of letters and of figures ("three one").
2. Punctuation is not said; a hyphen stands between two words.
3. Letter case, apostrophes and the marks of letters count for nothing ("Curaçao's": curacaos).

Spelling counts otherwise: "colour" is not "color", "New found land" not "Newfoundland".
"""

import re
import unicodedata
from dataclasses import dataclass

from spiritlens.speech.engines.plain_text import WITHOUT_MARKS, PlainText, UnspeakableError, plain_text

RUNS = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True)
class SpokenForm:
    """The words as they are said, and the first and past-the-last character of the text that each was written with."""

    words: tuple[str, ...]
    characters: tuple[tuple[int, int], ...]


def spoken_form(text: str) -> SpokenForm:
    """The words of a text as they are said; none for a text of punctuation alone."""
    pairs = [(plain, place) for word, place in _said(text, (re.compile(r"\S+"), RUNS), 0) if (plain := _one_form(word))]
    return SpokenForm(tuple(word for word, _ in pairs), tuple(place for _, place in pairs))


def _said(text: str, finer: tuple[re.Pattern[str], ...], offset: int) -> list[tuple[str, tuple[int, int]]]:
    """Words and their characters; what cannot be said as a whole is said by its finer parts, or else as it stands."""
    try:
        plain = _plain(text)
    except UnspeakableError:
        if not finer:
            return [(text, (offset, offset + len(text)))]
        parts = finer[0].finditer(text)
        return [found for part in parts for found in _said(part[0], finer[1:], offset + part.start())]
    return [
        (word, (start + offset, end + offset)) for word, (start, end) in zip(plain.words, plain.characters, strict=True)
    ]


def _plain(text: str) -> PlainText:
    try:
        return plain_text(text)
    except UnspeakableError:
        raise
    except ValueError:  # no word in it
        return PlainText((), (), ())


def _one_form(word: str) -> str:
    """The letters and figures of a word, in small, without marks."""
    letters = "".join(WITHOUT_MARKS.get(letter, letter) for letter in word.casefold())
    return "".join(letter for letter in unicodedata.normalize("NFKD", letters) if letter.isalnum())
