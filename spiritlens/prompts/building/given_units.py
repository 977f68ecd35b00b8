"""Units that were made elsewhere, for models whose speech encoder is not run here: strings, numbers, or streams.

Units come as a string of the family's unit tokens (``[Hu7][Hu3]…``), as their numbers, or as a `UnitStream`, which
knows when each begins and how long it lasts. Strings and numbers are dated where they can be: one unit a frame where
the family merges no runs, or where runs are still there. Units that were merged before have no times; their order is
known and nothing else, so the subject is a span of them, ``(first, past the last)`` or ``(name, first, past the last)``
in the units as they are given. Units with times have words with times as well.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from spiritlens.arguments import shown, whole, written
from spiritlens.prompts.building.segments import SpeechSegment
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.vocabulary.vocabulary import BLANK, Vocabulary
from spiritlens.speech.units import UnitStream
from spiritlens.speech.words import WordInterval

UnitSource: TypeAlias = str | Sequence[int] | np.ndarray | UnitStream
"""Units as a string, as numbers ``[unit]``, or with their times."""

UnitSubject: TypeAlias = str | tuple[int, int] | tuple[str, int, int]
"""The subject in the words, or as a span of units, half-open."""


@dataclass(frozen=True, eq=False)
class GivenUnits:
    """Units on a clock, which is that of their sound only where they are ``timed``; else it counts units."""

    stream: UnitStream
    timed: bool

    def dated(self, prompt: Prompt) -> Prompt:
        """The prompt of these units; its tokens have no times where the units have none."""
        nothing = (math.nan,) * len(prompt)
        return prompt if self.timed else replace(prompt, starts=nothing, ends=nothing)


def given_units(vocabulary: Vocabulary, units: Any) -> GivenUnits:
    """The units that are given, as numbers of the vocabulary's family.

    Raises ValueError for a family that reads no speech or several streams, and for what is none of its units.
    """
    family = vocabulary.family
    if not family.has_speech:
        raise ValueError(f"family '{family.name}' reads no speech; ask it in writing, or name the family= at loading")
    if family.extra_streams:
        raise ValueError(
            f"family '{family.name}' writes other streams beside its units; build the prompt by "
            "prompt([SpeechSegment(...)])"
        )
    if isinstance(units, UnitStream):
        numbers, timed = units.ids, True
    else:
        numbers = _numbers(vocabulary, units)
        timed = not family.deduplicate or bool((numbers[1:] == numbers[:-1]).any())
    if len(numbers) == 0:
        raise ValueError(f"units={shown(units)}: there is none; give at least one unit")
    for number in (int(numbers.min()), int(numbers.max())):
        vocabulary.unit_id(number)
    stream = units if isinstance(units, UnitStream) else UnitStream.from_frames(numbers, family.unit_rate)
    return GivenUnits(stream, timed)


def _numbers(vocabulary: Vocabulary, units: Any) -> np.ndarray:
    """The numbers of units given as a string, as strings, or as numbers."""
    if isinstance(units, (list, tuple)) and units and all(isinstance(unit, str) for unit in units):
        units = "".join(units)
    if isinstance(units, str):
        return _numbers_in(vocabulary, units)
    try:
        numbers = np.asarray(units)
    except (TypeError, ValueError):
        numbers = np.zeros((), object)
    if numbers.ndim != 1 or not (np.issubdtype(numbers.dtype, np.integer) or numbers.size == 0):
        first = vocabulary.family.stream("unit").unit(0)
        raise ValueError(
            f"units={shown(units)}: expected their numbers in order, a string of them ({first}…), or a UnitStream"
        )
    return numbers.astype(np.int64)


def _numbers_in(vocabulary: Vocabulary, string: str) -> np.ndarray:
    """The numbers of a string of unit tokens; the markers of speech around them may be there."""
    family, first = vocabulary.family, vocabulary.unit_ids.start
    stream = family.stream("unit")
    for number in stream.numbers(string):
        vocabulary.unit_id(number - stream.offset)
    bare = "".join(string.split()).removeprefix(family.speech_open or "").removesuffix(family.speech_close or "")
    ids = [index for index in vocabulary.encode(bare) if index != vocabulary.bos_id]
    ids = [index for index in ids if vocabulary.piece(index) != BLANK]
    foreign = [vocabulary.label(index) for index in ids if index not in vocabulary.unit_ids]
    if foreign:
        raise ValueError(
            f"units={shown(string)}: '{foreign[0]}' is no unit of family '{family.name}'; give its unit tokens only, "
            f"such as {stream.unit(0)}{stream.unit(1)}"
        )
    return np.array(ids, dtype=np.int64) - first


def unit_segment(
    given: GivenUnits, subject: UnitSubject | None, words: Sequence[WordInterval], text: str
) -> tuple[SpeechSegment, str | None]:
    """The segment of given units, and the subject's name in its words.

    Raises ValueError where the subject cannot be found: no span of the units, or a text without words.
    """
    written("text", text, blank="allowed")
    if words and not given.timed:
        raise ValueError(
            "words= have times, but these units have none: runs of them were merged. Give a UnitStream, which holds "
            "them, or the subject as a span of units, subject=(first, past the last)"
        )
    if subject is None or isinstance(subject, str):
        if subject is not None and not words:
            raise ValueError(
                f"subject={shown(subject)} is looked for in the words, and there are none; give words= with their "
                "times, or the subject as a span of units, subject=(first, past the last)"
            )
        return SpeechSegment(given.stream, words, text=text), subject
    if words:
        raise ValueError(f"subject={shown(subject)} is a span of units; with words= name it by its words")
    interval = _spanned(given.stream, subject)
    return SpeechSegment(given.stream, [interval], text=text), interval.word


def _spanned(stream: UnitStream, subject: Any) -> WordInterval:
    """A span of units as a word."""
    if not isinstance(subject, (tuple, list)) or len(subject) not in (2, 3):
        raise ValueError(
            f"subject={shown(subject)}: expected a text, or a span of units, (first, past the last) or (name, first, "
            "past the last)"
        )
    first = whole("subject's first unit", subject[-2], at_least=0, at_most=len(stream) - 1)
    end = whole("subject's end, past its last unit", subject[-1], at_least=first + 1, at_most=len(stream))
    name = subject[0] if len(subject) == 3 else f"units {first}-{end - 1}"
    return WordInterval(name, float(stream.starts[first]), float(stream.ends[end - 1]))
