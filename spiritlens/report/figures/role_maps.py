"""Average maps by role × layer, the modalities side by side on one colour scale per component.

Facts weigh equally (see `spiritlens.effects.averages`). Hovering tells the mean, its interval and the number of
facts.
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
from spiritlens.report.figures.chosen import chosen, chosen_components, without_heads
from spiritlens.report.figures.heatmap import (
    add_cells,
    cell_words,
    colour_axis,
    colour_axis_name,
    colour_limit,
    row_ticks,
    window_hover,
)
from spiritlens.report.figures.look import INK, Arrangement, apply_look, layer_ticks
from spiritlens.report.words import patching_words, quantity_words, site_words, window_words
from spiritlens.terms import Facts

ROW_PIXELS = 30


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
    figure = _panels(average, panels, shape)
    for index, (name, group) in enumerate(panels):
        place = {"row": index // shape[1] + 1, "col": index % shape[1] + 1}
        panel = average.sel(component=name).isel(group=group).transpose("role", "layer", ...)
        status = cell_status(panel)
        axis = colour_axis_name(components.index(name))
        hover = _hover(name, panel, status)
        add_cells(figure, panel["layer"].values, panel["mean"].values, status, hover, coloraxis=axis, place=place)
        last_of_column = index + shape[1] >= len(panels)
        ticks = {**layer_ticks(panel["layer"].values), **({} if last_of_column else {"title_text": ""})}
        figure.update_xaxes(**ticks, **place)
        figure.update_yaxes(**row_ticks([html.escape(role) for role in panel["role"].values.tolist()]), **place)
    _colour_axes(figure, average, components, shape[0])
    windows = "; ".join(f"{html.escape(name)}: {window_words(average, name)}" for name in components)
    direction = average.attrs["direction"]
    verb = "corrupting loses the answer" if direction == "noising" else "restoring brings the answer back"
    subtitle = (
        f"{quantity_words(average, average.attrs['quantity'], metric)} · {patching_words(average)} · "
        f"{site_words(average)} · "
        f"mean over facts · {windows}"
    )
    apply_look(figure, f"Where {verb}", subtitle, height=130 + shape[0] * (ROW_PIXELS * average.sizes["role"] + 62))
    figure.update_annotations(font={"size": 13, "color": INK}, xanchor="center")
    return figure


def _panels(average: xr.Dataset, panels: list[tuple[str, int]], shape: tuple[int, int]) -> go.Figure:
    kinds = average["modality"].values
    counts = [int(average["n_facts"].isel(group=group).max()) for group in range(len(kinds))]
    return make_subplots(
        *shape,
        shared_yaxes=shape[1] > 1,
        horizontal_spacing=0.04,
        vertical_spacing=min(0.25, 56 / ((ROW_PIXELS * average.sizes["role"] + 62) * shape[0])),
        subplot_titles=[
            f"<b>{kinds[group]}</b> · {html.escape(name)} · n = {counts[group]} facts" for name, group in panels
        ],
    )


def _hover(component: str, panel: xr.Dataset, status: Any) -> list[list[str]]:
    layers = [int(layer) for layer in panel["layer"].values]
    columns = [*(panel[name].values for name in ("mean", "low", "high", "n_facts")), status]
    texts = []
    for place, role in enumerate(panel["role"].values):
        cells = zip(layers, *(column[place] for column in columns), strict=True)
        texts.append(
            [
                f"{html.escape(str(role))}, layer {layer}{window_hover(panel, component, layer)}<br>"
                f"mean {cell_words(mean, code, low, high)}<br>n = {int(n)} facts"
                for layer, mean, low, high, n, code in cells
            ]
        )
    return texts


def _colour_axes(figure: go.Figure, average: xr.Dataset, components: list[str], n_rows: int) -> None:
    """One symmetric scale per component, its bar beside that component's rows."""
    for index, name in enumerate(components):
        rows = [row for row in range(n_rows) if row * len(components) // n_rows == index]
        domains = [figure.get_subplot(row + 1, 1).yaxis.domain for row in rows]
        low, high = min(domain[0] for domain in domains), max(domain[1] for domain in domains)
        bar = {"len": high - low, "y": (low + high) / 2, "yanchor": "middle"}
        limit = colour_limit(average.sel(component=name)["mean"].values)
        figure.update_layout({colour_axis_name(index): colour_axis(limit, **bar)})
