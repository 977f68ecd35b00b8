"""Which of a file's labels are the words that are meant, and what becomes of a word without times.

Recordings, channels, tiers and speakers: the one that is named; else the only one; else, of tiers, the only one whose
name is ``words`` or ends in it ("anna - words"). Where several remain, they are named and asked for.

Silence is left out: a blank label and, in any case of letters, those of `SILENCES`.

A word whose times are not given (the aligner did not place it) is refused, left out (``missing="drop"``), or given the
gap between its neighbours (``missing="interpolate"``): words without times share the time from the end before them, or
0, to the start after them, or the audio's end, in equal parts.
"""

import bisect
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from spiritlens.arguments import check_choice, listed, shown, whole
from spiritlens.speech.word_files.labels import Labels, TimedLabel
from spiritlens.speech.words import WordInterval

Missing = Literal["refuse", "drop", "interpolate"]
SILENCES = frozenset({"", "sil", "<sil>", "!sil", "[sil]", "sp", "spn", "<eps>", "<p:>", "<s>", "</s>", "#"})
WORDED = re.compile(r"words?(_\d+)?$", re.IGNORECASE)
"""The names of tiers of words; a second tier of the same name is called ``words_2``, and is one of them too."""


@dataclass(frozen=True)
class WordChoice:
    """What is meant in a file that holds several: its tier, speaker(s), channel, recording; and `missing` times."""

    tier: str | None = None
    speaker: str | Sequence[str] | None = None
    channel: str | int | None = None
    recording: str | None = None
    missing: Missing = "refuse"

    def __post_init__(self) -> None:
        check_choice("missing", self.missing, Missing)
        for name in ("tier", "recording"):
            if (value := getattr(self, name)) is not None and not isinstance(value, str):
                raise ValueError(f"{name}={shown(value)}: expected a name, as text")
        if self.speaker is not None and not isinstance(self.speaker, str):
            object.__setattr__(self, "speaker", listed("speaker", self.speaker, of=str))
        if self.channel is not None and not isinstance(self.channel, str):
            object.__setattr__(self, "channel", str(whole("channel", self.channel)))

    @property
    def given(self) -> tuple[str, ...]:
        """The names of what is chosen."""
        names = ("tier", "speaker", "channel", "recording")
        chosen = tuple(name for name in names if getattr(self, name) is not None)
        return chosen if self.missing == "refuse" else (*chosen, "missing")

    def words(self, found: Labels, duration: float | None) -> tuple[WordInterval, ...]:
        """The words of the labels; their order and overlaps are the caller's to check."""
        labels = list(found.labels)
        for name in ("recording", "channel"):
            labels = _of_one(labels, name, getattr(self, name))
        labels = self._of_speakers(self._of_tier(labels, found))
        spoken = [label for label in labels if label.text.strip().lower() not in SILENCES]
        return tuple(_interval(label) for label in self._timed(spoken, duration))

    def _of_tier(self, labels: list[TimedLabel], found: Labels) -> list[TimedLabel]:
        if self.tier is not None:
            if self.tier in found.untimed:
                raise ValueError(f"tier {self.tier!r} holds {found.untimed[self.tier]}; {_named('tier', found.tiers)}.")
            if self.tier not in found.tiers:
                raise ValueError(f"it has no tier {self.tier!r}; {_named('tier', found.tiers)}.")
            return [label for label in labels if label.tier == self.tier]
        if not found.tiers and found.untimed:
            name, held = next(iter(found.untimed.items()))
            raise ValueError(f"it has no tier of words: tier {name!r} holds {held}.")
        tiers = found.tiers
        if self.speaker is not None:
            of_speakers = {label.tier for label in labels if label.speaker in self._speakers}
            tiers = tuple(tier for tier in tiers if tier in of_speakers) or tiers
        if len(tiers) > 1:
            worded = [tier for tier in tiers if WORDED.search(tier)]
            if len(worded) != 1:
                raise ValueError(f"name the tier of words (tier=); {_named('tier', tiers)}.")
            tiers = tuple(worded)
        return [label for label in labels if not tiers or label.tier == tiers[0]]

    @property
    def _speakers(self) -> tuple[str, ...]:
        return (self.speaker,) if isinstance(self.speaker, str) else tuple(self.speaker or ())

    def _of_speakers(self, labels: list[TimedLabel]) -> list[TimedLabel]:
        there = _values(labels, "speaker")
        for name in self._speakers:
            if name not in there:
                raise ValueError(f"it has no speaker {name!r}; {_named('speaker', there)}.")
        if self.speaker is None:
            if len(there) > 1:
                raise ValueError(f"name the speaker, or a list of several (speaker=); {_named('speaker', there)}.")
            return labels
        return [label for label in labels if label.speaker in self._speakers]

    def _timed(self, labels: list[TimedLabel], duration: float | None) -> list[TimedLabel]:
        """The labels that have both times, or are given them."""
        lacking = [index for index, label in enumerate(labels) if label.start is None or label.end is None]
        if not lacking:
            return labels
        if self.missing == "drop":
            return [label for index, label in enumerate(labels) if index not in set(lacking)]
        if self.missing == "interpolate":
            return _interpolated(labels, duration)
        label = labels[lacking[0]]
        lacks = "start time" if label.start is None else "end time"
        lacks = "time" if label.start is label.end is None else lacks
        more = f", and so do {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise ValueError(
            f"{label.place}: the word {label.text.strip()!r} has no {lacks}{more}: the aligner did not place it. Give "
            "its times, or say missing='interpolate' (the gap between its neighbours) or missing='drop' (leave it out)."
        )


