"""How figures look: colours and marks of the modalities, fonts, scales and ticks, the same in all figures."""

from collections.abc import Sequence
from typing import Any, Literal

import plotly.graph_objects as go

Arrangement = Literal["side by side", "stacked"]
"""side by side: one column per modality, one row per component; stacked: one below the other, for narrow screens."""


MODALITY_COLOURS = {"T2T": "#0072B2", "S2T": "#D55E00", "mixed": "#009E73"}


MODALITY_DASHES = {"T2T": "solid", "S2T": "dash", "mixed": "dot"}


MODALITY_SYMBOLS = {"T2T": "circle", "S2T": "diamond", "mixed": "square"}


DIVERGING = [[0.0, "#2166AC"], [0.25, "#92C5DE"], [0.5, "#FFFFFF"], [0.75, "#F4A582"], [1.0, "#B2182B"]]


NOT_RUN = "#E3E5E8"


FONT = "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


LINE = 110


INK = "#22303C"


QUIET = "#5B6770"


LEGEND_PIXELS = 24
TITLE_LINE_PIXELS = 18


FIGURE_SPACE = "\u2007"


def apply_look(figure: go.Figure, title: str, subtitle: str, *, height: int) -> go.Figure:
    """The common look: quiet axes, readable fonts, title and subtitle at the left.

    The subtitle breaks at its dots where it would be wider than a page; `height` grows with its lines.
    """
    lines = _lines(subtitle)
    height += 16 * (len(lines) - 1)
    figure.update_layout(
        template="plotly_white",
        title={
            **{"text": f"{title}<br><sup>{'<br>'.join(lines)}</sup>", "font": {"size": 16, "color": INK}},
            **{"x": 0, "xref": "container", "xanchor": "left", "pad": {"l": 10}},
            **{"y": 1 - 18 / height, "yref": "container", "yanchor": "top"},
        },
        font={"family": FONT, "size": 13, "color": INK},
        height=height,
        margin={"l": 10, "r": 10, "t": 82 + 16 * len(lines), "b": 50},
        hoverlabel={"align": "left", "font": {"size": 13}},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
    )
    axes = {"automargin": True, "title_standoff": 8, "title_font": {"size": 13}, "exponentformat": "power"}
    figure.update_xaxes(**axes)
    figure.update_yaxes(**axes)
    return figure


def legend_above(figure: go.Figure, pixels: int) -> go.Figure:
    """The legend so many pixels above the panels, where these have titles of their own."""
    inside = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    return figure.update_layout(legend={"y": 1 + pixels / inside})


def legend_below(figure: go.Figure, lines: int = 1) -> go.Figure:
    """The legend below everything else, where panels have titles; the figure grows by its lines."""
    below = {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0}
    figure.update_layout(legend=below)
    figure.layout.margin.b += LEGEND_PIXELS * lines
    figure.layout.height += LEGEND_PIXELS * lines
    return figure


def two_line_titles(figure: go.Figure) -> go.Figure:
    """Room above the panels for the second line of their titles."""
    figure.layout.margin.t += TITLE_LINE_PIXELS
    figure.layout.height += TITLE_LINE_PIXELS
    return figure.update_annotations(font={"size": 13, "color": INK})


def _lines(subtitle: str) -> list[str]:
    """The subtitle in lines of at most LINE letters, broken at its dots."""
    lines = [""]
    for piece in subtitle.split(" · "):
        longer = f"{lines[-1]} · {piece}" if lines[-1] else piece
        lines = [*lines[:-1], longer] if len(longer) <= LINE else [*lines, piece]
    return [line for line in lines if line]


def equally_wide(labels: Sequence[str]) -> list[str]:
    """Labels of a colour bar, filled up to the longest with blanks as wide as a digit: plotly moves the bar's title
    past labels that it would meet only, and would set it between them."""
    longest = max((len(label) for label in labels), default=0)
    return [label.ljust(longest, FIGURE_SPACE) for label in labels]


def layer_ticks(layers: Any, about: int = 12) -> dict[str, Any]:
    """Settings of a layer axis: `about` so many whole numbers, the first and the last among them, and a range that ends
    half a layer beyond either, so that maps of the same layers line up and none has a column that is not there."""
    values = [int(layer) for layer in layers]
    step = max(1, -(-len(values) // about))
    shown = [place for place in range(0, len(values), step) if len(values) - 1 - place >= (step + 1) // 2]
    return {
        **{"tickmode": "array", "tickvals": [values[place] for place in (*shown, len(values) - 1)]},
        **{"title_text": "layer", "zeroline": False, "range": layer_range(values)},
    }


def layer_range(layers: Sequence[int]) -> tuple[float, float]:
    """From the outer edge of the first column of a map to that of the last; the edges lie halfway between layers."""
    first, last = (layers[1] - layers[0], layers[-1] - layers[-2]) if len(layers) > 1 else (1, 1)
    return layers[0] - first / 2, layers[-1] + last / 2
