"""Unit streams of one utterance become one sequence of tokens.

Base families have one stream, deduplicated (a run of equal units is one token as long as the run). Expressive
families have several, of different rates; their tokens are merged by the time at which they begin, and at equal times
in the order of the family's streams (style, pitch, unit). Times are seconds of the utterance's audio; the family's
``order_rate`` dates the main units for the merge, as the official package does.

A main unit belongs to a word by the alignment rule that is asked for. A unit of another stream, which may last longer
than a word, belongs to the word in which it begins, but to none before the word of the main units that stand before it
and to none after that of the next: words stay in order along the tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from spiritlens.prompts.vocabulary.family import Family, Stream
from spiritlens.speech.alignment.unit_words import SILENCE, WordRule, words_of_units
from spiritlens.speech.units import UnitStream
from spiritlens.speech.words import WordInterval
from spiritlens.terms import StreamName


@dataclass(frozen=True)
class StreamUnit:
    """One unit of one stream: its number, its start and end (seconds), and the index of its word (-1: silence)."""

    stream: StreamName
    id: int
    start: float
    end: float
    word: int


def check_unit_rate(family: Family, name: str, rate: float) -> None:
    """Refuse units at another rate than the family's stream of this name is trained on (1 % is left for rounding)."""
    expected = family.stream(name).rate
    if abs(rate / expected - 1) > 0.01:
        raise ValueError(
            f"the units of stream '{name}' have {rate:g} frames per second, family '{family.name}' reads {expected:g}; "
            "use the speech encoder that the model is trained on"
        )


def merge_streams(
    family: Family,
    streams: Mapping[str, UnitStream],
    words: Sequence[WordInterval],
    word_rule: WordRule = WordRule(),
) -> list[StreamUnit]:
    """The units of all streams in the order in which the family writes them, each with its word."""
    known = [stream.name for stream in family.all_streams()]
    if set(streams) != set(known):
        raise ValueError(
            f"family '{family.name}' writes the unit streams {known}, but {sorted(streams)} are given; give each once"
        )
    dated: list[tuple[float, StreamUnit]] = []
    for stream in family.all_streams():
        units = streams[stream.name]
        check_unit_rate(family, stream.name, units.rate)
        units = units.dedup() if stream.deduplicate else units.expand()
        main = stream.name == "unit"
        rule, slack_units = (word_rule.rule, word_rule.slack_units) if main else ("start", 0)
        words_of = words_of_units(units, words, rule, slack_units) if words else np.full(len(units), SILENCE)
        columns = (units.ids.tolist(), units.starts.tolist(), units.ends.tolist(), words_of.tolist())
        name = cast(StreamName, stream.name)
        dated += zip(
            _order_times(family, stream, units),
            (StreamUnit(name, *row) for row in zip(*columns, strict=True)),
            strict=True,
        )
    return _words_in_order([unit for _, unit in sorted(dated, key=lambda pair: pair[0])], len(words))


def _words_in_order(units: list[StreamUnit], n_words: int) -> list[StreamUnit]:
    """The units, the words of pitch and style units held between those of the main units around them."""
    word = np.array([unit.word for unit in units], dtype=np.int64)
    main = np.array([unit.stream == "unit" for unit in units], dtype=bool)
    before = np.maximum.accumulate(np.where(main, word, SILENCE))
    following = np.where(main & (word != SILENCE), word, n_words - 1)
    after = np.minimum.accumulate(following[::-1])[::-1]
    held = np.where(main | (word == SILENCE), word, np.minimum(np.maximum(word, before), after))
    return [replace(unit, word=int(number)) for unit, number in zip(units, held, strict=True)]


def _order_times(family: Family, stream: Stream, units: UnitStream) -> list[float]:
    """The seconds at which the official package dates each unit: number of its first frame / rate."""
    rate = family.order_rate if stream.name == "unit" else stream.rate
    first_frames = np.cumsum(units.frames) - units.frames
    return [float(frame) / rate for frame in first_frames]
