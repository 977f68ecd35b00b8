"""Finding the subject: in the words that were written or spoken, never in decoded tokens.

In text a subject is whole words; punctuation and a possessive ``'s`` may follow it and are not part of it. In speech it
is whole word intervals. Case counts only where a text holds the subject in exactly the given case; punctuation never.
A subject lies in one segment: one that stands on both sides of a marker is refused.
"""

from dataclasses import dataclass

from spiritlens.prompts.draft import Draft, DraftWord
from spiritlens.prompts.words import chosen_place, overlaps, phrase_in_text, phrase_in_words


@dataclass(frozen=True)
class Place:
    """One occurrence, from ``first`` to before ``end``: characters of a text, or numbers of words of a speech."""

    segment: int
    first: int
    end: int


def find_subject(
    draft: Draft, first_segment: int, subject: str, occurrence: int | None = None
) -> tuple[tuple[int, ...], str]:
    """The positions of the subject's tokens, and the subject as it stands in the words.

    Segments before ``first_segment`` (solved examples) are not searched. ``occurrence`` counts from 0.
    """
    if not subject.strip():
        raise ValueError("the subject is empty; give the words of the prompt that the fact is about")
    segments = range(first_segment, draft.n_segments)
    places = [place for segment in segments for place in _places(draft, segment, subject)]
    words = [word for word in draft.words if word.segment >= first_segment]
    if not places:
        raise ValueError(_not_found(words, subject))
    place = places[chosen_place(places, occurrence, f"the subject '{subject}'", _shown(words))]
    return _written(draft, place) if place.segment in draft.texts else _spoken(draft, place)


def _shown(words: list[DraftWord]) -> str:
    return f"the words '{' '.join(word.word for word in words)}'"


def _not_found(words: list[DraftWord], subject: str) -> str:
    if phrase_in_words([word.word for word in words], subject):
        return f"the subject '{subject}' stands on both sides of a marker in {_shown(words)}; keep it in one segment"
    return f"the subject '{subject}' does not occur in {_shown(words)}; give it as it stands there, whole words only"


def _places(draft: Draft, segment: int, subject: str) -> list[Place]:
    if segment in draft.texts:
        found = phrase_in_text(draft.texts[segment], draft.vocabulary.family.cased(subject))
        worded = [word.characters for word in draft.words if word.segment == segment]
        inside = [match for match in found if any(overlaps(characters, match) for characters in worded)]
        return [Place(segment, *match) for match in inside]
    numbers = [number for number, word in enumerate(draft.words) if word.segment == segment]
    found = phrase_in_words([draft.words[number].word for number in numbers], subject)
    return [Place(segment, numbers[0] + first, numbers[0] + end) for first, end in found]


def _written(draft: Draft, place: Place) -> tuple[tuple[int, ...], str]:
    text = draft.texts[place.segment]
    start, end = place.first, place.end
    positions = []
    for position, token in enumerate(draft.tokens):
        if token.segment != place.segment or not overlaps(token.characters, (start, end)):
            continue
        first, last = token.characters or (0, 0)
        beyond = (text[first : min(start, last)] + text[max(end, first) : last]).strip()
        if beyond:
            raise ValueError(
                f"the token '{draft.vocabulary.label(token.id)}' joins the subject '{text[start:end]}' with '{beyond}'"
                "; rephrase the prompt so that they stand apart, or name both as the subject"
            )
        positions.append(position)
    return _whole(draft, positions), text[start:end]


def _whole(draft: Draft, positions: list[int]) -> tuple[int, ...]:
    """The positions with all between them, and with the blank piece before them that begins their first word."""
    first = positions[0]
    while draft.tokens[first - 1].word == draft.tokens[first].word >= 0 and _is_blank(draft, first - 1):
        first -= 1
    return tuple(range(first, positions[-1] + 1))


def _is_blank(draft: Draft, position: int) -> bool:
    token = draft.tokens[position]
    if token.characters is None:
        return False
    return not draft.texts[token.segment][slice(*token.characters)].strip()


def _spoken(draft: Draft, place: Place) -> tuple[tuple[int, ...], str]:
    words, members = draft.words, range(place.first, place.end)
    name = " ".join(words[number].word for number in members)
    intervals = {words[number].interval for number in members}
    outside = (number for number, word in enumerate(words) if word.segment == place.segment and number not in members)
    shared = [words[number].word for number in outside if words[number].interval in intervals]
    if shared:
        raise ValueError(
            f"the subject '{name}' shares one interval of the speech with {shared}: they have no times apart; "
            "give a time for each word (from an aligner, or from the phones), or use another voice"
        )
    positions = [position for position, token in enumerate(draft.tokens) if token.word in members]
    if not positions:
        raise ValueError(
            f"no unit of the speech falls on the subject '{name}'; check its times, or align with rule='overlap' or "
            "slack_units=1"
        )
    return _whole(draft, positions), name
