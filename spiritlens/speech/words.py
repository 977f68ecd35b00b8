"""Words with times: `WordInterval` (seconds from the start of the audio), their order, and words that share one
interval."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from spiritlens.arguments import listed, number, shown

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


def _share(one: WordInterval, other: WordInterval) -> bool:
    return one.start == other.start and one.end == other.end
