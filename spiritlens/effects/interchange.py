"""The interchange dataset, schema ``spiritlens.interchange/1``: what is left of the recall when only the best parts of
a ranking are kept; and ``spiritlens.part_sets/1``, values of a prompt with sets of parts removed.

Axes
    ``prompt`` (both modalities), ``ranking`` (``T2T``, ``S2T``: found in that modality; ``T2T reversed`` …; ``random
    0`` …), ``size`` (how many parts are kept, 0 to all), ``part`` (head, site or edge by name), ``fold`` (0, 1) and
    ``found_in`` (``T2T``, ``S2T``).
Variables
    ``kept [prompt ranking size]``: the metric with the ranking's first parts kept and all others removed; ``clean
    empty noise_floor [prompt]``: of the whole model, without any part, and how far a run that removes nothing is from
    ``clean``; ``order [ranking fold part]``: the parts from first to last, by number, as they are used for the facts of
    this fold; ``score [found_in fold part]``: what ranked them, on the facts of the *other* fold. ``part_sets`` has
    ``value [prompt set]`` (NaN: the prompt lacks the part) with ``clean empty noise_floor``.
Coordinates
    of prompts as in every schema, and ``prompt_fold [prompt]``: the half that the prompt's fact is in.
Reading
    `spiritlens.effects.faithfulness`. Removing the first k parts is keeping the others: ``reversed`` at all − k.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.effects.making import Attributes, new_attributes, prompt_coordinates, text_array
from spiritlens.effects.schema import (
    ATTRIBUTE_DEFAULTS,
    PROMPT_TEXTS,
    check_attributes,
    check_baselines,
    check_dims,
    check_kinds,
)

INTERCHANGE_SCHEMA = "spiritlens.interchange/1"
SETS_SCHEMA = "spiritlens.part_sets/1"
FOUND_IN = ("T2T", "S2T")
"""Modalities in which parts are ranked, and in which they are kept."""
REVERSED, RANDOM = " reversed", "random "

BASELINES = ("clean", "empty", "noise_floor")


@dataclass(frozen=True, eq=False)
class Rankings:
    """The parts by name; `orders` by ranking ``[fold part]`` and `scores` ``[found_in fold part]``."""

    parts: Sequence[str]
    orders: Mapping[str, Any]
    scores: Any


def new_sets(
    values: Any, baselines: Mapping[str, Any], sets: Sequence[str], prompts: Mapping[str, Any], attributes: Attributes
) -> xr.Dataset:
    """Build and check a dataset of sets: `values` [prompt set]; `baselines` clean, empty and noise_floor [prompt]."""
    dataset = xr.Dataset(
        {
            "value": (("prompt", "set"), np.asarray(values)),
            **{name: ("prompt", np.asarray(baselines[name])) for name in BASELINES},
        },
        coords={"set": text_array(sets), **_prompts(prompts, len(values))},
        attrs=new_attributes(SETS_SCHEMA, attributes),
    )
    return check_sets(dataset)


def new_interchange(sets: xr.Dataset, rankings: Rankings, sizes: Sequence[int], folds: Sequence[int]) -> xr.Dataset:
    """The interchange dataset of the sets ``ranking, size`` of these rankings, with the fold of each prompt."""
    names = tuple(rankings.orders)
    kept = sets["value"].values.reshape(sets.sizes["prompt"], len(names), len(sizes))
    orders = np.stack([np.asarray(rankings.orders[name], dtype=np.int64) for name in names])
    dataset = xr.Dataset(
        {
            "kept": (("prompt", "ranking", "size"), kept),
            **{name: ("prompt", sets[name].values) for name in BASELINES},
            "order": (("ranking", "fold", "part"), orders),
            "score": (("found_in", "fold", "part"), np.asarray(rankings.scores)),
        },
        coords={
            **{name: ("prompt", array.values) for name, array in sets.coords.items() if array.dims == ("prompt",)},
            "prompt_fold": ("prompt", np.asarray(folds, dtype=np.int64)),
            "ranking": text_array(names),
            "size": np.asarray(sizes, dtype=np.int64),
            "part": text_array(rankings.parts),
            "fold": np.arange(2),
            "found_in": text_array(FOUND_IN),
        },
        attrs={**sets.attrs, "schema": INTERCHANGE_SCHEMA},
    )
    return check_interchange(dataset)


def check_sets(dataset: xr.Dataset) -> xr.Dataset:
    """Values of prompts with sets of parts removed."""
    check_dims(dataset, {"value": ("prompt", "set"), "set": ("set",), **_prompt_dims()})
    _check_common(dataset, ("set",))
    return dataset


def check_interchange(dataset: xr.Dataset) -> xr.Dataset:
    """Metrics with the first parts of rankings kept; orders are permutations, and sizes go from none to all."""
    check_dims(
        dataset,
        {
            "kept": ("prompt", "ranking", "size"),
            "order": ("ranking", "fold", "part"),
            "score": ("found_in", "fold", "part"),
            **{name: (name,) for name in ("ranking", "size", "part", "fold", "found_in")},
            "prompt_fold": ("prompt",),
            **_prompt_dims(),
        },
    )
    _check_common(dataset, ("ranking", "part", "found_in"))
    check_baselines(dataset, ("kept",))
    sizes, n_parts = dataset["size"].values.tolist(), dataset.sizes["part"]
    if sizes != sorted(set(sizes)) or not sizes or (sizes[0], sizes[-1]) != (0, n_parts):
        raise ValueError(f"size holds {sizes}: expected rising numbers from 0 to the {n_parts} parts")
    if (np.sort(dataset["order"].values, axis=-1) != np.arange(n_parts)).any():
        raise ValueError(f"order is no order of the {n_parts} parts: each of 0 … {n_parts - 1} stands once in each row")
    for name, allowed in (("found_in", FOUND_IN), ("modality", FOUND_IN), ("prompt_fold", (0, 1))):
        strange = sorted(set(dataset[name].values.tolist()) - set(allowed))
        if strange:
            raise ValueError(f"{name} holds {strange}, expected {', '.join(map(str, allowed))}")
    return dataset


def _prompts(prompts: Mapping[str, Any], count: int) -> dict[str, Any]:
    return {"prompt": np.arange(count), **prompt_coordinates(prompts, count)}


def _prompt_dims() -> dict[str, tuple[str, ...]]:
    return dict.fromkeys((*BASELINES, *PROMPT_TEXTS, "known"), ("prompt",))


def _check_common(dataset: xr.Dataset, texts: tuple[str, ...]) -> None:
    check_kinds(dataset, (*texts, *PROMPT_TEXTS), {})
    check_baselines(dataset, BASELINES)
    check_attributes(dataset, (*ATTRIBUTE_DEFAULTS, "created", "metric", "metric_sign", "parts", "removed"))
    if dataset.attrs["metric_sign"] not in (1, -1):
        raise ValueError(f"attribute metric_sign is {dataset.attrs['metric_sign']!r}, expected 1 or -1")
