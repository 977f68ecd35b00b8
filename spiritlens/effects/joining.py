"""Joining the results of one method along ``prompt``, as they are kept in parts.

Shorter prompts are padded along their site axis. What does not belong to a prompt, the method's axes and settings, must
agree; the versions that wrote the parts are all kept. Each variable is made once, in its final size: a join takes the
memory of its parts and of its result, and no more.
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
    PART_ATTRIBUTES,
    SCHEMA,
    SITE_COORDINATES,
    VERSIONS,
    Status,
    site_axis,
)
from spiritlens.effects.settings import setting_differences
from spiritlens.effects.store import CHECKS, schema_of

PADDING: dict[str, Any] = {
    **{"token_modality": "none", "part": "none", "word_index": -1, "n_tokens": 0},
    **{"restored": np.nan, "status": int(Status.ABSENT)},
}
"""What a variable holds where a shorter prompt has no such site; other texts are "", times NaN, whole numbers −1."""


Places = Sequence[np.ndarray[Any, Any]]
"""Where the prompts of each part stand in the join; −1 leaves one out."""


def join_effects(parts: Sequence[xr.Dataset], *, places: Places | None = None) -> xr.Dataset:
    """Join the datasets of a method along ``prompt``; shorter prompts are padded with absent cells.

    Components, layers, metrics, samples and attributes must agree, but for `created` and the versions that wrote the
    parts, which are all kept. Without `places` the parts stand one after the other.
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
    if places is None and len(parts) == 1:
        return CHECKS[schemas[0]](_without(parts[0]))
    for part in parts[1:]:
        _check_same_study(parts[0], part, schemas[0])
    result = _joined(parts, schemas[0], _one_after_the_other(parts) if places is None else places)
    left_out = places is not None and any((where < 0).any() for where in places)
    return CHECKS[schemas[0]](without_empty_sites(result) if left_out else result)


def without_empty_sites(effects: xr.Dataset) -> xr.Dataset:
    """The results without sites at the end of the axis that none of their prompts has, the padding of other prompts."""
    axis = "span" if "span" in effects.dims else "pos"
    if axis not in effects.dims:
        return effects
    there = np.zeros(effects.sizes[axis], bool)
    for key, variable in effects.variables.items():
        if axis not in variable.dims or "prompt" not in variable.dims:
            continue
        fill = _fill_of(str(key), variable.dtype)
        filled = (variable.values != fill) & ~((variable.values != variable.values) & (fill != fill))
        there |= filled.any(axis=tuple(at for at, dim in enumerate(variable.dims) if dim != axis))
    length = int(np.nonzero(there)[0].max(initial=-1)) + 1
    return effects if length == len(there) else effects.isel({axis: slice(0, length)})


def _fill_of(name: str, kind: np.dtype[Any]) -> Any:
    """What a variable holds where a shorter prompt has no such site."""
    return PADDING.get(name, {"U": "", "O": "", "T": "", "f": np.nan}.get(kind.kind, -1))


def _one_after_the_other(parts: Sequence[xr.Dataset]) -> Places:
    ends = np.cumsum([part.sizes["prompt"] for part in parts])
    return [np.arange(end - part.sizes["prompt"], end) for part, end in zip(parts, ends, strict=True)]


def _joined(parts: Sequence[xr.Dataset], schema: str, places: Places) -> xr.Dataset:
    first = parts[0]
    padded = site_axis(first) if schema == SCHEMA else "pos"
    lengths = [part.sizes.get(padded, 0) for part in parts]
    length, longest = max(lengths), parts[int(np.argmax(lengths))]
    variables = {
        str(name): _concatenated([part.variables[name] for part in parts], places, (padded, length), str(name))
        if "prompt" in variable.dims
        else longest.variables[name]
        for name, variable in first.variables.items()
        if name != "prompt"
    }
    coordinates = {name: variables.pop(name) for name in list(variables) if name in first.coords}
    joined = xr.Dataset(variables, coordinates, first.attrs)
    if "prompt" in first.coords:
        joined = joined.assign_coords(prompt=np.arange(joined.sizes["prompt"]))
    return _without(joined.assign_attrs(_all_versions(parts)))


def pad_sites(effects: xr.Dataset, length: int) -> xr.Dataset:
    """Lengthen the token or span axis to `length`; the new cells are absent."""
    axis = site_axis(effects)
    extra = length - effects.sizes[axis]
    if axis == "role" or extra < 0:
        raise ValueError(f"cannot pad the axis {axis!r} of {effects.sizes[axis]} to {length}")
    if extra == 0:
        return effects
    here = [np.arange(effects.sizes["prompt"])]
    variables = {
        str(name): _concatenated([variable], here, (axis, length), str(name)) if axis in variable.dims else variable
        for name, variable in effects.variables.items()
    }
    coordinates = {name: variables.pop(name) for name in list(variables) if name in effects.coords}
    return xr.Dataset(variables, coordinates, effects.attrs)


