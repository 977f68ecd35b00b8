"""Averages as a table: effects with intervals and n, by component, role and layer, the modalities side by side."""

from typing import Any

import pandas as pd
import xarray as xr

from spiritlens.arguments import shown
from spiritlens.effects.measures import AVERAGES_SCHEMA, check_averages
from spiritlens.report.paper.formats import NONE, interval_text

NUMBERS = ("mean", "low", "high", "n_facts")
SITES = ("component", "role", "layer", "head")
"""Columns that say where, in the order of the table; those that the averages have."""


def is_averages(given: object) -> bool:
    """Whether this is what `sl.effects.average` and `average_total` return."""
    return isinstance(given, xr.Dataset) and given.attrs.get("schema") == AVERAGES_SCHEMA


def averages_frame(averages: xr.Dataset) -> pd.DataFrame:
    """Every number: a row for each group, component, layer, role (head) and metric, then `mean low high n_facts`."""
    averages = check_averages(_with_metric(averages))
    frame = averages[list(NUMBERS)].to_dataframe().reset_index()
    return frame[[*_labels(averages), *_sites(averages), "metric", *NUMBERS]]


def averages_rows(averages: xr.Dataset, metric: str | None, digits: int) -> list[tuple[str, ...]]:
    """Header and rows of one metric (None: the first); places that no group has are left out."""
    averages = check_averages(_with_metric(averages))
    frame = averages_frame(averages.sel(metric=[_metric(averages, metric)]))
    groups, sites = _labels(averages), _sites(averages)
    frame["group"] = frame[groups].astype(str).agg(", ".join, axis=1) if groups else "all facts"
    names = frame["group"].unique().tolist()
    there: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in frame.to_dict("records"):
        there.setdefault(tuple(str(row[site]) for site in sites), {})[row["group"]] = row
    order = {site: [str(name) for name in averages[site].values.reshape(-1)] for site in sites}
    rows = [
        (*place, *(text for name in names for text in _cells(numbers[name], digits)))
        for place, numbers in sorted(there.items(), key=lambda one: list(map(list.index, order.values(), one[0])))
        if any(row["n_facts"] for row in numbers.values())
    ]
    if not rows:
        raise ValueError("these averages hold no number in this metric: choose other components, layers or roles")
    return [(*sites, *(text for name in names for text in (name, f"n, {name}"))), *rows]


def _metric(averages: xr.Dataset, wanted: str | None) -> str:
    names = [str(name) for name in averages["metric"].values]
    if wanted is not None and wanted not in names:
        raise ValueError(f"metric={shown(wanted)} was not averaged; choose from {', '.join(names)}")
    return names[0] if wanted is None else wanted


def _cells(row: dict[str, Any], digits: int) -> tuple[str, str]:
    """Mean with interval, and n."""
    if not row["n_facts"]:
        return NONE, "0"
    return interval_text(row["mean"], row["low"], row["high"], digits), str(int(row["n_facts"]))


def _labels(averages: xr.Dataset) -> list[str]:
    """What the groups are named by, such as `modality`."""
    return [str(name) for name, array in averages.coords.items() if array.dims == ("group",)]


def _sites(averages: xr.Dataset) -> list[str]:
    return [site for site in SITES if site in averages.coords]


def _with_metric(averages: xr.Dataset) -> xr.Dataset:
    """The averages with groups and metrics as axes, where one of either was chosen."""
    for axis in ("group", "metric"):
        if "mean" in averages.variables and axis not in averages.dims:
            averages = averages.expand_dims(axis)
    order = ("group", ..., "metric")
    return averages.transpose(*(axis for axis in order if axis is ... or axis in averages.dims))
