"""A file in which every write succeeds tells what it met, and how large it would be."""

import errno
import io
import os
from typing import Any

import pytest

from spiritlens.effects.sink import SMALL, Sink


class Small(io.BytesIO):
    """A file without room for more than ten bytes."""

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


@pytest.mark.parametrize("file", [Small(), io.BytesIO()])
def test_it_counts_what_is_written_whether_there_is_room_or_not(file: io.BytesIO) -> None:
    sink = Sink(file)
    assert sink.write(b"12345678") == 8
    assert sink.write(b"abcdefgh") == 8
    assert sink.seek(2) == 2
    assert sink.write(b"xy") == 2
    assert sink.seek(4, os.SEEK_CUR) == 8
    assert (sink.tell(), sink.end) == (8, 16)
    assert sink.seek(-1, os.SEEK_END) == 15
    if isinstance(file, Small):
        assert sink.error is not None
        assert sink.error.errno == errno.ENOSPC
        assert file.getvalue() == b"12345678", "nothing is written after an error"
    else:
        assert sink.error is None
        assert file.getvalue() == b"12xy5678abcdefgh"
        assert sink.read() == b"h"
        sink.truncate(4)
        assert (sink.end, file.getvalue()) == (4, b"12xy")


def test_what_found_no_room_is_read_as_it_was_written() -> None:
    sink = Sink(Small())
    for piece in (b"12345678", b"abcdefgh", b"ijkl"):
        sink.write(piece)
    sink.seek(10)
    sink.write(b"CDEFGH")
    sink.seek(6)
    assert sink.read(6) == b"78abCD"
    assert sink.read() == b"EFGHijkl"
    sink.seek(0)
    sink.write(bytes(SMALL + 1))
    sink.seek(4)
    assert sink.read(6) == b"5678ab", "a large piece is let go"
