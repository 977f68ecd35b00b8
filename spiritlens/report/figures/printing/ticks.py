"""Labels of ticks that fit: cut where they are long, left out where they would stand on each other.

Names of rows are cut to a share of the figure's width; along an axis every second, third … label is kept, as many as
have room; names across, which may be long, are turned where they do not fit.
"""

from typing import Any

import numpy as np

from spiritlens.report.figures.printing.panels import Panel
from spiritlens.report.figures.printing.text_sizes import LINE_HEIGHT, SMALL, shortened, width_of

GAP = 5.0
"""Pixels between neighbouring labels."""
LABELS = 0.3
"""Largest share of the figure's width that names of rows may take."""


def fit_rows(panel: Panel, width: float, height: float) -> None:
    """Names upwards: each cut to its room, and as many as fit the height."""
    axis = panel.y
    if axis.ticktext is None or axis.tickvals is None:
        axis.nticks = max(2, int(height // (2 * LINE_HEIGHT * SMALL)))
        return
    names = [shortened(str(text), SMALL, LABELS * width) for text in axis.ticktext]
    step = _step(axis.tickvals, _extent(axis, panel, "y"), height, LINE_HEIGHT * SMALL)
    axis.update(tickmode="array", tickvals=list(axis.tickvals)[::step], ticktext=names[::step])


def fit_columns(panel: Panel, width: float) -> float:
    """Labels across: as many numbers as fit the width, names turned where they do not; pixels that they take."""
    axis = panel.x
    if axis.tickvals is None:
        axis.update(nticks=max(2, int(width // 40)), dtick=None)
        return LINE_HEIGHT * SMALL
    places = list(axis.tickvals)
    names = [str(text) for text in (places if axis.ticktext is None else axis.ticktext)]
    widest = max((width_of(name, SMALL) for name in names), default=0.0) + GAP
    numeric = all(name.lstrip("−-").replace(".", "", 1).isdigit() for name in names)
    extent = _extent(axis, panel, "x")
    step = _step(places, extent, width, widest)
    if numeric or step == 1:
        axis.update(tickmode="array", tickvals=places[::step], ticktext=names[::step], tickangle=0)
        return LINE_HEIGHT * SMALL * max(1, *(name.count("<br>") + 1 for name in names))
    flat = [shortened(name.replace("<br>", " · "), SMALL, LABELS * 321) for name in names]
    step = _step(places, extent, width, LINE_HEIGHT * SMALL)
    axis.update(tickmode="array", tickvals=places[::step], ticktext=flat[::step], tickangle=-90)
    return max(width_of(name, SMALL) for name in flat)


def lines_upwards(panel: Panel, rows: int) -> float:
    """How many lines high a map of so many rows must be for the names of its rows, of which some may be thin."""
    places = panel.y.tickvals
    if places is None or len(places) < 2:
        return rows
    return max(rows, _extent(panel.y, panel, "y") / float(np.min(np.diff(sorted(map(float, places))))))


def _step(places: Any, extent: float, room: float, needed: float) -> int:
    """Every how many-th label has room, of labels at these places of an axis that covers `extent`."""
    values = [float(place) for place in places]
    if len(values) < 2 or extent <= 0:
        return 1
    apart = float(np.min(np.diff(sorted(values)))) / extent * room
    return max(1, int(np.ceil(needed / apart - 1e-6))) if apart > 0 else 1


def _extent(axis: Any, panel: Panel, name: str) -> float:
    """How much of its own unit an axis covers: by its range, else by what is drawn on it; of a logarithm in decades."""
    if axis.range is not None and None not in axis.range:
        return abs(float(axis.range[1]) - float(axis.range[0]))
    drawn = [getattr(trace, name) for trace in panel.traces if getattr(trace, name, None) is not None]
    values = np.concatenate([np.asarray(one, dtype=np.float64) for one in drawn]) if drawn else np.zeros(1)
    around = 1.0 if any(trace.type in ("heatmap", "bar") for trace in panel.traces) else 0.0
    return float(np.nanmax(values) - np.nanmin(values)) * (1.0 if around else 1.1) + around
