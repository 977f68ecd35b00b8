"""Average maps by role × layer, the modalities side by side and all on one colour scale, which the total effect limits.

Facts weigh equally (see `spiritlens.effects.averages`). Neighbouring roles in which nothing can change in any map are
one thin row. Hovering tells the mean, its interval and the number of facts.
"""

import html
from typing import Any

import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from spiritlens.arguments import check_choice, told_keywords
from spiritlens.effects.averages import averaged, cell_status
from spiritlens.effects.quantities import Quantity
from spiritlens.effects.role_effects import ordered_roles
from spiritlens.report.acts import Act, act_of
from spiritlens.report.figures.chosen import chosen, chosen_components, without_heads
from spiritlens.report.figures.heatmap import add_cells, cell_words, name_marks, window_hover
from spiritlens.report.figures.look import INK, Arrangement, apply_look, layer_ticks
from spiritlens.report.figures.rows import Rows, folded_rows
from spiritlens.report.figures.scale import averages_scale
from spiritlens.report.numerals import several
from spiritlens.report.words import colour_words, patching_words, quantity_words, site_words, window_words
from spiritlens.terms import Facts

ROW_PIXELS = 30
TITLES: dict[Act, tuple[str, str]] = {
    "causal tracing": ("Where restoring brings the answer back", "Where corrupting loses the answer"),
    "activation patching": ("Where patching brings the answer back", "Where patching loses the answer"),
    "back-patching": ("Where another layer's values bring the answer back", "Where another layer's values lose it"),
    "attribution patching": (
        "Where patching is estimated to bring the answer back",
        "Where it is estimated to lose it",
    ),
    "head knock-out": ("Where knocking out heads loses the answer",) * 2,
    "attention knock-out": ("Where cutting attention loses the answer",) * 2,
}
"""Titles by what was done: denoising, noising."""


@told_keywords
def role_maps(
    effects: xr.Dataset,
    component: str | None = None,
    metric: str | None = None,
    *,
    quantity: Quantity | None = None,
    facts: Facts | None = None,
    arrangement: Arrangement = "side by side",
) -> go.Figure:
    """Average maps by role × layer, T2T beside S2T, of effects or of their averages (`sl.effects.average`).

    `component` None draws every traced component, one row each; `quantity` None indirect effects of raw effects, and of
    `facts` None the known.

    Returns a plotly figure. Raises ValueError for a choice that was not traced.
    """
    check_choice("arrangement", arrangement, Arrangement)
    average = without_heads(averaged(effects, quantity, facts))
    metric, components = chosen(average, "metric", metric), chosen_components(average, component)
    average = average.sel(metric=metric, role=ordered_roles(average["role"].values.tolist()))
    kinds = average["modality"].values.tolist()
    panels = [(name, group) for name in components for group in range(len(kinds))]
    shape = (len(components), len(kinds)) if arrangement == "side by side" else (len(panels), 1)
    maps = [average.sel(component=name).isel(group=group).transpose("role", "layer", ...) for name, group in panels]
    rows = folded_rows(*map(cell_status, maps))
    names = place_names(average["role"].values.tolist(), rows)
    figure = _panels(average, panels, shape, rows.height)
    for index, ((name, _), panel) in enumerate(zip(panels, maps, strict=True)):
        place = {"row": index // shape[1] + 1, "col": index % shape[1] + 1}
        drawn = panel.isel(role=rows.first)
        layers, status = drawn["layer"].values, cell_status(drawn)
        add_cells(
            figure,
            layers,
            drawn["mean"].values,
            status,
            hover_texts(name, drawn, names, status),
            place=place,
            rows=rows,
        )
        last_of_column = index + shape[1] >= len(panels)
        figure.update_xaxes(**layer_ticks(layers) | ({} if last_of_column else {"title_text": ""}), **place)
        figure.update_yaxes(**rows.ticks(names), **place)
    scale = averages_scale(average, *(panel["mean"].values for panel in maps))
    figure.update_layout(coloraxis=scale.axis(colour_words(average, average.attrs["quantity"])))
    windows = "; ".join(f"{html.escape(name)}: {window_words(average, name)}" for name in components)
    subtitle = (
        f"{quantity_words(average, average.attrs['quantity'], metric)} · {patching_words(average)} · "
        f"{site_words(average)} · "
        f"mean over facts · {windows}{f' · {scale.line}' if scale.line else ''}"
    )
    height = 130 + round(shape[0] * (ROW_PIXELS * rows.height + 62))
    apply_look(figure, TITLES[act_of(average)][average.attrs["direction"] == "noising"], subtitle, height=height)
    figure.update_annotations(font={"size": 13, "color": INK}, xanchor="center")
    return name_marks(figure)


def place_names(roles: list[str], rows: Rows) -> list[str]:
    """The labels of the places, escaped; of several roles the first and the last."""
    named = [html.escape(role) for role in roles]
    return [
        named[places[0]] if len(places) == 1 else f"{named[places[0]]} … {named[places[-1]]}" for places in rows.members
    ]


def _panels(average: xr.Dataset, panels: list[tuple[str, int]], shape: tuple[int, int], rows_high: float) -> go.Figure:
    kinds = average["modality"].values
    counts = [int(average["n_facts"].isel(group=group).max()) for group in range(len(kinds))]
    return make_subplots(
        *shape,
        shared_yaxes=shape[1] > 1,
        horizontal_spacing=0.04,
        vertical_spacing=min(0.25, 56 / ((ROW_PIXELS * rows_high + 62) * shape[0])),
        subplot_titles=[
            f"<b>{kinds[group]}</b> · {html.escape(name)} · n = {several(counts[group], 'fact')}"
            for name, group in panels
        ],
    )


def hover_texts(component: str, panel: xr.Dataset, names: list[str], status: Any) -> list[list[str]]:
    layers = [int(layer) for layer in panel["layer"].values]
    columns = [*(panel[name].values for name in ("mean", "low", "high", "n_facts")), status]
    texts = []
    for place, role in enumerate(names):
        cells = zip(layers, *(column[place] for column in columns), strict=True)
        texts.append(
            [
                f"{role}, layer {layer}{window_hover(panel, component, layer)}<br>"
                f"mean {cell_words(mean, code, low, high)}<br>n = {several(int(n), 'fact')}"
                for layer, mean, low, high, n, code in cells
            ]
        )
    return texts
