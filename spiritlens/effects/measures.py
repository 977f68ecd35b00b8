"""Schemas of what is measured without a corrupted run: attributions, attention, readings, doses; and of averages.

Each is a table of variables with their axes. Where a variable has several forms, one of them is there; what stands in
brackets may be missing.

=======================  ===============================================================================================
schema                   variables
=======================  ===============================================================================================
spiritlens.attribution   ``heads [prompt layer head]``, ``mlps [prompt layer]``, ``embedding remainder total [prompt]``,
                         (``heads_by_source [prompt layer head pos|role|source_modality]``)
spiritlens.attention     ``mass [prompt layer head query key]`` or ``score [prompt layer head detector]``
spiritlens.lens          ``top_token top_probability [prompt state pos top]``, ``rank answer_rank [prompt state pos]``
spiritlens.doses         ``normalised_total_effect [multiple prompt]``, ``scale [modality multiple]``
spiritlens.averages      ``mean low high n_facts [group … metric]``
spiritlens.faithfulness  ``f low high [direction ranking size]``, ``n_facts why [direction]``
=======================  ===============================================================================================

All are version 1 (``spiritlens.lens/1``). Coordinates of prompts have the axis ``prompt``; ``group`` has a coordinate
for each name that was grouped by.
"""

from collections.abc import Callable, Mapping

import xarray as xr

from spiritlens.effects.schema import check_dims

ATTRIBUTION_SCHEMA = "spiritlens.attribution/1"
MASS_SCHEMA = "spiritlens.attention/1"
LENS_SCHEMA = "spiritlens.lens/1"
DOSES_SCHEMA = "spiritlens.doses/1"
AVERAGES_SCHEMA = "spiritlens.averages/1"
FAITHFULNESS_SCHEMA = "spiritlens.faithfulness/1"

Axes = tuple[str, ...]
HEADS: Axes = ("prompt", "layer", "head")


def check_attribution(dataset: xr.Dataset) -> xr.Dataset:
    """Direct logit attributions, by source position or not."""
    _check(
        dataset, {"heads": HEADS, "mlps": HEADS[:2], **dict.fromkeys(("embedding", "remainder", "total"), HEADS[:1])}
    )
    if "heads_by_source" in dataset.variables:
        forms = [{"heads_by_source": (*HEADS, axis)} for axis in ("pos", "role", "source_modality")]
        _check_one_of(dataset, forms)
    return dataset


def check_attention(dataset: xr.Dataset) -> xr.Dataset:
    """Attention mass, or scores of detectors."""
    return _check_one_of(dataset, [{"mass": (*HEADS, "query", "key")}, {"score": (*HEADS, "detector")}])


def check_lens(dataset: xr.Dataset) -> xr.Dataset:
    """What states say: the likeliest tokens and the ranks of words."""
    place = ("prompt", "state", "pos")
    best, ranks = dict.fromkeys(("top_token", "top_probability"), (*place, "top")), ("rank", "answer_rank")
    words = dict.fromkeys(("labels", "roles", "modalities"), ("prompt", "pos"))
    return _check(dataset, {**best, **dict.fromkeys(ranks, place), **words})


def check_doses(dataset: xr.Dataset) -> xr.Dataset:
    """What noise takes away, by its scale."""
    facts = ("subject_modality", "prompt_id", "fact_id", "relation", "subject", "answer")
    values = {"normalised_total_effect": ("multiple", "prompt"), "scale": ("modality", "multiple")}
    return _check(dataset, {**values, **dict.fromkeys(facts, ("prompt",))})


def check_averages(dataset: xr.Dataset) -> xr.Dataset:
    """Means over facts with their intervals, of effects by role or of total effects."""
    axes = tuple(str(axis) for axis in dataset["mean"].dims) if "mean" in dataset.variables else ("group", "metric")
    if axes[:1] != ("group",) or axes[-1:] != ("metric",):
        raise ValueError(f"mean has axes {axes}, expected group first and metric last: transpose it")
    return _check(dataset, dict.fromkeys(("mean", "low", "high", "n_facts"), axes))


def check_faithfulness(dataset: xr.Dataset) -> xr.Dataset:
    """What is left of the recall with the first parts of a ranking, by direction."""
    curves = dict.fromkeys(("f", "low", "high"), ("direction", "ranking", "size"))
    return _check(dataset, {**curves, **dict.fromkeys(("n_facts", "why"), ("direction",))})


MEASURE_CHECKS: Mapping[str, Callable[[xr.Dataset], xr.Dataset]] = {
    ATTRIBUTION_SCHEMA: check_attribution,
    MASS_SCHEMA: check_attention,
    LENS_SCHEMA: check_lens,
    DOSES_SCHEMA: check_doses,
    AVERAGES_SCHEMA: check_averages,
    FAITHFULNESS_SCHEMA: check_faithfulness,
}
"""The check of each schema, for `spiritlens.effects.store`."""


def _check(dataset: xr.Dataset, expected: Mapping[str, Axes]) -> xr.Dataset:
    check_dims(dataset, expected)
    return dataset


def _check_one_of(dataset: xr.Dataset, forms: list[dict[str, Axes]]) -> xr.Dataset:
    """The first form whose variable is there with its axes; otherwise what the first one lacks."""
    for form in forms:
        if all(name in dataset.variables and dataset[name].dims == axes for name, axes in form.items()):
            return dataset
    words = " or ".join(f"{name} {axes}" for form in forms for name, axes in form.items())
    raise ValueError(f"the schema {dataset.attrs['schema']} wants {words}: pass the dataset as its method returned it")
