"""The effects dataset, schema ``spiritlens.effects/1``: raw metric values of a tracing run and how each came about.

Axes
    ``prompt component layer <site> [head] sample metric``; the site axis is one of ``pos`` (at="token"), ``span``
    (at="word" or "span") and ``role`` (at="role").
Variables
    ``clean [prompt metric]``, ``corrupted [prompt sample metric]``, ``restored [prompt component layer site (head)
    sample metric]`` (with direction="noising": the metric of the noised run), ``status [prompt component layer site
    (head)]`` (`Status`), ``noise_floor [prompt metric]`` (largest change seen when nothing was patched),
    ``canary_self canary_all [prompt metric]`` (`spiritlens.effects.canaries`; earlier versions wrote none).
Units
    those of each metric (probability in 0..1, logits and log-probabilities in nats). ``metric_sign`` is +1 where larger
    means more recall, −1 where smaller does (rank, KL). ``start`` and ``end`` are seconds, NaN for text.
Signs
    nothing derived is stored: TE and IE come from `spiritlens.effects.statistics`.

Labels repeat (two tokens may both read "the"), so cells are addressed by index, never by label.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from enum import IntEnum
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.terms import MODALITIES

SCHEMA = "spiritlens.effects/1"


SITE_AXIS: dict[str, str] = {"token": "pos", "word": "span", "span": "span", "role": "role"}
"""The site axis that each `at` writes."""

PROMPT_TEXTS = (
    *("prompt_id", "fact_id", "relation", "modality", "phrasing", "voice"),
    *("group", "subject", "answer", "foil", "audio", "text"),
)
"""String coordinates of each prompt; numeric are `known` (0 or 1) and some of `HEARD_COLUMNS`."""

LATER_PROMPT_TEXTS: dict[str, str] = {"foil_rule": "own"}
"""Coordinates of prompts that earlier versions did not write, and what held then; `foil_rule`: whose the foil is."""

HEARD_COLUMNS: dict[str, str | float] = {
    **dict.fromkeys(("recogniser", "heard"), ""),
    **dict.fromkeys(("word_error", "subject_word_error"), float("nan")),
    **dict.fromkeys(("subject_units_changed", "subject_share_changed"), float("nan")),
}
"""Coordinates of prompts by `spiritlens.recognise`, with what they hold where no recogniser was asked (written prompts,
results of earlier versions): its name, what it heard, errors per word of the prompt and of its subject, the subject's
units that its word times would change and their share. Results of every method have them."""

TOKEN_COORDINATES: dict[str, str] = {
    **dict.fromkeys(("token", "token_family", "token_modality", "role", "part", "word"), "text"),
    "word_index": "integer",
    **dict.fromkeys(("start", "end"), "number"),
}
SPAN_COORDINATES: dict[str, str] = {
    **dict.fromkeys(("span_name", "span_role"), "text"),
    **dict.fromkeys(("start", "end"), "number"),
    "n_tokens": "integer",
}
ROLE_COORDINATES: dict[str, str] = {"n_tokens": "integer"}
SITE_COORDINATES = {"pos": TOKEN_COORDINATES, "span": SPAN_COORDINATES, "role": ROLE_COORDINATES}
"""What is known of each site, dims [prompt site]; `role` itself is the coordinate of its axis, dims [role]."""

ATTRIBUTE_DEFAULTS: dict[str, str | int | float] = {
    "spiritlens_version": "",
    "model_name": "",
    "model_hash": "",
    "dtype": "",
    "device": "",
    "seed": 0,
    "corruption": "",
    "noise_scale_text": float("nan"),
    "noise_scale_speech": float("nan"),
    "noise_law": "",
    "window": 1,
    "window_layers": "{}",
    "config_json": "{}",
}
"""Attributes of every effects dataset beside schema, samples, direction, at and created. `window_layers` is JSON:
component → layer → [first, last] restored layer."""

LATER_ATTRIBUTES: dict[str, str] = {"libraries": "", "vocabulary": "", "hooks": "", "knowing": "exact"}
"""Attributes that earlier versions did not write, and what held then: versions of the libraries that ran the model,
hash of its vocabulary, the user's hooks that it carried, and the rule of `known` (`spiritlens.prompts.knowing`)."""

RECALL = "recall"
"""Coordinate of prompts by `spiritlens.runs.recall`, the kind of their recall; results have it once they are tagged."""

CANARIES = ("canary_self", "canary_all")
"""Variables [prompt metric] of results of patching: see `spiritlens.effects.canaries`."""

VERSIONS = ("spiritlens_version", "libraries")
"""Attributes that tell which versions made a dataset; parts of several versions keep them all, with "; " between."""


PART_ATTRIBUTES = ("worker", "seconds", "environment")
"""Attributes of a part of a run directory alone, which its join has not: the worker that wrote it, the seconds that its
prompts took, and the versions of packages (JSON)."""


