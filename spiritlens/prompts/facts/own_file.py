"""The toolkit's own file of facts: a JSON object of relations, each with its templates and rows."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spiritlens.arguments import once, shown
from spiritlens.prompts.facts.fact import Fact, check_unique
from spiritlens.prompts.facts.shipped import PHRASINGS

FORM = (
    'needed: {"relations": {name: {"templates": [4 texts] or {phrasing: text}, "facts": [[subject, answer, foil, '
    "group], ...]}}}"
)


def facts_of_file(path: Path) -> tuple[Fact, ...]:
    """The facts of a file, in its order; refused where it has another form, with the row."""
    relations = _mapping(_json(path).get("relations"), path, "relations")
    facts: list[Fact] = []
    for relation, table in relations.items():
        entry = _mapping(table, path, f"relations[{relation!r}]")
        templates = _templates(entry.get("templates"), path, f"templates of relation {relation!r}")
        rows = _list(entry.get("facts"), path, f"facts of relation {relation!r}")
        facts += (_fact(relation, templates, row, path) for row in rows)
    if not facts:
        raise ValueError(f"{path} holds no facts; {FORM}")
    check_unique(facts, str(path))
    return tuple(facts)


def _json(path: Path) -> dict[str, Any]:
    """The object of a JSON file; refused where it is no UTF-8, no JSON, no object, or names something twice."""
    try:
        record = json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=once)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8") from error
    except (ValueError, RecursionError) as error:  # JSONDecodeError is a ValueError
        raise ValueError(f"{path} is no facts file ({error}); {FORM}") from error
    except OSError as error:
        raise OSError(f"{path} cannot be read ({error.strerror or error}); give a readable file") from error
    return _mapping(record, path, "the file")


def _mapping(value: Any, path: Path, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{path} is no facts file: {what} is {shown(value)}, no JSON object; {FORM}")
    return value


def _list(value: Any, path: Path, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{path} is no facts file: {what} is {shown(value)}, no JSON list; {FORM}")
    return value


def _templates(value: Any, path: Path, what: str) -> dict[str, str]:
    """The templates by phrasing: of an object as they are, of a list of four by `PHRASINGS`."""
    if isinstance(value, dict):
        return value
    found = _list(value, path, what)
    if len(found) != len(PHRASINGS):
        raise ValueError(
            f"{path}: {what} has {len(found)} templates, {len(PHRASINGS)} needed: {', '.join(PHRASINGS)}; or name them "
            "in an object {phrasing: template}"
        )
    return dict(zip(PHRASINGS, found, strict=True))


def _fact(relation: str, templates: Mapping[str, str], row: Any, path: Path) -> Fact:
    """The fact of one row of the file."""
    if not isinstance(row, list) or len(row) != 4 or not all(isinstance(value, str) for value in row):
        raise ValueError(
            f"{path}: relation {relation!r} has the row {shown(row)}; needed: [subject, answer, foil, group], texts"
        )
    subject, answer, foil, group = row
    try:
        return Fact(f"{relation}/{_slug(subject)}", relation, subject, answer, foil, templates, group)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _slug(text: str) -> str:
    return "-".join(text.lower().split())
