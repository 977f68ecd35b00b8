"""Averages over facts: AIE and ATE with their intervals, and the one door through which figures come by them.

Order, always: metric per noise sample → mean over samples (`quantities`) → mean within a role (`role_effects`) → mean
over the phrasings and voices of a fact (`statistics.fact_means`) → mean over facts. Every fact weighs the same.

Axes: ``group``, one entry for each combination of `by` (with those coordinates), then ``component layer role (head)
metric``; ``fact`` for the values that were averaged; ``status`` for counts. Variables: ``mean low high n_facts
[group …]``, ``fact_mean [fact …]`` (``fact_group`` says to which group a fact belongs), and of effects by role
``n_cells [group component layer role (head) status]``, the cells that went into the mean by how each came about, with
``total_effect [group metric]`` and ``noise_floor [metric]`` of the same prompts (not written by earlier
versions). Units: those of the metric; intervals hold `confidence` (default 95 %) over subjects
(`spiritlens.effects.intervals`), whose facts stand and fall together; where there is none, ``no_interval`` is the place
in `MISSING` of the reason.
Attributes are those of the effects, with what was averaged and how.

Source: Meng et al. 2022, Locating and Editing Factual Associations in GPT, §2 (ATE, AIE).
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.arguments import check_choice, number, shown, told_keywords
from spiritlens.effects.intervals import MISSING, cluster_interval
from spiritlens.effects.measures import AVERAGES_SCHEMA, check_averages
from spiritlens.effects.quantities import Quantity, total
from spiritlens.effects.role_effects import Split, by_role, mixed_screening, role_counts
from spiritlens.effects.schema import Status
from spiritlens.effects.statistics import (
    NOTHING_KNOWN,
    fact_means,
    given_groups,
    of_facts,
    subject_names,
)
from spiritlens.terms import Facts


@told_keywords
def average(
    effects: xr.Dataset,
    by: Iterable[str] = ("modality",),
    *,
    quantity: Quantity = "indirect",
    split: Split = "role",
    facts: Facts = "known",
    confidence: float = 0.95,
) -> xr.Dataset:
    """AIE: mean over facts of the effects by role: `mean low high n_facts` [group component layer role …].

    Intervals are in closed form: nothing is drawn.

    Returns a dataset whose groups are those of `by`. Raises ValueError for effects of another kind, screened cells that
    differ between prompts, or no fact that is known.
    """
    groups, confidence = given_groups(by), number("confidence", confidence, above=0, below=1)
    per_fact = fact_means(by_role(effects, quantity=quantity, split=split), by=groups, facts=facts)
    means = average_facts(per_fact, groups, confidence)
    counts = _cell_counts(of_facts(role_counts(effects, split), facts), means, groups)
    made = {"quantity": quantity, "split": split, "facts": facts}
    totals = _totals(effects, groups, facts)
    return means.assign(n_cells=counts, **totals).assign_attrs({**effects.attrs, **means.attrs, **made})


@told_keywords
def average_total(
    effects: xr.Dataset,
    by: Iterable[str] = ("modality",),
    *,
    facts: Facts = "known",
    confidence: float = 0.95,
) -> xr.Dataset:
    """ATE: mean over facts of TE, with intervals: `mean low high n_facts` [group metric].

    Intervals are in closed form: nothing is drawn.

    Returns a dataset whose groups are those of `by`. Raises ValueError for effects of another kind, or no fact that is
    known.
    """
    groups, confidence = given_groups(by), number("confidence", confidence, above=0, below=1)
    means = average_facts(fact_means(total(effects), by=groups, facts=facts), groups, confidence)
    return means.assign_attrs({**effects.attrs, **means.attrs, "quantity": "total", "facts": facts})


def averaged(effects: xr.Dataset, quantity: Quantity | None = None, facts: Facts | None = None) -> xr.Dataset:
    """Averages by modality and role: the dataset itself where it is averaged already, else its `average`.

    `quantity` None: what the averages hold, or indirect effects; `facts` None: those of the averages, or the known.
    """
    if not _is_averaged(effects):
        return average(effects, quantity=_or("indirect", quantity), facts=_or("known", facts))
    check_choice("quantity", _or("indirect", quantity), Quantity)
    return _given_averages(effects, ("indirect", "normalised") if quantity is None else (quantity,), facts, "average")


def averaged_total(effects: xr.Dataset, facts: Facts | None = None) -> xr.Dataset:
    """Averages of total effects by modality: the dataset itself where it holds them, else its `average_total`."""
    if not _is_averaged(effects):
        return average_total(effects, facts=_or("known", facts))
    return _given_averages(effects, ("total",), facts, "average_total")


def check_drawable(averages: xr.Dataset) -> xr.Dataset:
    """Averages by modality, of any quantity, as figures draw them; versions that kept no facts wrote none such."""
    return _given_averages(averages, ("indirect", "normalised", "total"), None, "average")


def obstacle(effects: xr.Dataset, facts: Facts = "known") -> str:
    """Why a dataset has no averages by role (cells were screened out, no fact is known); "" where it has."""
    if not of_facts(effects["known"], facts).size:
        return mixed_screening(effects) or NOTHING_KNOWN
    return mixed_screening(effects)


def fact_groups(averages: xr.Dataset, name: str = "modality") -> np.ndarray[Any, np.dtype[np.str_]]:
    """What each averaged fact was grouped by, such as its modality [fact]."""
    return np.asarray(averages[name].values[averages["fact_group"].values])


def cell_status(averages: xr.Dataset) -> np.ndarray[Any, np.dtype[np.int64]]:
    """How the averages of one metric came about, by the counts of cells [axes of the mean].

    Of roles that were patched together: exact where every cell was exact, screened where cells were screened out and
    none was run, absent where there are none. Averages over single sites have no exact cells.
    """
    counts = averages["n_cells"]
    ran, exact, screened = (counts.sel(status=one.name.lower()).values > 0 for one in list(Status)[:3])
    if averages.attrs["at"] != "role":
        ran, exact = averages["n_facts"].values > 0, np.zeros_like(ran)
    not_run = np.where(screened, int(Status.SCREENED), int(Status.ABSENT))
    return np.where(ran, int(Status.MEASURED), np.where(exact, int(Status.EXACT), not_run))


def _or(default: Any, given: Any) -> Any:
    return default if given is None else given


def _is_averaged(effects: Any) -> bool:
    return isinstance(effects, xr.Dataset) and effects.attrs.get("schema") == AVERAGES_SCHEMA


def _given_averages(
    averages: xr.Dataset, quantities: tuple[str, ...], facts: Facts | None, function: str
) -> xr.Dataset:
    """Averages of one of these quantities by modality, made by this version."""
    found = check_averages(averages)
    held = found.attrs.get("quantity")
    if held is None or "fact_mean" not in found.variables:
        raise ValueError(
            f"these averages were written by spiritlens {found.attrs.get('spiritlens_version') or '0.2 or earlier'} "
            f"without the facts they are of: pass the effects, or {function}(effects)"
        )
    if held not in quantities:
        raise ValueError(
            f"these are averages of {held} effects, where {' or '.join(quantities)} ones are drawn: pass the effects, "
            f"or {function}(effects)"
        )
    if facts is not None:
        check_choice("facts", facts, Facts)
        if facts != found.attrs["facts"]:
            raise ValueError(f"facts={shown(facts)}: these averages are of {found.attrs['facts']} facts; leave it out")
    if "modality" not in found.coords:
        raise ValueError(f"these averages have no modality: pass {function}(effects, by=('modality',))")
    return found


def average_facts(per_fact: xr.DataArray, by: tuple[str, ...], confidence: float = 0.95) -> xr.Dataset:
    """Means and intervals over facts, one entry of ``group`` for each combination of `by`, beside the facts' own."""
    keys = _keys(per_fact, by)
    groups, dims = [], per_fact.dims[1:]
    for key in dict.fromkeys(keys):
        chosen = per_fact.isel(fact=[place for place, other in enumerate(keys) if other == key])
        found = cluster_interval(chosen.values, subject_names(chosen), confidence=confidence)
        why = np.sum([place * (found.missing == word) for place, word in enumerate(MISSING)], axis=0, dtype=np.int8)
        arrays: dict[str, Any] = {"mean": found.mean, "low": found.low, "high": found.high, "n_facts": found.n_facts}
        arrays |= {"n_subjects": found.n_clusters, "no_interval": np.asarray(why, dtype=np.int8)}
        labels = {name: ("group", np.asarray([value])) for name, value in zip(by, key, strict=True)}
        group = xr.Dataset({name: (dims, array) for name, array in arrays.items()}).expand_dims("group")
        groups.append(group.assign_coords(labels))
    result = xr.concat(groups, dim="group").assign(fact_mean=(per_fact.dims, per_fact.values))
    shared = {str(name): array for name, array in per_fact.coords.items() if array.dims in {(dim,) for dim in dims}}
    order = list(dict.fromkeys(keys))
    about: dict[str, Any] = {"fact_group": ("fact", np.asarray([order.index(key) for key in keys]))}
    about |= {f"fact_{name}": ("fact", per_fact[name].values) for name in ("subject", "answer")}
    about["fact_name"] = ("fact", per_fact["fact_id"].values)
    return result.assign_coords({**shared, **about}).assign_attrs(
        **per_fact.attrs,
        schema=AVERAGES_SCHEMA,
        confidence=confidence,
        clusters="subject",
    )


