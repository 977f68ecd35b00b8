"""Files of lines that grow: what is kept as it comes, such as answers and failures.

A process that is killed while it adds, or finds no room, leaves its last line cut: the next ones begin on a line of
their own, and readers pass over the cut one. Several processes may add to one file.
"""

import contextlib
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spiritlens.files.atomic import explained


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Add lines, given without their ends, to a file, which is made where it is missing.

    Raises OSError where they cannot be written, with the bytes needed and free.
    """
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")
    if not data:
        return
    with explained(path, lambda: len(data)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) as file:
            rest = memoryview(_end_of_line(file, file.seek(0, os.SEEK_END)) + data)
            while rest:
                rest = rest[file.write(rest) :]


def shared_files(path: Path) -> list[Path]:
    """A file of lines, and those that shards write instead, in a folder of its name: ``answers.jsonl``, ``answers/…``;
    those that are there."""
    return [one for one in (path, *sorted(path.with_suffix("").glob("*.jsonl"))) if one.is_file()]


def read_rows(path: Path, first: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The rows in JSON of the whole lines of a file from the byte `first` on, and the byte behind them.

    Lines that hold none are passed over; a file that is not there has none.
    """
    if not path.is_file():
        return [], first
    with path.open("rb") as file:
        file.seek(first)
        text = file.read()
    whole = text[: text.rfind(b"\n") + 1]
    rows = []
    for line in whole.split(b"\n"):
        with contextlib.suppress(ValueError):
            row = json.loads(line.decode("utf-8", errors="replace"))
            rows += [row] if isinstance(row, dict) else []
    return rows, first + len(whole)


def _end_of_line(file: io.FileIO, size: int) -> bytes:
    """What ends a last line that was cut."""
    if not size:
        return b""
    file.seek(size - 1)
    return b"" if file.read(1) == b"\n" else b"\n"
