"""What every reader of word files returns: labels with times, each with the line or place that it stands at.

A time that a file does not give is None: `read_words` decides what becomes of the word. Times are seconds as the file
writes them; nothing is sorted, cut or checked here but that a time is a number.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from spiritlens.arguments import number, shown

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class TimedLabel:
    """A label (a word or a sign of silence), its start and end in seconds, and whose it is where the file says so."""

    text: str
    start: float | None
    end: float | None
    place: str
    tier: str = ""
    speaker: str = ""
    channel: str = ""
    recording: str = ""


@dataclass(frozen=True)
class Labels:
    """A file's labels; `tiers` names all its tiers of words, `untimed` the others with what they hold instead."""

    labels: tuple[TimedLabel, ...]
    tiers: tuple[str, ...] = ()
    untimed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WordFormat:
    """A format: its name as errors give it, the endings of its files, how its content is known, and its reader."""

    name: str
    endings: tuple[str, ...]
    recognises: Callable[[str], bool]
    read: Callable[[str], Labels]


def time_of(value: object, place: str) -> float | None:
    """A time in seconds from a number or the text of one; None (or an empty text) stays None."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        if not NUMBER.fullmatch(value.strip()):
            raise ValueError(f"{place}: the time {shown(value)} is no number; write seconds with a decimal point.")
        return float(value)
    return number(f"{place}: a time", value)


def clock_time(text: str) -> float:
    """Seconds of ``[hours:]minutes:seconds`` with a point or a comma before the milliseconds."""
    seconds = Decimal(0)
    for part in text.replace(",", ".").split(":"):
        seconds = 60 * seconds + Decimal(part)
    return float(seconds)


def the_word(text: str, place: str, remedy: str) -> str:
    """The text without spaces around it; refuse one of several words, because their times are not given."""
    if len(text.split()) > 1:
        raise ValueError(f"{place}: {shown(text.strip())} has one time for several words; {remedy}")
    return text.strip()
