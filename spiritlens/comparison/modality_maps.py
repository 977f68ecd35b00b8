"""Each fact's map and total effect in one modality: what maps made in other ways, or of other facts, are compared by.

Rows are roles; where the answer is read (the final marker, else the last word) is the row *read-out* of every fact, so
that a written prompt that ends in its last word and a spoken one that ends in a marker share it. All facts of the
dataset count, known or not: which ones are in it is for its maker to choose. Phrasings and voices of a fact are
averaged.

Axes: ``fact component layer role``; units: those of the metric. NaN: the fact has no such role.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.comparison.fact_maps import FactMaps, fact_maps
from spiritlens.comparison.pairing import with_readout
from spiritlens.effects.clusters import Array
from spiritlens.effects.quantities import total
from spiritlens.effects.role_effects import by_role, role_runs
from spiritlens.effects.statistics import fact_means, subject_names


@dataclass(frozen=True, eq=False)
class ModalityMaps:
    """Indirect effects `values` [fact component layer role] of one modality, and the `totals` [fact].

    `ran` [component layer role] says whether a cell was run for any fact; `known` [fact] whether the model knows it.
    """

    values: Array
    ran: np.ndarray[Any, np.dtype[np.bool_]]
    totals: Array
    known: np.ndarray[Any, np.dtype[np.bool_]]
    facts: tuple[str, ...]
    subjects: tuple[str, ...]
    components: tuple[str, ...]
    layers: tuple[int, ...]
    roles: tuple[str, ...]
    metric: str

    def curve(self, component: str, role: str) -> Array:
        """The effects of one role [fact layer]; NaN where it was not traced."""
        if role not in self.roles:
            return np.full((len(self.facts), len(self.layers)), np.nan)
        return np.asarray(self.values[:, self.components.index(component), :, self.roles.index(role)])


def modality_maps(effects: xr.Dataset, kind: str, metric: str) -> ModalityMaps:
    """The maps of the facts asked in one modality (``T2T``, ``S2T``), by one metric.

    Raises ValueError for effects of another kind, and where no prompt is of this modality.
    """
    there = np.flatnonzero(effects["modality"].values == kind)
    if not len(there):
        raise ValueError(f"no {kind} prompt was traced, so there is no map of it")
    chosen = effects.isel(prompt=there).sel(metric=[metric])
    maps = fact_means(by_role(chosen).isel(metric=0), facts="all").transpose("fact", "component", "layer", "role")
    ran = (
        fact_means(role_runs(chosen), facts="all")
        .transpose("fact", "component", "layer", "role")
        .sel(role=maps["role"])
    )
    values, roles = with_readout(maps.values, maps["role"].values.tolist())
    shares, _ = with_readout(ran.values, maps["role"].values.tolist())
    known = fact_means(chosen["known"].astype(np.float64).rename("known"), facts="all")
    return ModalityMaps(
        values=values,
        ran=np.asarray((np.nan_to_num(shares) > 0).any(axis=0)),
        totals=fact_means(total(chosen), facts="all").isel(metric=0).values,
        known=known.values > 0,
        facts=tuple(maps["fact_id"].values.tolist()),
        subjects=tuple(subject_names(maps).tolist()),
        components=tuple(maps["component"].values.tolist()),
        layers=tuple(int(layer) for layer in maps["layer"].values),
        roles=tuple(roles),
        metric=metric,
    )


def paired_maps(first: ModalityMaps, second: ModalityMaps, component: str) -> FactMaps | None:
    """The maps of one component over the roles and layers that both have, at cells that were run in either.

    Facts are those of either; one that the other lacks is NaN there. None where they share no such cell.
    """
    roles = [role for role in first.roles if role in second.roles]
    layers = [layer for layer in first.layers if layer in second.layers]
    if component not in second.components or not roles or not layers:
        return None
    where = [_places(one, component, layers, roles) for one in (first, second)]
    ran = np.logical_or(first.ran[where[0]], second.ran[where[1]])
    if not ran.any():
        return None
    subjects = dict(zip((*first.facts, *second.facts), (*first.subjects, *second.subjects), strict=True))
    rows = [
        np.stack([one.values[one.facts.index(fact)][at][ran] if fact in one.facts else nothing for fact in subjects])
        for one, at, nothing in zip((first, second), where, [np.full(int(ran.sum()), np.nan)] * 2, strict=True)
    ]
    return fact_maps(rows[0], rows[1], list(subjects.values()))


def _places(maps: ModalityMaps, component: str, layers: Sequence[int], roles: Sequence[str]) -> Any:
    """Where a component's cells [layer role] lie in an array [component layer role]."""
    rows, columns = [maps.layers.index(layer) for layer in layers], [maps.roles.index(role) for role in roles]
    return (maps.components.index(component), *np.ix_(rows, columns))
