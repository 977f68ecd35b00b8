"""Files of lines that grow: what is kept as it comes, such as answers and failures.

A process that is killed while it adds, or finds no room, leaves its last line cut: the next ones begin on a line of
their own, and readers pass over the cut one. Several processes may add to one file.
"""

import io
import os
from collections.abc import Iterable
from pathlib import Path

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


def _end_of_line(file: io.FileIO, size: int) -> bytes:
    """What ends a last line that was cut."""
    if not size:
        return b""
    file.seek(size - 1)
    return b"" if file.read(1) == b"\n" else b"\n"