def _of_one(labels: list[TimedLabel], name: str, wanted: str | None) -> list[TimedLabel]:
    """The labels of the wanted recording or channel, or of the only one."""
    there = _values(labels, name)
    if wanted is None:
        if len(there) > 1:
            raise ValueError(f"name the {name} ({name}=); {_named(name, there)}.")
        return labels
    if wanted not in there:
        raise ValueError(f"it has no {name} {wanted!r}; {_named(name, there)}.")
    return [label for label in labels if getattr(label, name) == wanted]


def _values(labels: Sequence[TimedLabel], name: str) -> tuple[str, ...]:
    return tuple(value for value in dict.fromkeys(getattr(label, name) for label in labels) if value)


def _named(name: str, values: Sequence[str], most: int = 8) -> str:
    if not values:
        return f"it names no {name}s"
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return f"its {name}s are {', '.join(map(repr, values[:most]))}{more}"


def _interval(label: TimedLabel) -> WordInterval:
    try:
        return WordInterval(label.text.strip(), label.start, label.end)  # type: ignore[arg-type]
    except ValueError as error:
        raise ValueError(f"{label.place}: {error}") from None


def _interpolated(labels: Sequence[TimedLabel], duration: float | None) -> list[TimedLabel]:
    """Times that are missing, by equal parts between those that are known (word k lies between places k and k + 1)."""
    times = [time for label in labels for time in (label.start, label.end)]
    if times[-1] is None and duration is None:
        raise ValueError(
            f"{labels[-1].place}: the last word {labels[-1].text.strip()!r} has no end, and none can be found: give "
            "the audio's duration= as well."
        )
    known = [(index, time) for index, time in enumerate(times) if time is not None]
    known = [(-1, 0.0), *known, (len(times), duration if duration is not None else 0.0)]
    filled = [_time_at(index, known) if time is None else time for index, time in enumerate(times)]
    spans = list(zip(filled[::2], filled[1::2], strict=True))
    for label, (start, end), given in zip(labels, spans, zip(times[::2], times[1::2], strict=True), strict=True):
        if start >= end and None in given:
            raise ValueError(
                f"{label.place}: the word {label.text.strip()!r} has no time, and its neighbours leave it none; say "
                "missing='drop' to leave it out."
            )
    return [replace(label, start=start, end=end) for label, (start, end) in zip(labels, spans, strict=True)]


def _time_at(index: int, known: Sequence[tuple[int, float]]) -> float:
    """The time of a start or end between the known ones before and after it."""
    following = bisect.bisect(known, (index, 0.0))
    (before, start), (after, end) = known[following - 1], known[following]
    return start + (end - start) * (_place(index) - _place(before)) / (_place(after) - _place(before))


def _place(index: int) -> int:
    """The place between words of a start (even index) or an end (odd)."""
    return (index + 1) // 2
