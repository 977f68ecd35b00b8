"""Joining the results of one method along ``prompt``, as they are kept prompt by prompt.

Shorter prompts are padded along their site axis. What does not belong to a prompt, the method's axes and settings, must
agree; the versions that wrote the parts are all kept.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.arguments import listed
from spiritlens.effects.paths import PATHS_SCHEMA
from spiritlens.effects.schema import (
    CANARIES,
    HEARD_COLUMNS,
    LATER_ATTRIBUTES,
    LATER_PROMPT_TEXTS,
    SCHEMA,
    SITE_COORDINATES,
    VERSIONS,
    Status,
    check_effects,
    site_axis,
)
from spiritlens.effects.settings import setting_differences
from spiritlens.effects.store import CHECKS, schema_of

PADDING: dict[str, Any] = {"token_modality": "none", "part": "none", "word_index": -1, "n_tokens": 0}
"""What a site coordinate holds where a shorter prompt has no such site; texts are "" and times NaN."""


def join_effects(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Join effects datasets along ``prompt``; shorter prompts are padded with absent cells.

    Components, layers, metrics, samples and attributes must agree, but for `created` and the versions that wrote the
    parts, which are all kept.
    """
    parts = [_with_later(part) for part in listed("parts", parts, empty=True)]
    if not parts:
        raise ValueError("no parts to join: nothing has been traced yet")
    schemas = [schema_of(part, f"parts[{place}]") for place, part in enumerate(parts)]
    other = next((place for place, schema in enumerate(schemas) if schema != schemas[0]), None)
    if other is not None:
        raise ValueError(
            f"parts[{other}] has the schema {schemas[other]!r} and parts[0] {schemas[0]!r}: join results of one method"
        )
    if len(parts) == 1:
        return CHECKS[schemas[0]](parts[0])
    if schemas[0] != SCHEMA:
        return _join_others(parts, schemas[0])
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
    joined.attrs |= _all_versions(parts)
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


def _with_later(part: Any) -> Any:
    """A result with the coordinates of prompts, and the canaries, that the version which wrote it had not yet."""
    if not isinstance(part, xr.Dataset) or "prompt_id" not in part.coords:
        return part
    of_effects = part.attrs.get("schema") in (SCHEMA, PATHS_SCHEMA)
    later: dict[str, Any] = {**(LATER_PROMPT_TEXTS if of_effects else {}), **HEARD_COLUMNS}
    lacking = {name: before for name, before in later.items() if name not in part.coords}
    part = part.assign_coords({name: ("prompt", [before] * part.sizes["prompt"]) for name, before in lacking.items()})
    if not of_effects or "noise_floor" not in part.variables:
        return part
    unmeasured = xr.full_like(part["noise_floor"], np.nan, dtype=np.float64)
    return part.assign({name: unmeasured for name in CANARIES if name not in part.variables})


def _join_others(parts: Sequence[xr.Dataset], schema: str) -> xr.Dataset:
    """Parts of a schema whose variables stand as they are, but for the padding of ``pos`` where prompts have one."""
    first = parts[0]
    for part in parts[1:]:
        for name, variable in first.variables.items():
            if "prompt" in variable.dims or name == "pos":
                continue
            there = part.variables[name].values.tolist() if name in part.variables else "nothing"
            if variable.values.tolist() != there:
                raise ValueError(f"parts differ in {name}: {variable.values.tolist()} and {there}")
        _check_same_settings(first, part)
    longest = max(parts, key=lambda part: part.sizes.get("pos", 0))
    variables = {
        str(name): _concatenated([part.variables[name] for part in parts])
        if "prompt" in variable.dims
        else longest.variables[name]
        for name, variable in first.variables.items()
        if name != "prompt"
    }
    coordinates = {name: variables.pop(name) for name in list(variables) if name in first.coords}
    joined = xr.Dataset(variables, coordinates, first.attrs)
    if "prompt" in first.coords:
        joined = joined.assign_coords(prompt=np.arange(joined.sizes["prompt"]))
    return CHECKS[schema](joined.assign_attrs(_all_versions(parts)))


def _concatenated(parts: Sequence[xr.Variable]) -> xr.Variable:
    """One variable along ``prompt``; a shorter ``pos`` is padded with "", NaN or −1. Texts keep their length."""
    dims, length = parts[0].dims, max(part.sizes.get("pos", 0) for part in parts)
    padded = []
    for part in parts:
        fill: Any = {"U": "", "f": np.nan}.get(part.dtype.kind, -1)
        widths = [(0, length - size if dim == "pos" else 0) for dim, size in zip(dims, part.shape, strict=True)]
        padded.append(np.pad(part.values, widths, constant_values=fill))
    return xr.Variable(dims, np.concatenate(padded, axis=dims.index("prompt")), parts[0].attrs)


def _all_versions(parts: Sequence[xr.Dataset]) -> dict[str, str]:
    """The versions that made the parts, by attribute."""
    named: dict[str, str] = {}
    for name in VERSIONS:
        found = {version for part in parts for version in str(part.attrs.get(name, "")).split("; ")} - {""}
        named |= {name: "; ".join(sorted(found))} if found else {}
    return named


def _check_same_study(first: xr.Dataset, part: xr.Dataset, axis: str) -> None:
    if site_axis(part) != axis:
        raise ValueError(f"parts have the site axes {axis!r} and {site_axis(part)!r}: join runs with the same at=")
    for name in ("component", "layer", "metric", "sample", *(("role",) if axis == "role" else ())):
        if first[name].values.tolist() != part[name].values.tolist():
            raise ValueError(f"parts differ in {name}: {first[name].values.tolist()} and {part[name].values.tolist()}")
    _check_same_settings(first, part)


def _check_same_settings(first: xr.Dataset, part: xr.Dataset) -> None:
    differences = setting_differences(_deciding_attributes(first), _deciding_attributes(part))
    if differences:
        raise ValueError(f"parts come from different studies ({'; '.join(differences)}): join only parts of one run")


def _deciding_attributes(effects: xr.Dataset) -> dict[str, str]:
    """The attributes that parts of one study share: all but when and by which versions each was written."""
    later = {name: value for name, value in LATER_ATTRIBUTES.items() if name not in VERSIONS}
    return {name: str(v) for name, v in {**later, **effects.attrs}.items() if name not in ("created", *VERSIONS)}
