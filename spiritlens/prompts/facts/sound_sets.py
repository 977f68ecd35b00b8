"""The sounds of a set of recordings one by one, each with the id of the fact that it belongs to.

The id is a column, or in a folder without a table a part of the files' names. ``names`` says which part: ``{id}``,
``{voice}`` and ``{phrasing}`` stand for them, ``{}`` for anything else, ``/`` for the folder within; the ending is left
out. Without ``names`` the id is the file's name and the voice the folder that it lies in: ``{voice}/{id}``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from spiritlens.arguments import shown, written
from spiritlens.prompts.facts.left_out import Refusal
from spiritlens.prompts.facts.sound_rows import KEYS, sound_columns
from spiritlens.prompts.facts.sounds import FactSound
from spiritlens.prompts.facts.tables import Table, open_table
from spiritlens.speech.audio_columns import looked_at
from spiritlens.speech.recording_rows import sound_files, table_rows
from spiritlens.speech.recordings import Recording, recordings_of_folder
from spiritlens.speech.word_files.sets import recording_name

IDS = ("fact_id", "id", "question_id", "uid")
"""Columns of ids, in the order in which they are looked for."""

PARTS = {"{id}": "(?P<id>.+)", "{voice}": "(?P<voice>[^/]+)", "{phrasing}": "(?P<phrasing>[^/]+)", "{}": "[^/]*"}


def sounds_of_set(
    source: Any, columns: Mapping[str, Any] | None, names: str | None, split: str | None, config: str | None
) -> Iterator[tuple[str, FactSound]]:
    """Each sound of a set with its id, "" where it has none. Raises ValueError for what is no set of sounds."""
    chosen = _given_columns(columns)
    pattern = None if names is None else _pattern(written("names", names))
    if isinstance(source, (str, Path)) and Path(source).is_dir():
        folder = Path(source)
        rows = table_rows(folder)
        if rows is not None:
            chosen = {"audio": "file_name", **chosen}
            return _of_table(Table(str(folder), iter(rows), None, folder), chosen)
        if sound_files(folder):
            return _of_recordings(recordings_of_folder(folder), pattern)
    recordings = source if isinstance(source, (list, tuple)) else ()
    if recordings and all(isinstance(one, Recording) for one in recordings):
        return _of_recordings(recordings, pattern)
    if pattern is not None:
        raise ValueError("names= is for folders of sound without a table; name the columns instead: columns={'id': …}")
    return _of_table(open_table(source, split, config), chosen)


def _given_columns(columns: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if columns is None:
        return {}
    if not isinstance(columns, Mapping):
        raise ValueError(
            f"columns={shown(columns)}: expected a mapping such as {{'audio': 'clip', 'id': 'question_id'}}"
        )
    for key in columns:
        if key not in ("id", *KEYS):
            raise ValueError(f"columns: {shown(key)} is nothing of a sound; expected {', '.join(('id', *KEYS))}")
    return columns


def _pattern(names: str) -> re.Pattern[str]:
    """The pattern of a file's name: its places as groups, all else as it is written."""
    parts = re.split(r"(\{\w*\})", names)
    unknown = [part for part in parts if re.fullmatch(r"\{\w*\}", part) and part not in PARTS]
    if unknown or parts.count("{id}") != 1 or parts.count("{voice}") > 1 or parts.count("{phrasing}") > 1:
        raise ValueError(
            f"names={shown(names)}: expected {{id}} once, and {{voice}}, {{phrasing}} and {{}} where they stand, as in "
            "'{voice}/{id}'"
        )
    return re.compile("".join(PARTS.get(part, re.escape(part)) for part in parts))


def _of_recordings(recordings: Iterable[Recording], pattern: re.Pattern[str] | None) -> Iterator[tuple[str, FactSound]]:
    for recording in recordings:
        found = {name: str(recording.columns.get(name) or "") for name in ("voice", "phrasing")}
        name = str(next((recording.columns[key] for key in IDS if recording.columns.get(key) is not None), ""))
        path = PurePosixPath(recording.name)
        if pattern is not None:
            match = pattern.fullmatch(str(path.with_suffix("")))
            parts = match.groupdict() if match else {}
            name = parts.pop("id", "")
            found |= parts
        elif not name:
            name, folder = recording_name(recording.name), str(path.parent)
            found["voice"] = found["voice"] or (folder if folder not in (".", "/") else "")
        yield name, FactSound(found["voice"], found["phrasing"], recording)


def _of_table(table: Table, chosen: Mapping[str, Any]) -> Iterator[tuple[str, FactSound]]:
    first, rows = looked_at(row for row in table.rows if not isinstance(row, Refusal))
    names = list(dict.fromkeys((*(table.features or {}), *(name for row in first for name in row))))
    columns = sound_columns(first, table.features, chosen, table.folder)
    if columns is None:
        raise ValueError(
            f"{table.name}: no column holds sound; the columns are {', '.join(names) or 'none'}: columns={{'audio': …}}"
        )
    id_column = chosen.get("id") or next((name for name in IDS if name in names), "id")
    if id_column not in names:
        raise ValueError(
            f"{table.name} has no column {shown(id_column)} of ids; the columns are {', '.join(names)}: "
            "columns={'id': …}"
        )
    return _of_rows(rows, columns, id_column)


def _of_rows(rows: Iterable[Mapping[str, Any]], columns: Any, id_column: str) -> Iterator[tuple[str, FactSound]]:
    for number, row in enumerate(rows, 1):
        name = row.get(id_column)
        for sound in columns.sounds(row, f"row {number}"):
            yield "" if name is None else str(name).strip(), sound
