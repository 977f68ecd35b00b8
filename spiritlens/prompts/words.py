"""Words: where they stand in a text, and where a phrase occurs in a text or in a list of spoken words.

In a *text* a word is blank-separated, without the punctuation around it; places are characters, half-open. A phrase
is whole words; a possessive ``'s`` may follow it and is not part of it; a hyphen belongs to its word. In *speech* words
are given; places are numbers of words. Case counts only where a text holds the phrase in exactly the given case.
"""

import re
from collections.abc import Sequence

PUNCTUATION = ".,;:!?¿¡\"'“”‘’«»()[]{}…–—-"


def word_characters(text: str) -> list[tuple[int, int]]:
    """First and past-the-last character of each word of a text."""
    spans = []
    for match in re.finditer(r"\S+", text):
        token = match.group()
        core = token.strip(PUNCTUATION)
        if not core:
            continue
        start = match.start() + token.index(core)
        end = start + len(core)
        if "." in core and text[end : end + 1] == ".":  # an abbreviation keeps its point: U.S.
            end += 1
        spans.append((start, end))
    return spans


def bare_word(word: str) -> str:
    """The word without case, and without punctuation but apostrophes and hyphens inside it."""
    return re.sub(r"[^\w'-]", "", word.replace("’", "'")).strip("'-").casefold()


def phrase_in_text(text: str, phrase: str) -> list[tuple[int, int]]:
    """The places of a phrase in a text: those in the given case, or else those in any."""
    words = r"\s+".join(re.escape(word) for word in phrase.split())
    pattern = rf"(?<![\w-]){words}(?![\w-])"
    found = list(re.finditer(pattern, text)) or list(re.finditer(pattern, text, re.IGNORECASE))
    return [match.span() for match in found]


def phrase_in_words(words: Sequence[str], phrase: str) -> list[tuple[int, int]]:
    """The places of a phrase in a list of words: first word and past the last."""
    bare = [bare_word(word) for word in words]
    wanted = [bare_word(word) for word in phrase.split()]
    starts = range(len(bare) - len(wanted) + 1)
    return [(at, at + len(wanted)) for at in starts if bare[at : at + len(wanted)] == wanted]


def overlaps(a: tuple[int, int] | None, b: tuple[int, int]) -> bool:
    """Whether two half-open ranges share anything (None shares nothing)."""
    return a is not None and a[0] < b[1] and b[0] < a[1]


def chosen_place(places: Sequence[object], occurrence: int | None, what: str, shown: str) -> int:
    """The index of the occurrence that is meant; asks where there are several, refuses where there are not so many."""
    if len(places) > 1 and occurrence is None:
        last = len(places) - 1
        raise ValueError(f"{what} occurs {len(places)} times in {shown}; say which one by occurrence=0 to {last}")
    index = occurrence or 0
    if not -len(places) <= index < len(places):
        raise ValueError(f"occurrence={index}, but {what} occurs {len(places)} time(s) in {shown}")
    return index
