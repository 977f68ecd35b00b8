"""Centroids of k-means units from the files that people publish, without running code.

- ``.npy``: an array [cluster d_model]; ``.npz`` with one such array (pickled objects are refused);
- ``.pt``, ``.bin`` written by torch, in its zip or its old format: a tensor, or a dictionary with one tensor of two
  axes (opened weights-only);
- ``.bin``, ``.km``, ``.joblib``, ``.pkl``: scikit-learn's KMeans as textless-lib and its followers publish it, or the
  array itself, by joblib (compressed by zlib, gzip, bz2, xz or lzma, or not) or by pickle. The array
  ``cluster_centers_`` is taken, or the only matrix; no code of the file is run (`spiritlens.speech.pickles`).
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spiritlens.arguments import shown
from spiritlens.files.weights import CheckpointError, read_weights_only
from spiritlens.speech.pickles import Record, read_pickle

OLD_TORCH = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""How torch's old format begins."""


def read_centroids(path: str | Path) -> Float[Tensor, "cluster d_model"]:
    """The centroids in a file, float32."""
    if not isinstance(path, (str, Path)):
        raise CheckpointError(f"path={shown(path)} ({type(path).__name__}): expected the path of a file of centroids.")
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of centroids.")
    with path.open("rb") as file:
        head = file.read(32)
    if not head:
        raise CheckpointError(f"{path} is empty. Copy the file of centroids again.")
    if head.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{path} is a Git LFS pointer, not the file itself. Fetch it (git lfs pull).")
    if head.startswith(b"\x93NUMPY") or (head.startswith(b"PK") and _is_npz(path)):
        found = _of_numpy(path)
    elif head.startswith((b"PK", OLD_TORCH)):
        found = read_weights_only(path)
    else:
        found = read_pickle(path)
    matrix = np.asarray(_centres(found, path))
    if matrix.dtype.kind not in "fiu":
        raise CheckpointError(f"{path} holds values of type {matrix.dtype}; expected an array of numbers.")
    centroids = torch.as_tensor(np.array(matrix, dtype=np.float32))
    if centroids.ndim != 2 or 0 in centroids.shape:
        raise CheckpointError(f"{path} holds an array of shape {tuple(centroids.shape)}; expected [cluster, d_model].")
    bad = int((~torch.isfinite(centroids)).sum())
    if bad:
        raise CheckpointError(
            f"{path} holds NaN or infinity in {bad} of {centroids.numel()} values; expected finite "
            "numbers. The file is damaged; use another copy."
        )
    return centroids


def _is_npz(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".npy") for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def _of_numpy(path: Path) -> Any:
    try:
        found = np.load(path, allow_pickle=False)
        return found if isinstance(found, np.ndarray) else {name: found[name] for name in found.files}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} is not an array of numbers ({error}).") from None


def _centres(found: Any, path: Path) -> Any:
    """The array among what a file holds."""
    if isinstance(found, Record):
        found = getattr(found, "cluster_centers_", found)
    if isinstance(found, Mapping):
        if "cluster_centers_" in found:
            found = found["cluster_centers_"]
        else:
            matrices = [value for value in found.values() if getattr(value, "ndim", 0) == 2]
            if len(matrices) != 1:
                raise CheckpointError(f"{path} holds {len(matrices)} matrices; expected one, [cluster, d_model].")
            found = matrices[0]
    if isinstance(found, Tensor):
        return found.detach().to_dense().float().numpy() if found.is_floating_point() else found.numpy()
    if not isinstance(found, np.ndarray):
        raise CheckpointError(
            f"{path} holds no cluster_centers_ ({type(found).__name__}); expected a k-means model, .npy or a tensor."
        )
    return found
