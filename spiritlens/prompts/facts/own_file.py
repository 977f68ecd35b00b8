"""The toolkit's own file of facts: a JSON object of relations, each with its templates and rows.

    {"relations": {"capital": {"templates": {"first": "The capital of {subject} is"},
                               "facts": [["France", "Paris", "Rome", "both"]]}}}

Its rows go the way of every other table's; what is no table (templates that are none, a relation without rows) ends the
reading.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from spiritlens.arguments import shown
from spiritlens.prompts.facts.left_out import Refusal
from spiritlens.prompts.facts.shipped import PHRASINGS

FORM = (
    'needed: {"relations": {name: {"templates": [4 texts] or {phrasing: text}, "facts": [[subject, answer, foil, '
    "group], ...]}}}"
)
CELLS = ("subject", "answer", "foil", "group")


def own_rows(record: Any, name: str) -> Iterator[Mapping[str, Any] | Refusal]:
    """A row for each fact of the object that the file `name` holds; refused where it has another form."""
    relations = _mapping(_mapping(record, name, "the file").get("relations"), name, "relations")
    tables = {relation: _table(relation, table, name) for relation, table in relations.items()}
    for relation, (templates, rows) in tables.items():
        for row in rows:
            if isinstance(row, list) and len(row) == len(CELLS) and all(isinstance(value, str) for value in row):
                yield {"relation": relation, "templates": templates, **dict(zip(CELLS, row, strict=True))}
            else:
                needed = f"relation {relation!r} has the row {shown(row)}; needed: [{', '.join(CELLS)}], texts"
                yield Refusal("the row cannot be read", needed)


def _table(relation: str, table: Any, name: str) -> tuple[dict[str, str], list[Any]]:
    """The templates and the rows of one relation."""
    entry = _mapping(table, name, f"relations[{relation!r}]")
    templates = _templates(entry.get("templates"), name, f"templates of relation {relation!r}")
    return templates, _list(entry.get("facts"), name, f"facts of relation {relation!r}")


def _mapping(value: Any, name: str, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} is no facts file: {what} is {shown(value)}, no JSON object; {FORM}")
    return value


def _list(value: Any, name: str, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{name} is no facts file: {what} is {shown(value)}, no JSON list; {FORM}")
    return value


def _templates(value: Any, name: str, what: str) -> dict[str, str]:
    """The templates by phrasing: of an object as they are, of a list of four by `PHRASINGS`."""
    found = value if isinstance(value, dict) and value else _by_phrasing(value, name, what)
    for phrasing, template in found.items():
        if not isinstance(template, str):
            raise ValueError(f"{name}: {what}: template {phrasing!r}={shown(template)}: expected a text")
    return found


def _by_phrasing(value: Any, name: str, what: str) -> dict[str, Any]:
    found = _list(value, name, what)
    if len(found) != len(PHRASINGS):
        raise ValueError(
            f"{name}: {what} has {len(found)} templates, {len(PHRASINGS)} needed: {', '.join(PHRASINGS)}; or name them "
            "in an object {phrasing: template}"
        )
    return dict(zip(PHRASINGS, found, strict=True))
