"""Making datasets of the schemas ``spiritlens.effects/1`` and ``spiritlens.paths/1`` from plain arrays: the coordinates
and attributes that they have in common, and `new_effects`.

    values = EffectValues(clean, corrupted, restored, status, noise_floor)
    axes = EffectAxes(("mlp_out",), range(n_layers), metrics, prompts, sites, at="token")
    effects = new_effects(values, axes, direction="denoising", attributes=attributes)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.effects.schema import (
    ATTRIBUTE_DEFAULTS,
    CANARIES,
    HEARD_COLUMNS,
    LATER_ATTRIBUTES,
    LATER_PROMPT_TEXTS,
    PROMPT_TEXTS,
    SCHEMA,
    SITE_AXIS,
    SITE_COORDINATES,
    STATUS_ATTRIBUTES,
    check_effects,
)
from spiritlens.terms import At, Direction

Attributes = Mapping[str, str | int | float]


@dataclass(frozen=True)
class MetricColumn:
    """One entry of the axis ``metric``: +1 where larger means more recall, −1 where smaller does; unit and words for
    axes and captions ("" where unknown)."""

    name: str
    sign: int
    unit: str = ""
    words: str = ""


@dataclass(frozen=True, eq=False)
class EffectValues:
    """Arrays of an effects dataset, with the axes that its schema gives them; a canary None was not measured."""

    clean: Any
    corrupted: Any
    restored: Any
    status: Any
    noise_floor: Any
    canary_self: Any = None
    canary_all: Any = None


@dataclass(frozen=True, eq=False)
class EffectAxes:
    """What stands along the axes of an effects dataset.

    `prompts` gives `PROMPT_TEXTS`, `HEARD_COLUMNS` and `known` by name, one value per prompt (what is left out becomes
    "" or NaN); `sites` gives the site coordinates as [prompt site] arrays, padded with "", −1 or NaN (for at="role"
    also ``role`` [role], the names along the axis). Heads are read from the shape of the restored values.
    """

    components: Sequence[str]
    layers: Sequence[int]
    metrics: Sequence[MetricColumn]
    prompts: Mapping[str, Sequence[Any]]
    sites: Mapping[str, Any]
    at: At


def new_effects(
    values: EffectValues, axes: EffectAxes, *, direction: Direction = "denoising", attributes: Attributes | None = None
) -> xr.Dataset:
    """Build and check an effects dataset."""
    if axes.at not in SITE_AXIS:
        raise ValueError(f"at={axes.at!r}: expected one of {', '.join(SITE_AXIS)}")
    site = SITE_AXIS[axes.at]
    restored, corrupted = np.asarray(values.restored), np.asarray(values.corrupted)
    cell = ("prompt", "component", "layer", site, *(("head",) if restored.ndim == 7 else ()))
    n_prompts, n_samples = corrupted.shape[:2]
    dataset = xr.Dataset(
        {
            "clean": (("prompt", "metric"), np.asarray(values.clean)),
            "corrupted": (("prompt", "sample", "metric"), corrupted),
            "restored": ((*cell, "sample", "metric"), restored),
            "status": (cell, np.asarray(values.status, dtype=np.int8), STATUS_ATTRIBUTES),
            "noise_floor": (("prompt", "metric"), np.asarray(values.noise_floor)),
            **canary_variables(values.clean, values.canary_self, values.canary_all),
        },
        coords={
            "component": text_array(axes.components),
            "layer": np.asarray(axes.layers, dtype=np.int64),
            **metric_coordinates(axes.metrics),
            "prompt": np.arange(n_prompts),
            "sample": np.arange(n_samples),
            **prompt_coordinates(axes.prompts, n_prompts),
            **_site_coordinates(axes.sites, site),
        },
        attrs=new_attributes(
            SCHEMA, {"samples": n_samples, "direction": direction, "at": axes.at, **(attributes or {})}
        ),
    )
    if "head" in cell:
        dataset = dataset.assign_coords(head=np.arange(dataset.sizes["head"]))
    return check_effects(dataset)


def canary_variables(like: Any, own: Any, everywhere: Any) -> dict[str, Any]:
    """Both canaries ``[prompt metric]``, ready for xarray: NaN, in the shape of another variable, without a run."""
    shape = np.shape(like)
    found = [np.full(shape, np.nan) if one is None else np.asarray(one, np.float64) for one in (own, everywhere)]
    return {name: (("prompt", "metric"), one) for name, one in zip(CANARIES, found, strict=True)}


def new_attributes(schema: str, attributes: Attributes) -> dict[str, str | int | float]:
    """Attributes of a new dataset: the defaults, the time of making, and what was given."""
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return {"schema": schema, **ATTRIBUTE_DEFAULTS, **LATER_ATTRIBUTES, "created": created, **attributes}


def metric_coordinates(metrics: Sequence[MetricColumn]) -> dict[str, Any]:
    """Names, signs, units and words of the metrics, ready for xarray."""
    signs = np.array([metric.sign for metric in metrics], dtype=np.int8)
    return {
        "metric": text_array([metric.name for metric in metrics]),
        "metric_sign": ("metric", signs),
        "metric_unit": ("metric", text_array([metric.unit for metric in metrics])),
        "metric_words": ("metric", text_array([metric.words for metric in metrics])),
    }


def prompt_coordinates(prompts: Mapping[str, Sequence[Any]], n_prompts: int) -> dict[str, Any]:
    """Coordinates of the prompts by name, ready for xarray: what is left out becomes "" or NaN; no unknown names."""
    unknown = sorted(set(prompts) - {*PROMPT_TEXTS, *LATER_PROMPT_TEXTS, *HEARD_COLUMNS, "known"})
    if unknown:
        raise ValueError(f"unknown prompt coordinates {unknown}; the schema has {', '.join((*PROMPT_TEXTS, 'known'))}")
    for name in ("prompt_id", "modality", "known"):
        if name not in prompts:
            raise ValueError(f"prompts lacks {name!r}: one value per prompt")
    texts = {name: ("prompt", text_array(prompts.get(name, [""] * n_prompts))) for name in PROMPT_TEXTS}
    later = {
        name: ("prompt", text_array(prompts.get(name, [before] * n_prompts)))
        for name, before in LATER_PROMPT_TEXTS.items()
    }
    heard = {name: prompts.get(name, [unasked] * n_prompts) for name, unasked in HEARD_COLUMNS.items()}
    return {
        **texts,
        **later,
        **heard_coordinates(heard),
        "known": ("prompt", np.asarray(prompts["known"], dtype=np.int8)),
    }


def heard_coordinates(columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Those of `HEARD_COLUMNS` among the columns of prompts, ready for xarray."""
    kinds = {name: np.str_ if isinstance(unasked, str) else np.float64 for name, unasked in HEARD_COLUMNS.items()}
    return {name: ("prompt", np.asarray(columns[name], dtype=kind)) for name, kind in kinds.items()}


def _site_coordinates(sites: Mapping[str, Any], site: str) -> dict[str, Any]:
    kinds = SITE_COORDINATES[site]
    wanted = {*kinds, *(("role",) if site == "role" else ())}
    if set(sites) != wanted:
        raise ValueError(f"sites has {sorted(sites)}, expected {sorted(wanted)} for the axis {site!r}")
    types: dict[str, Any] = {"text": np.str_, "integer": np.int64, "number": np.float64}
    coordinates: dict[str, Any] = {
        name: (("prompt", site), np.asarray(sites[name], dtype=types[kind])) for name, kind in kinds.items()
    }
    return {**coordinates, "role": text_array(sites["role"])} if site == "role" else coordinates


def text_array(values: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.str_]]:
    return np.asarray([str(value) for value in values], dtype=np.str_)
