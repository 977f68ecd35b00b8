"""Building prompts: segments of text and speech become tokens, as the official package of the family would join them.

1. Segments of one modality that stand side by side are joined (texts by a blank, units directly).
2. A marker is written where the modality changes, the beginning included; text after a marker carries one leading blank
   where the family says so. ``[Text] the capital of france is``, ``[Speech][Hu7][Hu3]…[Text]``.
3. A prompt that ends in speech ends with the text marker, since the answer is asked for in writing; one that ends in text
   does so only with ``marker="final"`` or where the family always writes it.
4. The tokens are made segment by segment, so that every token's word is known; at the end the whole string is tokenized
   once and must give the same ids.

The subject is found in the *words* (of the text as given, of the speech as aligned), never in decoded tokens. Tokens of a
spoken word are the units that `spiritlens.speech.alignment.words_of_units` gives it; a pause inside the subject belongs to
the subject. Source of the string layout: the official SpiritLM package's prompt construction (arXiv 2402.05755).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from spiritlens.prompts.draft import Draft
from spiritlens.prompts.prompt import Kind, Prompt, Span
from spiritlens.prompts.roles import token_parts, token_roles
from spiritlens.prompts.subject import find_subject
from spiritlens.prompts.vocabulary import Vocabulary
from spiritlens.speech.alignment import WordInterval
from spiritlens.speech.units import UnitStream
from spiritlens.speech.waveform import Waveform

FinalMarker = Literal["none", "final"]
"""A text marker after a prompt that ends in text: ``none`` beyond what the family's own rule writes, or ``final``: one in any case."""


@dataclass(frozen=True)
class TextSegment:
    """A part of a prompt that is read."""

    text: str

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("the text is empty; give the words that the model reads")


@dataclass(frozen=True, eq=False)
class SpeechSegment:
    """A part of a prompt that is heard: its units, its words with times, and the sound where it is at hand.

    ``streams`` holds further unit streams of expressive families by name (``pitch``, ``style``). ``rule`` and ``slack_units``
    are those of `spiritlens.speech.alignment.words_of_units`.
    """

    units: UnitStream
    words: Sequence[WordInterval]
    waveform: Waveform | None = None
    streams: Mapping[str, UnitStream] = field(default_factory=dict)
    rule: Literal["centre", "overlap", "start"] = "centre"
    slack_units: int = 0

    def __post_init__(self) -> None:
        if len(self.units) == 0:
            raise ValueError("the speech has no units; give audio of at least one encoder frame (40 ms at 25 Hz)")
        if not self.words:
            raise ValueError(
                "the speech has no words; give words with start and end in seconds, so that the subject can be found"
            )


Segment = TextSegment | SpeechSegment


def text_prompt(
    vocabulary: Vocabulary,
    text: str,
    subject: str,
    answer: str,
    foil: str | None = None,
    *,
    marker: FinalMarker = "none",
    **about: Any,
) -> Prompt:
    """A written prompt (T2T)."""
    return mixed_prompt(vocabulary, [TextSegment(text)], subject, answer, foil, marker=marker, **about)


def speech_prompt(
    vocabulary: Vocabulary,
    units: UnitStream,
    words: Sequence[WordInterval],
    subject: str,
    answer: str,
    foil: str | None = None,
    *,
    waveform: Waveform | None = None,
    streams: Mapping[str, UnitStream] | None = None,
    **about: Any,
) -> Prompt:
    """A spoken prompt whose answer is asked for in writing (S2T)."""
    segment = SpeechSegment(units, words, waveform, streams or {})
    return mixed_prompt(vocabulary, [segment], subject, answer, foil, **about)


def mixed_prompt(
    vocabulary: Vocabulary,
    segments: Sequence[Segment],
    subject: str,
    answer: str,
    foil: str | None = None,
    *,
    marker: FinalMarker = "none",
    occurrence: int | None = None,
    examples: Sequence[tuple[Segment, str]] = (),
    fact_id: str = "",
    relation: str = "",
    phrasing: str = "",
    voice: str = "",
    group: str = "",
    audio: str = "",
) -> Prompt:
    """A prompt of text and speech segments, in order. ``examples`` are solved (segment, answer) pairs put before it (few-shot).

    ``occurrence`` says which one is meant, counted from 0, where the subject occurs several times.
    """
    if not segments:
        raise ValueError("a prompt needs at least one segment: TextSegment(text) or SpeechSegment(units, words)")
    draft = Draft(vocabulary)
    for segment, solution in examples:
        _add(draft, [segment])
        draft.close("final")
        draft.add_text(f"{vocabulary.family.cased(solution)}\n")
    boundary = len(draft.ids)
    _add(draft, segments)
    draft.close(marker)
    positions, name = find_subject(draft, boundary, subject, occurrence)
    draft.verify()
    waveform = next((s.waveform for s in segments if isinstance(s, SpeechSegment) and s.waveform is not None), None)
    return Prompt(
        ids=tuple(draft.ids),
        text=draft.string,
        labels=tuple(vocabulary.label(index) for index in draft.ids),
        families=tuple(draft.families),
        modalities=tuple(draft.modalities),
        words=tuple(word.word for word in draft.words),
        word_index=tuple(draft.word_index),
        roles=token_roles(draft.families, draft.word_index, positions, len(draft.words)),
        parts=token_parts(len(draft.ids), positions),
        starts=tuple(draft.starts),
        ends=tuple(draft.ends),
        subject=Span(name, positions),
        answer=answer,
        answer_ids=vocabulary.answer_ids(answer),
        kind=_kind(segments),
        foil=foil or "",
        foil_ids=vocabulary.answer_ids(foil) if foil else (),
        fact_id=fact_id,
        relation=relation,
        phrasing=phrasing,
        voice=voice,
        group=group,
        audio=audio or (waveform.source if waveform is not None else ""),
        waveform=waveform,
    )


def _kind(segments: Sequence[Segment]) -> Kind:
    spoken = {isinstance(segment, SpeechSegment) for segment in segments}
    return "mixed" if len(spoken) == 2 else "S2T" if spoken == {True} else "T2T"


def _add(draft: Draft, segments: Sequence[Segment]) -> None:
    """Append segments; texts side by side become one text, joined by a blank."""
    texts: list[str] = []
    for segment in segments:
        if isinstance(segment, TextSegment):
            texts.append(segment.text.strip())
            continue
        if texts:
            draft.add_text(" ".join(texts))
            texts = []
        draft.add_speech(segment.units, segment.words, segment.streams, segment.rule, segment.slack_units)
    if texts:
        draft.add_text(" ".join(texts))
