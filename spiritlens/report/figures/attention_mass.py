"""Where a layer looks: the attention of one role to all others, or to the places that detectors name, by layer.

Rows are roles that are looked at (keys) or detectors, columns layers; T2T beside S2T. A layer's heads are taken
together: their mean, or the one that looks there most (its number is told on hovering). Full colour is all of the
attention, so over the rows of a map of means the shares of a layer sum to 1. One head at a time: `head_map`,
`head_ranking`.
"""

import html
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from spiritlens.arguments import check_choice, shown, told_keywords
from spiritlens.effects.given import given_dataset
from spiritlens.effects.measures import MASS_SCHEMA, check_attention
from spiritlens.effects.schema import Status
from spiritlens.report.figures.head_means import READOUT_NAMES
from spiritlens.report.figures.head_measures import measured_heads
from spiritlens.report.figures.heatmap import add_cells, name_marks
from spiritlens.report.figures.look import apply_look, layer_ticks, two_line_titles
from spiritlens.report.figures.rows import every_row
from spiritlens.report.numerals import number_words, several, tick_words
from spiritlens.report.words import STATUS_WORDS
from spiritlens.terms import READOUT

Over = Literal["mean", "largest"]
"""How the heads of a layer are taken together: their mean, or the largest of them."""

ROW_PIXELS = 28
SHARES = [0.0, 0.25, 0.5, 0.75, 1.0]


@told_keywords
def attention_mass(attention: xr.Dataset, query: str | None = None, *, over: Over | None = None) -> go.Figure:
    """Attention by layer from one role to all others (or to what detectors name), T2T beside S2T, means over facts.

    `attention` is what `attention_mass` or `detectors` returned. `query` is the role (or modality) that looks, by
    default the read-out (the final marker, else the last word), and None for detectors; `over` how the heads of a layer
    are taken together, by default their mean, and the largest for detectors.

    Returns a plotly figure. Raises ValueError for what is no such dataset, and for a query that it lacks.
    """
    attention = check_attention(given_dataset(attention, MASS_SCHEMA, "attention"))
    detects = "score" in attention.variables
    over = ("largest" if detects else "mean") if over is None else over
    check_choice("over", over, Over)
    means = measured_heads(attention)
    queries = [] if detects else [str(name) for name in attention["query"].values]
    if query is not None and query not in queries:
        known = f"choose from {', '.join(queries)}" if queries else "detectors have none; leave it out"
        raise ValueError(f"query={shown(query)} was not measured; {known}")
    labels = [str(name) for name in attention["detector" if detects else "key"].values]
    panels, asked = [], []
    for group in range(means.sizes["group"]):
        one = means.isel(group=group)
        name = "" if detects else (_readout(one, queries) if query is None else query)
        asked.append(name)
        panels.append(one.sel(role=labels if detects else [f"{name} → {key}" for key in labels]))
    figure = _drawn(panels, asked, labels, over)
    heads = "mean over the heads of a layer" if over == "mean" else "the head of a layer that looks there most"
    title = "What heads are like: detectors by layer" if detects else f"Where {_from(asked)} looks"
    height = 150 + ROW_PIXELS * max(4, len(labels))
    apply_look(figure, title, f"share of the attention · {heads} · mean over facts", height=height)
    return name_marks(two_line_titles(figure))


def _readout(means: xr.Dataset, queries: list[str]) -> str:
    """The role at which the answer is read in one modality; where roles were not asked for, the last query that has
    numbers."""
    named = [name for name in READOUT_NAMES if name in queries] or queries[::-1]
    rows = means["n_facts"].max(["layer", "head"])
    some = [name for name in named if int(rows.sel(role=[f"{name} → {key}" for key in queries]).max()) > 0]
    return (some or named)[0]


def _from(asked: list[str]) -> str:
    names = list(dict.fromkeys(asked))
    return f"the {html.escape(names[0])}" if len(names) == 1 else f"the {READOUT}"


def _drawn(panels: list[xr.Dataset], asked: list[str], labels: list[str], over: Over) -> go.Figure:
    titles = [
        f"<b>{panel['modality'].values}</b> · n = {several(int(panel['n_facts'].max()), 'fact')}"
        f"{f'<br>from the {html.escape(name)}' if name else ''}"
        for panel, name in zip(panels, asked, strict=True)
    ]
    figure = make_subplots(1, len(panels), shared_yaxes=True, horizontal_spacing=0.04, subplot_titles=titles)
    names = [html.escape(label) for label in labels]
    for column, panel in enumerate(panels, start=1):
        place = {"row": 1, "col": column}
        values = panel["mean"].transpose("role", "layer", "head").values
        there = ~np.isnan(values).all(axis=2)
        largest = np.where(there, np.nan_to_num(values, nan=-1.0).argmax(axis=2), -1)
        best = np.take_along_axis(values, np.maximum(largest, 0)[..., None], axis=2)[..., 0]
        counts = np.maximum((~np.isnan(values)).sum(axis=2), 1)
        z = np.where(there, best if over == "largest" else np.nansum(values, axis=2) / counts, np.nan)
        status = np.where(there, Status.MEASURED, Status.ABSENT)
        heads = panel["head"].values[np.maximum(largest, 0)]
        layers = panel["layer"].values
        add_cells(figure, layers, z, status, _hover(names, layers, z, best, heads), place=place)
        figure.update_xaxes(**layer_ticks(layers), **place)
        figure.update_yaxes(**every_row(len(names)).ticks(names), **place)
    bar: dict[str, Any] = {"tickvals": SHARES, "ticktext": tick_words(SHARES), "thickness": 12, "outlinewidth": 0}
    bar |= {"title": {"text": "share of the attention", "side": "right", "font": {"size": 12}}}
    return figure.update_layout(coloraxis={"colorscale": "Blues", "cmin": 0, "cmax": 1, "colorbar": bar})


def _hover(names: list[str], layers: Any, values: Any, best: Any, heads: Any) -> list[list[str]]:
    return [
        [
            f"{name}, layer {layer}<br>"
            + (
                STATUS_WORDS[Status.ABSENT]
                if np.isnan(values[row, at])
                else f"{number_words(values[row, at])}<br>most by head {heads[row, at]}: {number_words(best[row, at])}"
            )
            for at, layer in enumerate(layers)
        ]
        for row, name in enumerate(names)
    ]
