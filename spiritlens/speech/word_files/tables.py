"""Tables with a column of words and columns of times: CSV or TSV, a pandas `DataFrame`, the table of units.

The columns are found by name, in any order and case: ``word``, ``text`` or ``label``; ``start``, ``begin`` or ``tmin``;
``end`` or ``tmax``; and where they are there ``type`` or ``tier`` (Montreal Forced Aligner's CSV, Praat's tables),
``speaker``, ``channel``, and ``recording``, ``file``, ``filename`` or ``utterance``. Times are seconds, with one
exception: Whisper's TSV and whisper.cpp's CSV, whose columns are start, end, text in this order, hold whole
milliseconds.

A table of units (`unit_table`) has a column ``unit``: a word is the run of its units, and "in the" two words at one
time.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spiritlens.arguments import shown
from spiritlens.speech.word_files.labels import Labels, TimedLabel, the_word, time_of

NAMES = {
    "word": ("word", "text", "label"),
    "start": ("start", "begin", "tmin"),
    "end": ("end", "tmax"),
    "tier": ("tier", "type"),
    "speaker": ("speaker",),
    "channel": ("channel",),
    "recording": ("recording", "file", "filename", "utterance", "utterance_id", "utt_id"),
}
NEEDED = ("word", "start", "end")
LEAST_MILLISECONDS = 100
WHISPER = ["start", "end", "text"]


def recognises(text: str) -> bool:
    """Whether the first line names columns of words and of times."""
    try:
        return set(NEEDED) <= set(_columns(_head(text)))
    except ValueError:
        return False


def read(text: str) -> Labels:
    """The words of a table with commas, semicolons or tabs between its columns."""
    head = _head(text)
    _check_columns(head)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text)))[1:]
    except csv.Error as error:
        raise ValueError(f"it is no table ({error}); export it again.") from None
    filled = [(place, row) for place, row in enumerate(rows, 2) if any(cell.strip() for cell in row)]
    for place, row in filled:
        if len(row) != len(head):
            raise ValueError(f"row {place} has {len(row)} cells, the head {len(head)} columns; quote words with signs.")
    return _read_rows(head, [(f"row {place}", row) for place, row in filled])


def read_frame(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Labels:
    """The words of a DataFrame, from its columns and its rows."""
    _check_columns(head)
    numbered: list[tuple[str, Sequence[Any]]] = [
        (f"row {place}", [None if cell is None or cell != cell else cell for cell in row])
        for place, row in enumerate(rows)
    ]
    if "unit" in head:
        word, start, end = (_columns(head)[name] for name in NEEDED)
        numbered = _runs_of_units(numbered, word, start, end)
    return _read_rows(head, numbered)


def _read_rows(head: Sequence[str], rows: Sequence[tuple[str, Sequence[Any]]]) -> Labels:
    columns = _columns(head)
    thousandths = [name.lower().strip() for name in head] == WHISPER and _whole(rows)

    def cell(row: Sequence[Any], name: str) -> str:
        value = row[columns[name]] if name in columns else ""
        return "" if value is None else str(value).strip()

    labels = []
    for place, row in rows:
        word = row[columns["word"]]
        if not isinstance(word, str):
            raise ValueError(f"{place}: the word is {shown(word)} ({type(word).__name__}); expected a text.")
        start, end = (time_of(row[columns[name]], place) for name in ("start", "end"))
        if thousandths:
            word = the_word(word, place, "run Whisper with word_timestamps=True and one word a line.")
            start, end = (None if time is None else time / 1000 for time in (start, end))
        labels.append(
            TimedLabel(
                word,
                start,
                end,
                place,
                tier=cell(row, "tier"),
                speaker=cell(row, "speaker"),
                channel=cell(row, "channel"),
                recording=cell(row, "recording"),
            )
        )
    return Labels(tuple(labels), tuple(dict.fromkeys(label.tier for label in labels if label.tier)))


def _whole(rows: Sequence[tuple[str, Sequence[Any]]]) -> bool:
    """Whether all times are written as whole numbers, and are too large for seconds between words."""
    cells = [str(cell).strip() for _, row in rows for cell in row[:2]]
    return all(cell.isdigit() for cell in cells) and max(map(int, cells), default=0) >= LEAST_MILLISECONDS


def _runs_of_units(
    rows: Sequence[tuple[str, Sequence[Any]]], word: int, start: int, end: int
) -> list[tuple[str, Sequence[Any]]]:
    """One row for each word of a run of units that have the same words."""
    runs: list[list[Any]] = []
    places = []
    for place, row in rows:
        if runs and runs[-1][word] == row[word] and runs[-1][end] == row[start]:
            runs[-1][end] = row[end]
        else:
            runs.append(list(row))
            places.append(place)
    return [
        (place, [*run[:word], name, *run[word + 1 :]])
        for place, run in zip(places, runs, strict=True)
        for name in str(run[word]).split()
    ]


def _columns(head: Sequence[str]) -> Mapping[str, int]:
    """The place of each column that is known."""
    lower = [str(name).strip().lower() for name in head]
    found = {}
    for name, others in NAMES.items():
        places = [place for place, column in enumerate(lower) if column in others]
        if len(places) > 1 and name in NEEDED:
            both = " and ".join(shown(head[place]) for place in places)
            raise ValueError(f"the columns {both} both could be the {name}; keep one.")
        if places:
            found[name] = places[0]
    return found


def _check_columns(head: Sequence[str]) -> None:
    if not set(NEEDED) <= set(_columns(head)):
        named = ", ".join(str(name) for name in head if str(name).strip()) or "none"
        raise ValueError(f"expected the columns word, start, end; found {named}.")


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _head(text: str) -> list[str]:
    first = text.partition("\n")[0].rstrip("\r")
    return next(csv.reader([first], delimiter=_delimiter(text)), [])
