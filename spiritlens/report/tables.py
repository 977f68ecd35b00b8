"""Tables: `latex`, `markdown`, `csv` and `frame` give the numbers of a comparison or of averages, with intervals and n.

`figure_numbers` gives the numbers that a figure draws. Within the package the module also makes the page's own tables:
who knows what (accuracy), and where the averages peak.

Accuracy rows are whatever was counted, one mapping per row: words as they are, counts as integers, shares as floats in
0..1, which are shown in per cent. Column names are shown with spaces for underscores.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr

from spiritlens.arguments import listed
from spiritlens.effects.given import given_traces
from spiritlens.effects.sign_flips import simultaneous_interval
from spiritlens.effects.statistics import fact_names, peak_layer
from spiritlens.report.numerals import MINUS, NOTHING, fixed
from spiritlens.report.paper.figure_numbers import figure_numbers as figure_numbers
from spiritlens.report.paper.writing import csv as csv
from spiritlens.report.paper.writing import frame as frame
from spiritlens.report.paper.writing import latex as latex
from spiritlens.report.paper.writing import markdown as markdown

__all__ = ["csv", "figure_numbers", "frame", "latex", "markdown"]

Accuracy: TypeAlias = xr.Dataset | pd.DataFrame | Iterable[Mapping[str, Any]]
"""Rows of counts and shares, such as ``{"modality": "S2T", "facts": 40, "known": 38, "share": 0.95}``; or effects,
whose known facts are counted."""


def as_frame(rows: Accuracy) -> pd.DataFrame:
    """The rows as a data frame; no rows are refused."""
    if isinstance(rows, xr.Dataset):
        return known_table(given_traces(rows, "accuracy"))
    if isinstance(rows, Mapping):
        raise ValueError("accuracy is one mapping: give one for each row, as a list; write [row]")
    frame = (
        rows if isinstance(rows, pd.DataFrame) else pd.DataFrame([*listed("accuracy", rows, of=Mapping, empty=True)])
    )
    if not frame.size:
        raise ValueError(
            "the accuracy table has no rows; give one mapping per row, such as {'modality': 'T2T', 'share': 0.9}"
        )
    return frame


def known_table(effects: xr.Dataset) -> pd.DataFrame:
    """How many of the traced prompts' facts are known, by modality and group: `modality group facts known share`."""
    frame = pd.DataFrame({name: effects[name].values for name in ("modality", "group", "known")})
    frame["fact"] = fact_names(effects)
    facts = frame.groupby(["modality", "group", "fact"], sort=False)["known"].max().reset_index()
    table = facts.groupby(["modality", "group"], sort=False)["known"].agg(["size", "sum"]).reset_index()
    table.columns = pd.Index(["modality", "group", "facts", "known"])
    table["share"] = table["known"] / table["facts"]
    return table


def peak_table(average: xr.Dataset, metric: str) -> pd.DataFrame:
    """Peak of each average curve: `component role modality peak_layer effect low high facts`; curves with no effect
    above 0 are left out. A peak was chosen for being largest: its interval holds for all layers of its curve at once.
    """
    chosen = average.sel(metric=metric)
    rows = []
    for component in chosen["component"].values:
        for role in chosen["role"].values:
            for group, kind in enumerate(chosen["modality"].values):
                curve = chosen.sel(component=component, role=role).isel(group=group)
                layer = float(peak_layer(curve["mean"]))
                if np.isnan(layer):
                    continue
                peak = curve.sel(layer=int(layer))
                names = {"component": component, "role": role, "modality": kind, "peak_layer": int(layer)}
                low, high = _for_all_layers(curve, group)
                place = curve["layer"].values.tolist().index(int(layer))
                numbers = {"effect": float(peak["mean"]), "low": float(low[place]), "high": float(high[place])}
                rows.append({**names, **numbers, "facts": int(peak["n_facts"])})
    columns = ["component", "role", "modality", "peak_layer", "effect", "low", "high", "facts"]
    return pd.DataFrame(rows, columns=columns)


def _for_all_layers(curve: xr.Dataset, group: int) -> tuple[Any, Any]:
    """Intervals of a curve that hold for all of its layers at once (low, high) [layer], of the facts of a group."""
    own = curve["fact_group"].values == group
    values = curve["fact_mean"].transpose("fact", "layer").values[own]
    subjects = [str(name).casefold() for name in curve["fact_subject"].values[own].tolist()]
    return simultaneous_interval(values, subjects, confidence=float(curve.attrs["confidence"]))


def shown(frame: pd.DataFrame, *, floats: str = "share") -> pd.DataFrame:
    """The table as texts: floats as shares in per cent (floats="share"), where only none is 0 % and only all 100 %, or
    with three decimals (floats="number"), by the rules of `spiritlens.report.numerals`."""

    def text(value: Any) -> str:
        if isinstance(value, (float, np.floating)):
            if np.isnan(value):
                return NOTHING
            return (
                f"{fixed(100 * float(value), 0, apart=(0.0, 100.0))}\u00a0%"
                if floats == "share"
                else fixed(float(value), 3)
            )
        return str(value).replace("-", MINUS) if isinstance(value, (int, np.integer)) else str(value)

    result = frame.map(text)
    result.columns = pd.Index([str(name).replace("_", " ") for name in frame.columns])
    return result
