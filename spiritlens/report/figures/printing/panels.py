"""Where the panels of a figure stand: rows and columns of axes, their titles, and heights in pixels.

A *panel* is a pair of axes that traces are drawn on. Panels whose axes cover the same heights are a *row*. The title of
a panel is the annotation above the middle of it, as `plotly.subplots` places it.
"""

from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

CLOSE = 1e-6


@dataclass(frozen=True)
class Panel:
    """A pair of axes with what is drawn on it; `title` is its annotation, where it has one."""

    x: Any
    y: Any
    traces: tuple[Any, ...]
    title: Any

    @property
    def across(self) -> tuple[float, float]:
        """Left and right end, as shares of the figure's plotting area."""
        return _domain(self.x)

    @property
    def up(self) -> tuple[float, float]:
        """Lower and upper end, as shares of the figure's plotting area."""
        return _domain(self.y)


def panels_of(figure: go.Figure) -> tuple[Panel, ...]:
    """The panels, from the upper left to the lower right; none in a figure without axes."""
    traces: dict[tuple[str, str], list[Any]] = {}
    for trace in figure.data:
        if trace.type != "table":
            traces.setdefault((trace.xaxis or "x", trace.yaxis or "y"), []).append(trace)
    found = []
    for names, drawn in traces.items():
        x, y = (figure.layout[f"{name[0]}axis{name[1:]}"] for name in names)
        across, top = _domain(x), _domain(y)[1]
        titles = [
            note
            for note in figure.layout.annotations
            if note.xref == "paper"
            and note.yref == "paper"
            and abs(note.x - sum(across) / 2) < CLOSE
            and abs(note.y - top) < CLOSE
        ]
        found.append(Panel(x, y, tuple(drawn), titles[0] if titles else None))
    return tuple(sorted(found, key=lambda panel: (-panel.up[1], panel.across[0])))


def rows_of(panels: tuple[Panel, ...]) -> list[tuple[Panel, ...]]:
    """Panels that stand side by side, from the top."""
    rows: list[list[Panel]] = []
    for panel in panels:
        if rows and abs(rows[-1][0].up[0] - panel.up[0]) < CLOSE:
            rows[-1].append(panel)
        else:
            rows.append([panel])
    return [tuple(row) for row in rows]


def _domain(axis: Any) -> tuple[float, float]:
    low, high = axis.domain or (0.0, 1.0)
    return float(low), float(high)
