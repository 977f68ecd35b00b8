"""Praat's TextGrids: long, short and chronological text, and binary.

Text is read as Praat itself reads it: only strings in double quotes (a quote is written twice), flags in angle brackets
and numbers that stand free count, whatever stands between them; a ``!`` begins a comment. So the long and the short
form are the same values, and times may be written like 1.1e-13. Intervals are not checked against each other here.

praatio, which wrote files for the tests, does not serve as the reader: in the long form it does not take times such as
1e-13, it refuses neighbours that overlap by rounding, and it has neither the binary nor the chronological form.
"""

import itertools
import re
import struct
from collections.abc import Iterator

from spiritlens.arguments import shown
from spiritlens.speech.word_files.labels import NUMBER, Labels, TimedLabel

TOKEN = re.compile(r'"((?:[^"]|"")*)"|(<[^<>\s]*>)|!([^\n]*)|([^\s"]+)|(")')
BINARY = b"ooBinaryFile"
CHRONOLOGICAL = "Praat chronological TextGrid text file"
POINTS = "points, which have no end"

LabelValue = str | float
Tier = tuple[str, bool, list[TimedLabel]]
"""Its name, whether it holds intervals, its labels."""


def recognises(text: str) -> bool:
    """Whether the text is one of Praat's objects."""
    return text.lstrip().startswith(('File type = "ooTextFile', f'"{CHRONOLOGICAL}"'))


def read(text: str) -> Labels:
    """The labels of a TextGrid in one of the text forms."""
    if not recognises(text):
        raise ValueError('it is not a TextGrid: it does not begin with File type = "ooTextFile".')
    values = _Values(_tokens(text))
    if values.text("its kind") == CHRONOLOGICAL:
        return _labels(_chronological(values))
    _check_class(values.text("its object class"))
    return _labels(_tiers(values))


def read_binary(data: bytes) -> Labels:
    """The labels of a TextGrid in Praat's binary form (big endian)."""
    values = _BinaryValues(data[len(BINARY) :])
    _check_class(values.short_text("its object class"))
    return _labels(_tiers(values))


def _check_class(name: str) -> None:
    if not name.startswith("TextGrid"):
        raise ValueError(
            f"it is a Praat {name}, not a TextGrid; save the TextGrid alone (select it, Save as text file)."
        )


def _tiers(values: "_Values | _BinaryValues") -> Iterator[Tier]:
    values.time("its start")
    values.time("its end")
    if not values.exists("whether it has tiers"):
        return
    for place in range(1, values.count("the number of tiers") + 1):
        kind = values.short_text(f"the class of tier {place}")
        name = values.text(f"the name of tier {place}")
        if kind not in ("IntervalTier", "TextTier"):
            raise ValueError(f"tier {place} is of class {shown(kind)}; expected IntervalTier or TextTier.")
        values.time(f"the start of tier {name!r}")
        values.time(f"the end of tier {name!r}")
        count = values.count(f"the number of labels of tier {name!r}")
        yield name, kind == "IntervalTier", [_label(values, name, kind, index + 1) for index in range(count)]


def _label(values: "_Values | _BinaryValues", tier: str, kind: str, index: int) -> TimedLabel:
    place = f"{'interval' if kind == 'IntervalTier' else 'point'} {index} of tier {tier!r}"
    start = values.time(f"the start of {place}")
    end = values.time(f"the end of {place}") if kind == "IntervalTier" else start
    return TimedLabel(values.text(f"the text of {place}"), start, end, place)


def _chronological(values: "_Values") -> Iterator[Tier]:
    values.time("its start")
    values.time("its end")
    tiers: list[Tier] = []
    for place in range(1, values.count("the number of tiers") + 1):
        kind = values.text(f"the class of tier {place}")
        tiers.append((values.text(f"the name of tier {place}"), kind == "IntervalTier", []))
        values.time(f"the start of tier {place}")
        values.time(f"the end of tier {place}")
    while not values.done():
        place = values.count("the tier of a label")
        if not 1 <= place <= len(tiers):
            raise ValueError(f"a label belongs to tier {place}, but there are {len(tiers)}.")
        name, interval, labels = tiers[place - 1]
        labels.append(_label(values, name, "IntervalTier" if interval else "TextTier", len(labels) + 1))
    yield from tiers


