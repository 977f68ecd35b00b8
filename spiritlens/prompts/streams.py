"""Unit streams of one utterance become one sequence of tokens.

Base families have one stream, deduplicated (a run of equal units is one token that lasts as long as the run). Expressive
families have several, of different rates; their tokens are merged by the time at which they begin, and at equal times in
the order of the family's streams (style, pitch, unit). Times are seconds of the utterance's audio.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np

from spiritlens.prompts.families import Family
from spiritlens.speech.units import UnitStream

StreamName = Literal["unit", "pitch", "style"]


@dataclass(frozen=True)
class StreamUnit:
    """One unit of one stream: its number, where it begins and ends (seconds), and how many frames it lasts."""

    stream: StreamName
    id: int
    start: float
    end: float
    frames: int
    rate: float

    def alone(self) -> UnitStream:
        """The unit as a stream of its own."""
        return UnitStream(
            np.array([self.id]), np.array([self.start]), np.array([self.end]), np.array([self.frames]), self.rate
        )


def merge_streams(family: Family, streams: Mapping[str, UnitStream]) -> list[StreamUnit]:
    """The units of all streams in the order in which the family writes them."""
    known = [stream.name for stream in family.all_streams()]
    if set(streams) != set(known):
        raise ValueError(
            f"family '{family.name}' writes the streams {known}, given were {sorted(streams)}; give each of them once"
        )
    dated: list[tuple[float, StreamUnit]] = []
    for stream in family.all_streams():
        units = streams[stream.name]
        units = units.dedup() if stream.deduplicate and not units.is_deduplicated else units
        rate = family.order_rate if stream.name == "unit" else stream.rate
        first_frames = np.cumsum(units.frames) - units.frames
        for order, start, end, index, frames in zip(
            first_frames / rate, units.starts, units.ends, units.ids, units.frames, strict=True
        ):
            unit = StreamUnit(
                cast(StreamName, stream.name), int(index), float(start), float(end), int(frames), units.rate
            )
            dated.append((float(order), unit))
    return [unit for _, unit in sorted(dated, key=lambda pair: pair[0])]
