"""Finding the subject: in the words that were written or spoken, never in decoded tokens.

In text a subject is whole words; punctuation and a possessive ``'s`` may follow it and are not part of it. In speech it is
whole word intervals. Letters' case and punctuation do not count unless a text holds the subject in exactly the given case.
"""

import re

from spiritlens.prompts.draft import Draft

Found = tuple[tuple[int, ...], str]


def find_subject(draft: Draft, boundary: int, subject: str, occurrence: int | None = None) -> Found:
    """The positions of the subject's tokens, and the subject as it stands in the words; ``boundary`` is the first position searched."""
    if not subject.strip():
        raise ValueError("the subject is empty; give the words of the prompt that the fact is about")
    first = min((segment for segment in draft.segments[boundary:] if segment >= 0), default=0)
    found = [place for segment in range(first, draft.segment + 1) for place in _in_segment(draft, segment, subject)]
    words = " ".join(word.word for word in draft.words if word.segment >= first)
    if not found:
        raise ValueError(f"the subject '{subject}' does not occur in the words: {words}; give it as it stands there")
    if len(found) > 1 and occurrence is None:
        raise ValueError(
            f"the subject '{subject}' occurs {len(found)} times in the words: {words}; say which: occurrence=0 to {len(found) - 1}"
        )
    index = occurrence or 0
    if not -len(found) <= index < len(found):
        raise ValueError(
            f"occurrence={index} of the subject '{subject}', which occurs {len(found)} time(s) in the words: {words}"
        )
    segment, place = found[index]
    return _text_tokens(draft, segment, place) if segment in draft.texts else _speech_tokens(draft, place)


def _in_segment(draft: Draft, segment: int, subject: str) -> list[tuple[int, tuple[int, int]]]:
    """(segment, (first, past last)): characters of a text, or numbers of words of a speech."""
    if segment in draft.texts:
        return [
            (segment, match.span()) for match in _matches(draft.texts[segment], draft.vocabulary.family.cased(subject))
        ]
    numbers = [number for number, word in enumerate(draft.words) if word.segment == segment]
    spoken = [_bare(draft.words[number].word) for number in numbers]
    wanted = [_bare(word) for word in subject.split()]
    starts = [at for at in range(len(spoken) - len(wanted) + 1) if spoken[at : at + len(wanted)] == wanted]
    return [(segment, (numbers[at], numbers[at] + len(wanted))) for at in starts]


def _matches(text: str, subject: str) -> list[re.Match[str]]:
    pattern = r"(?<![\w-])" + r"\s+".join(re.escape(word) for word in subject.split()) + r"(?![\w-])"
    return list(re.finditer(pattern, text)) or list(re.finditer(pattern, text, re.IGNORECASE))


def _bare(word: str) -> str:
    return re.sub(r"[^\w'-]", "", word).strip("'-").casefold()


def _text_tokens(draft: Draft, segment: int, place: tuple[int, int]) -> Found:
    text = draft.texts[segment]
    positions = []
    for position, (owner, characters) in enumerate(zip(draft.segments, draft.characters, strict=True)):
        if owner != segment or characters is None or not (characters[0] < place[1] and place[0] < characters[1]):
            continue
        beyond = (text[characters[0] : place[0]] + text[place[1] : characters[1]]).strip()
        if beyond:
            piece = draft.vocabulary.label(draft.ids[position])
            raise ValueError(
                f"the token '{piece}' joins the subject '{text[place[0] : place[1]]}' with '{beyond}'; rephrase the prompt so that a blank stands between them, "
                "or name the whole as the subject"
            )
        if text[characters[0] : characters[1]].strip():
            positions.append(position)
    return tuple(positions), text[place[0] : place[1]]


def _speech_tokens(draft: Draft, place: tuple[int, int]) -> Found:
    members = range(*place)
    name = " ".join(draft.words[number].word for number in members)
    segment = draft.words[place[0]].segment
    intervals = {draft.words[number].interval for number in members}
    shared = [
        word.word
        for number, word in enumerate(draft.words)
        if word.segment == segment and word.interval in intervals and number not in members
    ]
    if shared:
        raise ValueError(
            f"the subject '{name}' shares one interval of the speech with {shared}: the engine spoke them as one word; "
            "give times for each word (as from an aligner or from phones), or use another voice"
        )
    units = [position for position, number in enumerate(draft.word_index) if number in members]
    if not units:
        raise ValueError(
            f"no unit of the speech falls on the subject '{name}'; check its times, or align with rule='overlap' or slack_units=1"
        )
    return tuple(range(units[0], units[-1] + 1)), name
