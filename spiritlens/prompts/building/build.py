"""Building prompts: segments of text and speech become tokens, as the official package of the family would join them.

1. Segments of one modality that stand side by side are joined (texts by a blank, units directly).
2. A marker is written where the modality changes, the beginning included; text after a marker carries one leading
   blank where the family says so: ``[Text] the capital of france is``, ``[Speech][Hu7][Hu3]…[Text]``.
3. A prompt that ends in speech ends with the text marker, since the answer is asked for in writing; one that ends in
   text does so only with ``marker="final"`` or where the family always writes it.
4. A family that puts questions into a template (SpeechGPT's ``[Human]: … <eoh>. [SpeechGPT]:``) gets it around them.
5. A forced transcript is written after the speech, as the family's record says: what was said, as words of the prompt.
   The answer then comes next also from a model that writes a transcript first; without, such a model is warned about.
6. Tokens are made segment by segment, so that every token's word is known; at the end the whole string is tokenized
   once and must give the same ids.

The subject is found in the *words* (of the text as given, of the speech as aligned), never in decoded tokens. Tokens of
a spoken word are the units that `spiritlens.speech.alignment.unit_words.words_of_units` gives it; a pause inside the
subject belongs to the subject. Sources: the official SpiritLM package (arXiv 2402.05755) and those named in `families`.
"""

from collections.abc import Sequence
from typing import Literal

from spiritlens.arguments import check_choice, listed, shown
from spiritlens.prompts.building.draft import Draft, TextPart
from spiritlens.prompts.building.question import Question
from spiritlens.prompts.building.segments import Segment, SpeechSegment, TextSegment
from spiritlens.prompts.building.subject import find_subject
from spiritlens.prompts.building.transcripts import spoken_text, warn_of_transcript
from spiritlens.prompts.origin import Origin, given_origin
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.roles import token_parts, token_roles
from spiritlens.prompts.spans import Span
from spiritlens.prompts.vocabulary.vocabulary import BLANK, Vocabulary
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.terms import Kind, Role

FinalMarker = Literal["none", "final"]
"""A text marker after a prompt that ends in text: ``none`` but what the family's own rule writes; ``final``: always."""


def build_prompt(
    vocabulary: Vocabulary,
    segments: Sequence[Segment],
    question: Question,
    origin: Origin = Origin(),
    marker: FinalMarker = "none",
) -> Prompt:
    """The prompt of a question that is asked in these segments, in order."""
    if not isinstance(vocabulary, Vocabulary):
        raise ValueError(f"vocabulary={shown(vocabulary, 40)}: expected a Vocabulary, such as lens.vocabulary")
    check_choice("marker", marker, FinalMarker)
    segments = listed("segments", segments, of=(TextSegment, SpeechSegment))
    origin = given_origin(origin)
    answer_ids, foil_ids = answers(vocabulary, question)
    draft, span = _drafted(vocabulary, segments, question, marker)
    if _is_spoken(segments) and question.answer and question.transcript == "none":
        warn_of_transcript(vocabulary.family)
    waveform = _sound(segments)
    tokens = draft.tokens
    return Prompt(
        ids=tuple(draft.ids),
        text=draft.string,
        labels=tuple(vocabulary.label(token.id) for token in tokens),
        families=tuple(token.family for token in tokens),
        modalities=tuple(token.modality for token in tokens),
        words=tuple(word.word for word in draft.words),
        word_index=tuple(token.word for token in tokens),
        roles=_roles(draft, span.positions),
        parts=token_parts(len(tokens), span.positions),
        starts=tuple(token.start for token in tokens),
        ends=tuple(token.end for token in tokens),
        subject=span,
        answer=question.answer or "",
        answer_ids=answer_ids,
        kind=_kind(segments),
        foil=question.foil or "",
        foil_ids=foil_ids,
        fact_id=origin.fact_id,
        relation=origin.relation,
        phrasing=origin.phrasing,
        voice=origin.voice,
        group=origin.group,
        audio=origin.audio or (waveform.source if waveform is not None else ""),
        vocabulary=vocabulary.hash,
        aliases=origin.aliases,
        waveform=waveform,
    )