class Status(IntEnum):
    """How a cell came by its value."""

    MEASURED = 0
    """The run was made."""
    EXACT = 1
    """Not run: the patch provably changes nothing, and the cell holds the baseline's value."""
    SCREENED = 2
    """Not run because a fast screen ranked it low; NaN."""
    ABSENT = 3
    """No such cell (padding, a role the prompt lacks); NaN."""


CHECKED_AT_ONCE = 256
"""Prompts whose cells are compared at a time, which bounds the memory that it takes."""

STATUS_ATTRIBUTES = {
    "flag_values": np.array([int(status) for status in Status], dtype=np.int8),
    "flag_meanings": " ".join(status.name.lower() for status in Status),
}


FLAGS = frozenset(int(status) for status in Status)
"""Codes of the statuses, which follow each other."""


def check_effects(dataset: xr.Dataset) -> xr.Dataset:
    """Return the dataset unchanged if it holds the schema; otherwise ValueError says what differs and the remedy."""
    if dataset.attrs.get("schema") != SCHEMA:
        raise ValueError(
            f"schema is {dataset.attrs.get('schema')!r}, expected {SCHEMA!r}: build it with new_effects(...)"
        )
    axis = site_axis(dataset)
    cell = ("prompt", "component", "layer", axis, *(("head",) if "head" in dataset.dims else ()))
    check_dims(
        dataset,
        {
            "clean": ("prompt", "metric"),
            "corrupted": ("prompt", "sample", "metric"),
            "restored": (*cell, "sample", "metric"),
            "status": cell,
            "noise_floor": ("prompt", "metric"),
            **{name: (name,) for name in ("component", "layer", "metric", "sample")},
            "metric_sign": ("metric",),
            **dict.fromkeys([name for name in CANARIES if name in dataset.variables], ("prompt", "metric")),
            **dict.fromkeys((*PROMPT_TEXTS, "known"), ("prompt",)),
            **dict.fromkeys(SITE_COORDINATES[axis], ("prompt", axis)),
            **({"role": ("role",)} if axis == "role" else {}),
        },
    )
    check_kinds(dataset, ("component", "metric", *PROMPT_TEXTS), SITE_COORDINATES[axis])
    check_baselines(dataset, ("clean", "corrupted", "noise_floor"))
    check_attributes(dataset, (*ATTRIBUTE_DEFAULTS, "samples", "direction", "at", "created"))
    _check_words(dataset, axis)
    check_statuses(dataset["status"], dataset["restored"])
    _check_exact_cells(dataset)
    return dataset


def site_axis(dataset: xr.Dataset) -> str:
    """Name of the site axis: the one of ``pos span role`` that the dataset has."""
    found = [axis for axis in SITE_COORDINATES if axis in dataset.dims]
    if len(found) != 1:
        raise ValueError(f"site axes found: {found or 'none'}; an effects dataset has exactly one of pos, span, role")
    return found[0]


def check_dims(dataset: xr.Dataset, expected: Mapping[str, tuple[str, ...]]) -> None:
    """Every named variable is there and has these axes in this order."""
    for name, dims in expected.items():
        if name not in dataset.variables:
            raise ValueError(f"{name} is missing; the schema {dataset.attrs['schema']} wants it with axes {dims}")
        if dataset[name].dims != dims:
            raise ValueError(f"{name} has axes {dataset[name].dims}, expected {dims}: transpose it")


def check_kinds(dataset: xr.Dataset, texts: Sequence[str], others: Mapping[str, str]) -> None:
    """Labels are texts, and everything that is computed with is numbers."""
    kinds = {**dict.fromkeys(texts, "text"), **others}
    for key, variable in dataset.variables.items():
        wanted = kinds.get(str(key), "number" if key in dataset.data_vars else "any")
        found = "text" if variable.dtype.kind in "UOST" else "number" if variable.dtype.kind in "iuf" else "other"
        if wanted != "any" and (found == "text") != (wanted == "text"):
            raise ValueError(f"{key} holds {variable.dtype} values, expected {wanted}s: convert them")
        if wanted == "number" and found == "other":
            raise ValueError(f"{key} holds {variable.dtype} values, expected real numbers: convert them")


def check_baselines(dataset: xr.Dataset, names: Sequence[str]) -> None:
    """Runs that were made have numbers."""
    for name in names:
        wrong = ~np.isfinite(dataset[name].values)
        if wrong.any():
            place = dict(zip(dataset[name].dims, (int(index[0]) for index in np.nonzero(wrong)), strict=True))
            raise ValueError(
                f"{name} has {dataset[name].values[wrong][0]} ({int(wrong.sum())} values, the first at {place}): every "
                "run has a number; trace this prompt again"
            )


