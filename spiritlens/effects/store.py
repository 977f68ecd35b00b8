"""Effects in files, and joined: datasets are checked when written and when read, and read back before they are a file.

A file is written as a whole under a name of its own and then renamed (`spiritlens.files.atomic`), so that one that is
there is complete; one that cannot be read, or whose checksum is not that of its content, was damaged afterwards.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.arguments import listed, shown, told_keywords
from spiritlens.effects.measures import MEASURE_CHECKS
from spiritlens.effects.netcdf import encoded, is_sealed, read_netcdf
from spiritlens.effects.paths import PATHS_SCHEMA, check_paths
from spiritlens.effects.schema import (
    LATER_ATTRIBUTES,
    SCHEMA,
    SITE_COORDINATES,
    VERSIONS,
    Status,
    check_effects,
    site_axis,
)
from spiritlens.effects.settings import setting_differences
from spiritlens.files.atomic import given_path, write_whole
from spiritlens.warn import warn

CHECKS: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
    SCHEMA: check_effects,
    PATHS_SCHEMA: check_paths,
    **MEASURE_CHECKS,
}

PADDING: dict[str, Any] = {"token_modality": "none", "part": "none", "word_index": -1, "n_tokens": 0}
"""What a site coordinate holds where a shorter prompt has no such site; texts are "" and times NaN."""


@told_keywords
def save(dataset: xr.Dataset, path: str | Path) -> Path:
    """Check the dataset of a method (or averages) and write it as netCDF.

    The file appears when it is complete and has been read back equal, value by value; else there is one error.
    """
    path = given_path("path", path)
    return write_whole(path, encoded(_check(dataset, "this dataset"), path.name))


@told_keywords
def load(path: str | Path) -> xr.Dataset:
    """Read a dataset written by `save` into memory, and check its checksum and its schema."""
    path = given_path("path", path)
    if not path.is_file():
        kind = "is a folder; name the file in it, such as effects.nc" if path.is_dir() else "is not there: name a file"
        raise FileNotFoundError(f"no such file: {path} {kind} that effects.save or a trace wrote")
    try:
        dataset = read_netcdf(path)
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as netCDF ({error}): the file is damaged; delete it and run the same command again"
        ) from error
    _warn_of_cut_labels(dataset, path)
    return _check(dataset, str(path))


def _warn_of_cut_labels(dataset: xr.Dataset, path: Path) -> None:
    """Versions 0.1 joined parts into files whose labels were cut to the width of the first part's."""
    by_0_1 = str(dataset.attrs.get("spiritlens_version", "")).startswith("0.1.")
    if by_0_1 and path.name == "effects.nc" and (path.parent / "parts").is_dir() and not is_sealed(path):
        warn(
            f"{path} was written by spiritlens {dataset.attrs['spiritlens_version']}, which cut labels to the length "
            f"of the first prompt's: facts may fall together. Its parts are whole: `spiritlens rejoin {path.parent}` "
            f"or spiritlens.rejoin({str(path.parent)!r}) writes it anew"
        )


def join_effects(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Join effects datasets along ``prompt``; shorter prompts are padded with absent cells.

    Components, layers, metrics, samples and attributes must agree, but for `created` and the versions that wrote the
    parts, which are all kept.
    """
    parts = listed("parts", parts, empty=True)
    if not parts:
        raise ValueError("no parts to join: nothing has been traced yet")
    for place, part in enumerate(parts):
        if _schema(part, f"parts[{place}]") != SCHEMA:
            raise ValueError(f"parts[{place}] has the schema {part.attrs['schema']!r}; only {SCHEMA} is joined")
    if len(parts) == 1:
        return check_effects(parts[0])
    axis, first = site_axis(parts[0]), parts[0]
    for part in parts[1:]:
        _check_same_study(first, part, axis)
    length = max(part.sizes[axis] for part in parts)
    padded = [part if axis == "role" else pad_sites(part, length) for part in parts]
    joined = xr.concat(
        padded,
        dim="prompt",
        data_vars="all",
        coords="minimal",
        compat="override",
        join="exact",
        combine_attrs="override",
    )
    joined = joined.assign_coords(prompt=np.arange(joined.sizes["prompt"]))
    for name in VERSIONS:
        found = {version for part in parts for version in str(part.attrs.get(name, "")).split("; ")} - {""}
        joined.attrs |= {name: "; ".join(sorted(found))} if found else {}
    joined["status"] = joined["status"].astype(np.int8).assign_attrs(first["status"].attrs)
    return check_effects(joined)


def pad_sites(effects: xr.Dataset, length: int) -> xr.Dataset:
    """Lengthen the token or span axis to `length`; the new cells are absent."""
    axis = site_axis(effects)
    extra = length - effects.sizes[axis]
    if axis == "role" or extra < 0:
        raise ValueError(f"cannot pad the axis {axis!r} of {effects.sizes[axis]} to {length}")
    if extra == 0:
        return effects
    fill: dict[str, Any] = {"restored": np.nan, "status": int(Status.ABSENT)}
    for name, kind in SITE_COORDINATES[axis].items():
        fill[name] = PADDING.get(name, "" if kind == "text" else np.nan)
    variables: dict[str, Any] = {}
    for key, variable in effects.variables.items():
        name = str(key)
        widths = [(0, extra if dim == axis else 0) for dim in variable.dims]
        if axis in variable.dims:
            values = np.pad(variable.values, widths, constant_values=fill[name])
            variable = xr.Variable(variable.dims, values, variable.attrs)
        variables[name] = variable
    coordinates = {name: variables.pop(name) for name in list(variables) if name in effects.coords}
    return xr.Dataset(variables, coordinates, effects.attrs)


def _check(dataset: xr.Dataset, name: str) -> xr.Dataset:
    return CHECKS[_schema(dataset, name)](dataset)


def _schema(dataset: Any, name: str) -> str:
    """The schema that a dataset says it has, one of `CHECKS`."""
    if not isinstance(dataset, xr.Dataset):
        raise ValueError(f"{name} is {shown(dataset)} ({type(dataset).__name__}): give a dataset that a trace returned")
    schema = dataset.attrs.get("schema")
    if not isinstance(schema, str) or schema not in CHECKS:
        raise ValueError(f"{name} has the schema {schema!r}; this version of spiritlens reads {', '.join(CHECKS)}")
    return schema


def _check_same_study(first: xr.Dataset, part: xr.Dataset, axis: str) -> None:
    if site_axis(part) != axis:
        raise ValueError(f"parts have the site axes {axis!r} and {site_axis(part)!r}: join runs with the same at=")
    for name in ("component", "layer", "metric", "sample", *(("role",) if axis == "role" else ())):
        if first[name].values.tolist() != part[name].values.tolist():
            raise ValueError(f"parts differ in {name}: {first[name].values.tolist()} and {part[name].values.tolist()}")
    differences = setting_differences(_deciding_attributes(first), _deciding_attributes(part))
    if differences:
        raise ValueError(f"parts come from different studies ({'; '.join(differences)}): join only parts of one run")


def _deciding_attributes(effects: xr.Dataset) -> dict[str, str]:
    """The attributes that parts of one study share: all but when and by which versions each was written."""
    later = {name: value for name, value in LATER_ATTRIBUTES.items() if name not in VERSIONS}
    return {name: str(v) for name, v in {**later, **effects.attrs}.items() if name not in ("created", *VERSIONS)}
