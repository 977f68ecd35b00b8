"""The numbers that a figure draws, as one tidy table: what is in the picture, and nothing else, to be used elsewhere.

A row is a cell of a map, a point of a curve, a bar, a box in time, or a row of a table. Columns:

``panel``
    title of the panel that it is drawn in (else of its axis upwards), as plain text
``series``
    name of the curve or bars, such as "T2T, written"
``x y``
    places on the axes, by the names that stand there where all have one
``end``
    where a box that begins at ``x`` ends, such as a spoken word (seconds)
``value``
    number that the colour of a map's cell stands for (the colour of `lens_map`: log₁₀ of the rank)
``low high``
    ends of an error bar, of the band around the curve of that name, or of a waveform's envelope
``text``
    what hovering says, as plain text

Columns that a figure does not use are left out. Numbers are those of the figure, unrounded; the count of a bar that is
drawn downwards is positive. Marks that stand for no number (rings, hatching) have no rows.
"""

import html
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from spiritlens.arguments import shown, told_keywords

COLUMNS = ("panel", "series", "x", "y", "end", "value", "low", "high", "text")
Row = dict[str, Any]


@told_keywords
def figure_numbers(figure: go.Figure) -> pd.DataFrame:
    """The numbers that a figure draws: `panel series x y end value low high text`, as far as used.

    `figure` is one of `sl.figures`; ``figure_numbers(figure).to_csv(path, index=False)`` writes them. Returns the
    frame. Raises ValueError for another value.
    """
    if not isinstance(figure, go.Figure):
        raise ValueError(
            f"figure={shown(figure, 40)} ({type(figure).__name__}): expected a plotly figure, such as "
            "sl.figures.role_maps(effects)"
        )
    tables = [trace for trace in figure.data if trace.type == "table"]
    if tables:
        return pd.concat([_of_table(table) for table in tables], ignore_index=True)
    panels, bands = _panels(figure), _bands(figure)
    rows: list[Row] = []
    for place, trace in enumerate(figure.data):
        if place in bands:
            rows += [{"panel": panels[_axes(trace)], **row} for row in bands[place]]
            continue
        about = {"panel": panels[_axes(trace)], "series": plain(trace.name or trace.legendgroup or "")}
        around = _band_around(figure, trace)
        rows += [{**about, **around.get(row["x"], {}), **row} for row in _rows(figure, trace)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame[[name for name in COLUMNS if ((frame[name] != "") & frame[name].notna()).any()]]


def plain(text: Any) -> str:
    """A text of a figure without its markup."""
    return html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"<br ?/?>", " · ", str(text)))).strip()


# ---- panels and axes -------------------------------------------------------------------------------------------------


def _axes(trace: Any) -> tuple[str, str]:
    return getattr(trace, "xaxis", None) or "x", getattr(trace, "yaxis", None) or "y"


def _axis(figure: go.Figure, name: str) -> Any:
    return figure.layout[f"{name[0]}axis{name[1:]}"]


def _panels(figure: go.Figure) -> dict[tuple[str, str], str]:
    """Axes -> the title above them, at the middle of their upper edge; else, of several panels, that of the axis."""
    every = {_axes(trace) for trace in figure.data}
    titles: dict[tuple[str, str], str] = {}
    for axes in every:
        across, up = (_axis(figure, name).domain or (0, 1) for name in axes)
        above = [
            plain(note.text)
            for note in figure.layout.annotations
            if note.xref == "paper"
            and abs(float(note.x) - (across[0] + across[1]) / 2) < 1e-6
            and abs(float(note.y) - up[1]) < 1e-6
        ]
        own = plain(_axis(figure, axes[1]).title.text or "") if len(every) > 1 else ""
        titles[axes] = above[0] if above else own
    return titles


def _named(places: Sequence[Any], axis: Any) -> list[Any]:
    """The names that stand at places of an axis, where each has one; spread points have that of their group."""
    values = [one.item() if isinstance(one, np.generic) else one for one in places]
    if axis.ticktext is None or axis.tickvals is None:
        return values
    names = dict(zip(axis.tickvals, (_read(plain(text)) for text in axis.ticktext), strict=True))
    if not all(isinstance(one, (int, float)) for one in values):
        return values
    if not all(one in names for one in values) and list(names) == list(range(len(names))):
        values = [int(np.floor(one + 0.5)) for one in values]
    return [names[one] for one in values] if all(one in names for one in values) else values


def _read(text: str) -> Any:
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return text


