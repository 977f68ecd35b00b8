"""Notes that stand among the data (words and units of speech, texts in cells): those that fit, at the size of print.

A note is set across where it has room, turned where it has room only so, and left out where it would stand on one that
is there already. Texts in the cells of a map are cut to the cell, or left out where it holds fewer than three letters.
"""

from typing import Any

import plotly.graph_objects as go

from spiritlens.report.figures.printing.panels import Panel
from spiritlens.report.figures.printing.text_sizes import LINE_HEIGHT, SMALL, shortened, width_of

FEWEST_LETTERS = 3
AIR = 2.0
"""Pixels that stay free between notes."""


def fit_notes(figure: go.Figure, panel: Panel, width: float, height: float, title: Any) -> list[Any]:
    """The notes of a panel that fit, as plain annotations; `title` is the panel's, which is none of them."""
    names = (panel.traces[0].xaxis or "x", panel.traces[0].yaxis or "y")
    own = [
        note
        for note in figure.layout.annotations
        if (note.xref or "x", note.yref or "y") == names and note is not title
    ]
    if panel.x.range is None or panel.x.type == "log":
        return [note.update(font={"size": SMALL}) for note in own]
    low, high = (float(end) for end in panel.x.range)
    taken = -float("inf")
    kept = []
    for note in sorted(own, key=lambda one: float(one.x)):
        middle = (float(note.x) - low) / (high - low) * width
        room = 2 * min(middle - taken - AIR, width - middle)
        across, up = width_of(note.text, SMALL), LINE_HEIGHT * SMALL
        own_room = _box(panel, float(note.x)) / (high - low) * width
        flat = across <= min(room, max(own_room, 0.0)) and up <= height
        turned = up <= room and across <= height
        if flat or turned:
            note.update(font={"size": SMALL}, textangle=0 if flat else -90)
            taken = middle + (across if flat else up) / 2
            kept.append(note)
    return kept


def fit_cells(panel: Panel, width: float) -> None:
    """Texts in cells, cut to their cell."""
    for trace in panel.traces:
        if trace.type == "heatmap" and trace.texttemplate:
            room = width / len(trace.z[0]) - AIR
            if room < FEWEST_LETTERS * 0.63 * SMALL:
                trace.texttemplate = None
                continue
            texts = [[shortened(str(cell), SMALL, room) for cell in row] for row in trace.text]
            trace.update(text=texts, textfont={"size": SMALL})


def _box(panel: Panel, place: float) -> float:
    """How long the box around a place is, in units of the axis; 0 where there is none."""
    boxes = [trace for trace in panel.traces if trace.type == "scatter" and trace.fill == "toself"]
    ends = [(min(box.x), max(box.x)) for box in boxes]
    return max((float(end - start) for start, end in ends if start <= place <= end), default=0.0)
