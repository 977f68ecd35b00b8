"""Drawing one heat map of cells: colour for the value, a ring for exact cells, hatched grey for cells not run.

Axes: rows from top to bottom (tokens, words or roles), columns are layers.
"""

from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from spiritlens.effects.schema import Status, window_of
from spiritlens.report.figures.look import DIVERGING, INK, NOT_RUN, QUIET
from spiritlens.report.words import bounds_words, number_words


def colour_limit(*maps: Any) -> float:
    """Half-width of the colour scale: the largest absolute value in the maps, or 1 where there is none."""
    largest = max((float(np.nanmax(np.abs(values))) for values in maps if not np.isnan(values).all()), default=0.0)
    return largest or 1.0


def colour_axis(limit: float, **bar: Any) -> dict[str, Any]:
    """A diverging scale symmetric about 0."""
    colour_bar = {"thickness": 12, "outlinewidth": 0, **bar}
    return {"colorscale": DIVERGING, "cmin": -limit, "cmax": limit, "colorbar": colour_bar}


def colour_axis_name(index: int) -> str:
    """Plotly's name of the colour axis with this index."""
    return "coloraxis" if index == 0 else f"coloraxis{index + 1}"


def add_cells(
    figure: go.Figure, layers: Any, values: Any, status: Any, hover: Any, *, coloraxis: str, place: dict[str, int]
) -> None:
    """Add the map `values` [row layer], with `status` and `hover` of the same shape, to the panel at `place`."""
    rows = np.arange(len(values))
    figure.add_trace(
        go.Heatmap(
            **{"x": layers, "y": rows, "z": values, "text": hover, "coloraxis": coloraxis},
            hovertemplate="%{text}<extra></extra>",
            xgap=1,
            ygap=1,
        ),
        **place,
    )
    for flags, symbol, size, name in (
        (status == Status.EXACT, "circle-open", 4, "exact, not run"),
        (status >= Status.SCREENED, "line-ne-open", 9, "not run"),
    ):
        where = np.nonzero(flags)
        if len(where[0]):
            marker = {"symbol": symbol, "size": size, "color": QUIET, "line": {"width": 1, "color": QUIET}}
            x, y = np.asarray(layers)[where[1]], rows[where[0]]
            rings = go.Scatter(x=x, y=y, mode="markers", marker=marker, name=name, hoverinfo="skip", showlegend=False)
            figure.add_trace(rings, **place)
    figure.update_layout(plot_bgcolor=NOT_RUN)
    figure.update_xaxes(showgrid=False, **place)


def row_ticks(labels: list[str], *, kept: list[int] | None = None) -> dict[str, Any]:
    """Axis settings for row labels from top to bottom; `kept`: the rows that are labelled (by default all)."""
    places = list(range(len(labels))) if kept is None else kept
    return {
        **{"tickmode": "array", "tickvals": places, "ticktext": [labels[place] for place in places]},
        **{"range": [len(labels) - 0.5, -0.5], "showgrid": False, "zeroline": False, "ticklabelstandoff": 12},
    }


def mark_rows(figure: go.Figure, marked: list[bool]) -> None:
    """A dark bar at the left of the marked rows (the subject's)."""
    line = {"color": INK, "width": 5}
    for place in np.nonzero(np.asarray(marked))[0]:
        ends = {"y0": place - 0.5, "y1": place + 0.5}
        figure.add_shape(type="line", xref="paper", yref="y", x0=-0.008, x1=-0.008, line=line, name="subject", **ends)


def window_hover(effects: xr.Dataset, component: str, layer: int) -> str:
    """The layers that a cell's window patched, where there is more than one."""
    first, last = window_of(effects, component, layer)
    return f" (layers {first}–{last} patched together)" if last > first else ""


def cell_words(value: float, status: int, low: float = np.nan, high: float = np.nan) -> str:
    """A cell's value with its interval where there is one; that it was not run where it is screened or absent."""
    return "not run" if status >= Status.SCREENED else f"{number_words(value)}{bounds_words(low, high)}"
