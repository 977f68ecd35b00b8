"""Datasets as netCDF files, and back: what is read is what was in memory, or nothing is written.

Three ways in which files used to differ from memory are closed here. A dataset that was read from a file carries
*encodings* (the width of its texts, scales, fill values) that survive concatenation and are obeyed on writing: they are
dropped on both sides. Some values netCDF cannot hold (a NUL within a text, numbers beyond 64 bits): they are refused by
name. And whatever else a format may change is found by reading the file back before it takes its name.

A file ends with a *seal*, the SHA-256 of all that comes before it. Readers of netCDF pass over it, a program that
changes the file drops it, and `read_netcdf` finds one flipped bit by it.

The library that writes the format may end the process when there is no room: it writes to a `Sink`
(`spiritlens.effects.sink`), so that it meets none. Files are written and read in place, without a copy of their bytes
in memory.
"""

import hashlib
import io
import os
from collections.abc import Collection, Hashable
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
import xarray as xr

from spiritlens.effects.held_file import HeldFile
from spiritlens.effects.netcdf_writing import OF_HDF5, write_variables
from spiritlens.effects.sink import Sink
from spiritlens.effects.stored_texts import TEXT_KINDS, are_plain, check_text, plain_texts, stored_texts
from spiritlens.files.atomic import fill_whole

SEAL = b"\nspiritlens sha256 "
SEAL_LENGTH = len(SEAL) + 65
PIECE = 1 << 20
"""Bytes that are hashed at a time."""
LARGE = 1 << 25
"""Bytes above which a variable is compared with its file piece by piece, and may be read later."""
ENCODINGS_OF_XARRAY = ("_FillValue", "coordinates", "dtype")


def write_netcdf(dataset: xr.Dataset, path: Path) -> Path:
    """Write the dataset as a sealed netCDF file, or replace it, unless it holds just this already; ValueError, with the
    name, where it would read otherwise, OSError where it cannot be written."""
    content = _Content(_plain(dataset, path.name), path.name)
    if content.held(path):
        return path
    return fill_whole(path, content.fill, size=lambda: content.size)


class _Content:
    """A dataset to be written, and how many bytes its file takes: known once it was tried, also where it failed."""

    def __init__(self, plain: xr.Dataset, name: str) -> None:
        self.plain, self.name = plain, name
        self.size: int | None = None

    def held(self, path: Path) -> bool:
        """Whether a sealed file holds just this."""
        try:
            with path.open("rb") as file:
                return _unbroken_seal(file) and not _differences_in(file, self.plain)
        except (OSError, ValueError, KeyError):
            return False

    def fill(self, file: BinaryIO) -> None:
        """Write, read back, compare, seal."""
        sink = Sink(file)
        try:
            write_variables(self.plain, sink)
            self.size = sink.end + SEAL_LENGTH
            found = [] if sink.error else _differences_in(file, self.plain)
        except Exception as error:
            if sink.error is None:
                raise ValueError(
                    f"{self.name} cannot be written as netCDF ({_line(error)}): change or drop what is named"
                ) from error
        if sink.error is not None:
            raise sink.error
        if found:
            raise ValueError(
                f"{self.name} would not be read back as it is: {found[0]}"
                f"{f', and {len(found) - 1} more' * (len(found) > 1)}; netCDF cannot hold it: change or drop it"
            )
        size = file.seek(0, os.SEEK_END)
        file.write(SEAL + _digest(file, size) + b"\n")


