"""Drawing one heat map of cells: colour for the value, and a mark for each way in which a cell was not run.

A ring: *exact*, the patch provably changes nothing. A slash: *screened out*, it could have been run. Plain grey without
a mark: *absent*, there is no such place. The legend names those that occur, and hovering tells them too.

Axes: rows from top to bottom (tokens, words or roles; `spiritlens.report.figures.rows`), columns are layers.
"""

from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from spiritlens.effects.schema import Status, window_of
from spiritlens.report.figures.look import INK, NOT_RUN, QUIET, legend_below
from spiritlens.report.figures.rows import Rows, every_row
from spiritlens.report.numerals import interval_of
from spiritlens.report.words import STATUS_WORDS

MARKS = {
    Status.EXACT: {"symbol": "circle-open", "size": 4, "color": QUIET, "line": {"width": 1, "color": QUIET}},
    Status.SCREENED: {"symbol": "line-ne-open", "size": 9, "color": QUIET, "line": {"width": 1, "color": QUIET}},
    Status.ABSENT: {"symbol": "square", "size": 10, "color": NOT_RUN, "line": {"width": 1, "color": QUIET}},
}


def add_cells(
    figure: go.Figure,
    layers: Any,
    values: Any,
    status: Any,
    hover: Any,
    *,
    coloraxis: str = "coloraxis",
    place: dict[str, int],
    rows: Rows | None = None,
) -> None:
    """Add the map `values` [place layer], with `status` and `hover` of the same shape, to the panel at `place`; `rows`
    are its places (None: as many rows)."""
    rows = every_row(len(values)) if rows is None else rows
    edges = any(rows.thin)  # plotly takes the middles of its cells, or their edges
    figure.add_trace(
        go.Heatmap(
            **{"x": layers, "y": rows.edges if edges else rows.centres, "z": values, "text": hover},
            coloraxis=coloraxis,
            hovertemplate="%{text}<extra></extra>",
            xgap=1,
            ygap=1,
        ),
        **place,
    )
    for code, marker in MARKS.items():
        where = np.nonzero(np.asarray(status) == code)
        if len(where[0]):
            drawn = code != Status.ABSENT
            x, y = np.asarray(layers)[where[1]], np.asarray(rows.centres)[where[0]]
            marks = go.Scatter(
                **{"x": x if drawn else [None], "y": y if drawn else [None], "mode": "markers", "marker": marker},
                **{"name": mark_name(code), "legendgroup": mark_name(code), "hoverinfo": "skip"},
            )
            figure.add_trace(marks, **place)
    figure.update_layout(plot_bgcolor=NOT_RUN)
    figure.update_xaxes(showgrid=False, **place)


def mark_name(status: Status) -> str:
    """What the legend calls a mark."""
    return STATUS_WORDS[status].replace(":", ",")


def name_marks(figure: go.Figure) -> go.Figure:
    """One entry of the legend for each mark, below the maps; the figure grows by its line."""
    named: set[str] = set()
    for trace in figure.data:
        if trace.type == "scatter" and trace.name in map(mark_name, MARKS):
            trace.showlegend = trace.name not in named
            named.add(trace.name)
    if named:
        legend_below(figure).update_layout(legend={"itemclick": False, "itemdoubleclick": False})
    return figure


def mark_rows(figure: go.Figure, marked: list[bool], rows: Rows | None = None) -> None:
    """A dark bar at the left of the marked places (the subject's)."""
    edges = (every_row(len(marked)) if rows is None else rows).edges
    line = {"color": INK, "width": 5}
    for place in np.nonzero(np.asarray(marked))[0]:
        ends = {"y0": edges[place], "y1": edges[place + 1]}
        figure.add_shape(type="line", xref="paper", yref="y", x0=-0.008, x1=-0.008, line=line, name="subject", **ends)


def window_hover(effects: xr.Dataset, component: str, layer: int) -> str:
    """The layers that a cell's window patched, where there is more than one."""
    first, last = window_of(effects, component, layer)
    return f" (layers {first}–{last} patched together)" if last > first else ""


def cell_words(value: float, status: int, low: float = np.nan, high: float = np.nan) -> str:
    """A cell's value with its interval where there is one; where it was not run, why."""
    if status == Status.MEASURED:
        return interval_of(value, low, high)
    words = STATUS_WORDS[Status(int(status))]
    return f"{interval_of(value, low, high)} ({words})" if status == Status.EXACT else words
