"""Words: where they stand in a text, and where a phrase occurs in a text or in a list of spoken words.

In a *text* a word is blank-separated, without the punctuation around it; places are characters, half-open. A phrase is
whole words; a possessive ``'s`` may follow it and is not part of it; a hyphen belongs to its word, and so do the signs
that are said (``C++``) and the points inside numbers. In *speech* words are given; places are numbers of words.

A phrase is looked for in four forms, and the first that occurs counts: as given; with every form of apostrophe, hyphen
and blank made one and letters composed or decomposed alike; in any case (ß is ss); without the punctuation between its
words ("King Jr" in "King, Jr."). `difference` says why one does not occur.
"""

import difflib
import re
import unicodedata
from collections.abc import Sequence

from spiritlens.arguments import whole
from spiritlens.speech.engines.numbers import CURRENCIES
from spiritlens.speech.engines.plain_text import SAME, SIGNS, plain_text

PUNCTUATION = ".,;:!?¿¡\"'“”‘’«»()[]{}…–—-"
HYPHENS = "-‐‑"
ONE_FORM = SAME | str.maketrans(dict.fromkeys("–−", "-") | dict.fromkeys("“”„«»", '"'))
JOINED_SIGNS = frozenset("".join(SIGNS) + "#°" + "".join(CURRENCIES)) - {"/"}
"""Signs that are part of the word beside them; a slash stands between words."""


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


def phrase_in_text(text: str, phrase: str) -> list[tuple[int, int]]:
    """The places of a phrase in a text, in the first of the four forms in which it occurs."""
    for form in FORMS:
        if found := [place for place in form(text, phrase) if _is_whole(text, *place)]:
            return found
    return []


def phrase_in_words(words: Sequence[str], phrase: str) -> list[tuple[int, int]]:
    """The places of a phrase in a list of words: first word and past the last.

    Words and phrase are compared as they are written, or else as they are said ("Apollo 11" in: apollo, eleven).
    """
    text, spans = " ".join(words), _spans(words)
    covered = [[n for n, span in enumerate(spans) if overlaps(span, place)] for place in _any_form(text, phrase)]
    found = [(members[0], members[-1] + 1) for members in covered if members]
    return found or _said_places(words, phrase)


def spoken_characters(text: str, words: Sequence[str]) -> tuple[tuple[int, int], ...] | None:
    """The characters of a text that each of its spoken words was written with; None where these are not its words."""
    if not text:
        return None
    try:
        plain = plain_text(text)
    except ValueError:
        return None
    same = [word.casefold() for word in plain.words] == [word.casefold() for word in words]
    return plain.characters if same else None


def spoken_members(
    text: str, characters: Sequence[tuple[int, int]], phrase: str
) -> tuple[list[tuple[int, int]], list[str]]:
    """The places of a phrase of the text in its spoken words (first, past the last), and why others are none.

    A phrase that ends within a spoken word has no units of its own: "Histoire" in "L'Histoire", "5" in "5th".
    """
    found, halves = [], []
    for start, end in phrase_in_text(text, phrase):
        members = [number for number, span in enumerate(characters) if overlaps(span, (start, end))]
        cut = [characters[number] for number in members if not _holds(text, (start, end), characters[number])]
        if cut:
            halves.append(f"'{text[start:end]}' is spoken as a part of '{text[cut[0][0] : cut[0][1]]}'")
        elif members:
            found.append((members[0], members[-1] + 1))
    return found, halves


def _holds(text: str, place: tuple[int, int], inner: tuple[int, int]) -> bool:
    """Whether a place holds another but for punctuation."""
    (start, end), (first, last) = place, inner
    beyond = text[first : max(first, start)] + text[min(last, end) : last]
    return not "".join(sign for sign in beyond if unicodedata.category(sign) != "Cf").strip(PUNCTUATION + " ")


def overlaps(a: tuple[int, int] | None, b: tuple[int, int]) -> bool:
    """Whether two half-open ranges share anything (None shares nothing)."""
    return a is not None and a[0] < b[1] and b[0] < a[1]


def chosen_place(places: Sequence[object], occurrence: int | None, what: str, shown: str) -> int:
    """The index of the occurrence that is meant; asks where there are several, refuses where there are not so many."""
    if len(places) > 1 and occurrence is None:
        last = len(places) - 1
        raise ValueError(f"{what} occurs {len(places)} times in {shown}; say which one by occurrence=0 to {last}")
    index = 0 if occurrence is None else whole("occurrence", occurrence)
    if not -len(places) <= index < len(places):
        raise ValueError(f"occurrence={index}, but {what} occurs {len(places)} time(s) in {shown}")
    return index


def difference(text: str, phrase: str) -> str:
    """Why a phrase does not occur in a text: it is part of a word, or what stands nearest to it is spelt otherwise."""
    parts = _folded_places(text, phrase, case="any")
    held = [(a, b) for a, b in word_characters(text) if parts and overlaps((a, b), parts[0])]
    if held:
        start, end = parts[0]
        word = next((text[a:b] for a, b in held if a < start or end < b), text[slice(*held[0])])
        return f"it is only a part of '{word}' there"
    size, spans = len(phrase.split()), word_characters(text)
    runs = [
        text[spans[first][0] : spans[first + length - 1][1]]
        for length in range(max(1, size - 1), size + 3)
        for first in range(len(spans) - length + 1)
    ]
    by_form = {_folded(run)[0]: run for run in runs}
    near = difflib.get_close_matches(_folded(phrase)[0], by_form, n=1, cutoff=0.6)
    return f"the nearest there is '{by_form[near[0]]}'{_other_letter(by_form[near[0]], phrase)}" if near else ""


