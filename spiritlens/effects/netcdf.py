"""Datasets as the bytes of a netCDF file, and back: what is read is what was in memory, or nothing is written.

Three ways in which files used to differ from memory are closed here. A dataset that was read from a file carries
*encodings* (the width of its texts, scales, fill values) that survive concatenation and are obeyed on writing: they are
dropped on both sides. Some values netCDF cannot hold (a NUL within a text, numbers beyond 64 bits): they are refused by
name. And whatever else a format may change is found by reading the bytes back before they become a file.

The bytes end with a *seal*, the SHA-256 of all that comes before it. Readers of netCDF pass over it, a program that
changes the file drops it, and `read_netcdf` finds one flipped bit by it.
"""

import hashlib
import io
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

SEAL = b"\nspiritlens sha256 "
SEAL_LENGTH = len(SEAL) + 65
TEXT_KINDS = "UOT"
"""Kinds of numpy arrays that may hold texts: of one width, of objects, of any length."""
ENCODINGS_OF_XARRAY = ("_FillValue", "coordinates", "dtype")


def encoded(dataset: xr.Dataset, name: str) -> bytes:
    """The dataset as the bytes of a sealed netCDF file; ValueError, with its `name`, where it would read otherwise."""
    plain = _plain(dataset, name)
    try:
        data = bytes(plain.to_netcdf(engine="h5netcdf"))
        again = decoded(data)
    except Exception as error:
        raise ValueError(
            f"{name} cannot be written as netCDF ({_line(error)}): change or drop what is named"
        ) from error
    found = differences(plain, again)
    if found:
        raise ValueError(
            f"{name} would not be read back as it is: {found[0]}{f', and {len(found) - 1} more' * (len(found) > 1)}; "
            "netCDF cannot hold it: change or drop it"
        )
    return data + SEAL + hashlib.sha256(data).hexdigest().encode() + b"\n"


def decoded(data: bytes) -> xr.Dataset:
    """The dataset of bytes that `encoded` made. It reads what xarray reads from them, in a sixth of the time."""
    with h5py.File(io.BytesIO(data)) as file:
        stored = {name: item for name, item in file.items() if not _is_bare_dimension(item)}
        attributes = {name: _attributes(item) for name, item in stored.items()}
        variables = {name: _variable(item, attributes[name]) for name, item in stored.items()}
        overall = _attributes(file)
    coordinates = {name for name, variable in variables.items() if variable.dims == (name,)}
    for found in (overall, *attributes.values()):
        coordinates |= set(str(found.pop("coordinates", "")).split())
    for name, variable in variables.items():
        variable.attrs = {key: value for key, value in attributes[name].items() if key not in ENCODINGS_OF_XARRAY}
    return xr.Dataset(
        {name: variable for name, variable in variables.items() if name not in coordinates},
        {name: variable for name, variable in variables.items() if name in coordinates},
        overall,
    )


def read_netcdf(path: Path) -> xr.Dataset:
    """The dataset of a netCDF file, without encodings; ValueError where it is damaged."""
    data = path.read_bytes()
    if data[-SEAL_LENGTH:-65] == SEAL:
        if hashlib.sha256(memoryview(data)[:-SEAL_LENGTH]).hexdigest().encode() != data[-65:-1]:
            raise ValueError("its checksum is not that of its content")
        return decoded(data)
    # of another program, or of spiritlens 0.1: whatever xarray understands, times and masks left as they are stored
    dataset = xr.load_dataset(io.BytesIO(data), engine="h5netcdf", decode_times=False, decode_timedelta=False)
    return dataset.drop_encoding().assign_attrs({key: _scalar(value) for key, value in dataset.attrs.items()})


def is_sealed(path: Path) -> bool:
    """Whether `encoded` made the file, so that it holds what was in memory."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - SEAL_LENGTH))
        return file.read(len(SEAL)) == SEAL


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
        _check_text(f"{name}: attribute {key!r}", value)
    dataset = dataset.drop_encoding()
    changed: dict[Hashable, Any] = {}
    for key, variable in dataset.variables.items():
        values = np.asarray(variable.values)
        if values.dtype.kind in TEXT_KINDS:
            for index, value in np.ndenumerate(values):
                if not isinstance(value, str):
                    raise ValueError(
                        f"{name}: {key}{list(index)} is {value!r} ({type(value).__name__}), expected a text: netCDF "
                        "has no mixed kinds; write a text, such as ''"
                    )
                _check_text(f"{name}: {key}{list(index)}", value)
            values = np.array(values.tolist(), dtype=np.str_).reshape(values.shape)
        elif not values.dtype.isnative:
            values = values.astype(values.dtype.newbyteorder("="))
        else:
            continue
        changed[key] = xr.Variable(variable.dims, values, variable.attrs)
    if not changed:
        return dataset
    coordinates = {key: value for key, value in changed.items() if key in dataset.coords}
    return dataset.assign({k: v for k, v in changed.items() if k not in coordinates}).assign_coords(coordinates)


def _check_text(name: str, value: Any) -> None:
    if isinstance(value, str):
        value = str(value)
        if "\0" in value:
            raise ValueError(f"{name} is {value!r}, with a NUL character, which ends a text in netCDF: take it out")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(
                f"{name} is {value!r}, with half a character (a surrogate), which no file holds: mend it"
            ) from None


def _variable(item: h5py.Dataset, attributes: dict[str, Any]) -> xr.Variable:
    is_text = h5py.check_string_dtype(item.dtype) is not None
    values = np.asarray(item.asstr()[()] if is_text else item[()])
    if is_text:
        values = np.array(values.tolist(), dtype=np.str_).reshape(values.shape)
    elif attributes.get("dtype") == "bool":
        values = values.astype(bool)
    return xr.Variable(_axes(item), values)


def _axes(item: h5py.Dataset) -> tuple[str, ...]:
    """Names of the axes: a scale names its own, every other axis has its scale."""
    if item.is_scale:
        return (item.name.lstrip("/"),)
    return tuple(item.dims[axis][0].name.lstrip("/") for axis in range(item.ndim))


def _is_bare_dimension(item: Any) -> bool:
    """An axis without a coordinate: netCDF keeps its length in a variable that is none."""
    return bool(item.is_scale) and bytes(item.attrs.get("NAME", b"")).startswith(b"This is a netCDF dimension but")


_OF_HDF5 = (
    "CLASS",
    "NAME",
    "REFERENCE_LIST",
    "DIMENSION_LIST",
    "_Netcdf4Dimid",
    "_Netcdf4Coordinates",
    "_NCProperties",
)


def _attributes(item: Any) -> dict[str, Any]:
    return {name: _scalar(item.attrs[name]) for name in item.attrs if name not in _OF_HDF5}


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
