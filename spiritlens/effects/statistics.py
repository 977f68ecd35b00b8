"""Facts: what tells them apart, means over their prompts, and the layers at which curves peak.

Every fact weighs the same, however many tokens its subject has or prompts it was asked in: the phrasings and voices of
a fact are averaged first. Prompts without a `fact_id` are the same fact where relation, subject and answer agree.

Axes: per prompt ``prompt``; per fact ``fact``. Averages over facts: `spiritlens.effects.averages`.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from spiritlens.arguments import check_choice, listed
from spiritlens.effects.clusters import group_means
from spiritlens.effects.schema import PROMPT_TEXTS, RECALL
from spiritlens.terms import Facts

NOTHING_KNOWN = "no known fact is left to average: check the accuracy table, or pass facts='all'"

OfPrompts = TypeVar("OfPrompts", xr.Dataset, xr.DataArray)


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


def of_facts(values: OfPrompts, facts: Facts) -> OfPrompts:
    """The prompts of the known facts, or all."""
    check_choice("facts", facts, Facts)
    return values.isel(prompt=values["known"].values == 1) if facts == "known" else values


def fact_means(values: xr.DataArray, *, by: Iterable[str] = ("modality",), facts: Facts = "known") -> xr.DataArray:
    """Mean over the prompts (phrasings, voices) of each fact within each group of `by`: [fact …].

    A fact asked in two modalities gives two entries along ``fact``, one per modality. NaN cells are skipped.
    """
    by, values = given_groups(by), of_facts(values, facts)
    if RECALL in by and RECALL not in values.coords:
        raise ValueError(
            "by='recall': this result is not tagged; sl.prompts.recall_kinds(lens, facts).tagged(result) does it"
        )
    if not values.sizes["prompt"]:
        raise ValueError(NOTHING_KNOWN)
    values = values.assign_coords(fact_id=("prompt", fact_names(values)))
    columns = ["fact_id", *(name for name in by if name != "fact_id")]
    about = values.coords.variables  # a coordinate asked for by name would be copied with all the others
    keys = list(zip(*(about[name].values.tolist() for name in columns), strict=True))
    entries = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    codes = np.array([entries[key] for key in keys])
    values = values.transpose("prompt", ...)
    means = group_means(values.values, codes, len(entries))
    first = np.unique(codes, return_index=True)[1]
    kept = dict.fromkeys((*columns, "subject", "relation", "answer", "group"))
    coordinates: dict[str, Any] = {name: ("fact", about[name].values[first]) for name in kept}
    shared = {name: array for name, array in about.items() if "prompt" not in array.dims}
    dims = ("fact", *values.dims[1:])
    return xr.DataArray(means, dims=dims, coords={**shared, **coordinates}, name=values.name, attrs=values.attrs)


def given_groups(by: Iterable[str]) -> tuple[str, ...]:
    """Prompt coordinates by which averages are grouped, read once; none: one group of all."""
    names = listed("by", by, of=str, empty=True)
    unknown = [name for name in names if name not in (*PROMPT_TEXTS, RECALL)]
    if unknown:
        raise ValueError(
            f"by={names}: {unknown} is no prompt coordinate; choose from {', '.join((*PROMPT_TEXTS, RECALL))}"
        )
    return tuple(dict.fromkeys(names))


def peak_layer(values: xr.DataArray) -> xr.DataArray:
    """Layer of the largest value along ``layer``; NaN where there is none (all NaN, or nothing above 0)."""
    usable = (values > 0).any("layer")
    return values.fillna(-np.inf).idxmax("layer").where(usable).rename("peak_layer")
