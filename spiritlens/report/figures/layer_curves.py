"""Curves of effects by layer with confidence bands, the modalities in one panel.

Bands are intervals over facts, by subject (`spiritlens.effects.intervals`); facts of fewer than
six subjects have none, and none is drawn.
"""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from spiritlens.arguments import check_choice, listed, told_keywords
from spiritlens.effects.averages import averaged
from spiritlens.effects.quantities import Quantity
from spiritlens.report.figures.chosen import chosen, chosen_components, without_heads
from spiritlens.report.figures.look import (
    MODALITY_COLOURS,
    MODALITY_DASHES,
    MODALITY_SYMBOLS,
    QUIET,
    Arrangement,
    apply_look,
    layer_ticks,
    legend_above,
)
from spiritlens.report.numerals import interval_of, several
from spiritlens.report.words import (
    MODALITY_WORDS,
    interval_words,
    patching_words,
    quantity_words,
    site_words,
    window_words,
)
from spiritlens.terms import ROLE_TABLE, Facts

CURVE_ROLES = tuple(row.name for row in ROLE_TABLE if row.curve)
"""Roles drawn by default: where the subject is enriched, and where the answer is read out."""


@told_keywords
def layer_curves(
    effects: xr.Dataset,
    roles: Sequence[str] | None = None,
    component: str | None = None,
    metric: str | None = None,
    *,
    quantity: Quantity | None = None,
    facts: Facts | None = None,
    arrangement: Arrangement = "side by side",
) -> go.Figure:
    """Mean effect by layer with its interval, one panel per role and component, T2T and S2T in each.

    `effects` are raw, or averages (`sl.effects.average`), whose `quantity` and `facts` then hold. `roles` None draws
    `CURVE_ROLES`, or all rows where none of those was traced (named spans).

    Returns a plotly figure. Raises ValueError for a choice that was not traced.
    """
    check_choice("arrangement", arrangement, Arrangement)
    roles = None if roles is None else listed("roles", roles, of=str)
    average = without_heads(averaged(effects, quantity, facts))
    metric, components = chosen(average, "metric", metric), chosen_components(average, component)
    average = average.sel(metric=metric)
    present = _present(average["role"].values.tolist(), roles)
    panels = [(name, role) for name in components for role in present]
    shape = (len(components), len(present)) if arrangement == "side by side" else (len(panels), 1)
    figure = make_subplots(
        *shape,
        shared_yaxes="rows" if shape[1] > 1 else False,
        horizontal_spacing=0.03,
        vertical_spacing=min(0.2, 62 / (250 * shape[0])),
        subplot_titles=[html.escape(f"{name} · {role}") for name, role in panels],
    )
    for index, (name, role) in enumerate(panels):
        place = {"row": index // shape[1] + 1, "col": index % shape[1] + 1}
        for group in range(average.sizes["group"]):
            add_curve(figure, average.sel(component=name, role=role).isel(group=group), place)
        last_of_column = index + shape[1] >= len(panels)
        ticks = {**layer_ticks(average["layer"].values), **({} if last_of_column else {"title_text": ""})}
        figure.update_xaxes(showgrid=False, **ticks, **place)
        figure.update_yaxes(rangemode="tozero", zeroline=True, zerolinecolor=QUIET, zerolinewidth=1, **place)
    name_each_modality_once(figure)
    windows = "; ".join(f"{html.escape(name)}: {window_words(average, name)}" for name in components)
    colour = quantity_words(average, average.attrs["quantity"], metric)
    band = interval_words(average, "band")
    subtitle = f"{colour} · {patching_words(average)} · {site_words(average)} · {band} · {windows}"
    apply_look(figure, "The same by layer", subtitle, height=150 + 250 * shape[0])
    figure.update_annotations(font={"size": 13})
    return legend_above(figure.update_layout(hovermode="x unified"), 24)


def _present(traced: list[str], roles: Sequence[str] | None) -> list[str]:
    """The wanted roles that were traced; by default `CURVE_ROLES`, or all where none of those was (named spans)."""
    present = [role for role in (CURVE_ROLES if roles is None else roles) if role in traced]
    if roles is None and not present:
        return traced
    if not present:
        raise ValueError(f"roles={tuple(roles or ())}: none was traced; choose from {', '.join(traced)}")
    return present


def add_curve(figure: go.Figure, curve: xr.Dataset, place: dict[str, int]) -> None:
    """One modality's mean and band in one panel; nothing where no fact has the role."""
    kind = str(curve["modality"].values)
    usable = curve["n_facts"].values > 0
    if not usable.any():
        return
    layers, mean = curve["layer"].values[usable], curve["mean"].values[usable]
    low, high = curve["low"].values[usable], curve["high"].values[usable]
    colour, n = MODALITY_COLOURS[kind], int(curve["n_facts"].max())
    bounded = ~np.isnan(low)
    if bounded.any():
        add_band(figure, layers[bounded], low[bounded], high[bounded], kind, place)
    text = [
        f"{kind} {interval_of(value, a, b)}, n = {several(n, 'fact')}"
        for value, a, b in zip(mean, low, high, strict=True)
    ]
    figure.add_trace(
        go.Scatter(
            x=layers,
            y=mean,
            text=text,
            name=f"{kind}, {MODALITY_WORDS[kind]}",
            legendgroup=kind,
            mode="lines+markers",
            line={"color": colour, "dash": MODALITY_DASHES[kind], "width": 2},
            marker={"symbol": MODALITY_SYMBOLS[kind], "size": 6},
            hovertemplate="%{text}<extra></extra>",
        ),
        **place,
    )


def add_band(figure: go.Figure, layers: Any, low: Any, high: Any, kind: str, place: dict[str, int]) -> None:
    """The interval around one curve, as one closed outline."""
    figure.add_trace(
        go.Scatter(
            x=np.concatenate([layers, layers[::-1]]),
            y=np.concatenate([high, low[::-1]]),
            fill="toself",
            mode="lines",
            line={"width": 0},
            fillcolor=MODALITY_COLOURS[kind],
            opacity=0.18,
            showlegend=False,
            legendgroup=kind,
            hoverinfo="skip",
        ),
        **place,
    )


def name_each_modality_once(figure: go.Figure) -> None:
    """One entry of the legend for each modality, from the first panel that has it."""
    named: set[str] = set()
    for trace in figure.data:
        if trace.name:
            trace.showlegend = trace.name not in named
            named.add(trace.name)
