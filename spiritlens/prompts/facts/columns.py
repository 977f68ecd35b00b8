"""Which column of a table holds what: by its layout, and by what its user names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spiritlens.arguments import listed, shown
from spiritlens.prompts.facts.cells import lookup
from spiritlens.prompts.facts.layouts import ROLES, recognised
from spiritlens.prompts.facts.sound_rows import KEYS as SOUND_KEYS

FIRST = "first"
"""The phrasing of a set that has one text a row."""
KEYS = (*ROLES, "tags")


@dataclass(frozen=True)
class Columns:
    """The layout's name, the column of each role (missing: the table has none), of each phrasing, and of the tags."""

    layout: str
    of: Mapping[str, str]
    prompts: Mapping[str, str]
    tags: tuple[str, ...]

    def held(self, row: Mapping[str, Any], role: str) -> Any:
        """What a row holds for a role; None where the table has no such column."""
        return lookup(row, self.of[role]) if role in self.of else None


def chosen_columns(
    name: str, first_rows: Sequence[Mapping[str, Any]], given: Mapping[str, Any], needs_prompt: bool
) -> Columns:
    """The columns of a table by its first rows and those that the user gave by role.

    Raises ValueError for a role that there is none of, a column that the table lacks, and where none holds the subject,
    the answer or (unless templates are given) the prompt; each names the columns found.
    """
    found = column_names(first_rows)
    for role, column in given.items():
        for one in _given_names(role, column):
            if one not in found:
                raise ValueError(f"{name} has no column {one!r} (for {role}); its columns are {', '.join(found)}")
    layout = recognised(lambda column: column in found)
    spelt = {one.casefold(): one for one in reversed(found)} | {one: one for one in found}
    named: dict[str, Any] = {}
    for role, usual in layout.columns.items():
        named[role] = next((spelt[one] for one in usual if one in spelt), None)
    of = {role: column for role, column in {**named, **given}.items() if isinstance(column, str)}
    prompts = given["prompt"] if isinstance(given.get("prompt"), Mapping) else {FIRST: of.get("prompt")}
    kept = {phrasing: column for phrasing, column in prompts.items() if column}
    missing = ["answer"] if "answer" not in of else []
    unsaid = "subject" not in given and layout.columns.get("subject") != ()
    missing += ["subject"] if "subject" not in of and unsaid else []
    missing += ["prompt"] if needs_prompt and not kept else []
    if missing:
        remedy = "".join(f"{role!r}: 'COLUMN', " for role in missing).rstrip(", ")
        without = "; 'subject': None if the questions name none" if "subject" in missing else ""
        without += "; or give templates={'first': 'The capital of {} is'}" if "prompt" in missing else ""
        raise ValueError(
            f"{name}: no column holds the {' or the '.join(missing)}; its columns are {', '.join(found)}. Say which do "
            f"by columns={{{remedy}}}{without}"
        )
    changed = ", by the columns given" if given else ""
    return Columns(layout.name + changed, of, kept, tuple(given.get("tags", ())))


def column_names(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The names of the columns of some rows, those inside of structs as ``outer.inner``, in the order they come."""
    found: dict[str, None] = {}
    for row in rows:
        for name, value in row.items():
            found[str(name)] = None
            if isinstance(value, Mapping):
                found |= dict.fromkeys(f"{name}.{inner}" for inner in value)
    return tuple(found)


def _given_names(role: str, column: Any) -> tuple[str, ...]:
    """The columns that are named for a role; refused where it is none, or these are no names."""
    if role not in KEYS:
        raise ValueError(
            f"columns: {shown(role)} is nothing that a column holds; use {', '.join((*KEYS, *SOUND_KEYS))}"
        )
    if role == "subject" and column is None:
        return ()
    if role == "tags":
        return listed("columns['tags']", column, of=str)
    named = tuple(column.values()) if role == "prompt" and isinstance(column, Mapping) else (column,)
    if not named or not all(isinstance(one, str) for one in named):
        raise ValueError(f"columns[{role!r}]={shown(column)}: expected the name of a column")
    return named