def _labels(tiers: Iterator[Tier]) -> Labels:
    """The tiers by name; a second tier of the same name is called ``name_2``."""
    return tiers_of([(name, labels if interval else None) for name, interval, labels in tiers], POINTS)


def tiers_of(tiers: list[tuple[str, list[TimedLabel] | None]], untimed: str) -> Labels:
    """Labels of several tiers (None: a tier without spans of time), a speaker read from "anna - words"."""
    found: dict[str, list[TimedLabel] | None] = {}
    for name, labels in tiers:
        free = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
        found[next(own for own in free if own not in found)] = labels
    return Labels(
        tuple(
            TimedLabel(label.text, label.start, label.end, label.place, name, label.speaker or _speaker(name))
            for name, labels in found.items()
            for label in labels or ()
        ),
        tuple(name for name, labels in found.items() if labels is not None),
        {name: untimed for name, labels in found.items() if labels is None},
    )


def _speaker(tier: str) -> str:
    """The speaker that Montreal Forced Aligner puts before a tier's kind: "anna - words"."""
    speaker, sign, kind = tier.rpartition(" - ")
    return speaker if sign and kind in ("words", "phones") else ""


def _tokens(text: str) -> Iterator[LabelValue]:
    for match in TOKEN.finditer(text):
        quoted, flag, _, word, stray = match.groups()
        if quoted is not None:
            yield quoted.replace('""', '"')
        elif flag is not None:
            yield flag
        elif stray is not None:
            raise ValueError("it is cut or damaged: a text in quotes does not end.")
        elif word is not None and NUMBER.fullmatch(word):
            yield float(word)
        elif word is not None and re.match(r"[-+]?\d", word):
            raise ValueError(f"{shown(word)} is no number; write seconds with a decimal point.")


class _Values:
    """The values of a text form in order; what is missing or of another kind is named."""

    def __init__(self, values: Iterator[LabelValue]) -> None:
        self._values = list(values)
        self._next = 0

    def done(self) -> bool:
        return self._next >= len(self._values)

    def _take(self, kind: type, what: str) -> LabelValue:
        if self.done():
            raise ValueError(f"it is cut or damaged: it ends before {what}.")
        value = self._values[self._next]
        if not isinstance(value, kind):
            raise ValueError(f"it is cut or damaged: expected {what}, found {shown(value)}.")
        self._next += 1
        return value

    def text(self, what: str) -> str:
        return str(self._take(str, what))

    short_text = text

    def time(self, what: str) -> float:
        return float(self._take(float, what))

    def count(self, what: str) -> int:
        value = self.time(what)
        if value != int(value) or value < 0:
            raise ValueError(f"it is damaged: {what} is {value:g}.")
        return int(value)

    def exists(self, what: str) -> bool:
        return self.text(what) == "<exists>"


class _BinaryValues:
    """The values of the binary form in order."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def _take(self, size: int, what: str) -> bytes:
        if size < 0 or size > len(self._data):
            raise ValueError(f"it is cut or damaged: it ends before {what}.")
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def short_text(self, what: str) -> str:
        return self._take(self._take(1, what)[0], what).decode("latin-1")

    def text(self, what: str) -> str:
        """One byte a character, or UTF-16 after a length of -1."""
        length: int = struct.unpack(">h", self._take(2, what))[0]
        if length != -1:
            return self._take(length, what).decode("latin-1")
        wide: int = struct.unpack(">h", self._take(2, what))[0]
        return self._take(2 * wide, what).decode("utf-16-be", errors="replace")

    def time(self, what: str) -> float:
        value: float = struct.unpack(">d", self._take(8, what))[0]
        return value

    def count(self, what: str) -> int:
        value: int = struct.unpack(">i", self._take(4, what))[0]
        if not 0 <= value <= len(self._data):
            raise ValueError(f"it is damaged: {what} is {value}.")
        return value

    def exists(self, what: str) -> bool:
        return self._take(1, what) == b"\x01"
