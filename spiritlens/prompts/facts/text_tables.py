"""Rows of the files that are text: JSON (one list), JSON lines, CSV and TSV.

They are read here, not by `datasets`, whose readers take a text that looks like a date for a date, an answer ``None``
or ``NA`` for an empty cell, ``007`` for 7, and end at the first line that is broken. Here every cell of CSV is a text,
every value of JSON what it is, and a line that cannot be read falls out alone.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from spiritlens.arguments import once, shown
from spiritlens.prompts.facts.left_out import Refusal
from spiritlens.prompts.facts.own_file import FORM, own_rows
from spiritlens.prompts.facts.squad import is_squad, squad_rows

Row: TypeAlias = Mapping[str, Any] | Refusal
"""A row of a table, or why it cannot be read."""

SEPARATORS = {".csv": ",", ".tsv": "\t"}
"""Spreadsheets of many countries write semicolons: they count where the first line has none of the ending's own."""
JSON_LINES = (".jsonl", ".ndjson")
TEXT_ENDINGS = (".json", *JSON_LINES, *SEPARATORS)


def text_rows(path: Path) -> Iterator[Row]:
    """The rows of a file by its ending, one by one. Raises ValueError where it is no UTF-8 or no table."""
    ending = path.suffix.lower()
    try:
        if ending in SEPARATORS:
            yield from _separated(path, SEPARATORS[ending])
        elif ending in JSON_LINES:
            yield from _lines(path)
        else:
            yield from _json(path)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        raise OSError(f"{path} cannot be read ({error.strerror or error}); give a readable file") from error


def _json(path: Path) -> Iterator[Row]:
    """A list of objects, SQuAD's articles, our own object of relations, or (several values) JSON lines after all."""
    text = path.read_bytes().decode("utf-8-sig")
    try:
        record = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:  # JSONDecodeError is a ValueError
        if _first_is_object(text):
            yield from _lines(path)
            return
        raise ValueError(f"{path} is no facts file ({error}); {FORM}, or a list of objects") from error
    if isinstance(record, list) and record:
        yield from (_object(row) for row in record)
    elif is_squad(record):
        yield from squad_rows(record)
    else:
        yield from own_rows(record, str(path))


def _first_is_object(text: str) -> bool:
    """Whether the first line is a JSON object by itself."""
    try:
        return isinstance(json.loads(text.partition("\n")[0]), dict) and bool(text.partition("\n")[2].strip())
    except (ValueError, RecursionError):
        return False


def _lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for line in file:
            if not line.strip():
                continue
            try:
                yield _object(json.loads(line, object_pairs_hook=once))
            except (ValueError, RecursionError) as error:
                yield Refusal("the row cannot be read", f"{shown(line)} is no JSON ({error})")


def _object(value: Any) -> Row:
    if isinstance(value, Mapping):
        return value
    return Refusal("the row cannot be read", f"{shown(value)} is no object of columns")


def _separated(path: Path, separator: str) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        rows = csv.reader(file, delimiter=next((one for one in (separator, ";", "\t") if one in first), separator))
        try:
            columns = [name.strip() for name in next((row for row in rows if row), [])]
            if len(set(columns)) < len(columns):
                raise ValueError(f"{path}: two columns have the same name among {', '.join(columns)}; name each once")
            for row in rows:
                if len(row) == len(columns):
                    yield dict(zip(columns, row, strict=True))
                elif row:
                    differing = f"{shown(row)} has {len(row)} cells, the first line {len(columns)}"
                    yield Refusal("the row cannot be read", f"{differing}; quote cells that hold the separator")
        except csv.Error as error:
            raise ValueError(f"{path} is no table ({error} in line {rows.line_num}); save it again") from error
