"""The cells of a table as texts: a name, or an answer with its aliases, in the forms in which published sets have them.

An answer with aliases may be a list of texts, a struct (``{"value": …, "aliases": […]}``, SQuAD's
``{"text": […], "answer_start": […]}``), a list of structs, or any of these written as JSON or as Python text in a cell
of a table without types.
"""

import ast
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from spiritlens.arguments import shown
from spiritlens.prompts.facts.fact import same_text

NAMES = ("value", "str", "text", "label", "answer", "name")
"""Where a struct has its answer; ``aliases`` holds further ones."""


def lookup(row: Mapping[str, Any], column: str) -> Any:
    """The value of a column, ``outer.inner`` inside of structs; None where the row has none."""
    if column in row:
        return row[column]
    outer, _, inner = column.partition(".")
    held = row.get(outer)
    return lookup(held, inner) if inner and isinstance(held, Mapping) else None


def cell_text(column: str, value: Any) -> str:
    """A cell as one text without blanks around it, "" where it is empty; ValueError for lists, structs and the like.

    Whole numbers are written as such (also those that a table keeps as 1984.0), dates in ISO's form.
    """
    value = _plain(value)
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(int(value)) if float(value).is_integer() else str(value)
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    if isinstance(value, date):
        return value.isoformat()
    raise ValueError(f"{column} is {shown(value)} ({type(value).__name__}): expected a text")


def cell_texts(column: str, value: Any) -> tuple[str, ...]:
    """The answers of a cell, the first one first, each once (case and composed letters aside)."""
    found: dict[str, str] = {}
    for text in _texts(column, value):
        found.setdefault(same_text(text), text)
    return tuple(found.values())


def _texts(column: str, value: Any) -> Iterator[str]:
    value = parsed(_plain(value))
    if isinstance(value, Mapping):
        names = [name for name in NAMES if value.get(name) is not None]
        if not names and value.get("aliases") is None:
            raise ValueError(
                f"{column} is a struct of {', '.join(map(str, value))}: expected one of {', '.join(NAMES)}"
            )
        for part in (*(value[name] for name in names[:1]), value.get("aliases")):
            yield from _texts(column, part)
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for item in value:
            yield from _texts(column, item)
    elif text := cell_text(column, value):
        yield text


def _plain(value: Any) -> Any:
    """Python's own value of numpy's, and None for what stands for an empty cell."""
    if hasattr(value, "tolist") and not isinstance(value, (str, bytes)):
        value = value.tolist()
    if type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and math.isnan(value)):
        return None
    return value


def parsed(value: Any) -> Any:
    """A list or struct that a cell holds as text; any other value as it is."""
    if not isinstance(value, str) or (value.strip()[:1], value.strip()[-1:]) not in (("[", "]"), ("{", "}")):
        return value
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(value.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, (list, tuple, dict)):
            return found
    return value
