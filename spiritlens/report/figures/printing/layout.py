"""A figure laid out for print: without its title, which is for the caption, with fonts of 7 and 8 pt that fit.

1. **Rows.** Each row of panels gets a height in pixels: a map as much as its names need, curves and bars a fixed one.
2. **Above and below** each row: titles of its panels, broken into lines, and the labels and titles of its axes.
3. **Labels** are cut, thinned out or turned (`ticks`, `notes`).
4. **Legend** at the top in columns as wide as its longest name; colour bars beside the rows that they belong to.

Positions in plotly are shares of the plotting area, which its axes' labels shrink; sizes of texts are estimates that
are rather too large (`text_sizes`). A test measures in a browser that no text leaves a figure or meets another.
"""

from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from spiritlens.report.figures.printing.notes import fit_cells, fit_notes
from spiritlens.report.figures.printing.panels import Panel, panels_of, rows_of
from spiritlens.report.figures.printing.text_sizes import (
    LINE_HEIGHT,
    SMALL,
    TEXT,
    height_of,
    shortened,
    width_of,
    wrapped,
)
from spiritlens.report.figures.printing.ticks import LABELS, fit_columns, fit_rows, lines_upwards

HIGHEST = 840.0
"""Pixels: what fits on a page of letter paper with a caption."""
CURVES = 110.0
"""Pixels of a panel of curves, points or bars."""
BAND = 34.0
"""Pixels of a panel without numbers upwards, such as the words of speech."""
MARK = 0.72
"""Marks and lines, of their size on a screen."""
EDGE = 4.0
"""Pixels that stay free around everything."""
TURNED = 110.0
"""Pixels that a turned title may be long."""
BAR = 46.0
"""Pixels that a colour bar takes with its numbers."""
PADDING = 16.0
"""Pixels that plotly leaves above and below the text of a table's cell."""
ENTRY = 40.0
"""Pixels of a legend's sign, before its name."""


@dataclass(frozen=True)
class RowPlace:
    """Pixels of a row of panels: above it (titles), of itself, below it (labels of its axes)."""

    above: float
    own: float
    below: float


def laid_out(figure: go.Figure, width: int) -> go.Figure:
    """The figure at this width (pixels), with a height of its own."""
    figure = go.Figure(figure).update_layout(width=width)
    _plain(figure)
    panels = panels_of(figure)
    if not panels:
        _fit_legend(figure, width, width)
        return _fit_table(figure, width)
    rows = rows_of(panels)
    room = _room_across(figure, panels, width)
    legend = _fit_legend(figure, width, room)
    notes: list[Any] = []
    places = _within_a_page([_fit_row(row, room) for row in rows], HIGHEST - legend)
    total = sum(one.above + one.own + one.below for one in places)
    top = 1.0
    for row, place in zip(rows, places, strict=True):
        upper = top - place.above / total
        lower = upper - place.own / total
        notes += _place_row(figure, row, (lower, upper), place.own, room)
        _place_bars(figure, row, (lower, upper), place)
        top = lower - place.below / total
    figure.layout.annotations = notes
    figure.update_layout(height=round(total + legend + 2 * EDGE))
    return figure.update_layout(margin={"l": EDGE, "r": EDGE, "t": legend + EDGE, "b": EDGE, "pad": 0})


def _plain(figure: go.Figure) -> None:
    """No title, small fonts, thin lines and small marks; everything white behind."""
    figure.update_layout(title=None, font={"size": SMALL}, paper_bgcolor="white", hovermode=False)
    for axes in (figure.update_xaxes, figure.update_yaxes):
        axes(tickfont={"size": SMALL}, title={"standoff": 4, "font": {"size": TEXT}}, ticklabelstandoff=3)
    for trace in figure.data:
        for part in ("marker", "line"):
            held = getattr(trace, part, None)
            for name in ("size", "width"):
                size = getattr(held, name, None)
                if isinstance(size, (int, float)):
                    setattr(held, name, MARK * size)
        if getattr(trace, "showscale", None) is not False and getattr(trace, "colorbar", None) is not None:
            trace.colorbar.update(_bar_look())
    for shape in figure.layout.shapes:
        shape.line.width = MARK * (shape.line.width or 2)


