"""A file in which every write succeeds, for a library that may end the process when one does not.

What could not be written is kept as an error for later, and how large the file would have become as well. Small pieces
that found no room are held in memory: a library that reads again what it wrote (an index, a heap of texts) meets it.
"""

import contextlib
import io
import os
from typing import Any, BinaryIO

SMALL = 1 << 20
"""Bytes up to which a piece is held in memory: arrays are written once and not read again."""


class Sink(io.RawIOBase):
    """A file in which every write succeeds; the first that did not is its `error`, and `end` is where the file would
    end without it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._place = self.end = 0
        self.error: OSError | None = None
        self._held: list[tuple[int, bytes]] = []
        """Pieces that found no room, and where they begin, in the order of writing."""

    def write(self, data: Any) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest and self.error is None:
                written = self._file.write(rest)
                self._place, rest = self._place + written, rest[written:]
        except OSError as error:
            self.error = error
        if 0 < len(rest) <= SMALL:
            self._held.append((self._place, bytes(rest)))
        self._place += len(rest)
        self.end = max(self.end, self._place)
        return size

    def truncate(self, size: int | None = None) -> int:
        self.end = self._place if size is None else size
        with contextlib.suppress(OSError):
            self._file.truncate(self.end)
        return self.end

    def readinto(self, buffer: Any) -> int:
        whole = memoryview(buffer).cast("B")
        first, count = self._place, max(0, min(len(whole), self.end - self._place))
        found = self._file.read(count)
        whole[:count] = found.ljust(count, b"\0")
        for start, piece in self._held:
            begin, end = max(first, start), min(first + count, start + len(piece))
            if begin < end:
                whole[begin - first : end - first] = piece[begin - start : end - start]
        self._place += count
        return count

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        self._place = place + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.end}[whence]
        self._file.seek(self._place)
        return self._place

    def tell(self) -> int:
        return self._place

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
