"""The subject and the read-out over layers, in writing and in speech, in one panel.

Early layers carry the effect at the subject, late ones where the answer is read; the layer at which the second curve
takes over from the first is marked for each modality (`spiritlens.comparison.map_statistics.handovers`: at or after the
subject's peak, no lower than the subject, at least half of its own maximum and a tenth of the total effect). The
read-out is the final marker of prompts that have one, else their last word. Bands are intervals over facts.
"""

import html
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from spiritlens.arguments import told_keywords
from spiritlens.comparison.map_statistics import handovers
from spiritlens.comparison.statistics import SUBJECT, TAKES_OVER
from spiritlens.effects.averages import averaged
from spiritlens.effects.quantities import Quantity
from spiritlens.report.figures.chosen import chosen, without_heads
from spiritlens.report.figures.head_means import READOUT_NAMES
from spiritlens.report.figures.layer_curves import add_band
from spiritlens.report.figures.look import (
    MODALITY_COLOURS,
    MODALITY_DASHES,
    MODALITY_SYMBOLS,
    QUIET,
    apply_look,
    layer_ticks,
)
from spiritlens.report.numerals import fixed, interval_of, several
from spiritlens.report.words import (
    MODALITY_WORDS,
    component_words,
    interval_words,
    patching_words,
    quantity_words,
    site_words,
    window_words,
)
from spiritlens.terms import READOUT, Facts

DASHES = {SUBJECT: "solid", READOUT: "dot"}


@dataclass(frozen=True, eq=False)
class Curves:
    """One modality's means over facts at the subject and at the read-out, and the layer where the second takes over."""

    kind: str
    subject: xr.Dataset
    readout: xr.Dataset
    crosses: float


@told_keywords
def crossing(
    effects: xr.Dataset,
    component: str | None = None,
    metric: str | None = None,
    *,
    quantity: Quantity | None = None,
    facts: Facts | None = None,
) -> go.Figure:
    """Mean effect at the subject and at the read-out by layer, T2T and S2T in one panel, with the layer of crossing.

    `effects` are raw, or averages (`sl.effects.average`), whose `quantity` and `facts` then hold. `component` None is
    the first that was traced.

    Returns a plotly figure. Raises ValueError for effects without a subject and a read-out (named spans), with heads,
    and for a choice that was not traced.
    """
    average = without_heads(averaged(effects, quantity, facts))
    component, metric = chosen(average, "component", component), chosen(average, "metric", metric)
    means = average.sel(component=component, metric=metric)
    found = [_curves(means.isel(group=group)) for group in range(means.sizes["group"])]
    figure = go.Figure()
    for one in found:
        for name, curve in ((SUBJECT, one.subject), (READOUT, one.readout)):
            _add_curve(figure, one.kind, name, curve)
        if not np.isnan(one.crosses):
            line = {"color": MODALITY_COLOURS[one.kind], "width": 1.5, "dash": MODALITY_DASHES[one.kind]}
            figure.add_vline(x=one.crosses, line=line, name=f"crossing {one.kind}")
    figure.update_xaxes(showgrid=False, **layer_ticks(average["layer"].values))
    colour = quantity_words(average, average.attrs["quantity"], metric)
    figure.update_yaxes(rangemode="tozero", zeroline=True, zerolinecolor=QUIET, title_text=colour)
    subtitle = " · ".join(
        [
            f"{component_words(component)}, {window_words(average, component)}",
            *map(_told, found),
            patching_words(average),
            site_words(average),
            interval_words(average, "band"),
        ]
    )
    apply_look(figure, "From the subject to the read-out", subtitle, height=440)
    return figure.update_layout(hovermode="x unified")


def _curves(group: xr.Dataset) -> Curves:
    """The two curves of a modality; the read-out is the first of its roles that has facts."""
    roles = [str(role) for role in group["role"].values]
    names = [role for role in (READOUT, *READOUT_NAMES) if role in roles]
    if SUBJECT not in roles or not names:
        raise ValueError(
            f"rows are {', '.join(roles)}: the crossing needs the subject and the last word or final marker; "
            "pass what causal_trace returns with at='role', at='word' or at='token'"
        )
    name = next((role for role in names if int(group["n_facts"].sel(role=role).max()) > 0), names[0])
    subject, readout = group.sel(role=SUBJECT), group.sel(role=name)
    whole = 1.0 if group.attrs["quantity"] == "normalised" else float(group.get("total_effect", np.nan))
    least = TAKES_OVER * np.nan_to_num(whole)
    place = handovers(subject["mean"].values[None], readout["mean"].values[None], least)[0]
    layers = group["layer"].values.astype(np.float64)
    crosses = float(np.interp(place, np.arange(len(layers)), layers)) if not np.isnan(place) else float("nan")
    return Curves(str(group["modality"].values), subject, readout, crosses)


def _told(one: Curves) -> str:
    """``T2T crosses at layer 4.3 (n = 12 facts)``."""
    n = several(int(one.subject["n_facts"].max()), "fact")
    if np.isnan(one.crosses):
        return f"{one.kind}: the read-out does not take over (n = {n})"
    return f"{one.kind} crosses at layer {fixed(one.crosses, 1)} (n = {n})"


def _add_curve(figure: go.Figure, kind: str, name: str, curve: xr.Dataset) -> None:
    """A mean with its band; nothing where no fact has the role."""
    usable = curve["n_facts"].values > 0
    if not usable.any():
        return
    layers: Any = curve["layer"].values[usable]
    mean, low, high = (curve[each].values[usable] for each in ("mean", "low", "high"))
    bounded = ~np.isnan(low)
    if bounded.any():
        add_band(figure, layers[bounded], low[bounded], high[bounded], kind, {})
    role = html.escape(str(curve["role"].values))
    figure.add_trace(
        go.Scatter(
            x=layers,
            y=mean,
            text=[f"{kind}, {role}: {interval_of(*ends)}" for ends in zip(mean, low, high, strict=True)],
            name=f"{kind}, {MODALITY_WORDS[kind]}: {name}",
            legendgroup=f"{kind} {name}",
            mode="lines+markers",
            line={"color": MODALITY_COLOURS[kind], "dash": DASHES[name], "width": 2},
            marker={
                "symbol": MODALITY_SYMBOLS[kind] + ("" if name == SUBJECT else "-open"),
                "size": 7,
            },
            hovertemplate="%{text}<extra></extra>",
        )
    )
