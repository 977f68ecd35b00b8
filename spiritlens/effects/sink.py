"""A file in which every write succeeds, for a library that may end the process when one does not.

What could not be written is kept as an error for later, and how large the file would have become as well.
"""

import contextlib
import io
import os
from typing import Any, BinaryIO


class Sink(io.RawIOBase):
    """A file in which every write succeeds; the first that did not is its `error`, and `end` is where the file would
    end without it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._place = self.end = 0
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        self._place += size
        self.end = max(self.end, self._place)
        try:
            while rest and self.error is None:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        self.end = self._place if size is None else size
        with contextlib.suppress(OSError):
            self._file.truncate(self.end)
        return self.end

    def readinto(self, buffer: Any) -> int:
        count = int(self._file.readinto(buffer))  # type: ignore[attr-defined]
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