def _drafted(
    vocabulary: Vocabulary, segments: Sequence[Segment], question: Question, marker: FinalMarker
) -> tuple[Draft, Span]:
    """All tokens of a prompt, and the subject's span in it."""
    draft = Draft(vocabulary)
    for example, solution in question.examples:
        _add_example(draft, example, solution)
    first_segment = draft.n_segments
    transcript = spoken_text(vocabulary.family, segments) if question.transcript == "forced" else None
    segment = _add_in_template(draft, segments, "final" if question.examples else marker, transcript)
    draft.verify()
    if question.subject is None:
        return draft, Span("", ())
    positions, name = find_subject(draft, first_segment, question.subject, question.occurrence, segment)
    return draft, Span(name, positions)


def _sound(segments: Sequence[Segment]) -> Waveform | None:
    """The sound of the first segment that has one."""
    sounds = (segment.waveform for segment in segments if isinstance(segment, SpeechSegment))
    return next((sound for sound in sounds if sound is not None), None)


def _roles(draft: Draft, subject: Sequence[int]) -> tuple[Role, ...]:
    about = ((token.family, token.word, token.template) for token in draft.tokens)
    families, words, templates = zip(*about, strict=True)
    return token_roles(families, words, subject, templates)


def answers(vocabulary: Vocabulary, question: Question) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids of the answer and of the foil (none without one); refused where the vocabulary lacks them."""
    answer_ids = _word_ids(vocabulary, "answer", question.answer) if question.answer else ()
    foil_ids = _word_ids(vocabulary, "foil", question.foil) if question.foil else ()
    if foil_ids and foil_ids == answer_ids:
        raise ValueError(
            f"the foil '{question.foil}' has the same tokens as the answer '{question.answer}'; give another foil, or "
            "none"
        )
    return answer_ids, foil_ids


def _word_ids(vocabulary: Vocabulary, what: str, word: str) -> tuple[int, ...]:
    """The ids of an answer or a foil; a tokenizer without an unknown token drops what it lacks."""
    ids = vocabulary.answer_ids(word)
    if not "".join(vocabulary.piece(index) for index in ids).strip(BLANK):
        raise ValueError(f"the {what} '{word}' is unknown to the vocabulary, which has no token for it; use another")
    return ids


def _is_spoken(segments: Sequence[Segment]) -> bool:
    return any(isinstance(segment, SpeechSegment) for segment in segments)


def _kind(segments: Sequence[Segment]) -> Kind:
    spoken = {isinstance(segment, SpeechSegment) for segment in segments}
    return "mixed" if len(spoken) == 2 else "S2T" if spoken == {True} else "T2T"


def _add_example(draft: Draft, segment: Segment, solution: str) -> None:
    """A solved example: the question as a prompt with a final marker, the answer and the end of the line."""
    family = draft.vocabulary.family
    if not family.text_open or family.marker_policy == "between":
        raise ValueError(f"family '{family.name}' has no text marker to set examples apart; write them into the text")
    _add(draft, [segment])
    draft.close("final")
    draft.add_text([TextPart(f"{solution.strip()}\n")])
    draft.end_example()


def _add_in_template(draft: Draft, segments: Sequence[Segment], marker: FinalMarker, transcript: str | None) -> int:
    """The segments, within the family's template where it has one, and the end of the prompt.

    Returns the number of the transcript's segment (-1: none is forced).
    """
    family = draft.vocabulary.family
    opening, closing = family.spoken_turn if _is_spoken(segments) else family.written_turn
    if transcript is None or family.transcript_turn is None:
        _add(draft, segments, opening, closing)
        draft.close(marker)
        return -1
    _add(draft, segments, opening)
    before, after = family.transcript_turn
    parts = [TextPart(closing + before, template=True), TextPart(transcript), TextPart(after, template=True)]
    return draft.add_text([part for part in parts if part.text], marker="none")


def _add(draft: Draft, segments: Sequence[Segment], opening: str = "", closing: str = "") -> None:
    """Append segments; texts side by side, and the template around them, become one text."""
    parts = [TextPart(opening, template=True)] if opening else []
    for segment in segments:
        if isinstance(segment, TextSegment):
            joined = " " if parts and not parts[-1].template else ""
            parts.append(TextPart(joined + segment.text.strip()))
        else:
            if parts:
                draft.add_text(parts)
            parts = []
            streams = {"unit": segment.units, **segment.streams}
            draft.add_speech(streams, segment.words, segment.word_rule, segment.text)
    if closing:
        parts.append(TextPart(closing, template=True))
    if parts:
        draft.add_text(parts)
