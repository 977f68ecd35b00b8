"""netCDF-4 files laid down by few calls of HDF5: what xarray writes, in a tenth of its time.

One variable is one HDF5 dataset. An axis is a *dimension scale*: the coordinate of its name, or a dataset that has its
length alone; every other variable is attached to the scales of its axes. As in xarray's files, texts are UTF-8 of any
length, numbers with a point have NaN as their fill value, and truth values are bytes that are marked as such.

What is seldom (axes of length 0, times, lists of texts as attributes, …) is left to xarray: it writes or refuses it.
"""

from collections.abc import Mapping
from typing import Any, BinaryIO

import h5py
import numpy as np
import xarray as xr
from h5py import h5a, h5d, h5ds, h5p, h5s, h5t

from spiritlens.effects.sink import Sink

TEXT = h5py.string_dtype()
NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable."
PLAIN_KINDS = frozenset("iufb")
OF_HDF5 = (
    "CLASS",
    "NAME",
    "REFERENCE_LIST",
    "DIMENSION_LIST",
    "_Netcdf4Dimid",
    "_Netcdf4Coordinates",
    "_NCProperties",
)
"""Attributes that the format keeps for itself."""
OF_XARRAY = frozenset(("_FillValue", "_nc3_strict", "dtype", "missing_value"))
"""Attributes of a variable that xarray reads as how its values are stored."""

Variables = Mapping[Any, xr.Variable]


def write_variables(dataset: xr.Dataset, file: BinaryIO | Sink) -> None:
    """Write the dataset, whose variables have no encodings, into an empty file; what h5py and xarray raise where netCDF
    cannot hold it."""
    laid = _Laid(file)
    dataset.dump_to_store(laid)  # type: ignore[arg-type]
    if not laid.done:
        dataset.to_netcdf(file, engine="h5netcdf")  # type: ignore[call-overload]


class _Laid:
    """What xarray hands the variables to, with the coordinates that belong to each; whether they were `done`."""

    def __init__(self, file: BinaryIO | Sink) -> None:
        self._file, self.done = file, False

    def store(self, variables: Variables, attributes: Mapping[Any, Any], *rest: Any, **more: Any) -> None:
        if not are_plain(variables, attributes):
            return
        with h5py.File(self._file, "w", track_order=True) as file:
            _lay_down(file, variables, attributes)
        self.done = True


def are_plain(variables: Variables, attributes: Mapping[Any, Any]) -> bool:
    """Whether `write_variables` writes them itself."""
    return (
        _are_plain_attributes(attributes)
        and all(
            _is_name(name)
            and all(_is_name(axis) and length for axis, length in variable.sizes.items())
            and _is_plain_dtype(variable.dtype)
            and _are_plain_attributes(variable.attrs)
            and OF_XARRAY.isdisjoint(variable.attrs)
            for name, variable in variables.items()
        )
        and _scales_are_axes(variables)
    )


def _scales_are_axes(variables: Variables) -> bool:
    axes = {axis for variable in variables.values() for axis in variable.dims}
    return all(variables[axis].dims == (axis,) for axis in axes if axis in variables)


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name not in ("", ".") and "/" not in name


def _is_plain_dtype(dtype: Any) -> bool:
    return dtype.kind == "U" or (dtype.kind in PLAIN_KINDS and dtype.itemsize <= 8 and dtype != np.float16)


def _are_plain_attributes(attributes: Mapping[Any, Any]) -> bool:
    return all(
        _is_name(name) and name not in OF_HDF5 and (isinstance(value, str) or _is_plain_number(value))
        for name, value in attributes.items()
    )


def _is_plain_number(value: Any) -> bool:
    """A number, or an array of some; none that is a truth value, or too large."""
    if not isinstance(value, (int, float, np.generic, np.ndarray)):
        return False
    values = np.asarray(value)
    return values.size > 0 and values.dtype.kind in "iuf" and _is_plain_dtype(values.dtype)


def _lay_down(file: h5py.File, variables: Variables, attributes: Mapping[Any, Any]) -> None:
    """Attributes of the whole, the variables, then what ties them to their axes."""
    root = file["/"].id
    for name, value in attributes.items():
        _add_attribute(root, name, value)
    made_with = f"version=2,hdf5={h5py.version.hdf5_version},h5py={h5py.__version__}"
    _add(root, "_NCProperties", np.array(made_with.encode()))
    items = {name: _stored(root, name, variable) for name, variable in variables.items()}
    sizes = {axis: length for variable in variables.values() for axis, length in variable.sizes.items()}
    numbers = {axis: np.int32(number) for number, axis in enumerate(sizes)}
    scales = {axis: _scale(root, axis, length, items) for axis, length in sizes.items()}
    for axis, scale in scales.items():
        _add(scale, "_Netcdf4Dimid", np.asarray(numbers[axis]))
    for name, variable in variables.items():
        if not variable.dims:
            continue
        _add(items[name], "_Netcdf4Coordinates", np.array([numbers[axis] for axis in variable.dims]))
        if name in scales:
            continue
        _add(items[name], "_Netcdf4Dimid", np.asarray(numbers[variable.dims[0]]))
        for place, axis in enumerate(variable.dims):
            h5ds.attach_scale(items[name], scales[axis], place)


def _stored(root: Any, name: str, variable: xr.Variable) -> Any:
    """The HDF5 dataset of a variable, with its values and attributes."""
    values, settings = np.asarray(variable.values, order="C"), _settings()
    own: dict[str, Any] = {}
    if values.dtype.kind == "U":
        values = values.astype(TEXT)
    elif values.dtype.kind == "b":
        values, own = values.astype(np.int8), {"dtype": "bool"}
    elif values.dtype.kind == "f":
        own = {"_FillValue": values.dtype.type(np.nan)}
        settings.set_fill_value(np.asarray(own["_FillValue"]))
    item = h5d.create(root, name.encode(), h5t.py_create(values.dtype, logical=True), _space(values.shape), settings)
    item.write(h5s.ALL, h5s.ALL, values)
    for key, value in {**own, **variable.attrs}.items():
        _add_attribute(item, key, value)
    return item


def _scale(root: Any, axis: Any, length: int, items: Mapping[Any, Any]) -> Any:
    """The scale of an axis: its coordinate, or a dataset that is none."""
    if axis in items:
        h5ds.set_scale(items[axis], axis.encode())
        return items[axis]
    item = h5d.create(root, axis.encode(), h5t.IEEE_F32BE, _space((length,)), _settings())
    h5ds.set_scale(item, f"{NO_VARIABLE}{length:10}".encode())
    return item


def _settings() -> Any:
    """As netCDF wants its datasets: attributes in the order of their making, no times."""
    settings = h5p.create(h5p.DATASET_CREATE)
    settings.set_attr_creation_order(h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED)
    settings.set_obj_track_times(False)
    return settings


def _space(shape: tuple[int, ...]) -> Any:
    return h5s.create_simple(shape) if shape else h5s.create(h5s.SCALAR)


def _add_attribute(item: Any, name: str, value: Any) -> None:
    """One of the user's: a text alone, a number as a list of one, as netCDF has them."""
    _add(item, name, np.array(str(value), dtype=TEXT) if isinstance(value, str) else np.atleast_1d(value))


def _add(item: Any, name: str, values: np.ndarray[Any, Any]) -> None:
    kind = h5t.py_create(values.dtype, logical=True)
    h5a.create(item, name.encode(), kind, _space(values.shape)).write(values)
