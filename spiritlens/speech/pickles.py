"""Arrays out of pickles, without running code: an unpickler that makes plain records and numpy arrays, nothing else.

A pickle is a program that may call any function. Here the functions that put an array together (numpy's and joblib's)
are this module's own, any other name in the file becomes an empty record, and no function of the file is called.
Read are plain pickles of every protocol and joblib's files, compressed or not; big-endian and Fortran-ordered arrays
come out as the numbers that they are.
"""

import bz2
import gzip
import io
import lzma
import math
import pickle
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from spiritlens.files.weights import CheckpointError

MOST_BYTES = 2**31
"""What a compressed file may hold at most."""
UNREAD = {b"\x04\x22\x4d\x18": "lz4", b"ZF": "the compression of joblib before 0.10"}


def read_pickle(path: Path) -> Any:
    """What a pickle, plain or of joblib, holds: numbers, texts, lists, dictionaries, numpy arrays, and records."""
    data = _unpacked(path)
    try:
        return _RecordUnpickler(io.BytesIO(data)).load()
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except Exception as error:  # a broken pickle raises nearly anything
        raise CheckpointError(
            f"{path} is not a file of centroids: neither a pickle nor joblib's, or cut short ({type(error).__name__}: "
            f"{error}). Copy it again, or save the array by numpy.save."
        ) from None


def _unpacked(path: Path) -> bytes:
    """The file's bytes, unpacked where joblib compressed them."""
    data = path.read_bytes()
    for magic, name in UNREAD.items():
        if data.startswith(magic):
            raise CheckpointError(f"{path} is compressed by {name}, which is not read; dump it with compress=0.")
    try:
        if data[:1] == b"\x78":
            return _whole(zlib.decompressobj().decompress(data, MOST_BYTES + 1), path)
        if data[:2] == b"\x1f\x8b":
            return _whole(gzip.GzipFile(fileobj=io.BytesIO(data)).read(MOST_BYTES + 1), path)
        if data[:3] == b"BZh":
            return _whole(bz2.BZ2Decompressor().decompress(data, MOST_BYTES + 1), path)
        if data[:6] == b"\xfd7zXZ\x00" or data[:2] == b"\x5d\x00":
            return _whole(lzma.LZMADecompressor().decompress(data, MOST_BYTES + 1), path)
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        raise CheckpointError(f"{path} is compressed, and damaged or cut short ({error}). Copy it again.") from None
    return data


def _whole(data: bytes, path: Path) -> bytes:
    if len(data) > MOST_BYTES:
        raise CheckpointError(f"{path} unpacks to more than {MOST_BYTES} bytes; that is no file of centroids.")
    return data


class Record:
    """Stands for an object of any class: holds its attributes, does nothing."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __call__(self, *arguments: Any) -> "Record":
        """What a function of the file would give: another record."""
        return Record(*arguments)

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Keep nothing of a dictionary's items."""

    def append(self, value: Any) -> None:
        """Keep nothing of a list's items."""

    def extend(self, values: Any) -> None:
        """Keep nothing of a list's items."""


class _DtypeRecord(Record):
    """A numpy dtype as it is being put together: its name first, its byte order by the state that follows."""

    def finished(self, state: Any) -> np.dtype[Any]:
        big = isinstance(state, tuple) and len(state) > 1 and state[1] == ">"
        return _number_kind(self.arguments[0]).newbyteorder(">" if big else "<")


class _PlainArray(Record):
    """An array as numpy pickles it: empty first, then its shape, dtype, order and bytes as the state."""

    def finished(self, state: Any) -> np.ndarray:
        _, shape, kind, fortran, data = state
        return _array(
            bytes(data) if isinstance(data, (bytes, bytearray)) else b"", kind, shape, "F" if fortran else "C"
        )


class _JoblibArray(Record):
    """joblib's note that an array's bytes follow in the file."""

    def read(self, file: BinaryIO) -> np.ndarray:
        fields = self.__dict__
        kind, shape = _number_kind(fields["dtype"]), fields["shape"]
        if fields.get("numpy_array_alignment_bytes") is not None:
            file.read(file.read(1)[0])
        return _array(file.read(_count(shape) * kind.itemsize), kind, shape, fields.get("order", "C"))


class _JoblibElsewhere(Record):
    """An array that joblib before 0.10 wrote into a file of its own."""

    def __new__(cls, *_: Any) -> "_JoblibElsewhere":
        raise CheckpointError(
            "its array is in another file (joblib before 0.10 wrote several); load it there and save it by numpy.save."
        )


def _number_kind(kind: Any) -> np.dtype[Any]:
    """A dtype of real numbers."""
    if isinstance(kind, _DtypeRecord):
        kind = kind.finished(None)
    found: np.dtype[Any] = np.dtype(kind)
    if found.kind not in "fiu":
        what = "Python objects" if found.hasobject else f"values of type {found}"
        raise CheckpointError(f"an array of {what} is not read; expected an array of numbers.")
    return found


def _count(shape: Any) -> int:
    return math.prod(int(size) for size in shape)


def _array(data: bytes, kind: Any, shape: Any, order: Any) -> np.ndarray:
    kind = _number_kind(kind)
    if len(data) != _count(shape) * kind.itemsize:
        raise CheckpointError(f"an array of shape {tuple(shape)} has {len(data)} bytes; the file is cut short.")
    return np.frombuffer(data, kind).reshape(tuple(shape), order="F" if order == "F" else "C")


def _from_buffer(data: Any, kind: Any, shape: Any, order: Any = "C", *_: Any) -> np.ndarray:
    return _array(bytes(data), kind, shape, order)


def _latin_bytes(text: Any, encoding: Any = "latin1", *_: Any) -> bytes:
    """How protocols 0 to 2 write bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise CheckpointError(f"bytes are written by encoding {encoding!r}; expected latin1.")
    return text.encode("latin1")


class _RecordUnpickler(pickle._Unpickler):
    """An unpickler whose classes are `Record`s, but for numpy's number types and arrays."""

    stack: list[Any]
    memo: dict[int, Any]

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.file = file

    def find_class(self, module: str, name: str) -> Any:
        made: dict[str, Any] = {
            "dtype": _DtypeRecord,
            "_reconstruct": _PlainArray,
            "_frombuffer": _from_buffer,
            "NumpyArrayWrapper": _JoblibArray,
            "NDArrayWrapper": _JoblibElsewhere,
            "ZNDArrayWrapper": _JoblibElsewhere,
        }
        if (module, name) == ("_codecs", "encode"):
            return _latin_bytes
        if module.split(".")[0] in ("numpy", "joblib", "sklearn") and name in made:
            return made[name]
        return type(name, (Record,), {})

    def load_build(self) -> None:
        held = self.stack[-2]
        if isinstance(held, (_DtypeRecord, _PlainArray)):
            self._replace(held, held.finished(self.stack.pop()))
            return
        super().load_build()  # type: ignore[misc]
        if isinstance(held, _JoblibArray):
            self._replace(held, held.read(self.file))

    def _replace(self, held: Record, finished: Any) -> None:
        """Put what a record was the beginning of in its place, for later references too."""
        self.stack[-1] = finished
        for key in [key for key, value in self.memo.items() if value is held]:
            self.memo[key] = finished

    dispatch = {**pickle._Unpickler.dispatch, pickle.BUILD[0]: load_build}  # type: ignore[dict-item]  # noqa: RUF012
