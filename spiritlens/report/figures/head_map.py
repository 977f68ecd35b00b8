"""Maps of heads: layers × heads, the modalities side by side on one colour scale.

Axes: columns are layers, rows heads. What is drawn is the mean effect over facts at one role; the *read-out* is where
the answer is read: the final marker of a prompt that has one, else its last word.
"""

import html
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from spiritlens.arguments import shown, told_keywords
from spiritlens.effects.given import given_traces
from spiritlens.effects.schema import Status
from spiritlens.effects.statistics import Quantity, average_effects
from spiritlens.report.figures.heatmap import add_cells, cell_words, colour_axis, colour_limit, row_ticks, window_hover
from spiritlens.report.figures.look import INK, apply_look, layer_ticks
from spiritlens.report.words import choose, component_words, patching_words, quantity_words, site_words
from spiritlens.terms import Facts

READOUT = "read-out"
READOUT_NAMES = ("last token", "final marker", "last word")
"""Rows that may be the read-out, the first that a modality has."""
HEAD_PIXELS = 20


@told_keywords
def head_map(
    effects: xr.Dataset,
    role: str | None = None,
    component: str | None = None,
    metric: str | None = None,
    *,
    quantity: Quantity = "indirect",
    facts: Facts = "known",
) -> go.Figure:
    """Mean effect of each head at a role over facts, T2T beside S2T.

    `role` None is the read-out where it was traced, else the first row (of a knock-out at all tokens, its one site).
    """
    effects = given_traces(effects)
    if "head" not in effects.dims:
        raise ValueError("this dataset has no heads; trace or patch a component with heads, such as 'z'")
    component, metric = choose(effects, "component", component), choose(effects, "metric", metric)
    average = average_effects(effects, quantity=quantity, facts=facts).sel(component=component, metric=metric)
    role = default_role(average["role"].values.tolist()) if role is None else role
    panels = [_at_role(average.isel(group=group), role) for group in range(average.sizes["group"])]
    counts = [int(panel["n_facts"].max()) for panel in panels]
    kinds = average["modality"].values.tolist()
    titles = [
        f"<b>{kind}</b> · {html.escape(component)} · n = {count} facts"
        for kind, count in zip(kinds, counts, strict=True)
    ]
    figure = make_subplots(1, len(panels), shared_yaxes=True, horizontal_spacing=0.04, subplot_titles=titles)
    heads = [f"head {head}" for head in effects["head"].values]
    for column, panel in enumerate(panels, start=1):
        place = {"row": 1, "col": column}
        status = np.where(panel["n_facts"].values > 0, Status.MEASURED, Status.ABSENT)
        layers, values = panel["layer"].values, panel["mean"].values
        hover = _hover(effects, component, panel, status)
        add_cells(figure, layers, values, status, hover, coloraxis="coloraxis", place=place)
        figure.update_xaxes(**layer_ticks(layers), **place)
        figure.update_yaxes(**row_ticks(heads, kept=list(range(0, len(heads), max(1, len(heads) // 16)))), **place)
    figure.update_layout(coloraxis=colour_axis(colour_limit(*(panel["mean"].values for panel in panels))))
    direction = effects.attrs["direction"]
    subtitle = (
        f"{quantity_words(quantity, direction, metric)} · {patching_words(effects)} · {site_words(effects)} · "
        "mean over facts"
    )
    height = 150 + max(160, HEAD_PIXELS * len(heads))
    apply_look(figure, f"Heads at the {html.escape(role)}: {component_words(component)}", subtitle, height=height)
    return figure.update_annotations(font={"size": 13, "color": INK})


def default_role(roles: list[str]) -> str:
    """The read-out where one of its rows was traced, else the first row."""
    return READOUT if any(name in READOUT_NAMES for name in roles) else roles[0]


def _at_role(group: xr.Dataset, role: str) -> xr.Dataset:
    """The map [head layer] of one modality at a role; read-out resolves to the final marker or the last word."""
    roles = group["role"].values.tolist()
    wanted = [role] if role != READOUT else [name for name in READOUT_NAMES if name in roles]
    if not wanted or wanted[0] not in roles:
        raise ValueError(f"role={shown(role)} was not traced; choose from {', '.join(roles)}")
    chosen = next((name for name in wanted if int(group["n_facts"].sel(role=name).max()) > 0), wanted[0])
    return group.sel(role=chosen).transpose("head", "layer")


def _hover(effects: xr.Dataset, component: str, panel: xr.Dataset, status: Any) -> list[list[str]]:
    role = html.escape(str(panel["role"].values))
    layers = [int(layer) for layer in panel["layer"].values]
    columns = [*(panel[name].values for name in ("mean", "low", "high", "n_facts")), status]
    return [
        [
            f"layer {layer}{window_hover(effects, component, layer)}, head {head}, {role}<br>"
            f"mean {cell_words(mean, code, low, high)}<br>n = {int(n)} facts"
            for layer, mean, low, high, n, code in zip(layers, *(column[row] for column in columns), strict=True)
        ]
        for row, head in enumerate(panel["head"].values)
    ]
