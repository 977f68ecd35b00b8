"""Effects in files: one netCDF for a dataset, and a run directory that survives being interrupted.

A run directory holds::

    config.json        what was asked for; the same command resumes, another one is refused with the difference
    environment.json   Python, platform and package versions of the (last) run
    prompts.parquet    one row per prompt
    parts/<name>.nc    finished pieces of the work, one or more prompts each
    effects.nc         the parts joined, in the order in which they were asked for
    report/            the page, where one was made

Every file is written under a temporary name and then renamed, so a file that is there is complete; a part that cannot
be read was damaged afterwards, and is an error that names the file. Datasets are checked when written and when read.
"""

import contextlib
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from spiritlens.effects.measures import MEASURE_CHECKS
from spiritlens.effects.paths import PATHS_SCHEMA, check_paths
from spiritlens.effects.schema import SCHEMA, SITE_COORDINATES, Status, check_effects, site_axis

PACKAGES = (
    "spiritlens",
    "torch",
    "transformer-lens",
    "transformers",
    "numpy",
    "xarray",
    "soundfile",
    "espeakng-loader",
)
"""Packages whose versions are written to environment.json."""

CHECKS: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
    SCHEMA: check_effects,
    PATHS_SCHEMA: check_paths,
    **MEASURE_CHECKS,
}

PADDING: dict[str, Any] = {"token_modality": "none", "part": "none", "word_index": -1, "n_tokens": 0}
"""What a site coordinate holds where a shorter prompt has no such site; texts are "" and times NaN."""

SHORT = 8
"""Lists and mappings with at most so many differing values are told value by value."""


def save_effects(dataset: xr.Dataset, path: str | Path) -> Path:
    """Check the dataset of a method (or averages) and write it as netCDF; the file appears only when it is complete."""
    path = Path(path)
    _check(dataset, "this dataset")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        dataset.to_netcdf(temporary, engine="h5netcdf")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def load_effects(path: str | Path) -> xr.Dataset:
    """Read a dataset written by `save_effects` into memory and check it."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        dataset = xr.load_dataset(path, engine="h5netcdf")
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as netCDF ({error}): the file is damaged; delete it and run the same command again"
        ) from error
    return _check(dataset, str(path))


def join_effects(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Join effects datasets along ``prompt``; shorter prompts are padded with absent cells.

    Components, layers, metrics, samples and attributes (all but `created`) must agree.
    """
    if not parts:
        raise ValueError("no parts to join: nothing has been traced yet")
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


@dataclass(frozen=True)
class RunDirectory:
    """A folder of parts that one configuration fills; made by `open_run`."""

    folder: Path

    @property
    def done(self) -> tuple[str, ...]:
        """Names of the finished parts, sorted."""
        return tuple(sorted(path.stem for path in (self.folder / "parts").glob("[!.]*.nc")))

    def write_part(self, name: str, effects: xr.Dataset) -> Path:
        """Write one part; from then on the name is in `done`."""
        if not name or name != Path(name).name or name.startswith("."):
            raise ValueError(f"part name {name!r}: use a plain file name, such as a prompt's id")
        return save_effects(effects, self.folder / "parts" / f"{name}.nc")

    def read_part(self, name: str) -> xr.Dataset:
        """Read one finished part; an unreadable one is an error that names the file."""
        return load_effects(self.folder / "parts" / f"{name}.nc")

    def write_prompts(self, rows: Iterable[Mapping[str, Any]]) -> Path:
        """Write prompts.parquet, one row per prompt."""
        path = self.folder / "prompts.parquet"
        temporary = path.with_name(f".{path.name}.tmp")
        pd.DataFrame([dict(row) for row in rows]).to_parquet(temporary, index=False)
        return temporary.replace(path)

    def read_prompts(self) -> pd.DataFrame:
        """The rows of prompts.parquet."""
        return pd.read_parquet(self.folder / "prompts.parquet")

    def finish(self, names: Sequence[str] | None = None) -> xr.Dataset:
        """Join the parts (`names` in this order, by default all that are done) into effects.nc and return them."""
        wanted = self.done if names is None else tuple(names)
        missing = sorted(set(wanted) - set(self.done))
        if missing:
            raise ValueError(
                f"{len(missing)} parts are not done yet, such as {missing[0]!r}: run the same command again"
            )
        effects = join_effects([self.read_part(name) for name in wanted])
        save_effects(effects, self.folder / "effects.nc")
        return effects


