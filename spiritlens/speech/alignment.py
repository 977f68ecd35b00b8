"""Words in time, and which word each unit belongs to.

A `WordInterval` is a spoken word with its start and end in seconds. Words that a source cannot tell apart ("in the",
which espeak-ng runs together) share one interval: several `WordInterval`s with equal start and end. Otherwise intervals
are sorted and do not overlap.

`words_of_units` assigns each unit the index of its word, or -1 for silence. A unit that straddles two words goes by a
named rule: ``centre`` (the word that holds the unit's centre; the default), ``overlap`` (the word that it shares most
seconds with) or ``start`` (the word that holds the unit's start). `slack_units` lets a word take up to so many silent
units on either side, because word times are estimates (half a unit frame is 20 ms). Units of words that share one
interval carry the index of the first of them.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np
import pandas as pd

from spiritlens.arguments import check_choice, listed, number, shown, told_keywords, whole
from spiritlens.speech.units import UnitStream

Rule = Literal["centre", "overlap", "start"]
SILENCE = -1
"""Word index of a unit that belongs to no word."""

TOLERANCE = 1e-6
"""Seconds by which neighbouring words may overlap through rounding."""


@dataclass(frozen=True)
class WordInterval:
    """A spoken word, from `start` to `end` seconds."""

    word: str
    start: float
    end: float

    def __post_init__(self) -> None:
        if not isinstance(self.word, str):
            raise ValueError(f"word={shown(self.word)} is a {type(self.word).__name__}; expected a text.")
        for name in ("start", "end"):
            object.__setattr__(self, name, number(f"{name} of word {self.word!r}", getattr(self, name)))
        if not self.word.strip():
            raise ValueError(f"a word at {self.start}-{self.end} s is blank; leave silence out of the words.")
        if not 0 <= self.start < self.end < inf:
            raise ValueError(f"word {self.word!r} runs from {self.start} to {self.end} s; expected 0 <= start < end.")

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.end - self.start


def check_words(words: Sequence[WordInterval], duration: float | None = None) -> tuple[WordInterval, ...]:
    """The words as a tuple; refuse them if none, unsorted, overlapping or outside of audio of `duration` seconds."""
    words = listed("words", words, of=WordInterval, empty=True)
    if not words:
        raise ValueError("no words; give at least one word with its start and end.")
    for before, after in itertools.pairwise(words):
        if _share(before, after):
            continue
        if after.start < before.start:
            raise ValueError(
                f"words are unsorted: {after.word!r} at {after.start:.3f} s follows {before.word!r} at "
                f"{before.start:.3f} s; sort them by start."
            )
        if after.start < before.end - TOLERANCE:
            raise ValueError(
                f"words overlap: {before.word!r} ends at {before.end:.3f} s, {after.word!r} starts at "
                f"{after.start:.3f} s; correct the times, or give both words the same start and end."
            )
    if duration is not None and words[-1].end > duration + 0.05:
        last = words[-1]
        thousandth = last.end / 1000 <= duration + 0.05 and all(word.end == int(word.end) for word in words)
        hint = "they look like milliseconds; divide them by 1000" if thousandth else "are they seconds, of this file?"
        raise ValueError(
            f"word {last.word!r} ends at {last.end:.3f} s, but the audio lasts {duration:.3f} s. Look at the times: "
            f"{hint}"
        )
    return words


def interval_groups(words: Sequence[WordInterval]) -> tuple[range, ...]:
    """The indices of words that share one interval; a word with an interval of its own is a group of one."""
    groups: list[range] = []
    for index, word in enumerate(words):
        if groups and _share(words[groups[-1][0]], word):
            groups[-1] = range(groups[-1].start, index + 1)
        else:
            groups.append(range(index, index + 1))
    return tuple(groups)


def words_of_units(
    units: UnitStream, words: Sequence[WordInterval], rule: Rule = "centre", slack_units: int = 0
) -> np.ndarray:
    """For each unit the index of its word, -1 for silence: int [unit]."""
    if not isinstance(units, UnitStream):
        raise ValueError(f"units={shown(units)}: expected a UnitStream, as lens.hear and encoders give")
    slack_units = whole("slack_units", slack_units, at_least=0)
    check_choice("rule", rule, Rule)
    words = check_words(words)
    first = np.array([group.start for group in interval_groups(words)])
    starts = np.array([words[index].start for index in first])
    ends = np.array([words[index].end for index in first])
    if rule == "overlap":
        group = _group_of_most_overlap(units, starts, ends)
    else:
        moment = units.starts if rule == "start" else (units.starts + units.ends) / 2
        group = _group_at(moment, starts, ends)
    index = np.where(group >= 0, first[np.maximum(group, 0)], SILENCE)
    return _take_slack(index, slack_units)


@told_keywords
def unit_table(units: UnitStream, words: Sequence[WordInterval], rule: Rule = "centre") -> pd.DataFrame:
    """One row per unit: id, start, end (seconds), frames and its word ("" for silence); shows itself in a notebook."""
    index = words_of_units(units, words, rule)
    together = {group.start: " ".join(words[place].word for place in group) for group in interval_groups(words)}
    return pd.DataFrame(
        {
            "unit": units.ids,
            "start": units.starts,
            "end": units.ends,
            "frames": units.frames,
            "word": [together.get(place, "") for place in index.tolist()],
        }
    )


def _share(one: WordInterval, other: WordInterval) -> bool:
    return one.start == other.start and one.end == other.end


def _group_at(moment: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The interval that holds each moment; the end is outside."""
    group = np.searchsorted(starts, moment, side="right") - 1
    inside = (group >= 0) & (moment < ends[np.maximum(group, 0)])
    return np.where(inside, group, SILENCE)


def _group_of_most_overlap(units: UnitStream, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The interval that shares most seconds with each unit; the earlier one of two that share as much."""
    shared = np.minimum(units.ends[:, None], ends) - np.maximum(units.starts[:, None], starts)
    best = np.round(shared, 9).argmax(axis=1)
    return np.where(np.take_along_axis(shared, best[:, None], axis=1)[:, 0] > TOLERANCE, best, SILENCE)


def _take_slack(index: np.ndarray, slack_units: int) -> np.ndarray:
    """Give each word up to `slack_units` silent units on either side, one at a time, the earlier word first."""
    for _ in range(slack_units):
        before = np.concatenate([[SILENCE], index[:-1]])
        after = np.concatenate([index[1:], [SILENCE]])
        neighbour = np.where(before != SILENCE, before, after)
        index = np.where(index == SILENCE, neighbour, index)
    return index
