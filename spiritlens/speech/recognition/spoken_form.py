"""The rule by which two texts say the same: *as spoken*.

1. Numbers, amounts, signs and titles are written out as they are said ("1917": nineteen seventeen, "$5 million": five
   million dollars), by the rule that voices follow (`spiritlens.speech.engines.plain_text`). A stretch between blanks
   that this rule refuses ("3-1") is read by its runs of letters and of figures ("three one").
2. Punctuation is not said; a hyphen stands between two words.
3. Endings behind an apostrophe are words ("Canada's": canada is; "isn't": is not), since "Canada is" and "Canada's"
   sound alike; so does Whisper's own normaliser (Radford et al. 2023, appendix C). Other apostrophes, letter case and
   the marks of letters count for nothing ("O'Brien": obrien).
4. The commonest words that British and American English spell differently are one (`AMERICAN`: colour, color).

Spelling counts otherwise: "New found land" is not "Newfoundland".
"""

import re
import unicodedata
from dataclasses import dataclass

from spiritlens.speech.engines.plain_text import WITHOUT_MARKS, PlainText, UnspeakableError, plain_text

ENDINGS = {"n't": "not", "'re": "are", "'s": "is", "'d": "would", "'ll": "will", "'ve": "have", "'m": "am"}
IRREGULAR = {"won't": ("will", "not"), "can't": ("can", "not")}
AMERICAN = {
    "colour": "color", "colours": "colors", "coloured": "colored", "harbour": "harbor", "honour": "honor",
    "labour": "labor", "neighbour": "neighbor", "neighbouring": "neighboring", "favourite": "favorite",
    "centre": "center", "theatre": "theater", "metre": "meter", "metres": "meters", "kilometres": "kilometers",
    "litre": "liter", "grey": "gray", "jewellery": "jewelry", "organisation": "organization", "tyre": "tire",
}  # fmt: skip
RUNS = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True)
class SpokenForm:
    """The words as they are said, and the first and past-the-last character of the text that each was written with."""

    words: tuple[str, ...]
    characters: tuple[tuple[int, int], ...]


def spoken_form(text: str) -> SpokenForm:
    """The words of a text as they are said; none for a text of punctuation alone."""
    said = _said(text, (re.compile(r"\S+"), RUNS), 0)
    pairs = [(plain, place) for word, place in said for part in _apart(word) if (plain := _one_form(part))]
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


def _apart(word: str) -> tuple[str, ...]:
    """A word, and the one that its ending stands for."""
    small = word.casefold()
    if small in IRREGULAR:
        return IRREGULAR[small]
    found = next((ending for ending in ENDINGS if small.endswith(ending) and small != ending), None)
    return (small,) if found is None else (small.removesuffix(found), ENDINGS[found])


def _one_form(word: str) -> str:
    """The letters and figures of a word, in small, without marks, in one spelling."""
    letters = "".join(WITHOUT_MARKS.get(letter, letter) for letter in word.casefold())
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", letters) if letter.isalnum())
    return AMERICAN.get(plain, plain)
