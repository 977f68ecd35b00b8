"""Prompts on a vocabulary, with question and origin as loose arguments, for the tests of several rooms."""

from collections.abc import Mapping, Sequence
from typing import Any

from spiritlens.prompts.building.build import build_prompt
from spiritlens.prompts.building.question import Question
from spiritlens.prompts.building.segments import Segment, SpeechSegment, TextSegment
from spiritlens.prompts.origin import Origin
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary
from spiritlens.speech.alignment.unit_words import WordRule
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.units import UnitStream
from spiritlens.speech.words import WordInterval


def mixed_prompt(
    vocabulary: Vocabulary,
    segments: Sequence[Segment],
    subject: str | None = None,
    answer: str | None = None,
    foil: str | None = None,
    *,
    marker: Any = "none",
    occurrence: int | None = None,
    examples: Sequence[tuple[Segment, str]] = (),
    transcript: Any = "none",
    **origin: str,
) -> Prompt:
    question = Question(subject, answer, foil, occurrence, examples, transcript)
    return build_prompt(vocabulary, segments, question, Origin(**origin), marker)


def text_prompt(vocabulary: Vocabulary, text: str, *question: str | None, **about: Any) -> Prompt:
    return mixed_prompt(vocabulary, [TextSegment(text)], *question, **about)


def speech_prompt(
    vocabulary: Vocabulary,
    units: UnitStream,
    words: Sequence[WordInterval],
    *question: str | None,
    waveform: Waveform | None = None,
    streams: Mapping[str, UnitStream] | None = None,
    rule: Any = "centre",
    slack_units: int = 0,
    text: str = "",
    **about: Any,
) -> Prompt:
    segment = SpeechSegment(units, words, waveform, streams or {}, WordRule(rule, slack_units), text)
    return mixed_prompt(vocabulary, [segment], *question, **about)
