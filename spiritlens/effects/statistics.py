"""Averages over facts, with confidence intervals, and the layers at which curves peak.

Order, always: metric per noise sample → mean over samples (`quantities`) → mean within a role (`role_effects`) → mean
over the phrasings and voices of a fact → mean over facts. Every fact weighs the same, however many tokens its subject
has or prompts it was asked in. Prompts without a `fact_id` are the same fact where relation, subject and answer agree.

Axes: per prompt ``prompt``; per fact ``fact``; averages have the axis ``group``, one entry for each combination of
`by`. Units: those of the metric; intervals hold `confidence` (default 95 %) by the bootstrap of
`spiritlens.effects.bootstrap`: facts of one subject are drawn together.

Source: Meng et al. 2022, Locating and Editing Factual Associations in GPT, §2 (ATE, AIE).
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.arguments import check_choice, listed, number, told_keywords, whole
from spiritlens.effects.bootstrap import bootstrap_mean, weighted_means
from spiritlens.effects.measures import AVERAGES_SCHEMA
from spiritlens.effects.quantities import (
    SMALL_TOTAL_EFFECT,
    Quantity,
    indirect_effect,
    normalised_indirect_effect,
    normalised_total_effect,
    small_total_effects,
    total_effect,
)
from spiritlens.effects.role_effects import Split, role_effects
from spiritlens.effects.schema import PROMPT_TEXTS
from spiritlens.terms import Facts

__all__ = [
    "SMALL_TOTAL_EFFECT",
    "Facts",
    "Quantity",
    "Split",
    "average_effects",
    "average_total_effects",
    "fact_means",
    "fact_names",
    "indirect_effect",
    "normalised_indirect_effect",
    "normalised_total_effect",
    "peak_layer",
    "role_effects",
    "small_total_effects",
    "subject_names",
    "total_effect",
]


def fact_names(about: xr.Dataset | xr.DataArray) -> np.ndarray[Any, np.dtype[np.str_]]:
    """What tells facts apart: the `fact_id`, or where it is empty relation, subject and answer, letter case aside."""
    columns = (about[name].values.tolist() for name in ("fact_id", "relation", "subject", "answer"))
    return np.asarray(
        [
            fact or f"{relation}/{subject} → {answer}".casefold()
            for fact, relation, subject, answer in zip(*columns, strict=True)
        ]
    )


def subject_names(about: xr.Dataset | xr.DataArray) -> np.ndarray[Any, np.dtype[np.str_]]:
    """Subjects, letter case aside: the clusters of the bootstrap."""
    return np.asarray([subject.casefold() for subject in about["subject"].values.tolist()])


def fact_means(values: xr.DataArray, *, by: Iterable[str] = ("modality",), facts: Facts = "known") -> xr.DataArray:
    """Mean over the prompts (phrasings, voices) of each fact within each group of `by`: [fact …].

    A fact asked in two modalities gives two entries along ``fact``, one per modality. NaN cells are skipped.
    """
    by = given_groups(by)
    check_choice("facts", facts, Facts)
    if facts == "known":
        values = values.isel(prompt=values["known"].values == 1)
    if not values.sizes["prompt"]:
        raise ValueError("no known fact is left to average: check the accuracy table, or pass facts='all'")
    values = values.assign_coords(fact_id=("prompt", fact_names(values)))
    columns = ["fact_id", *(name for name in by if name != "fact_id")]
    keys = list(zip(*(values[name].values.tolist() for name in columns), strict=True))
    entries = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    membership = np.zeros((len(entries), len(keys)))
    membership[[entries[key] for key in keys], np.arange(len(keys))] = 1
    values = values.transpose("prompt", ...)
    means = weighted_means(values.values, membership)
    first = [keys.index(key) for key in entries]
    kept = dict.fromkeys((*columns, "subject", "relation", "answer", "group"))
    coordinates: dict[str, Any] = {name: ("fact", values[name].values[first]) for name in kept}
    shared = {name: array for name, array in values.coords.items() if "prompt" not in array.dims}
    dims = ("fact", *values.dims[1:])
    return xr.DataArray(means, dims=dims, coords={**shared, **coordinates}, name=values.name, attrs=values.attrs)


@told_keywords
def average_effects(
    effects: xr.Dataset,
    by: Iterable[str] = ("modality",),
    *,
    quantity: Quantity = "indirect",
    split: Split = "role",
    facts: Facts = "known",
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """AIE: mean over facts of the effects by role: `mean low high n_facts` [group component layer role …].

    The axis ``group`` has one entry per combination of `by`, with those coordinates. Facts of one subject are drawn
    together.
    """
    groups, draws = given_groups(by), given_resampling(confidence, resamples, seed)
    per_fact = fact_means(role_effects(effects, quantity=quantity, split=split), by=groups, facts=facts)
    return _average(per_fact, groups, *draws).assign_attrs(direction=effects.attrs["direction"])


@told_keywords
def average_total_effects(
    effects: xr.Dataset,
    by: Iterable[str] = ("modality",),
    *,
    facts: Facts = "known",
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """ATE: mean over facts of TE, with intervals: `mean low high n_facts` [group metric]."""
    groups, draws = given_groups(by), given_resampling(confidence, resamples, seed)
    return _average(fact_means(total_effect(effects), by=groups, facts=facts), groups, *draws)


def given_groups(by: Iterable[str]) -> tuple[str, ...]:
    """Prompt coordinates by which averages are grouped, read once; none: one group of all."""
    names = listed("by", by, of=str, empty=True)
    unknown = [name for name in names if name not in PROMPT_TEXTS]
    if unknown:
        raise ValueError(f"by={names}: {unknown} is no prompt coordinate; choose from {', '.join(PROMPT_TEXTS)}")
    return tuple(dict.fromkeys(names))


def given_resampling(confidence: float, resamples: int, seed: int) -> tuple[float, int, int]:
    """What decides an interval: the share that it holds, the number of draws, and their seed."""
    return (
        number("confidence", confidence, above=0, below=1),
        whole("resamples", resamples, at_least=1),
        whole("seed", seed, at_least=0),
    )


def peak_layer(values: xr.DataArray) -> xr.DataArray:
    """Layer of the largest value along ``layer``; NaN where there is none (all NaN, or nothing above 0)."""
    usable = (values > 0).any("layer")
    return values.fillna(-np.inf).idxmax("layer").where(usable).rename("peak_layer")


def _average(per_fact: xr.DataArray, by: tuple[str, ...], confidence: float, resamples: int, seed: int) -> xr.Dataset:
    """Means and intervals over facts, one entry of ``group`` for each combination of `by`."""
    names = list(by)
    keys = (
        list(zip(*(per_fact[name].values.tolist() for name in names), strict=True))
        if names
        else [()] * per_fact.sizes["fact"]
    )
    groups, dims = [], per_fact.dims[1:]
    for key in dict.fromkeys(keys):
        chosen = per_fact.isel(fact=[place for place, other in enumerate(keys) if other == key])
        mean, low, high = bootstrap_mean(
            chosen.values, subject_names(chosen), confidence=confidence, resamples=resamples, seed=seed
        )
        count = chosen.notnull().sum("fact").values
        arrays: dict[str, Any] = {"mean": mean, "low": low, "high": high, "n_facts": count}
        labels = {name: ("group", np.asarray([value])) for name, value in zip(names, key, strict=True)}
        group = xr.Dataset({name: (dims, array) for name, array in arrays.items()}).expand_dims("group")
        groups.append(group.assign_coords(labels))
    result = xr.concat(groups, dim="group")
    coordinates = {name: per_fact[name] for name in (*dims, "metric_sign") if name in per_fact.coords}
    return result.assign_coords(coordinates).assign_attrs(
        **per_fact.attrs,
        schema=AVERAGES_SCHEMA,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        clusters="subject",
    )
