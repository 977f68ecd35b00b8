"""From raw metric values to effects of prompts, of facts, and averages over facts with confidence intervals.

Order, always: metric per noise sample → mean over samples → mean within a role → mean over the phrasings and voices of
a fact → mean over facts. Every fact weighs the same, however many tokens its subject has or prompts it was asked in.

Signs: TE = metric(clean) − metric(corrupted); denoising IE = metric(restored) − metric(corrupted); noising
IE = metric(clean) − metric(noised); all times ``metric_sign``, so that larger means more recall. nIE = IE / TE is NaN
where |TE| < threshold. Negative effects are kept: they are suppressors, not errors.

Axes: what is measured per prompt has the axis ``prompt``; per fact the axis ``fact``; averages have the axes named in
`by`. Units: those of the metric; intervals hold `confidence` (default 95 %) by the bootstrap of
`spiritlens.effects.resampling`.

Source: Meng et al. 2022, Locating and Editing Factual Associations in GPT, §2 (TE, IE, ATE, AIE); Vig et al. 2020.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from spiritlens.effects.resampling import bootstrap_mean, weighted_means
from spiritlens.effects.schema import PROMPT_TEXTS, ROLES, Status, site_axis

SMALL_TOTAL_EFFECT = 0.05
"""Below this |TE| a normalised effect is not a number."""

PROBABILITIES = ("probability", "text_probability")
"""Metrics whose total effect may be told as a share of the clean value."""

PARTS = ("first", "middle", "last")

Quantity = Literal["indirect", "normalised"]
"""indirect: IE in the metric's unit; normalised: IE / TE."""

Split = Literal["role", "part"]
"""role: one row per role; part: the subject in its first, middle and last token ("subject first" …), others by role."""

Facts = Literal["known", "all"]
"""known: prompts whose answer the model gives (``known`` = 1); all: every traced prompt."""


def total_effect(effects: xr.Dataset) -> xr.DataArray:
    """TE of each prompt [prompt metric], mean over samples."""
    difference = (effects["clean"] - effects["corrupted"]) * effects["metric_sign"]
    return _named(difference.mean("sample"), "total_effect", "metric(clean) − metric(corrupted)")


def indirect_effect(effects: xr.Dataset) -> xr.DataArray:
    """IE of each cell [prompt component layer site (head) metric], mean over samples; NaN where nothing was run.

    With direction="noising": metric(clean) − metric(noised), the loss by corrupting the cell alone.
    """
    if effects.attrs["direction"] == "denoising":
        difference, formula = effects["restored"] - effects["corrupted"], "metric(restored) − metric(corrupted)"
    else:
        difference, formula = effects["clean"] - effects["restored"], "metric(clean) − metric(noised)"
    effect = (difference * effects["metric_sign"]).mean("sample", skipna=False)
    return _named(effect.transpose(*effects["status"].dims, "metric"), "indirect_effect", formula)


def normalised_indirect_effect(effects: xr.Dataset, threshold: float = SMALL_TOTAL_EFFECT) -> xr.DataArray:
    """nIE = IE / TE of each prompt; NaN where |TE| < threshold, and the attribute `n_small` counts those prompts."""
    if threshold <= 0:
        raise ValueError(f"threshold={threshold}: must be positive, or ratios to a TE near 0 run away")
    total = total_effect(effects)
    small = abs(total) < threshold
    result = _named(indirect_effect(effects) / total.where(~small), "normalised_indirect_effect", "IE / TE")
    result.attrs.update(threshold=threshold, n_small=int(small.any("metric").sum()))
    return result


def small_total_effects(effects: xr.Dataset, threshold: float = SMALL_TOTAL_EFFECT) -> xr.DataArray:
    """How many prompts have |TE| < threshold [metric]: so many normalised maps are left out."""
    return (abs(total_effect(effects)) < threshold).sum("prompt").rename("n_small")


def normalised_total_effect(effects: xr.Dataset) -> xr.DataArray:
    """nTE = TE / metric(clean) of each prompt, for the probability metrics alone [prompt metric]."""
    names = [name for name in effects["metric"].values.tolist() if name in PROBABILITIES]
    if not names:
        raise ValueError(
            f"metrics are {', '.join(effects['metric'].values.tolist())}; the total effect is a share of the clean "
            "value for probabilities only: trace with metrics=('probability', ...)"
        )
    chosen = effects.sel(metric=names)
    return _named(total_effect(chosen) / chosen["clean"], "normalised_total_effect", "TE / metric(clean)")


def role_effects(effects: xr.Dataset, *, quantity: Quantity = "indirect", split: Split = "role") -> xr.DataArray:
    """Effects of each prompt by role [prompt component layer role (head) metric].

    A token or span map is averaged over the tokens of a role (each restored alone); an at="role" map already is one
    (restored together) and is returned as it is. NaN where a prompt has no such role.
    """
    effect = indirect_effect(effects) if quantity == "indirect" else normalised_indirect_effect(effects)
    axis = site_axis(effects)
    _check_screened(effects, axis)
    if axis == "role":
        if split != "role":
            raise ValueError(
                f"split={split!r} needs single tokens; this run restored whole roles: trace with at='token'"
            )
        return effect
    labels = _site_labels(effects, axis, split)
    names = [name for name in _label_order(split) if (labels == name).any()]
    masks = xr.DataArray(np.stack([labels == name for name in names]), dims=("role", "prompt", axis))
    means = [effect.where(mask).mean(axis) for mask in masks]
    order = [*effects["status"].dims, "metric"]
    joined = xr.concat(means, dim="role").assign_coords(role=np.asarray(names, dtype=np.str_))
    joined = joined.transpose(*("role" if dim == axis else dim for dim in order))
    return joined.assign_attrs(effect.attrs).rename(effect.name)