def _cell_counts(counts: xr.DataArray, means: xr.Dataset, by: tuple[str, ...]) -> xr.DataArray:
    """Counts of the cells of prompts by status, summed within the groups of the means, in their order."""
    keys, groups = _keys(counts, by), _keys(means["mean"], by)
    rows = [counts.isel(prompt=[place for place, key in enumerate(keys) if key == group]) for group in groups]
    sums = xr.concat([row.sum("prompt") for row in rows], dim="group")
    return xr.DataArray(sums.values, dims=sums.dims, coords={"status": counts["status"].values})


def _totals(effects: xr.Dataset, by: tuple[str, ...], facts: Facts) -> dict[str, Any]:
    """Mean total effect of each group [group metric], and the largest noise floor [metric]: what the size of an effect
    is seen against."""
    per_fact = fact_means(total(effects), by=by, facts=facts)
    keys = _keys(per_fact, by)
    groups = [[place for place, other in enumerate(keys) if other == key] for key in dict.fromkeys(keys)]
    means = np.stack([per_fact.values[places].mean(axis=0) for places in groups])
    floor = of_facts(effects["noise_floor"], facts).max("prompt").values
    return {"total_effect": (("group", "metric"), means), "noise_floor": ("metric", floor)}


def _keys(values: xr.DataArray, by: tuple[str, ...]) -> list[tuple[str, ...]]:
    """What each entry along the first axis is grouped by."""
    if not by:
        return [()] * values.sizes[values.dims[0]]
    return list(zip(*(values[name].values.tolist() for name in by), strict=True))