def open_run(folder: str | Path, config: Mapping[str, Any]) -> RunDirectory:
    """Open a run directory for this configuration: new, or the same one again, so that finished parts are kept.

    `config` holds what decides the numbers (JSON values). A folder that another configuration began is refused, with
    the settings that differ.
    """
    folder = Path(folder)
    path = folder / "config.json"
    wanted = json.loads(json.dumps(dict(config)))
    if path.is_file():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is not JSON ({error}): the folder is damaged; use another one") from error
        differences = _differences(found, wanted)
        if differences:
            raise ValueError(
                f"{folder} was begun with other settings ({'; '.join(differences)}): "
                "choose another folder, or repeat the command with the old settings"
            )
    elif (folder / "parts").is_dir() and any((folder / "parts").glob("*.nc")):
        raise ValueError(f"{folder} holds parts but no config.json, so what made them is unknown: use another folder")
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    _write_json(path, wanted)
    _write_json(folder / "environment.json", environment())
    return RunDirectory(folder)


def environment() -> dict[str, Any]:
    """Python, platform and installed package versions (read from their metadata; nothing is imported)."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {"python": sys.version.split()[0], "platform": platform.platform(), "packages": versions}


def _check(dataset: xr.Dataset, name: str) -> xr.Dataset:
    schema = dataset.attrs.get("schema")
    if schema not in CHECKS:
        raise ValueError(f"{name} has the schema {schema!r}; this version of spiritlens reads {', '.join(CHECKS)}")
    return CHECKS[schema](dataset)


def _check_same_study(first: xr.Dataset, part: xr.Dataset, axis: str) -> None:
    if site_axis(part) != axis:
        raise ValueError(f"parts have the site axes {axis!r} and {site_axis(part)!r}: join runs with the same at=")
    for name in ("component", "layer", "metric", "sample", *(("role",) if axis == "role" else ())):
        if first[name].values.tolist() != part[name].values.tolist():
            raise ValueError(f"parts differ in {name}: {first[name].values.tolist()} and {part[name].values.tolist()}")
    differences = _differences(
        {name: str(value) for name, value in first.attrs.items() if name != "created"},
        {name: str(value) for name, value in part.attrs.items() if name != "created"},
    )
    if differences:
        raise ValueError(f"parts come from different studies ({'; '.join(differences)}): join only parts of one run")


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Settings that differ, in words: by their names within mappings (and JSON texts of mappings), lists by counts."""
    lines = []
    for name in sorted({*found, *wanted}):
        there, here = (_decoded(settings.get(name, "not set")) for settings in (found, wanted))
        texts = [json.dumps(value, sort_keys=True) for value in (there, here)]  # as text, NaN equals NaN
        if there == here or texts[0] == texts[1]:
            continue
        if isinstance(there, dict) and isinstance(here, dict):
            lines += _few([f"{name}.{line}" for line in _differences(there, here)])
        elif isinstance(there, list) and isinstance(here, list) and max(len(there), len(here)) > SHORT:
            lines.append(f"{name}: {_list_difference(there, here)}")
        else:
            lines.append(f"{name}: {there!r} there, {here!r} here")
    return lines


def _decoded(value: Any) -> Any:
    """The mapping of a JSON text, such as `config_json`; any other value as it is."""
    if isinstance(value, str) and value.startswith("{"):
        with contextlib.suppress(json.JSONDecodeError):
            return json.loads(value)
    return value


def _few(lines: list[str]) -> list[str]:
    """The differences within one setting; of more than SHORT (all layers of a window) the first and their number."""
    return lines if len(lines) <= SHORT else [f"{lines[0]}, and {len(lines) - 1} more beside it"]


def _list_difference(there: list[Any], here: list[Any]) -> str:
    """How many entries two lists have and do not share."""
    gone, new = (sum(value not in other for value in one) for one, other in ((there, here), (here, there)))
    order = "; the same in another order" if not gone and not new and len(there) == len(here) else ""
    return f"{len(there)} there, {len(here)} here, {gone} only there, {new} only here{order}"


def _write_json(path: Path, value: Any) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)