def check_attributes(dataset: xr.Dataset, required: Sequence[str]) -> None:
    """Attributes are there and survive netCDF: strings and numbers only."""
    missing = [name for name in required if name not in dataset.attrs]
    if missing:
        raise ValueError(f"attributes missing: {', '.join(missing)}; new_effects and new_paths write them")
    for name, value in dataset.attrs.items():
        if isinstance(value, bool) or not isinstance(value, (str, int, float, np.integer, np.floating)):
            raise ValueError(
                f"attribute {name} is {value!r} ({type(value).__name__}); write a string, a number or JSON text"
            )
    for name in ("window_layers", "config_json"):
        try:
            right = isinstance(json.loads(str(dataset.attrs[name])), dict)
        except json.JSONDecodeError:
            right = False
        if not right:
            raise ValueError(f"attribute {name} is {dataset.attrs[name]!r}: expected the JSON text of a mapping")


def check_statuses(status: xr.DataArray, values: xr.DataArray) -> None:
    """Statuses are known flags; a cell that was not run is NaN, every other cell is a number."""
    codes = status.values
    unknown = sorted(set(np.unique(codes).tolist()) - FLAGS) if not _within(codes, FLAGS) else []
    if unknown:
        raise ValueError(
            f"status holds {unknown}; expected {', '.join(f'{int(flag)} {flag.name.lower()}' for flag in Status)}"
        )
    extra = tuple(range(codes.ndim, values.ndim))
    not_run = codes >= Status.SCREENED
    if _numbers_where_run(not_run, values.values):
        return
    for name, wrong in (
        ("numbers where status is screened or absent: write NaN", not_run & ~np.isnan(values.values).all(axis=extra)),
        (
            "NaN or infinity where status is measured or exact: run the cell or mark it",
            ~not_run & ~np.isfinite(values.values).all(axis=extra),
        ),
    ):
        if wrong.any():
            cell = dict(zip(status.dims, (int(index[0]) for index in np.nonzero(wrong)), strict=True))
            raise ValueError(f"{values.name} has {name} ({int(wrong.sum())} cells, the first at {cell})")


def _within(codes: np.ndarray[Any, Any], flags: Collection[int]) -> bool:
    """Whether codes are whole numbers between the smallest and the largest of flags that follow each other."""
    return codes.dtype.kind in "iu" and (codes.size == 0 or min(flags) <= codes.min() <= codes.max() <= max(flags))


def _numbers_where_run(not_run: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> bool:
    """Whether the cells that were not run hold NaN alone, and all others numbers alone, told by counting."""
    each = values.size // not_run.size if not_run.size else 0
    for first in range(0, len(not_run), CHECKED_AT_ONCE):
        some = slice(first, first + CHECKED_AT_ONCE)
        left, found = not_run[some], values[some]
        n_run = left.size - int(np.count_nonzero(left))
        if np.count_nonzero(np.isfinite(found)) != n_run * each or not np.isnan(found[left]).all():
            return False
    return True


def window_of(dataset: xr.Dataset, component: str, layer: int) -> tuple[int, int]:
    """First and last restored layer of a cell; the layer itself where no window was recorded."""
    first, last = json.loads(dataset.attrs["window_layers"]).get(component, {}).get(str(layer), (layer, layer))
    return int(first), int(last)


def _check_words(dataset: xr.Dataset, axis: str) -> None:
    """Values from closed sets: direction, at, metric signs, modalities, known."""
    for name, allowed in (("direction", ("denoising", "noising")), ("at", tuple(SITE_AXIS))):
        if dataset.attrs[name] not in allowed:
            raise ValueError(f"attribute {name} is {dataset.attrs[name]!r}, expected one of {', '.join(allowed)}")
    if SITE_AXIS[dataset.attrs["at"]] != axis:
        raise ValueError(
            f"at={dataset.attrs['at']!r} goes with the axis {SITE_AXIS[dataset.attrs['at']]!r}, found {axis!r}"
        )
    for coordinate, allowed_values in (("metric_sign", (1, -1)), ("modality", MODALITIES), ("known", (0, 1))):
        found = set(dataset[coordinate].values.tolist()) - set(allowed_values)
        if found:
            raise ValueError(f"{coordinate} holds {sorted(found)}, expected one of {allowed_values}")
    if dataset["metric"].to_index().has_duplicates or dataset["component"].to_index().has_duplicates:
        raise ValueError("metric and component names must be unique")


def _check_exact_cells(dataset: xr.Dataset) -> None:
    """Cells marked exact hold the baseline's value: the corrupted run's (denoising) or the clean run's (noising)."""
    status, restored, clean, corrupted = (dataset[name].values for name in ("status", "restored", "clean", "corrupted"))
    denoising, largest = dataset.attrs["direction"] == "denoising", 0.0
    for first in range(0, len(status), CHECKED_AT_ONCE):
        some = slice(first, first + CHECKED_AT_ONCE)
        cells = np.nonzero(status[some] == Status.EXACT)
        baseline = corrupted[some][cells[0]] if denoising else clean[some][cells[0]][:, None]
        difference = np.abs(restored[some][cells] - baseline)
        wrong = difference > 1e-6 * (1 + np.abs(baseline))
        largest = max(largest, float(difference[wrong].max())) if wrong.any() else largest
    if largest:
        raise ValueError(
            f"cells marked exact differ from the baseline by up to {largest:.3g}: "
            "copy the baseline's value or mark them measured"
        )