def _bar_look() -> dict[str, Any]:
    return {
        "thickness": 8,
        "tickfont": {"size": SMALL},
        "title": {"font": {"size": SMALL}},
        "xpad": 4,
        "ypad": 0,
        "nticks": 5,
    }


# ---- legend, tables --------------------------------------------------------------------------------------------------


def _fit_legend(figure: go.Figure, width: int, room: float) -> float:
    """The legend in columns at the top, as wide as the panels (plotly breaks its lines there); pixels that it takes."""
    names = [str(trace.name) for trace in figure.data if _in_legend(trace)]
    if not names:
        figure.update_layout(showlegend=False)
        return 0.0
    entry = min(max(width_of(name, SMALL) for name in names) + 4, width - ENTRY - 2 * EDGE)
    columns = max(1, int(min(room, width - 2 * EDGE) // (entry + ENTRY)))
    for trace in figure.data:
        if _in_legend(trace):
            trace.update(name=shortened(str(trace.name), SMALL, entry), legendgroup=None)  # a group begins a line
    look = {"orientation": "h", "x": 0, "xref": "container", "xanchor": "left", "y": 1, "yref": "container"}
    font = {"font": {"size": SMALL}, "entrywidth": entry, "entrywidthmode": "pixels", "itemsizing": "trace"}
    figure.update_layout(legend={**look, **font, "yanchor": "top", "tracegroupgap": 0})
    return -(-len(names) // columns) * 1.9 * SMALL + EDGE


def _in_legend(trace: Any) -> bool:
    return bool(trace.name) and trace.type != "table" and getattr(trace, "showlegend", None) is not False


def _fit_table(figure: go.Figure, width: int) -> go.Figure:
    """A table with as many lines in its rows as its longest cells need."""
    height = 2 * EDGE
    for table in figure.data:
        columns = table.cells["values"]
        room = (width - 2 * EDGE) / len(columns) - 12
        line = LINE_HEIGHT * SMALL
        for part, cells in ((table.header, [[one] for one in table.header["values"]]), (table.cells, columns)):
            texts = [[wrapped(str(cell), SMALL, room) for cell in column] for column in cells]
            lines = max(text.count("<br>") + 1 for column in texts for text in column)
            part.update(font={"size": SMALL}, height=lines * line + PADDING)
            part["values"] = [column[0] if part is table.header else column for column in texts]
            height += (lines * line + PADDING) * len(cells[0])
    figure.update_layout(height=round(height))
    return figure.update_layout(margin={"l": EDGE, "r": EDGE, "t": EDGE, "b": EDGE})


# ---- rows of panels --------------------------------------------------------------------------------------------------


def _room_across(figure: go.Figure, panels: tuple[Panel, ...], width: int) -> float:
    """Pixels of the plotting area: without names of rows at its left and colour bars, titled, at its right."""
    bars = any(trace.type == "heatmap" for panel in panels for trace in panel.traces)
    names = [str(text) for panel in panels if panel.y.ticktext is not None for text in panel.y.ticktext]
    labels = max((width_of(name, SMALL) for name in names), default=4 * SMALL)
    title = any(panel.y.title.text for panel in panels)
    left = min(labels, LABELS * width) + 8 + (LINE_HEIGHT * TEXT + 6 if title else 0)
    return width - 2 * EDGE - left - (BAR + 2 * LINE_HEIGHT * SMALL if bars else 0)


def _fit_row(row: tuple[Panel, ...], room: float) -> RowPlace:
    """The titles and labels of a row fitted to their room; the pixels that it takes."""
    own = max(_height(panel) for panel in row)
    labels = titles = 0.0
    above = _fit_titles(row, room)
    for panel in row:
        across = (panel.across[1] - panel.across[0]) * room
        shown = panel.x.showticklabels is not False
        labels = max(labels, fit_columns(panel, across) + 4 if shown else 4.0)
        if panel.x.title.text:
            panel.x.title.text = wrapped(panel.x.title.text, TEXT, across)
            titles = max(titles, height_of(panel.x.title.text, TEXT) + 4)
    return RowPlace(max(above, 4.0), own, labels + titles + 4)


def _fit_titles(row: tuple[Panel, ...], room: float) -> float:
    """The titles over the panels of a row, in lines; all of them turned where a word is wider than its panel."""
    titles = [(panel.title, (panel.across[1] - panel.across[0]) * room) for panel in row if panel.title is not None]
    lines = [wrapped(title.text, TEXT, across) for title, across in titles]
    turned = any(width_of(text, TEXT) > across for text, (_, across) in zip(lines, titles, strict=True))
    above = 0.0
    for (title, _), text in zip(titles, lines, strict=True):
        if turned:
            cut = [shortened(line, TEXT, TURNED) for line in title.text.split("<br>")]
            title.update(text="<br>".join(cut), textangle=-90)
        else:
            title.update(text=text)
        title.update(font={"size": TEXT})
        above = max(above, (width_of if turned else height_of)(title.text, TEXT) + 4)
    return above


def _height(panel: Panel) -> float:
    """Pixels upwards: a map's rows, or as much as the title of curves takes."""
    maps = [trace for trace in panel.traces if trace.type == "heatmap"]
    if maps:
        n_rows = len(maps[0].z)
        named = panel.y.showticklabels is not False
        return max(40.0, lines_upwards(panel, n_rows) * LINE_HEIGHT * SMALL if named else 6 * n_rows)
    if panel.y.showticklabels is False and panel.y.title.text:
        return max(BAND, width_of(panel.y.title.text, TEXT) + 4)
    return CURVES


def _within_a_page(places: list[RowPlace], most: float) -> list[RowPlace]:
    """The rows, lower where all of them would be higher than a page."""
    fixed = sum(one.above + one.below for one in places)
    share = min(1.0, max(0.2, (most - fixed) / sum(one.own for one in places)))
    return [RowPlace(one.above, share * one.own, one.below) for one in places]


def _place_row(
    figure: go.Figure, row: tuple[Panel, ...], up: tuple[float, float], height: float, room: float
) -> list[Any]:
    """The axes of a row between these heights; its titles and the notes among its data."""
    notes = []
    for panel in row:
        across = (panel.across[1] - panel.across[0]) * room
        panel.y.domain = list(up)
        if panel.y.showticklabels is not False:
            fit_rows(panel, float(figure.layout.width), height)
        if panel.y.title.text:
            panel.y.title.text = wrapped(panel.y.title.text, TEXT, height)
        fit_cells(panel, across)
        notes += fit_notes(figure, panel, across, height, panel.title)
        if panel.title is not None:
            panel.title.update(y=up[1], yanchor="bottom", yshift=2)
            notes.append(panel.title)
    return notes


def _thin_ticks(bar: Any, most: int) -> None:
    """So many ticks of a bar that names them, the middle one (0) among those that stay."""
    if bar.tickvals is None or len(bar.tickvals) <= most:
        return
    middle, step = len(bar.tickvals) // 2, -(-len(bar.tickvals) // most)
    stay = range(middle % step, len(bar.tickvals), step)
    bar.update(tickvals=[bar.tickvals[place] for place in stay], ticktext=[bar.ticktext[place] for place in stay])


def _place_bars(figure: go.Figure, row: tuple[Panel, ...], up: tuple[float, float], place: RowPlace) -> None:
    """The colour bars of a row, as high as it is, once for each scale."""
    for panel in row:
        for trace in panel.traces:
            if trace.type != "heatmap":
                continue
            axis = figure.layout[trace.coloraxis] if trace.coloraxis else trace
            ends = {"len": up[1] - up[0], "y": sum(up) / 2, "yanchor": "middle", "lenmode": "fraction"}
            ticks = max(2, int(place.own // (3 * SMALL)))
            axis.colorbar.update(**{**_bar_look(), "nticks": ticks}, **ends)
            _thin_ticks(axis.colorbar, ticks)
            if axis.colorbar.title.text:
                axis.colorbar.title.update(side="right", text=wrapped(axis.colorbar.title.text, SMALL, place.own))
