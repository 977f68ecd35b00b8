"""A file that is held open, and variables of it that are read when they are asked for, as far as they are.

What replaces the file under its name changes nothing here. Axes and kinds are those that are stored. A dataset with
such variables is used like any other: xarray reads once what is asked for, and keeps it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from xarray.backends import BackendArray
from xarray.core import indexing

Read = Callable[[Any], np.ndarray[Any, Any]]
"""Gives the values at a key of whole numbers and slices."""


class StoredArray(BackendArray):
    """An array that is read by its key; a copy of it reads the same file, a pickled one holds its values."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], read: Read) -> None:
        self.shape, self.dtype, self._read = shape, dtype, read

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def __deepcopy__(self, memo: Any) -> "StoredArray":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return of_memory, (self._read(...),)


def of_memory(values: np.ndarray[Any, Any]) -> StoredArray:
    """An array that is in memory already."""
    return StoredArray(values.shape, values.dtype, values.__getitem__)


class HeldFile:
    """A file that is open for as long as something of it may be read."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb")

    def __del__(self) -> None:
        if hasattr(self, "file"):
            self.file.close()

    def later(self, item: h5py.Dataset) -> Any:
        """The values of a stored variable, as xarray takes them."""
        name = item.name

        def read(key: Any) -> np.ndarray[Any, Any]:
            with h5py.File(self.file, "r") as found:
                return np.asarray(found[name][key])

        stored: Any = indexing.LazilyIndexedArray(StoredArray(item.shape, item.dtype, read))
        return indexing.MemoryCachedArray(indexing.CopyOnWriteArray(stored))  # type: ignore[no-untyped-call]
