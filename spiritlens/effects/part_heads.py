"""The heads of a folder's parts, kept in ``parts.json``: what each holds, as it was when its checksum was last right.

A resume of a finished run would read every part only to learn that none changed. A part whose size and time of change
are the noted ones is taken to be as noted; any other is read, and its checksum compared. What changes a file and leaves
both (a medium that decays) is found where parts are read as a whole: when they are joined, by `rejoin`, by `inspect`
and by `verify`.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spiritlens.files.atomic import write_whole

FILE = "parts.json"


@dataclass(frozen=True)
class Part:
    """The head of a part: its name, the ids of its prompts in their order, its attributes, and the size in bytes and
    time of change in nanoseconds of the file that they were read from."""

    name: str
    ids: tuple[str, ...]
    attributes: Mapping[str, Any]
    changed: tuple[int, int]


def changed(path: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in nanoseconds."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def read_heads(folder: Path) -> dict[str, Part]:
    """The heads that were noted, by name; none where the file is not there, or damaged."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        digest, _, text = (folder / FILE).read_text(encoding="utf-8").partition("\n")
        if digest == _digest(text):
            rows = [Part(name, tuple(ids), about, (size, time)) for name, ids, about, size, time in json.loads(text)]
            return {part.name: part for part in rows}
    return {}


def keep_heads(folder: Path, parts: Iterable[Part]) -> None:
    """Note the heads of all parts; a folder that cannot be written is left as it is."""
    with contextlib.suppress(OSError, TypeError):  # TypeError: attributes of another program
        text = json.dumps([[part.name, part.ids, dict(part.attributes), *part.changed] for part in parts])
        write_whole(folder / FILE, f"{_digest(text)}\n{text}".encode())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