def _concatenated(parts: Sequence[xr.Variable], places: Places, padded: tuple[str, int], name: str) -> xr.Variable:
    """One variable along ``prompt``, its `padded` axis of this length. Texts keep their length."""
    dims, kind, (axis, length) = parts[0].dims, np.result_type(*{part.dtype for part in parts}), padded
    along = dims.index("prompt")
    sizes = dict(parts[0].sizes)
    if axis in dims:
        sizes[axis] = length
    sizes["prompt"] = sum(int((where >= 0).sum()) for where in places)
    found = np.empty([sizes[dim] for dim in dims], kind)
    fill = _fill_of(name, kind)
    turned = np.moveaxis(found, along, 0)
    where: Any
    for part, where in zip(parts, places, strict=True):
        values, kept = np.moveaxis(part.values, along, 0), where >= 0
        if not kept.all():
            values, where = values[kept], where[kept]
        if axis not in dims:
            turned[where] = values
            continue
        between = [dim for dim in dims if dim != "prompt"].index(axis)
        site, size = (slice(None),) * between, part.sizes[axis]
        turned[(where, *site, slice(0, size))] = values
        turned[(where, *site, slice(size, None))] = fill
    return xr.Variable(dims, found, parts[0].attrs)


def _without(joined: xr.Dataset) -> xr.Dataset:
    """A result without what is said of single parts."""
    kept = {name: value for name, value in joined.attrs.items() if name not in PART_ATTRIBUTES}
    return joined if len(kept) == len(joined.attrs) else joined.drop_attrs(deep=False).assign_attrs(kept)


def _with_later(part: Any) -> Any:
    """A result with the coordinates of prompts, and the canaries, that the version which wrote it had not yet."""
    if not isinstance(part, xr.Dataset) or "prompt_id" not in part.coords:
        return part
    of_effects = part.attrs.get("schema") in (SCHEMA, PATHS_SCHEMA)
    later: dict[str, Any] = {**(LATER_PROMPT_TEXTS if of_effects else {}), **HEARD_COLUMNS}
    lacking = {name: before for name, before in later.items() if name not in part.coords}
    if lacking:
        size = part.sizes["prompt"]
        part = part.assign_coords({name: ("prompt", [before] * size) for name, before in lacking.items()})
    if not of_effects or "noise_floor" not in part.variables:
        return part
    untested = [name for name in CANARIES if name not in part.variables]
    if not untested:
        return part
    unmeasured = xr.full_like(part["noise_floor"], np.nan, dtype=np.float64)
    return part.assign(dict.fromkeys(untested, unmeasured))


def _all_versions(parts: Sequence[xr.Dataset]) -> dict[str, str]:
    """The versions that made the parts, by attribute."""
    named: dict[str, str] = {}
    for name in VERSIONS:
        found = {version for part in parts for version in str(part.attrs.get(name, "")).split("; ")} - {""}
        named |= {name: "; ".join(sorted(found))} if found else {}
    return named


def _check_same_study(first: xr.Dataset, part: xr.Dataset, schema: str) -> None:
    """The parts have the same axes and settings; other ones are named."""
    if schema == SCHEMA and site_axis(part) != site_axis(first):
        axes = f"{site_axis(first)!r} and {site_axis(part)!r}"
        raise ValueError(f"parts have the site axes {axes}: join runs with the same at=")
    grown = {"prompt", "pos", *(SITE_COORDINATES if schema == SCHEMA else ())} - {"role"}
    for name, variable in first.variables.items():
        if grown.intersection((name, *variable.dims)):
            continue
        here, there = variable.values.tolist(), "nothing"
        if name in part.variables:
            there = part.variables[name].values.tolist()
        if here != there:
            raise ValueError(f"parts differ in {name}: {here} and {there}")
    differences = setting_differences(_deciding_attributes(first), _deciding_attributes(part))
    if differences:
        raise ValueError(f"parts come from different studies ({'; '.join(differences)}): join only parts of one run")


def _deciding_attributes(effects: xr.Dataset) -> dict[str, str]:
    """The attributes that parts of one study share: all but when, where and by which versions each was written."""
    later = {name: value for name, value in LATER_ATTRIBUTES.items() if name not in VERSIONS}
    own = ("created", *VERSIONS, *PART_ATTRIBUTES)
    return {name: str(value) for name, value in {**later, **effects.attrs}.items() if name not in own}
