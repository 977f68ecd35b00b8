"""Short sketches of arrays: a few numbers that change when any entry does, beyond rounding.

A small array is its entries. A large one is cut into `PIECES` stretches, and each is summed with fixed weights of
either sign, between ½ and 1 in size; the extremes and the places of missing entries go with the sums. Entries are taken
in the order of the axes' names, so that a result may order its axes as it likes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr

SMALL = 24
PIECES = 12
Sketch = dict[str, Any]


def arrays_of(result: Any, name: str = "") -> dict[str, xr.DataArray]:
    """All numbers of a result as arrays by name; texts and statuses' names are left out."""
    if isinstance(result, xr.Dataset):
        return {_joined(name, str(key)): array for key, array in result.data_vars.items() if array.dtype.kind in "biuf"}
    if isinstance(result, xr.DataArray):
        return {name: result}
    if isinstance(result, pd.DataFrame):
        return arrays_of({str(key): result[key].to_numpy() for key in result if result[key].dtype.kind in "biuf"}, name)
    if isinstance(result, Mapping):
        parts = [arrays_of(part, _joined(name, str(key))) for key, part in result.items() if part is not None]
        return {key: array for part in parts for key, array in part.items()}
    if isinstance(result, torch.Tensor):
        result = result.detach().cpu().numpy()
    if isinstance(result, Sequence) and isinstance(result[0], np.ndarray):
        return arrays_of({str(place): part for place, part in enumerate(result)}, name)
    return {name: xr.DataArray(np.asarray(result))}


def _joined(name: str, key: str) -> str:
    return f"{name}/{key}" if name else key


def flat(array: xr.DataArray) -> np.ndarray:
    """All entries as float64, the axes in the order of their names."""
    return array.transpose(*sorted(map(str, array.dims))).values.astype(np.float64).ravel()


def sketch(array: xr.DataArray) -> Sketch:
    """The sketch of an array, for JSON."""
    values = flat(array)
    shape = {str(axis): array.sizes[axis] for axis in sorted(map(str, array.dims))}
    if len(values) <= SMALL:
        return {"shape": shape, "values": [_written(value) for value in values]}
    missing = np.isnan(values)
    held = np.where(missing, 0.0, values)
    pieces = [*_sums(held), held.min(), held.max(), *_sums(missing.astype(np.float64))]
    return {"shape": shape, "sums": [_written(value) for value in (pieces if missing.any() else pieces[: PIECES + 2])]}


def _sums(values: np.ndarray) -> list[float]:
    places = np.arange(len(values), dtype=np.uint64)
    spread = (places * np.uint64(2654435761) % np.uint64(2**32)) / 2**31 - 1
    weights = (spread + np.where(spread < 0, -1, 1)) / 2
    return [float(piece.sum()) for piece in np.array_split(values * weights, PIECES)]


def _written(value: float) -> float | None:
    """Fifteen digits, and nothing for what is missing."""
    return None if np.isnan(value) else float(f"{value:.15g}")


def difference(found: Sketch, known: Sketch) -> float:
    """The largest difference, in units of the array's largest entry where that is above 1; infinite where the shapes
    or the gaps differ."""
    kind = "values" if "values" in known else "sums"
    if found["shape"] != known["shape"] or len(found.get(kind, ())) != len(known[kind]):
        return float("inf")
    entries = known[kind] if kind == "values" else known[kind][PIECES : PIECES + 2]
    unit = max([1.0, *(abs(entry) for entry in entries if entry is not None)])
    pairs = zip(found[kind], known[kind], strict=True)
    return float(np.max([_apart(*pair) for pair in pairs], initial=0.0)) / unit


def _apart(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else float("inf")
    return abs(one - other)
