"""Finding the subject: in the words that were written or spoken, never in decoded tokens.

In text a subject is whole words; punctuation and a possessive ``'s`` may follow it and are not part of it. In speech it
is whole word intervals: where the spoken text is known the subject is found in that text, as in writing, and is the
words that were said for its characters ("Apollo 11": Apollo eleven); else it is found in the words, as written or said.
Case counts only where a text holds the subject in exactly the given case; punctuation never (see `words`). A subject
lies in one segment: one that stands on both sides of a marker is refused.
"""

from dataclasses import dataclass

from spiritlens.arguments import shown
from spiritlens.prompts.building.draft import Draft, DraftWord
from spiritlens.prompts.building.phrases import (
    chosen_place,
    difference,
    overlaps,
    phrase_in_text,
    phrase_in_words,
    spoken_members,
)


class SubjectError(ValueError):
    """A subject that a prompt does not hold."""


class SubjectTokensError(SubjectError):
    """A subject that the prompt holds, but without tokens, units or times of its own."""


@dataclass(frozen=True)
class Occurrence:
    """One occurrence, from ``first`` to before ``end``: characters of a text, or numbers of words of a speech."""

    segment: int
    first: int
    end: int


def find_subject(
    draft: Draft, first_segment: int, subject: str, occurrence: int | None = None, transcript: int = -1
) -> tuple[tuple[int, ...], str]:
    """The positions of the subject's tokens, and the subject as it stands in the words.

    Segments before ``first_segment`` (solved examples) are not searched. ``occurrence`` counts from 0; without it the
    segment of a forced transcript, ``transcript``, is not searched either: the subject is the one that is heard.
    """
    if not isinstance(subject, str):
        raise ValueError(f"subject={shown(subject)}: expected the words of the prompt that the fact is about, a str")
    if not subject.strip():
        raise ValueError("the subject is empty; give the words of the prompt that the fact is about")
    left_out = transcript if occurrence is None else -1
    segments = [number for number in range(first_segment, draft.n_segments) if number != left_out]
    places = [place for segment in segments for place in _places(draft, segment, subject)]
    words = [word for word in draft.words if word.segment in segments]
    if not places:
        raise _not_found(draft, words, segments, subject)
    place = places[chosen_place(places, occurrence, f"the subject '{subject}'", _shown(words))]
    return _written(draft, place) if place.segment in draft.texts else _spoken(draft, place)


def _shown(words: list[DraftWord]) -> str:
    return f"the words '{' '.join(word.word for word in words)}'"


def _not_found(draft: Draft, words: list[DraftWord], segments: list[int], subject: str) -> SubjectError:
    """The reason: half a spoken word, two segments, part of a word, or another spelling."""
    halves = [half for segment in segments for half in _in_spoken_text(draft, segment, subject)[1]]
    if halves:
        return SubjectTokensError(
            f"the subject '{subject}' has no units of its own: {halves[0]}; name the whole word as the subject"
        )
    across = phrase_in_words([word.word for word in words], subject)
    if any(words[first].segment != words[end - 1].segment for first, end in across):
        return SubjectError(
            f"the subject '{subject}' stands on both sides of a marker in {_shown(words)}; keep it in one segment"
        )
    written = {segment: draft.texts.get(segment) or draft.spoken_texts.get(segment) for segment in segments}
    texts = [
        written[segment] or " ".join(word.word for word in words if word.segment == segment) for segment in segments
    ]
    why = next((f" ({why})" for text in texts if (why := difference(text, subject))), "")
    return SubjectError(
        f"the subject '{subject}' does not occur in {_shown(words)}{why}; give it as it stands there, whole words only"
    )


def _places(draft: Draft, segment: int, subject: str) -> list[Occurrence]:
    if segment in draft.texts:
        found = phrase_in_text(draft.texts[segment], draft.vocabulary.family.cased(subject))
        worded = [word.characters for word in draft.words if word.segment == segment]
        inside = [match for match in found if any(overlaps(characters, match) for characters in worded)]
        return [Occurrence(segment, *match) for match in inside]
    numbers = [number for number, word in enumerate(draft.words) if word.segment == segment]
    if segment in draft.spoken_texts:
        found = _in_spoken_text(draft, segment, subject)[0]
    else:
        found = phrase_in_words([draft.words[number].word for number in numbers], subject)
    return [Occurrence(segment, numbers[0] + first, numbers[0] + end) for first, end in found]


def _in_spoken_text(draft: Draft, segment: int, subject: str) -> tuple[list[tuple[int, int]], list[str]]:
    """The subject's places in the spoken words of a segment whose text is known, and why others are none."""
    if segment not in draft.spoken_texts:
        return [], []
    text, family = draft.spoken_texts[segment], draft.vocabulary.family
    characters = [word.characters for word in draft.words if word.segment == segment and word.characters is not None]
    small = family.cased(text)
    text = small if len(small) == len(text) else text  # a letter whose small form is two keeps the text as it is
    return spoken_members(text, characters, family.cased(subject))


def _written(draft: Draft, place: Occurrence) -> tuple[tuple[int, ...], str]:
    text = draft.texts[place.segment]
    start, end = place.first, place.end
    positions = []
    for position, token in enumerate(draft.tokens):
        if token.segment != place.segment or not overlaps(token.characters, (start, end)):
            continue
        first, last = token.characters or (0, 0)
        beyond = (text[first : min(start, last)] + text[max(end, first) : last]).strip()
        if beyond:
            raise SubjectTokensError(
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


def _spoken(draft: Draft, place: Occurrence) -> tuple[tuple[int, ...], str]:
    words, members = draft.words, range(place.first, place.end)
    name = " ".join(words[number].word for number in members)
    intervals = {words[number].interval for number in members}
    outside = (number for number, word in enumerate(words) if word.segment == place.segment and number not in members)
    shared = [words[number].word for number in outside if words[number].interval in intervals]
    if shared:
        raise SubjectTokensError(
            f"the subject '{name}' shares one interval of the speech with {shared}: they have no times apart; "
            "give a time for each word (from an aligner, or from the phones), or use another voice"
        )
    positions = [position for position, token in enumerate(draft.tokens) if token.word in members]
    if not positions:
        raise SubjectTokensError(
            f"no unit of the speech falls on the subject '{name}'; check its times, or give its segment "
            "word_rule=WordRule('overlap') or WordRule(slack_units=1)"
        )
    return _whole(draft, positions), name
