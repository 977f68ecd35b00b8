"""Centroids of k-means units from the files that people publish, without running code.

- ``.npy``: an array [cluster d_model] (pickled objects are refused);
- ``.pt``, ``.bin`` written by torch: a tensor, or a dictionary with one tensor of two axes (opened weights-only);
- ``.bin``, ``.km``, ``.joblib`` written by joblib from scikit-learn's KMeans, as textless-lib and its followers publish
  them: the pickle is read by an unpickler that makes no object but plain records and numpy arrays, and the array
  ``cluster_centers_`` is taken. Any other class in the file becomes an empty record; no function of it is called.
"""

import io
import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spiritlens.speech.torch_files import CheckpointError, read_weights_only


def read_centroids(path: str | Path) -> Float[Tensor, "cluster d_model"]:
    """The centroids in a file, float32."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of centroids.")
    head = path.read_bytes()[:6]
    if head == b"\x93NUMPY":
        try:
            found: Any = np.load(path, allow_pickle=False)
        except ValueError as error:
            raise CheckpointError(f"{path} is not an array of numbers ({error}).") from None
    elif head[:2] == b"PK":
        found = _only_matrix(read_weights_only(path), path)
    else:
        found = _centres_of_joblib(path)
    centroids = torch.as_tensor(np.array(found, dtype=np.float32))
    if centroids.ndim != 2 or not torch.isfinite(centroids).all():
        raise CheckpointError(f"{path} holds an array of shape {tuple(centroids.shape)}; expected [cluster, d_model].")
    return centroids


def _only_matrix(content: Any, path: Path) -> Any:
    matrices = [value for value in content.values() if isinstance(value, Tensor) and value.ndim == 2]
    if len(matrices) != 1:
        raise CheckpointError(f"{path} holds {len(matrices)} matrices; expected one, [cluster, d_model].")
    return matrices[0].detach().float().numpy()


def _centres_of_joblib(path: Path) -> Any:
    data = path.read_bytes()
    try:
        model = _RecordUnpickler(io.BytesIO(data)).load()
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except Exception as error:  # a broken pickle raises nearly anything
        raise CheckpointError(f"{path} is not a file of centroids ({type(error).__name__}: {error}).") from None
    centres = getattr(model, "cluster_centers_", None)
    if not isinstance(centres, np.ndarray):
        raise CheckpointError(f"{path} holds no cluster_centers_; expected a k-means model, .npy or a tensor.")
    return centres


class _Record:
    """Stands for an object of any class: holds its attributes, does nothing."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Keep nothing of a dictionary's items."""

    def append(self, value: Any) -> None:
        """Keep nothing of a list's items."""

    def extend(self, values: Any) -> None:
        """Keep nothing of a list's items."""


class _ArrayWrapper(_Record):
    """joblib's note that an array's bytes follow in the file."""

    def read(self, file: BinaryIO) -> np.ndarray:
        fields = self.__dict__
        kind, shape = np.dtype(fields["dtype"]), tuple(fields["shape"])
        if kind.hasobject:
            raise CheckpointError("an array of Python objects is not read.")
        if fields.get("numpy_array_alignment_bytes") is not None:
            file.read(file.read(1)[0])
        count = int(np.prod(shape, dtype=np.int64))
        array = np.frombuffer(file.read(count * kind.itemsize), kind, count)
        return array.reshape(shape, order=fields.get("order", "C"))


def _dtype(name: str, *_: Any) -> np.dtype[Any]:
    return np.dtype(name)


class _RecordUnpickler(pickle._Unpickler):
    """An unpickler whose classes are `_Record`s, but for numpy's number types and joblib's arrays."""

    stack: list[Any]

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.file = file

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy", "dtype"):
            return _dtype
        if name == "NumpyArrayWrapper":
            return type("ArrayWrapper", (_ArrayWrapper,), {})
        return type(name, (_Record,), {})

    def load_build(self) -> None:
        if isinstance(self.stack[-2], np.dtype):  # byte order and the like: the file says them in the name, too
            self.stack.pop()
            return
        super().load_build()  # type: ignore[misc]
        if isinstance(self.stack[-1], _ArrayWrapper):
            self.stack.append(self.stack.pop().read(self.file))

    dispatch = {**pickle._Unpickler.dispatch, pickle.BUILD[0]: load_build}  # type: ignore[dict-item]  # noqa: RUF012
