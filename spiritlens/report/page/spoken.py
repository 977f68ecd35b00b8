"""What is said, on one axis of seconds: units, words and the outline of the waveform of each spoken prompt.

Where a prompt has several spoken segments, whose times begin at 0 each, they follow each other; `sound_start` is the
second at which its sound, which is of one of them, begins. A word lasts from its first unit to its last one.

Axes: units and words of one prompt after those of another, `unit_sizes` and `word_sizes` [prompt] of each. The outline
has `OUTLINE` slices of the sound: the largest sample of each in 1/255 of the loudest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spoken_parts import spoken_segments
from spiritlens.report.page.packing import Described, Packing

OUTLINE = 240
"""Slices of a waveform."""


@dataclass(frozen=True)
class Seconds:
    """Where all lies: start and end of each unit by its position, where the sound begins, and how long all lasts."""

    times: dict[int, tuple[float, float]]
    sound_start: float
    duration: float


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
    return Seconds(times, starts[sounding], starts[-1])


def outline(samples: Any, slices: int = OUTLINE) -> Any:
    """The largest sample of each slice in 1/255 of the loudest [slice]."""
    edges = np.linspace(0, len(samples), slices + 1).astype(np.int64)[:-1]
    if not len(samples):
        return np.zeros(slices, dtype=np.int64)
    largest = np.maximum.reduceat(np.abs(np.asarray(samples, dtype=np.float64)), np.minimum(edges, len(samples) - 1))
    return np.round(255 * largest / (largest.max() or 1.0)).astype(np.int64)


def packed_spoken(given: Mapping[int, Prompt], packing: Packing) -> Described:
    """Units, words and outlines of the spoken ones among the given prompts, by their places in the table."""
    spoken = {place: prompt for place, prompt in given.items() if "unit" in prompt.families}
    units: dict[str, list[Any]] = {name: [] for name in ("label", "start", "end", "word", "position", "subject")}
    words: dict[str, list[Any]] = {name: [] for name in ("text", "start", "end", "subject")}
    sizes: dict[str, list[int]] = {"unit_sizes": [], "word_sizes": []}
    about: dict[str, list[float]] = {"sound_start": [], "sound_length": [], "duration": []}
    for prompt in spoken.values():
        found = seconds_of(prompt)
        subject = set(prompt.subject.positions)
        for at, (start, end) in found.times.items():
            row = (prompt.labels[at], start, end, prompt.word_index[at], at, int(at in subject))
            for name, value in zip(units, row, strict=True):
                units[name].append(value)
        said = _words(prompt, found)
        for name in words:
            words[name].extend(row[name] for row in said)
        sizes["unit_sizes"].append(len(found.times))
        sizes["word_sizes"].append(len(said))
        about["sound_start"].append(found.sound_start)
        about["sound_length"].append(prompt.waveform.duration if prompt.waveform is not None else float("nan"))
        about["duration"].append(found.duration)
    outlines = [outline(p.waveform.samples if p.waveform is not None else np.zeros(0)) for p in spoken.values()]
    return {
        "prompts": packing.numbers("spoken", np.asarray(list(spoken), dtype=np.int64)),
        **{name: packing.numbers("spoken", np.asarray(values, dtype=np.int64)) for name, values in sizes.items()},
        **{name: packing.numbers("spoken", np.asarray(values, dtype=np.float64)) for name, values in about.items()},
        "units": _columns(units, ("label",), packing),
        "words": _columns(words, ("text",), packing),
        "outline": packing.numbers("spoken", np.asarray(outlines, dtype=np.int64).reshape(len(spoken), OUTLINE)),
    }


def _words(prompt: Prompt, found: Seconds) -> list[dict[str, Any]]:
    """Words with their times, in order; those without units are not among them."""
    rows = []
    subject = set(prompt.subject.positions)
    for index in sorted({prompt.word_index[at] for at in found.times} - {-1}):
        own = [at for at in found.times if prompt.word_index[at] == index]
        rows.append(
            {
                "text": prompt.words[index],
                "start": min(found.times[at][0] for at in own),
                "end": max(found.times[at][1] for at in own),
                "subject": int(bool(subject & set(own))),
            }
        )
    return rows


def _columns(table: Mapping[str, list[Any]], texts: tuple[str, ...], packing: Packing) -> Described:
    packed: Described = {}
    for name, values in table.items():
        if name in texts:
            packed[name] = packing.texts("spoken", values)
        else:
            kind = np.float64 if name in ("start", "end") else np.int64
            packed[name] = packing.numbers("spoken", np.asarray(values, dtype=kind))
    return packed
