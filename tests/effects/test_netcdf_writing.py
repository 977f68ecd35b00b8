"""What is laid down by few calls is what xarray's own file holds, item by item; what is seldom is left to xarray."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from effects_synthetic import role_effects, token_effects

from spiritlens.effects.netcdf_writing import are_plain, write_variables


def every_kind() -> xr.Dataset:
    """Every kind of values and attributes that is laid down: bare axes, coordinates of two axes, one value alone."""
    return xr.Dataset(
        {
            "single": (("a", "b"), np.array([[0.1, np.nan, -np.inf]], np.float32), {"units": "s", "n": 3, "x": 0.5}),
            "double": ("a", [np.nan], {"few": np.array([1, 2], np.int8), "one": np.float32(2)}),
            "bytes": ("c", np.array([1, 255], np.uint8)),
            "whole": ("c", np.array([-(2**63), 2**63 - 1])),
            "truth": ("c", [True, False], {"note": ""}),
            "turned": (("b", "c"), np.arange(6).reshape(2, 3).T),
            "alone": ((), 4.5),
            "text": (("a", "c"), [["é 東京", ""]]),
        },
        {"c": ["x", "▁y"], "beside": (("c", "b"), np.ones((2, 3))), "said": ((), "é")},
        {"schema": "é", "seed": 2**62, "scale": np.float32(0.1), "dtype": "float64", "list": np.arange(3.0)},
    )


DATASETS = {"kinds": every_kind(), "roles": role_effects(), "tokens": token_effects(), "nothing": xr.Dataset()}


def written(dataset: xr.Dataset, path: Path) -> Path:
    with path.open("w+b", buffering=0) as file:
        write_variables(dataset, file)
    return path


def described(path: Path) -> dict[str, Any]:
    """All that HDF5 holds: names in their order, kinds, fill values, attributes; references as what they refer to."""

    def of(item: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in item.attrs:
            stored, kind = item.attrs[name], item.attrs.get_id(name).get_type()
            if name == "DIMENSION_LIST":
                stored = [[file[each].name for each in row] for row in stored]
            if name == "REFERENCE_LIST":
                stored = sorted((file[each].name, int(place)) for each, place in stored)
            found[name] = (repr(stored), kind.get_class(), kind.get_size())
        return found

    with h5py.File(path, "r") as file:
        items = {"/": of(file)}
        del items["/"]["_NCProperties"]
        for name, item in file.items():
            settings = item.id.get_create_plist()
            created = settings.get_attr_creation_order(), settings.get_obj_track_times()
            kind = item.id.get_type()
            stored = (item.shape, item.maxshape, str(item.dtype), kind.get_class(), kind.get_size(), item.chunks)
            items[name] = {"as": (*stored, repr(item.fillvalue), *created), **of(item)}
    return items


@pytest.mark.parametrize("name", DATASETS)
def test_a_file_holds_what_xarrays_own_does(name: str, tmp_path: Path) -> None:
    dataset = DATASETS[name]
    assert are_plain(dataset.variables, dataset.attrs)
    ours, theirs = written(dataset, tmp_path / "ours.nc"), tmp_path / "theirs.nc"
    dataset.to_netcdf(theirs, engine="h5netcdf")
    assert described(ours) == described(theirs)
    found, expected = (xr.load_dataset(path, engine="h5netcdf") for path in (ours, theirs))
    xr.testing.assert_identical(found, expected)
    xr.testing.assert_identical(found, dataset)
    for key, variable in expected.variables.items():
        own, other = (each.encoding | {"source": ""} for each in (found.variables[key], variable))
        assert repr(own) == repr(other)


SELDOM = {
    "an axis without length": xr.Dataset({"a": ("x", np.zeros(0))}),
    "times": xr.Dataset({"a": ("x", np.array(["2020-01-01"], "datetime64[ns]"))}),
    "texts in a list": xr.Dataset(attrs={"a": ["x", "y"]}),
    "a fill value": xr.Dataset({"a": ("x", np.ones(1), {"_FillValue": 0.0})}),
}


@pytest.mark.parametrize("what", SELDOM)
def test_what_is_seldom_is_written_by_xarray(what: str, tmp_path: Path) -> None:
    assert not are_plain(SELDOM[what].variables, SELDOM[what].attrs)
    SELDOM[what].to_netcdf(tmp_path / "theirs.nc", engine="h5netcdf")
    assert described(written(SELDOM[what], tmp_path / "ours.nc")) == described(tmp_path / "theirs.nc")


@pytest.mark.parametrize(
    "dataset",
    [
        xr.Dataset({"a": ("x", np.ones(1, complex))}),
        xr.Dataset({"a": ("x", np.ones(1, np.float16))}),
        xr.Dataset(attrs={"a": True}),
        xr.Dataset(attrs={"a": 2**70}),
        xr.Dataset({"a/b": ("x", [1])}),
    ],
)
def test_what_no_file_holds_is_left_for_xarray_to_refuse(dataset: xr.Dataset) -> None:
    assert not are_plain(dataset.variables, dataset.attrs)
