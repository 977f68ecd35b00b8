"""Words in time, and which word each unit belongs to.

A `WordInterval` is a spoken word with its start and end in seconds. Words that a source cannot separate ("in the",
which espeak-ng runs together) share one interval: several values with equal start and end. Otherwise intervals are
sorted and do not overlap.

`words_of_units` assigns each unit the index of its word, or -1 for silence. A unit that straddles two words goes by a
named rule: ``centre`` (the word that holds the unit's centre; the default), ``overlap`` (the word that it shares most
seconds with) or ``start`` (the word that holds the unit's start). `slack_units` lets a word take up to so many silent
units on either side, because word times are estimates (half a unit frame is 20 ms). Units of words that share one
interval carry the index of the first of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from spiritlens.arguments import check_choice, shown, told_keywords, whole
from spiritlens.speech.units import UnitStream
from spiritlens.speech.words import TOLERANCE, WordInterval, check_words, interval_groups

Rule = Literal["centre", "overlap", "start"]
SILENCE = -1
"""Word index of a unit that belongs to no word."""


@dataclass(frozen=True)
class WordRule:
    """How units are given to words: by which rule, and how many silent units on either side a word may take."""

    rule: Rule = "centre"
    slack_units: int = 0

    def __post_init__(self) -> None:
        check_choice("rule", self.rule, Rule)
        object.__setattr__(self, "slack_units", whole("slack_units", self.slack_units, at_least=0))


def words_of_units(
    units: UnitStream, words: Sequence[WordInterval], rule: Rule = "centre", slack_units: int = 0
) -> np.ndarray:
    """For each unit the index of its word, -1 for silence: int [unit]."""
    if not isinstance(units, UnitStream):
        raise ValueError(f"units={shown(units)}: expected a UnitStream, as lens.encode and encoders give")
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
    """One row per unit: id, start, end (seconds), frames and its word ("" for silence); shows itself in a notebook.

    Returns a pandas table. Raises ValueError where units and words do not belong together.
    """
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
