"""Rows of a data set on disk whose sound stays there until it is asked for.

`datasets` keeps a set in Arrow files on disk. Reading all rows would bring all sound into memory (14 GB for HeySQuAD);
here a row holds a `RowAudio` in the place of each sound, which reads its bytes each time anew. Rows that have no sound
hold None, found from Arrow's marks of what is missing, without reading the sound.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from spiritlens.speech.recording_rows import read_address, source_of, undecoded

BATCH_ROWS = 1000


class RowAudio:
    """The sound of one row, read from the set's files at each `read`; ``name`` is its file's, or its row's."""

    def __init__(self, column: Any, column_name: str, index: int, name: str) -> None:
        self._column, self._column_name, self._index, self.name = column, column_name, index, name

    def read(self) -> bytes:
        """The bytes of its sound file."""
        source = source_of(self._column[self._index][self._column_name])
        if isinstance(source, Path):
            return source.read_bytes()
        if isinstance(source, str):
            return read_address(source)
        if not isinstance(source, bytes):
            raise ValueError(f"{self.name} holds no bytes of a sound file")
        return source

    def __repr__(self) -> str:
        return f"RowAudio({self.name})"


def rows_on_disk(dataset: Any) -> Iterable[Mapping[str, Any]]:
    """The rows of a data set with a `RowAudio` (or None) in each column of files.

    Streamed sets, tables and lists of rows are given as they are, undecoded. Returns the rows. Raises ValueError for
    what is no data set.
    """
    rows = undecoded(dataset)
    if not is_on_disk(rows):
        return rows
    names = [name for name, feature in dataset.features.items() if _is_file(feature)]
    return _rows(rows, names) if names else rows


def is_on_disk(dataset: Any) -> bool:
    """Whether it is a `datasets.Dataset`: neither a streamed set nor a list of rows."""
    if not hasattr(dataset, "cast_column"):
        return False
    from datasets import Dataset

    return isinstance(dataset, Dataset)


def _is_file(feature: Any) -> bool:
    """Whether a column keeps files as ``{bytes, path}``."""
    return type(feature).__name__ == "Audio" or (isinstance(feature, Mapping) and set(feature) == {"bytes", "path"})


def _rows(dataset: Any, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    plain = dataset.with_format(None)
    others = plain.remove_columns(list(columns))
    sounds = {name: plain.select_columns([name]) for name in columns}
    about = {name: _files(sounds[name], name) for name in columns}
    rows = iter(others) if others.column_names else iter({} for _ in range(len(plain)))
    for index, row in enumerate(rows):
        found = dict(row)
        for name in columns:
            there, path = next(about[name])
            found[name] = RowAudio(sounds[name], name, index, path or f"row {index}") if there else None
        yield {name: found[name] for name in plain.column_names}


def _files(column: Any, name: str) -> Iterator[tuple[bool, str | None]]:
    """For each row whether it has a file, and its path."""
    import pyarrow.compute as arrow

    for table in column.with_format("arrow").iter(batch_size=BATCH_ROWS):
        for held in table.column(name).chunks:  # joined, they would be copied
            data = arrow.is_valid(arrow.struct_field(held, "bytes")).to_pylist()
            paths = arrow.struct_field(held, "path").to_pylist()
            yield from ((bool(there or path), path) for there, path in zip(data, paths, strict=True))
