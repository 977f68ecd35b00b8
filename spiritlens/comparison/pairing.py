"""Pairs: the same facts in two modalities, asked by the same phrasings, with their roles aligned.

1. **Read.** Effects of each prompt by role (`prompt_maps`). Where the answer is read out, the last word of a T2T prompt
   corresponds to the final marker of an S2T prompt: both become the row *read-out* (last="read-out").
2. **Pair.** Only facts known in both modalities count, each with itself (`fact_id`), over the phrasings (and voices,
   where both modalities have some) that are known in both: else phrasing A in writing would be compared with B in
   speech. Where the two modalities share no phrasing label at all, labels say nothing and facts are paired as they are.
   Within a fact phrasings weigh the same, and within them voices.
3. **Cells.** A cell is compared over the facts that have it in both. Where single tokens or words were restored, facts
   whose role has other numbers of them in speech than in writing do not have the role: two tokens against six are no
   comparison. Left out are cells that fewer than half of the facts have, and cells that were run for none.

Axes: ``prompt`` or ``fact``, then ``component layer role``. Units: those of the metric.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from spiritlens.comparison.fact_maps import Names
from spiritlens.comparison.shifts import window_centres
from spiritlens.effects.clusters import Array, group_means, pieces
from spiritlens.effects.quantities import smallest_total_effect
from spiritlens.effects.role_effects import by_role, mixed_screening, role_counts, role_runs, traced_roles
from spiritlens.effects.statistics import fact_names, subject_names
from spiritlens.terms import READOUT, READOUT_ROLES

Last = Literal["read-out", "by role"]
"""read-out: where the answer is read (final marker, else last word) is one row; by role: names as they are."""

Mask = np.ndarray[Any, np.dtype[np.bool_]]

FEWEST_FACTS = 0.5
"""Cells that fewer than this share of the facts have in both modalities are not compared."""


@dataclass(frozen=True, eq=False)
class PromptMaps:
    """Effects of each prompt: `values` [prompt component layer role] (NaN: it lacks the role), `ran` there where a cell
    was run, `totals` [prompt], `sites` [prompt role] how many were restored one by one (None: together).

    `labels` [prompt] by name; `centres` [component layer] what each layer stands for; `noise_floor` the largest change
    that patching nothing made; total effects below `smallest` are none.
    """

    values: Array
    ran: Mask
    totals: Array
    sites: Array | None
    labels: Mapping[str, Names]
    known: Mask
    roles: tuple[str, ...]
    components: tuple[str, ...]
    layers: tuple[int, ...]
    centres: Array
    noise_floor: float
    smallest: float

    def of(self, kind: str, facts: Literal["known", "all"] = "known") -> Any:
        """Places of the prompts of one modality [prompt]."""
        return np.flatnonzero((self.labels["modality"] == kind) & (self.known | (facts == "all")))


@dataclass(frozen=True, eq=False)
class Pairs:
    """Paired effects: `values` [modality fact component layer role], NaN where the fact lacks the cell in either;
    `totals` [modality fact]; `cells` [component layer role] those that are compared.

    `subjects` and `relations` [fact]; `n_left_out` facts that are not known in both, `n_unpaired` those that are, by
    other phrasings; `by_phrasing` whether phrasings were paired; `unequal` roles whose numbers of tokens differ.
    """

    values: Array
    totals: Array
    cells: Mask
    subjects: Names
    relations: Names
    roles: tuple[str, ...]
    components: tuple[str, ...]
    layers: tuple[int, ...]
    centres: Array
    noise_floor: float
    smallest: float
    n_left_out: int
    n_unpaired: int
    by_phrasing: bool
    unequal: tuple[str, ...]


def prompt_maps(effects: xr.Dataset, metric: str, last: Last) -> PromptMaps:
    """The effects of a dataset in one metric, by role, with its read-out rows joined."""
    if "head" in effects.dims:
        raise ValueError("this dataset has heads; choose one with effects.isel(head=...) first")
    place = effects["metric"].values.tolist().index(metric)
    chosen = effects.isel(metric=slice(place, place + 1))
    roles = traced_roles(effects)
    values, ran, names = _maps_of_prompts(chosen, roles, last)
    change = (chosen["clean"].values[:, None] - chosen["corrupted"].values) * chosen["metric_sign"].values
    return PromptMaps(
        values=values,
        ran=ran,
        totals=np.asarray(change.mean(axis=1)[:, 0]),
        sites=_sites(chosen, roles, last),
        labels={
            "fact": fact_names(effects),
            "subject": subject_names(effects),
            **{name: effects[name].values.astype(np.str_) for name in ("relation", "phrasing", "voice", "modality")},
        },
        known=effects["known"].values == 1,
        roles=tuple(names),
        components=tuple(effects["component"].values.tolist()),
        layers=tuple(int(layer) for layer in effects["layer"].values),
        centres=np.stack([window_centres(effects, name) for name in effects["component"].values.tolist()]),
        noise_floor=float(np.nan_to_num(chosen["noise_floor"].values).max(initial=0.0)),
        smallest=smallest_total_effect(effects, metric),
    )


def _maps_of_prompts(effects: xr.Dataset, roles: list[str], last: Last) -> tuple[Array, Mask, list[str]]:
    """`values` and `ran` of `PromptMaps` in one metric, and their roles; some prompts at a time."""
    obstacle = mixed_screening(effects)
    if obstacle:
        raise ValueError(obstacle)
    order, sizes = ("prompt", "component", "layer", "role"), effects.sizes
    names = _aligned(np.empty((1, 1, 1, len(roles))), roles, last)[1]
    values = np.empty((sizes["prompt"], sizes["component"], sizes["layer"], len(names)))
    ran = np.empty(values.shape, dtype=bool)
    for rows in pieces(len(values), effects["restored"].size // max(1, len(values))):
        chosen = effects.isel(prompt=rows)
        found, runs = (
            _in_columns(one.variable.transpose(*order, ...), one["role"].values.tolist(), roles)
            for one in (by_role(chosen).isel(metric=0), role_runs(chosen))
        )
        values[rows], ran[rows] = _aligned(found, roles, last)[0], np.nan_to_num(_aligned(runs, roles, last)[0]) > 0
    return values, ran, names


def _in_columns(values: xr.Variable, there: list[str], roles: list[str]) -> Array:
    """Values [prompt component layer role] in the order of `roles`; NaN in those that are not there."""
    if set(roles) <= set(there):
        return _taken(values.values, [there.index(role) for role in roles], 3)
    found = np.full((*values.shape[:3], len(roles)), np.nan)
    held = [role for role in roles if role in there]
    found[..., [roles.index(role) for role in held]] = values.values[..., [there.index(role) for role in held]]
    return found


def paired(
    first: PromptMaps, second: PromptMaps, kinds: tuple[str, str], facts: Literal["known", "all"] = "known"
) -> Pairs:
    """The facts of a modality of one dataset beside those of a modality of the same or another dataset.

    Components, layers and roles are those of both. Raises ValueError where no fact is in both.
    """
    places = [one.of(kind, facts) for one, kind in zip((first, second), kinds, strict=True)]
    owners = [one.labels["fact"][place] for one, place in zip((first, second), places, strict=True)]
    known_in_both = _common(tuple(dict.fromkeys(owners[0].tolist())), owners[1].tolist())
    if not known_in_both:
        raise ValueError(f"no fact is known in both {kinds[0]} and {kinds[1]}: see the accuracy table")
    keys, by_phrasing = _keys((first, second), kinds, places)
    both = set(keys[0]) & set(keys[1])
    kept = [np.array([key in both for key in own], dtype=bool) for own in keys]
    names = [own[keep] for own, keep in zip(owners, kept, strict=True)]
    shared = list(dict.fromkeys(names[0].tolist()))
    if not shared:
        raise ValueError(
            f"no fact is known by the same phrasing in both {kinds[0]} and {kinds[1]}: ask both by the same phrasings"
        )
    sides = [
        _means(one, place[keep], shared, first, second)
        for one, place, keep in zip((first, second), places, kept, strict=True)
    ]
    values, unequal = _in_both(sides)
    ran = np.stack([side.ran for side in sides]).any(axis=0)
    traced = [
        set(one.labels["fact"][one.of(kind, "all")].tolist()) for one, kind in zip((first, second), kinds, strict=True)
    ]
    roles = _common(first.roles, second.roles)
    return Pairs(
        values=values,
        totals=np.stack([side.totals for side in sides]),
        cells=((~np.isnan(values[0])).mean(axis=0) >= FEWEST_FACTS) & ran,
        subjects=sides[0].subjects,
        relations=sides[0].relations,
        roles=roles,
        components=_common(first.components, second.components),
        layers=_common(first.layers, second.layers),
        centres=first.centres[np.ix_(*_indices(first, first, second)[:2])],
        noise_floor=max(first.noise_floor, second.noise_floor),
        smallest=max(first.smallest, second.smallest),
        n_left_out=len(traced[0] | traced[1]) - len(shared),
        n_unpaired=len(known_in_both) - len(shared),
        by_phrasing=by_phrasing,
        unequal=tuple(role for role, differs in zip(roles, unequal, strict=True) if differs),
    )


@dataclass(frozen=True, eq=False)
class _Side:
    """Means over the prompts of each fact in one modality [fact …]; `ran` [component layer role] in any prompt."""

    values: Array
    totals: Array
    sites: Array | None
    ran: Mask
    subjects: Names
    relations: Names


def _keys(
    maps: tuple[PromptMaps, PromptMaps], kinds: tuple[str, str], places: list[Any]
) -> tuple[list[list[tuple[str, ...]]], bool]:
    """What each prompt must share with one of the other modality: its fact, phrasing and voice; and whether phrasings
    have labels in common."""
    traced = [one.of(kind, "all") for one, kind in zip(maps, kinds, strict=True)]
    names = ["fact"]
    for name in ("phrasing", "voice"):
        labels = [set(one.labels[name][place].tolist()) for one, place in zip(maps, traced, strict=True)]
        if labels[0] & labels[1]:
            names.append(name)
    keys = [
        list(zip(*(one.labels[name][place].tolist() for name in names), strict=True))
        for one, place in zip(maps, places, strict=True)
    ]
    return keys, "phrasing" in names


def _means(of: PromptMaps, places: Any, facts: list[str], first: PromptMaps, second: PromptMaps) -> _Side:
    """Means over the prompts of each fact: over voices within a phrasing, then over phrasings."""
    own, phrasing = of.labels["fact"][places].tolist(), of.labels["phrasing"][places].tolist()
    keys = list(zip(own, phrasing, strict=True))
    sizes = Counter(keys)
    rows = {fact: row for row, fact in enumerate(facts)}
    codes = np.array([rows[fact] for fact in own])
    weights = np.array([1 / sizes[key] for key in keys])
    components, layers, roles = _indices(of, first, second)
    values = of.values.take(places, axis=0)
    for axis, kept in enumerate((components, layers, roles), start=1):
        values = _taken(values, kept, axis)
    once = dict(reversed(list(zip(own, places.tolist(), strict=True))))
    at = [once[fact] for fact in facts]
    return _Side(
        values=group_means(values, codes, len(facts), weights),
        totals=group_means(of.totals[places], codes, len(facts), weights),
        sites=None if of.sites is None else group_means(of.sites[places][:, roles], codes, len(facts), weights),
        ran=of.ran[places].any(axis=0)[np.ix_(components, layers, roles)],
        subjects=of.labels["subject"][at],
        relations=of.labels["relation"][at],
    )


def _in_both(sides: list[_Side]) -> tuple[Array, Mask]:
    """Values [modality fact …] that are NaN where either is, or where the numbers of sites differ; and the roles where
    they do in any fact."""
    values = np.stack([side.values for side in sides])
    missing: Mask = np.logical_or(*(np.isnan(side.values) for side in sides))
    unequal: Mask = np.zeros(values.shape[-1], dtype=bool)
    if sides[0].sites is not None and sides[1].sites is not None:
        differs = np.abs(sides[0].sites - sides[1].sites) > 1e-9
        unequal = np.asarray(differs.any(axis=0) & ~missing.all(axis=(0, 1, 2)))
        missing |= differs[:, None, None]
    values[:, missing] = np.nan
    return values, unequal


def _taken(values: Array, places: list[int], axis: int) -> Array:
    """The values at these places of an axis; themselves where that is all of them in order."""
    return values if places == list(range(values.shape[axis])) else values.take(places, axis=axis)


def _common(first: Any, second: Any) -> Any:
    """What both have, in the order of the first."""
    there = set(second)
    return tuple(one for one in first if one in there)


def _indices(of: PromptMaps, first: PromptMaps, second: PromptMaps) -> tuple[list[int], list[int], list[int]]:
    """Places of the common components, layers and roles in one of the two."""
    return (
        [of.components.index(name) for name in _common(first.components, second.components)],
        [of.layers.index(layer) for layer in _common(first.layers, second.layers)],
        [of.roles.index(role) for role in _common(first.roles, second.roles)],
    )


def _sites(effects: xr.Dataset, roles: list[str], last: Last) -> Array | None:
    """How many tokens or words each role has [prompt role], where they were restored one by one."""
    if effects.attrs["at"] not in ("token", "word"):
        return None
    counts = role_counts(effects).isel(component=0, layer=0)
    counts = counts.sel(status=["measured", "exact", "screened"]).sum("status").transpose("prompt", "role")
    places = [counts["role"].values.tolist().index(role) for role in roles]
    numbers = counts.values[:, places].astype(np.float64)
    filled = np.where(numbers > 0, numbers, np.nan)[:, None, None]
    return np.nan_to_num(_aligned(filled, roles, last)[0][:, 0, 0])


def _aligned(values: Array, roles: list[str], last: Last) -> tuple[Array, list[str]]:
    """Values [prompt component layer role] with the `READOUT_ROLES` joined into the read-out row, each prompt's own;
    the last word before a marker keeps a row of its own, which the other modality may lack."""
    if last == "by role" or READOUT_ROLES[-1] not in roles:
        return values, list(roles)
    return with_readout(values, roles)


def with_readout(values: Array, roles: list[str]) -> tuple[Array, list[str]]:
    """Values [row component layer role] with each row's read-out, the first of `READOUT_ROLES` that it has, as a role
    of its own in place of the role that it is; and the roles."""
    columns = {role: values[..., place] for place, role in enumerate(roles)}
    readout = np.full(values.shape[:-1], np.nan)
    for role in READOUT_ROLES:
        if role not in columns:
            continue
        own = columns.pop(role)
        free = np.isnan(readout).all(axis=(1, 2), keepdims=True)  # rows that are read at no later role
        if role != READOUT_ROLES[0]:
            columns[role] = np.where(free, np.nan, own)
        readout = np.where(free, own, readout)
    columns[READOUT] = readout
    return np.stack(list(columns.values()), axis=-1), list(columns)
