"""What is said, on one axis of seconds: units, words and the outline of the waveform of each spoken prompt.

Where a prompt has several spoken segments, whose times begin at 0 each, they follow each other; `sound_start` is the
second at which its sound, which is of one of them, begins. A word lasts from its first unit to its last one. What the
model *hears* lasts from `heard_start` to `heard_end`: less than the sound where a prompt has some words of a recording.

Axes: units and words of one prompt after those of another, `unit_sizes` and `word_sizes` [prompt] of each. The outline
has `OUTLINE` slices of the sound: the largest sample of each in 1/255 of the loudest. Of a unit it is told at which
`position` of the prompt it stands, the `word` it belongs to (−1: none) and whether it is `corrupted`; of a word its
`index` in the prompt, its role, and the index and role of its written twin (`spiritlens.report.page.twins`) in the
prompt `twin_prompts` [prompt] (−1: none).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spoken_seconds import Seconds, seconds_of
from spiritlens.report.page.facts_table import FactsTable
from spiritlens.report.page.packing import Described, Packing
from spiritlens.report.page.twins import NONE, twin_prompts, twin_words

OUTLINE = 240
"""Slices of a waveform."""

Kind = Literal["text", "whole", "seconds"]
NUMBERS = {"whole": np.int64, "seconds": np.float64}
TIMES: dict[str, Kind] = {"start": "seconds", "end": "seconds"}
UNITS: dict[str, Kind] = {
    **TIMES,
    "label": "text",
    **dict.fromkeys(("word", "position", "subject", "corrupted"), "whole"),
}
WORDS: dict[str, Kind] = {
    **TIMES,
    **dict.fromkeys(("text", "role", "twin_role"), "text"),
    **dict.fromkeys(("subject", "index", "twin"), "whole"),
}
ABOUT: dict[str, Kind] = {
    **dict.fromkeys(("prompts", "twin_prompts", "unit_sizes", "word_sizes", "segments"), "whole"),
    **dict.fromkeys(("sound_start", "sound_length", "duration", "heard_start", "heard_end"), "seconds"),
}
"""Columns of units, of words and of prompts, and what they hold."""


def outline(samples: Any, slices: int = OUTLINE) -> Any:
    """The largest sample of each slice in 1/255 of the loudest [slice]."""
    edges = np.linspace(0, len(samples), slices + 1).astype(np.int64)[:-1]
    if not len(samples):
        return np.zeros(slices, dtype=np.int64)
    largest = np.maximum.reduceat(np.abs(np.asarray(samples, dtype=np.float64)), np.minimum(edges, len(samples) - 1))
    return np.round(255 * largest / (largest.max() or 1.0)).astype(np.int64)


def packed_spoken(table: FactsTable, datasets: Mapping[str, xr.Dataset], packing: Packing) -> Described:
    """Units, words and outlines of the spoken ones among the given prompts, by their places in the table.

    What was corrupted is what the first dataset that holds a prompt says.
    """
    spoken = {place: prompt for place, prompt in table.given.items() if "unit" in prompt.families}
    twins, corrupted = twin_prompts(table.given, table.prompts), _corrupted_where(table, datasets)
    units: list[dict[str, Any]] = []
    words: list[dict[str, Any]] = []
    about: list[dict[str, Any]] = []
    for place, prompt in spoken.items():
        found = seconds_of(prompt)
        own = _units(prompt, found, _corrupted(prompt, corrupted.get(place)))
        said = _words(prompt, found, table.given.get(twins.get(place, NONE)))
        units += own
        words += said
        about.append(
            {
                "prompts": place,
                "twin_prompts": twins.get(place, NONE),
                "unit_sizes": len(own),
                "word_sizes": len(said),
                "segments": found.segments,
                "sound_start": found.sound_start,
                "sound_length": prompt.waveform.duration if prompt.waveform is not None else float("nan"),
                "duration": found.duration,
                "heard_start": found.heard[0],
                "heard_end": found.heard[1],
            }
        )
    outlines = [outline(p.waveform.samples if p.waveform is not None else np.zeros(0)) for p in spoken.values()]
    return {
        **_columns(about, ABOUT, packing),
        "units": _columns(units, UNITS, packing),
        "words": _columns(words, WORDS, packing),
        "outline": packing.numbers("spoken", np.asarray(outlines, dtype=np.int64).reshape(len(spoken), OUTLINE)),
    }


def _units(prompt: Prompt, found: Seconds, corrupted: Sequence[int]) -> list[dict[str, Any]]:
    return [
        {
            "label": prompt.labels[at],
            "start": start,
            "end": end,
            "word": prompt.word_index[at],
            "position": at,
            "subject": int(at in prompt.subject.positions),
            "corrupted": int(at in corrupted),
        }
        for at, (start, end) in found.times.items()
    ]


def _words(prompt: Prompt, found: Seconds, twin: Prompt | None) -> list[dict[str, Any]]:
    """Words with their times and twins, in order; one without units is told with the one before."""
    rows = []
    subject = set(prompt.subject.positions)
    twins = twin_words(prompt.words, twin.words) if twin is not None else [NONE] * len(prompt.words)
    for span in prompt.word_spans():
        own = [at for at in span.positions if at in found.times]
        if not own:
            continue
        index = prompt.word_index[own[0]]
        written = twins[index]
        rows.append(
            {
                "text": span.name,
                "start": min(found.times[at][0] for at in own),
                "end": max(found.times[at][1] for at in own),
                "subject": int(bool(subject & set(own))),
                "index": index,
                "role": prompt.roles[own[0]],
                "twin": written,
                "twin_role": twin.roles[twin.word_index.index(written)]
                if twin is not None and written in twin.word_index
                else "",
            }
        )
    return rows


def _corrupted_where(table: FactsTable, datasets: Mapping[str, xr.Dataset]) -> dict[int, Any]:
    """By place of the prompt what the call that made its effects names as corrupted: a span, or positions."""
    found: dict[int, Any] = {}
    for name, places in table.rows.items():
        where = json.loads(datasets[name].attrs["config_json"]).get("corrupted", "subject")
        for place in places:
            found.setdefault(place, where)
    return found


def _corrupted(prompt: Prompt, where: Any) -> tuple[int, ...]:
    """Positions; those of the subject where no such span is in the prompt."""
    try:
        return prompt.span(where).positions
    except (TypeError, ValueError):
        return prompt.subject.positions


def _columns(rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, Kind], packing: Packing) -> Described:
    packed: Described = {}
    for name, kind in kinds.items():
        values = [row[name] for row in rows]
        if kind == "text":
            packed[name] = packing.texts("spoken", values)
        else:
            packed[name] = packing.numbers("spoken", np.asarray(values, dtype=NUMBERS[kind]))
    return packed