def _differences_in(file: BinaryIO, plain: xr.Dataset) -> list[str]:
    """What differs between a dataset and the file that was written of it; large variables are read piece by piece."""
    large = [name for name, variable in plain.variables.items() if _is_large(variable)]
    lines = differences(plain.drop_vars(large), decoded(file, leave=large))
    with h5py.File(file, "r") as found:
        for name in large:
            variable, item = plain.variables[name], found[str(name)]
            step = max(1, LARGE * len(variable) // variable.nbytes)
            for first in range(0, len(variable), step):
                piece = variable[first : first + step]
                again = xr.Variable(_axes(item), item[first : first + step], _plain_attributes(_attributes(item)))
                lines += differences(xr.Dataset({name: piece}), xr.Dataset({name: again}))
    return lines


def _is_large(variable: xr.Variable | h5py.Dataset) -> bool:
    return variable.ndim > 1 and variable.dtype.kind in "fiu" and variable.nbytes > LARGE


def decoded(file: BinaryIO, leave: Collection[Hashable] = (), held: HeldFile | None = None) -> xr.Dataset:
    """The dataset of a file that `write_netcdf` made, but for the variables to `leave`. It reads what xarray reads, in
    a sixth of the time; where the file is `held`, large variables when they are asked for."""
    file.seek(0)
    with h5py.File(file, "r") as found:
        stored = {name: item for name, item in found.items() if name not in leave and not _is_bare_dimension(item)}
        attributes = {name: _attributes(item) for name, item in stored.items()}
        variables = {
            name: xr.Variable(_axes(item), held.later(item))
            if held is not None and _is_large(item)
            else _variable(item, attributes[name])
            for name, item in stored.items()
        }
        overall = _attributes(found)
    coordinates = {name for name, variable in variables.items() if variable.dims == (name,)}
    for one in (overall, *attributes.values()):
        coordinates |= set(str(one.pop("coordinates", "")).split())
    for name, variable in variables.items():
        variable.attrs = _plain_attributes(attributes[name])
    return xr.Dataset(
        {name: variable for name, variable in variables.items() if name not in coordinates},
        {name: variable for name, variable in variables.items() if name in coordinates},
        overall,
    )


def _plain_attributes(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key not in ENCODINGS_OF_XARRAY}


def read_netcdf(path: Path) -> xr.Dataset:
    """The dataset of a netCDF file, without encodings; ValueError where it is damaged."""
    with path.open("rb") as file:
        if _unbroken_seal(file):
            return decoded(file)
    # of another program, or of spiritlens 0.1: whatever xarray understands, times and masks left as they are stored
    data = io.BytesIO(path.read_bytes())
    dataset = xr.load_dataset(data, engine="h5netcdf", decode_times=False, decode_timedelta=False)
    return dataset.drop_encoding().assign_attrs({key: _scalar(value) for key, value in dataset.attrs.items()})


def open_netcdf(path: Path) -> xr.Dataset:
    """As `read_netcdf`, with its checksum compared, but large variables are read when they are asked for; the file
    stays open for them, whatever takes its name."""
    held = HeldFile(path)
    return decoded(held.file, held=held) if _unbroken_seal(held.file) else read_netcdf(path)


def read_column(path: Path, name: str) -> tuple[list[Any], dict[str, Any]]:
    """The values of one variable of a netCDF file, and the attributes of the whole; ValueError where it is damaged."""
    with path.open("rb") as file:
        if _unbroken_seal(file):
            file.seek(0)
            with h5py.File(file, "r") as found:
                return _variable(found[name], {}).values.tolist(), _attributes(found)
    dataset = read_netcdf(path)
    return dataset[name].values.tolist(), dict(dataset.attrs)


def check_seal(path: Path) -> bool:
    """Whether the file has a seal; ValueError where it is not that of its content."""
    with path.open("rb") as file:
        return _unbroken_seal(file)


def is_sealed(path: Path) -> bool:
    """Whether `write_netcdf` made the file, so that it holds what was in memory."""
    with path.open("rb") as file:
        return _seal(file) is not None


def _unbroken_seal(file: BinaryIO) -> bool:
    """Whether there is a seal, which is that of the content; a broken one is refused."""
    seal = _seal(file)
    if seal is not None and _digest(file, file.seek(0, os.SEEK_END) - SEAL_LENGTH) != seal:
        raise ValueError("its checksum is not that of its content")
    return seal is not None


def _seal(file: BinaryIO) -> bytes | None:
    """The digest that a file ends with."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - SEAL_LENGTH))
    end = file.read(SEAL_LENGTH)
    return end[-65:-1] if end.startswith(SEAL) else None


def _digest(file: BinaryIO, size: int) -> bytes:
    """SHA-256 of the first `size` bytes, as hex digits; the file stands behind them."""
    digest, rest = hashlib.sha256(), size
    file.seek(0)
    while rest:
        piece = file.read(min(PIECE, rest))
        if not piece:
            raise ValueError("it was cut short while it was read")
        digest.update(piece)
        rest -= len(piece)
    return digest.hexdigest().encode()


def differences(one: xr.Dataset, other: xr.Dataset) -> list[str]:
    """What differs between two datasets, in words: variables, axes, kinds, values, attributes."""
    lines = _unlike("attribute", one.attrs, other.attrs)
    if set(one.coords) != set(other.coords):
        lines.append(f"coordinates {sorted(map(str, set(one.coords) ^ set(other.coords)))}")
    for name in (*one.variables, *(name for name in other.variables if name not in one.variables)):
        if name not in one.variables or name not in other.variables:
            lines.append(f"variable {name!r}")
            continue
        here, there = one.variables[name], other.variables[name]
        lines += [f"{name}: {line}" for line in _unlike("attribute", here.attrs, there.attrs)]
        if here.dims != there.dims or here.shape != there.shape:
            lines.append(f"{name}: axes {dict(here.sizes)} become {dict(there.sizes)}")
        elif here.dtype.kind != there.dtype.kind or (here.dtype.kind != "U" and here.dtype != there.dtype):
            lines.append(f"{name}: {here.dtype} becomes {there.dtype}")
        elif not _equal(here.values, there.values):
            unlike = ~((here.values == there.values) | ((here.values != here.values) & (there.values != there.values)))
            place = tuple(int(index[0]) for index in np.nonzero(unlike))
            lines.append(f"{name}{list(place)}: {here.values[place]!r} becomes {there.values[place]!r}")
    return lines


def _plain(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """The dataset without encodings, its texts as numpy's, its numbers in the machine's order of bytes."""
    for key, value in dataset.attrs.items():
        check_text(f"{name}: attribute {key!r}", value)
    dataset = dataset.drop_encoding()
    changed: dict[Hashable, Any] = {}
    for key, variable in dataset.variables.items():
        values = np.asarray(variable.values)
        if values.dtype.kind in TEXT_KINDS:
            if are_plain(values):
                continue
            values = plain_texts(values, name, key)
        elif not values.dtype.isnative:
            values = values.astype(values.dtype.newbyteorder("="))
        else:
            continue
        changed[key] = xr.Variable(variable.dims, values, variable.attrs)
    if not changed:
        return dataset
    coordinates = {key: value for key, value in changed.items() if key in dataset.coords}
    return dataset.assign({k: v for k, v in changed.items() if k not in coordinates}).assign_coords(coordinates)


def _variable(item: h5py.Dataset, attributes: dict[str, Any]) -> xr.Variable:
    if h5py.check_string_dtype(item.dtype) is not None:
        return xr.Variable(_axes(item), stored_texts(item))
    values = np.asarray(item[()])
    if attributes.get("dtype") == "bool":
        values = values.astype(bool)
    return xr.Variable(_axes(item), values)


def _axes(item: h5py.Dataset) -> tuple[str, ...]:
    """Names of the axes: a scale names its own, every other axis has its scale."""
    if item.is_scale:
        return (item.name.lstrip("/"),)
    file = item.file.id  # by the references of the format: h5py's own way takes a third of the time of a part
    scales = [scale for (scale, *_) in item.attrs["DIMENSION_LIST"]] if item.ndim else []
    return tuple(h5py.h5r.get_name(scale, file).decode().lstrip("/") for scale in scales)


def _is_bare_dimension(item: Any) -> bool:
    """An axis without a coordinate: netCDF keeps its length in a variable that is none."""
    return bool(item.is_scale) and bytes(item.attrs.get("NAME", b"")).startswith(b"This is a netCDF dimension but")


def _attributes(item: Any) -> dict[str, Any]:
    return {name: _scalar(item.attrs[name]) for name in item.attrs if name not in OF_HDF5}


def _scalar(value: Any) -> Any:
    """Python's own number where a file holds one as an array or as numpy's."""
    if isinstance(value, np.ndarray) and value.shape == (1,):
        value = value[0]
    return value.item() if isinstance(value, np.generic) else value


def _unlike(what: str, one: dict[Any, Any], other: dict[Any, Any]) -> list[str]:
    names = (*one, *(name for name in other if name not in one))
    return [
        f"{what} {name!r}: {one.get(name)!r} becomes {other.get(name)!r}"
        for name in names
        if not (name in one and name in other and _equal(np.asarray(one[name]), np.asarray(other[name])))
    ]


def _equal(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    """Equal value by value, NaN to NaN; one value alone equals a list of it, as netCDF does not tell them apart."""
    one, other = np.atleast_1d(one), np.atleast_1d(other)
    if one.dtype.kind in "fc" and other.dtype.kind in "fc":
        return np.array_equal(one, other, equal_nan=True)
    return np.array_equal(one, other)


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