def fact_means(values: xr.DataArray, *, by: Sequence[str] = ("modality",), facts: Facts = "known") -> xr.DataArray:
    """Mean over the prompts (phrasings, voices) of each fact within each group of `by`: [fact …].

    A fact asked in two modalities gives two entries along ``fact``, one per modality. NaN cells are skipped.
    """
    unknown = [name for name in by if name not in PROMPT_TEXTS]
    if unknown:
        raise ValueError(f"by={tuple(by)}: {unknown} is no prompt coordinate; choose from {', '.join(PROMPT_TEXTS)}")
    if facts == "known":
        values = values.isel(prompt=values["known"].values == 1)
    if not values.sizes["prompt"]:
        raise ValueError("no known fact is left to average: check the accuracy table, or pass facts='all'")
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


def average_effects(
    effects: xr.Dataset,
    by: Sequence[str] = ("modality",),
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
    per_fact = fact_means(role_effects(effects, quantity=quantity, split=split), by=by, facts=facts)
    return _average(per_fact, by, confidence, resamples, seed).assign_attrs(direction=effects.attrs["direction"])


def average_total_effects(
    effects: xr.Dataset,
    by: Sequence[str] = ("modality",),
    *,
    facts: Facts = "known",
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """ATE: mean over facts of TE, with intervals: `mean low high n_facts` [group metric]."""
    return _average(fact_means(total_effect(effects), by=by, facts=facts), by, confidence, resamples, seed)


def peak_layer(values: xr.DataArray) -> xr.DataArray:
    """Layer of the largest value along ``layer``; NaN where there is none (all NaN, or nothing above 0)."""
    usable = (values > 0).any("layer")
    return values.fillna(-np.inf).idxmax("layer").where(usable).rename("peak_layer")


def centre_of_mass(values: xr.DataArray) -> xr.DataArray:
    """Mean layer weighted by the positive part of the values along ``layer``; NaN where nothing is above 0."""
    mass = values.clip(min=0).fillna(0.0)
    total = mass.sum("layer")
    return ((mass * mass["layer"]).sum("layer") / total.where(total > 0)).rename("centre_of_mass")


def _average(per_fact: xr.DataArray, by: Sequence[str], confidence: float, resamples: int, seed: int) -> xr.Dataset:
    """Means and intervals over facts, one entry of ``group`` for each combination of `by`."""
    names = list(by)
    keys = (
        list(zip(*(per_fact[name].values.tolist() for name in names), strict=True))
        if names
        else [()] * per_fact.sizes["fact"]
    )
    groups, dims = [], per_fact.dims[1:]
    if per_fact.dims[0] != "fact":
        raise ValueError(f"axes are {per_fact.dims}; the first must be 'fact'")
    for key in dict.fromkeys(keys):
        chosen = per_fact.isel(fact=[place for place, other in enumerate(keys) if other == key])
        mean, low, high = bootstrap_mean(
            chosen.values, chosen["subject"].values, confidence=confidence, resamples=resamples, seed=seed
        )
        count = chosen.notnull().sum("fact").values
        arrays: dict[str, Any] = {"mean": mean, "low": low, "high": high, "n_facts": count}
        labels = {name: ("group", np.asarray([value])) for name, value in zip(names, key, strict=True)}
        group = xr.Dataset({name: (dims, array) for name, array in arrays.items()}).expand_dims("group")
        groups.append(group.assign_coords(labels))
    result = xr.concat(groups, dim="group")
    coordinates = {name: per_fact[name] for name in (*dims, "metric_sign") if name in per_fact.coords}
    return result.assign_coords(coordinates).assign_attrs(
        **per_fact.attrs, confidence=confidence, resamples=resamples, seed=seed, clusters="subject"
    )


def _site_labels(effects: xr.Dataset, axis: str, split: Split) -> Any:
    """Label of each site [prompt site]: its role, or with split="part" the subject's part."""
    roles = effects["role" if axis == "pos" else "span_role"].values
    if split == "role":
        return roles
    if axis != "pos":
        raise ValueError(f"split={split!r} needs single tokens; this run restored spans: trace with at='token'")
    return np.where(roles == "subject", np.char.add("subject ", effects["part"].values), roles)


def _check_screened(effects: xr.Dataset, axis: str) -> None:
    """Screened maps are averaged only where the kept cells are the same roles in all prompts."""
    screened = effects["status"] == Status.SCREENED
    if not bool(screened.any()):
        return
    common = axis == "role" and bool((screened == screened.isel(prompt=0)).all())
    if not common:
        raise ValueError(
            "some cells were screened out, and others in other prompts or tokens, so a mean would mix different cells: "
            "trace without screen, or with at='role' and keep='common'"
        )


def _label_order(split: Split) -> list[str]:
    """Roles in their order; with split="part" the subject becomes its three parts."""
    if split == "role":
        return list(ROLES)
    return [
        label for role in ROLES for label in ([f"subject {part}" for part in PARTS] if role == "subject" else [role])
    ]


def _named(array: xr.DataArray, name: str, formula: str) -> xr.DataArray:
    array = array.rename(name)
    array.attrs = {"long_name": name.replace("_", " "), "formula": formula}
    return array