def _other_letter(there: str, phrase: str) -> str:
    """The first letter that differs, where one stands for one."""
    one, other = (unicodedata.normalize("NFC", part) for part in (there, phrase))
    for kind, a, b, c, d in difflib.SequenceMatcher(None, one.casefold(), other.casefold()).get_opcodes():
        if kind == "replace" and b - a == d - c == 1 and len(one) > a and len(other) > c:
            names = [unicodedata.name(letter, f"U+{ord(letter):04X}") for letter in (one[a], other[c])]
            return f", with '{one[a]}' ({names[0]}) for '{other[c]}' ({names[1]})"
    return ""


def _as_given(text: str, phrase: str) -> list[tuple[int, int]]:
    pattern = r"\s+".join(re.escape(word) for word in phrase.split())
    return [match.span() for match in re.finditer(pattern, text)] if pattern else []


def _same_signs(text: str, phrase: str) -> list[tuple[int, int]]:
    return _folded_places(text, phrase, case="given")


def _any_case(text: str, phrase: str) -> list[tuple[int, int]]:
    return _folded_places(text, phrase, case="any")


def _any_form(text: str, phrase: str) -> list[tuple[int, int]]:
    """Places whose words are the phrase's, without case and without the punctuation around each."""
    wanted = [core for word in phrase.split() if (core := _core(word))]
    spans = word_characters(text)
    cores = [_core(text[start:end]) for start, end in spans]
    places = []
    for first in range(len(spans) - len(wanted) + 1 if wanted else 0):
        *begin, last = cores[first : first + len(wanted)]
        owner = last.removesuffix("'s").rstrip(PUNCTUATION)  # "Jr.'s"
        if begin == wanted[:-1] and wanted[-1] in (last, owner):
            end = spans[first + len(wanted) - 1][1]
            places.append((spans[first][0], end if wanted[-1] == last else end - len(last) + len(owner)))
    return places


FORMS = (_as_given, _same_signs, _any_case, _any_form)


def _core(word: str) -> str:
    return _folded(word)[0].strip(PUNCTUATION)


def _folded(text: str, case: str = "any") -> tuple[str, list[int]]:
    """The text with its signs, marks and (unless as given) case made one, and the place in `text` of each character."""
    letters: list[tuple[str, int]] = []
    for place, letter in enumerate(text):
        if unicodedata.category(letter) == "Cf":
            continue
        same = " " if letter.isspace() else letter.translate(ONE_FORM)
        same = unicodedata.normalize("NFD", same.casefold() if case == "any" else same)
        letters += [(part, place) for part in same]
    return _in_order(letters)


def _in_order(letters: list[tuple[str, int]]) -> tuple[str, list[int]]:
    """Marks of one letter in the order of Unicode's canonical form; runs of blanks made one."""
    ordered: list[tuple[str, int]] = []
    for part, place in letters:
        weight, at = unicodedata.combining(part), len(ordered)
        while weight and at and unicodedata.combining(ordered[at - 1][0]) > weight:
            at -= 1
        if part != " " or (ordered and ordered[-1][0] != " "):
            ordered.insert(at, (part, place))
    return "".join(part for part, _ in ordered), [place for _, place in ordered]


def _folded_places(text: str, phrase: str, case: str) -> list[tuple[int, int]]:
    folded, places = _folded(text, case)
    wanted = _folded(" ".join(phrase.split()), case)[0]
    found = [match.span() for match in re.finditer(re.escape(wanted), folded)] if wanted else []
    whole_letters = [(start, end) for start, end in found if _is_apart(folded, places, start, end)]
    return [(places[start], places[end - 1] + 1) for start, end in whole_letters]


def _is_apart(folded: str, places: list[int], start: int, end: int) -> bool:
    """Whether a match does not cut a letter in two: ß, or a letter from its mark."""
    cut_before = start > 0 and places[start - 1] == places[start]
    cut_after = end < len(folded) and (places[end - 1] == places[end] or unicodedata.combining(folded[end]) > 0)
    return not cut_before and not cut_after


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether a place neither begins nor ends within a word or a number."""
    before, after = text[:start][-2:], text[end:][:2]
    first, last = text[start], text[end - 1]
    if _continues(before[-1:]) or _continues(after[:1]) or unicodedata.combining(after[:1] or " "):
        return False
    figures_before = len(before) == 2 and before[-1] in ".,:/" and before[0].isdigit() and first.isdigit()
    figures_after = len(after) == 2 and after[0] in ".,:/" and after[1].isdigit() and last.isdigit()
    return not figures_before and not figures_after


def _continues(sign: str) -> bool:
    """Whether a word goes on with this character."""
    return bool(sign) and (sign.isalnum() or sign == "_" or sign in HYPHENS or sign in JOINED_SIGNS)


def _spans(words: Sequence[str]) -> list[tuple[int, int]]:
    spans, place = [], 0
    for word in words:
        spans.append((place, place + len(word)))
        place += len(word) + 1
    return spans


def _said_places(words: Sequence[str], phrase: str) -> list[tuple[int, int]]:
    """Runs of whole words that are said as the phrase is."""
    wanted = _said(phrase)
    said = [_said(word) for word in words]
    places = []
    for first in range(len(words)):
        run: list[str] = []
        for end in range(first + 1, len(words) + 1):
            run += said[end - 1]
            if len(run) >= len(wanted):
                break
        if wanted and run == wanted:
            places.append((first, end))
    return places


def _said(phrase: str) -> list[str]:
    try:
        return [_core(word) for word in plain_text(phrase).words]
    except ValueError:
        return [_core(phrase)]
