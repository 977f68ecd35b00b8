"""Rows that say which recordings a set has: the table of a folder, and the rows of a `datasets` data set.

A folder's table is ``metadata.csv`` or ``metadata.jsonl``, whose column ``file_name`` names a file in each row. A row
of a data set holds its audio as a file's bytes, as a path, as an address that `datasets` streams from (``zip://``,
``hf://``), or decoded; whether its column is declared as audio or not.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from spiritlens.arguments import once, shown
from spiritlens.warn import warn

TABLES = ("metadata.csv", "metadata.jsonl")
AUDIO_ENDINGS = (
    *(".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aif", ".aiff", ".aifc", ".au", ".snd"),
    *(".caf", ".w64", ".rf64", ".sph", ".nist", ".voc"),
)
"""Files that are read."""
OTHER_SOUND_ENDINGS = (
    *(".m4a", ".mp4", ".aac", ".wma", ".webm", ".mka", ".mkv", ".3gp", ".amr", ".ape", ".wv", ".tta", ".shn", ".spx"),
    *(".ac3", ".dsf", ".raw", ".pcm"),
)
"""Files of sound that libsndfile does not read: they are recordings that are reported, never passed over."""


def sound_files(folder: Path) -> list[Path]:
    """All files of a folder and its folders whose ending says that they are sound, by path; hidden ones left out."""
    endings = AUDIO_ENDINGS + OTHER_SOUND_ENDINGS
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in endings
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and not path.is_dir()
    )


def table_rows(folder: Path) -> list[dict[str, Any]] | None:
    """The rows of a folder's table, which has a column ``file_name``; None where it has no table.

    A row may name no file: its ``file_name`` is then "". Files of sound that the table does not name are warned of.
    """
    found = [folder / name for name in TABLES if (folder / name).is_file()]
    if not found:
        return None
    if len(found) > 1:
        raise ValueError(f"{folder} has {' and '.join(TABLES)}; keep the one that holds.")
    table = found[0]
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{table} is not UTF-8; save it as UTF-8.") from None
    rows = _csv_rows(text, table) if table.suffix == ".csv" else _json_rows(text, table)
    if rows and not any("file_name" in row for row in rows):
        raise ValueError(f"{table}: expected a column file_name; found {', '.join(dict.fromkeys(chain(*rows)))}.")
    for number, row in enumerate(rows, 1):
        name = row.get("file_name")
        if not isinstance(name, str | None):
            raise ValueError(f"{table}: row {number} has file_name {shown(name)}; expected the name of a file.")
        row["file_name"] = (name or "").strip()
    named = {(folder / row["file_name"]).resolve() for row in rows if row["file_name"]}
    others = [path for path in sound_files(folder) if path.resolve() not in named]
    if rows and others:
        warn(
            f"{table} does not name {len(others)} of the sound files beside it, which are left out: "
            f"{', '.join(path.name for path in others[:3])}{' ...' if len(others) > 3 else ''}"
        )
    return rows


def _csv_rows(text: str, table: Path) -> list[dict[str, Any]]:
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except csv.Error as error:
        raise ValueError(f"{table} is not CSV ({error}); save it again as comma-separated values.") from None
    if not lines:
        return []
    columns, *cells = lines
    if "file_name" not in columns:  # told before anything else of the table
        raise ValueError(f"{table}: expected a column file_name; found {', '.join(columns)}.")
    if len(set(columns)) < len(columns):
        raise ValueError(f"{table}: two columns have the same name among {', '.join(columns)}; name each once.")
    for number, row in enumerate(cells, 1):
        if len(row) != len(columns):
            raise ValueError(
                f"{table}: row {number} has {len(row)} cells, the first line {len(columns)}; quote cells with commas."
            )
    return [dict(zip(columns, row, strict=True)) for row in cells]


def _json_rows(text: str, table: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=once)
        except ValueError as error:
            raise ValueError(f"{table}: line {number} is not JSON ({error}).") from None
        if not isinstance(row, dict):
            raise ValueError(f"{table}: line {number} is {shown(row)}; expected an object with file_name.")
        rows.append(row)
    return rows


def undecoded(dataset: Any, column: str | None = None) -> Iterable[Mapping[str, Any]]:
    """The rows of a data set or a pandas table, columns of audio left undecoded; what is neither is refused."""
    if isinstance(dataset, Mapping):
        raise ValueError(f"these are data sets by name ({', '.join(map(str, dataset))}); give one: dataset[NAME].")
    if hasattr(dataset, "to_dict") and hasattr(dataset, "iterrows"):
        return _rows_of_frame(dataset, column)
    if isinstance(dataset, (str, bytes)) or not hasattr(dataset, "__iter__"):
        raise ValueError(f"{shown(dataset)} is no data set; give what `datasets` loads, or a list of rows.")
    names = getattr(dataset, "column_names", None)
    if names is not None and column is not None and column not in names:
        raise ValueError(f"the data set has no column {column!r}; its columns are {', '.join(names)}.")
    features = getattr(dataset, "features", None) or {}
    rows: Iterable[Mapping[str, Any]] = dataset
    if not hasattr(dataset, "cast_column"):
        return rows
    from datasets import Audio

    for name, feature in features.items():
        if isinstance(feature, Audio):  # to decode needs torchcodec, and this package reads files itself
            dataset = rows = dataset.cast_column(name, Audio(decode=False))
    return rows


def _rows_of_frame(frame: Any, column: str | None) -> Iterable[Mapping[str, Any]]:
    """The rows of a pandas table, one by one; cells that hold nothing (NaN, NaT) are None."""
    names = [str(name) for name in frame.columns]
    if column is not None and column not in names:
        raise ValueError(f"the table has no column {column!r}; its columns are {', '.join(names)}.")
    return (
        {name: None if _is_nothing(cell) else cell for name, cell in zip(names, row, strict=True)}
        for row in frame.itertuples(index=False, name=None)
    )


def _is_nothing(cell: object) -> bool:
    """Whether pandas means no value by it."""
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or (isinstance(cell, float) and cell != cell)


def source_of(value: Any) -> Any:
    """The source of a row's audio: bytes, a `Path`, an address as a text, None, or the value as it is."""
    if isinstance(value, Mapping) and value.get("array") is None:
        if value.get("bytes") is not None:
            return value["bytes"]
        if set(value) <= {"bytes", "path"}:
            value = value.get("path")
    if isinstance(value, str) and value and "://" not in value:
        return Path(value)
    return value


def read_address(address: str) -> bytes:
    """The bytes behind an address of a streamed data set."""
    import fsspec

    try:
        with fsspec.open(address, "rb") as file:
            data: bytes = file.read()
    except Exception as error:  # each kind of address has errors of its own
        raise OSError(
            f"{address} cannot be opened ({type(error).__name__}: {error}); download the file first."
        ) from None
    return data
