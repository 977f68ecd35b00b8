"""One axis of seconds for what a prompt says: its spoken segments, whose times begin at 0 each, one after another."""

from dataclasses import dataclass

import numpy as np

from spiritlens.prompts.building.segments import FRAMES_LOST
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spoken_parts import spoken_segments


@dataclass(frozen=True)
class Seconds:
    """Where all lies: start and end of each unit by its position, where the sound begins, how long all lasts, and the
    number of segments."""

    times: dict[int, tuple[float, float]]
    sound_start: float
    duration: float
    segments: int

    @property
    def heard(self) -> tuple[float, float]:
        """Start and end of what the model hears, in seconds: a frame that the encoder leaves out counts."""
        start, end = min(at for at, _ in self.times.values()), max(at for _, at in self.times.values())
        return (
            start if start > FRAMES_LOST else 0.0,
            end if self.duration - end > FRAMES_LOST else self.duration,
        )


def seconds_of(prompt: Prompt) -> Seconds:
    """Times of a spoken prompt, its segments one after the other, the sound at the one that lasts as long."""
    segments = spoken_segments(prompt)
    lengths = [max(prompt.ends[place] for place in segment) for segment in segments]
    sounding = 0
    if prompt.waveform is not None:
        duration = prompt.waveform.duration
        sounding = int(np.argmin([abs(length - duration) for length in lengths]))
        lengths[sounding] = max(lengths[sounding], duration)
    starts = np.cumsum([0.0, *lengths]).tolist()
    times = {
        place: (start + prompt.starts[place], start + prompt.ends[place])
        for start, segment in zip(starts, segments, strict=False)
        for place in segment
    }
    return Seconds(times, starts[sounding], starts[-1], len(segments))
