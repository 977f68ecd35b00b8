"""Averages for the page: means over facts with their intervals and n, by role and layer, in effect and in share.

Rows are those of `spiritlens.report.page.maps`: the read-out is one row for all modalities. Axes of a packed average:
``group component layer head row metric``, a group for each modality. `share` divides each prompt's effects by its own
total effect, small ones left out (`spiritlens.effects.quantities.normalised_indirect`). *Crossings* tell, for each
component, modality and metric, at which layer the read-out takes over from the subject: ``[layer, low, high]``, with
an interval where the comparison has one (null: it does not take over).
"""

from typing import Any

import numpy as np
import xarray as xr

from spiritlens.comparison.compared import Compared
from spiritlens.comparison.map_statistics import handovers
from spiritlens.comparison.statistics import TAKES_OVER
from spiritlens.effects.averages import average_facts, average_total, obstacle
from spiritlens.effects.role_effects import by_role, ordered_roles
from spiritlens.effects.statistics import fact_means
from spiritlens.report.page.maps import aligned_rows, axes_of
from spiritlens.report.page.packing import Described, Packing
from spiritlens.terms import READOUT, READOUT_ROLES, Facts

NUMBERS = ("mean", "low", "high", "n_facts")
Crossings = list[list[list[list[float | None] | None]]]
CONFIDENCE = 0.95


def packed_averages(
    effects: xr.Dataset, facts: Facts, packing: Packing, comparison: Compared | None = None
) -> Described:
    """Means of a dataset in both quantities, its total effects, and where curves cross, with the intervals of the
    dataset's comparison; why there are none."""
    missing = obstacle(effects, facts)
    if missing:
        return {"missing": missing}
    means = _means(by_role(effects), facts)
    shares = _means(by_role(effects, quantity="normalised"), facts)
    total = average_total(effects, facts=facts)
    return {
        "missing": "",
        **axes_of(effects),
        "rows": means["row"].values.tolist(),
        "groups": means["modality"].values.tolist(),
        "confidence": CONFIDENCE,
        "effect": _numbers(means, packing),
        "share": _numbers(shares, packing),
        "total": {name: _listed(total[name].values) for name in NUMBERS},
        "crossings": {
            "effect": _with_intervals(_crossings(means, total), means, comparison),
            "share": _crossings(shares, None),
        },
    }


def _means(effect: xr.DataArray, facts: Facts) -> xr.Dataset:
    return average_facts(fact_means(with_rows(effect), facts=facts), ("modality",), CONFIDENCE)


def with_rows(effect: xr.DataArray) -> xr.DataArray:
    """Effects by role [prompt component layer head row metric], in order and with the read-out as a row."""
    if "head" not in effect.dims:
        effect = effect.expand_dims("head")
    effect = effect.transpose("prompt", "component", "layer", "head", "role", "metric")
    names = effect["role"].values.tolist()
    values, rows = aligned_rows(effect.values, names, ordered_roles(names))
    coords = {str(name): one for name, one in effect.coords.items() if "role" not in one.dims}
    dims = ("prompt", "component", "layer", "head", "row", "metric")
    return xr.DataArray(values, dims=dims, coords={**coords, "row": rows}, name=effect.name, attrs=effect.attrs)


def _numbers(means: xr.Dataset, packing: Packing) -> Described:
    order = ("group", "component", "layer", "head", "row", "metric")
    found = {name: packing.numbers("averages", means[name].transpose(*order).values) for name in NUMBERS[:3]}
    return {**found, "n_facts": packing.numbers("averages", means["n_facts"].transpose(*order).values.astype(np.int64))}


def _crossings(means: xr.Dataset, total: xr.Dataset | None) -> Crossings:
    """Layer of the crossing with its interval [group component metric], of head 0."""
    rows = means["row"].values.tolist()
    readout = next((row for row in (READOUT, *READOUT_ROLES) if row in rows), "")
    layers = means["layer"].values.astype(np.float64)
    found: Crossings = []
    for group in range(means.sizes["group"]):
        own = means["mean"].isel(group=group, head=0)
        if not readout or "subject" not in rows:
            found.append([[None] * means.sizes["metric"] for _ in range(means.sizes["component"])])
            continue
        least = 1.0 if total is None else np.nan_to_num(total["mean"].isel(group=group).values)
        first, second = (
            own.sel(row=row).transpose("component", "metric", "layer").values for row in ("subject", readout)
        )
        least = np.broadcast_to(TAKES_OVER * np.asarray(least), first.shape[:2]).reshape(-1)
        at = handovers(first.reshape(-1, len(layers)), second.reshape(-1, len(layers)), least)
        at = np.interp(at, np.arange(len(layers)), layers).reshape(first.shape[:2])
        found.append([[None if np.isnan(one) else [_listed(one), None, None] for one in row] for row in at])
    return found


def _with_intervals(crossings: Crossings, means: xr.Dataset, comparison: Compared | None) -> Crossings:
    """The crossings of the comparison in place of those of the means, for its metric."""
    if comparison is None or comparison.metric not in means["metric"].values.tolist():
        return crossings
    metric = means["metric"].values.tolist().index(comparison.metric)
    groups, components = (means[name].values.tolist() for name in ("modality", "component"))
    for one in comparison.components:
        for kind, taken in zip(comparison.kinds, one.taken_over, strict=True):
            if kind in groups and one.component in components and taken.role == READOUT:
                layer = [_listed(value) for value in (taken.layer.value, taken.layer.low, taken.layer.high)]
                crossings[groups.index(kind)][components.index(one.component)][metric] = layer
    return crossings


def _listed(values: Any) -> Any:
    """Nested lists of numbers for JSON; null where there is none."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim:
        return [_listed(one) for one in array]
    return float(f"{float(array):.7g}") if np.isfinite(array) else None