# ---- rows ------------------------------------------------------------------------------------------------------------


def _rows(figure: go.Figure, trace: Any) -> Iterator[Row]:
    across, up = (_axis(figure, name) for name in _axes(trace))
    if trace.type == "heatmap":
        yield from _of_map(trace, across, up)
    elif getattr(trace, "fill", None) == "toself":
        text = trace.text if trace.hoverinfo == "text" else ""
        yield {"x": float(min(trace.x)), "end": float(max(trace.x)), "text": plain(text)}
    elif not (trace.hoverinfo == "skip" and trace.mode == "markers"):  # rings and hatching
        yield from _of_points(trace, across, up)


def _of_map(trace: Any, across: Any, up: Any) -> Iterator[Row]:
    values = np.asarray(trace.z, dtype=np.float64)
    columns = _named(_middles(trace.x, values.shape[1]), across)
    rows = _named(_middles(trace.y, values.shape[0]), up)
    texts = trace.customdata if trace.customdata is not None else trace.text
    for place, value in np.ndenumerate(values):
        text = "" if texts is None else plain(texts[place[0]][place[1]])
        yield {"x": columns[place[1]], "y": rows[place[0]], "value": float(value), "text": text}


def _middles(places: Any, count: int) -> Sequence[Any]:
    """Where the cells of a map lie: it names their middles, their edges (one more), or nothing."""
    if places is None:
        return range(count)
    if len(places) == count:
        return list(places)
    return [(one + other) / 2 for one, other in pairwise(places)]


def _of_points(trace: Any, across: Any, up: Any) -> Iterator[Row]:
    heights = trace.customdata if trace.type == "bar" and trace.customdata is not None else trace.y
    upwards = _named(heights, up) if trace.type != "bar" else [_read(str(one)) for one in heights]
    texts = getattr(trace, "text", None)
    ends = _ends(trace)
    for place, (x, y) in enumerate(zip(_named(trace.x, across), upwards, strict=True)):
        text = "" if texts is None else plain(texts if isinstance(texts, str) else texts[place])
        yield {"x": x, "y": y, "text": text, **({} if ends is None else ends[place])}


def _ends(trace: Any) -> list[dict[str, float]] | None:
    """Lower and upper ends of the error bars; None where there are none."""
    for axis in "yx":
        bar, values = getattr(trace, f"error_{axis}", None), getattr(trace, axis)
        if bar is not None and bar.array is not None:
            down = bar.array if bar.arrayminus is None else bar.arrayminus
            each = zip(values, down, bar.array, strict=True)
            return [{"low": float(one) - float(less), "high": float(one) + float(more)} for one, less, more in each]
    return None


def _is_band(trace: Any) -> bool:
    """A closed outline that goes along an upper edge and back along a lower one, and says nothing by itself."""
    return getattr(trace, "fill", None) == "toself" and trace.hoverinfo == "skip"


def _band(trace: Any) -> list[Row]:
    half = len(trace.x) // 2
    upper, lower = trace.y[:half], list(trace.y[half:])[::-1]
    return [
        {"x": float(x), "low": min(float(a), float(b)), "high": max(float(a), float(b))}
        for x, a, b in zip(trace.x[:half], upper, lower, strict=True)
    ]


def _bands(figure: go.Figure) -> dict[int, list[Row]]:
    """Bands by their place among the traces; those around a curve have no rows of their own."""
    curves = {(_axes(one), one.legendgroup) for one in figure.data if not _is_band(one) and one.legendgroup}
    return {
        place: [] if (_axes(trace), trace.legendgroup) in curves else _band(trace)
        for place, trace in enumerate(figure.data)
        if _is_band(trace)
    }


def _band_around(figure: go.Figure, trace: Any) -> dict[Any, dict[str, float]]:
    """x -> the ends of the band around a curve."""
    if not getattr(trace, "legendgroup", None):
        return {}
    own = [
        one
        for one in figure.data
        if _is_band(one) and (_axes(one), one.legendgroup) == (_axes(trace), trace.legendgroup)
    ]
    return {row["x"]: {"low": row["low"], "high": row["high"]} for one in own for row in _band(one)}


def _of_table(table: Any) -> pd.DataFrame:
    columns = [plain(head[0] if isinstance(head, (list, tuple)) else head) for head in table.header["values"]]
    return pd.DataFrame(
        {name: [plain(cell) for cell in cells] for name, cells in zip(columns, table.cells["values"], strict=True)}
    )
