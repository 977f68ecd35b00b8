"""The table as dots with intervals: a row for each variant, a panel for each number, the baseline as a line."""

import html
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spiritlens.comparison.estimates import Estimate
from spiritlens.comparison.map_changes import MapChange
from spiritlens.report.figures.look import MODALITY_COLOURS, MODALITY_SYMBOLS, QUIET, apply_look
from spiritlens.report.words import component_words
from spiritlens.studies.pairs import KINDS
from spiritlens.studies.sensitivity.variant_result import VariantResult
from spiritlens.studies.sensitivity.varied import Varied

BETWEEN_COLOUR = "#009E73"
APART = {"T2T": 0.17, "S2T": -0.17}
"""How far the dots of the modalities stand from the middle of their row."""
LEGEND_ABOVE = 22
"""Pixels between the panels and the legend, where the panels' titles stand."""
Arrangement = Literal["side by side", "stacked"]

Number = Callable[[MapChange], Estimate]
PANELS: tuple[tuple[str, Number | None], ...] = (
    ("r with the baseline", lambda change: change.agreement),
    ("total effect", lambda change: change.total),
    ("crossing (layer)", lambda change: change.crossing),
    ("r of T2T and S2T", None),
)
"""What the panels show: a number of each modality, or (None) the agreement between them."""


def sensitivity_dots(result: Varied, component: str, arrangement: Arrangement = "side by side") -> go.Figure:
    """The variants of one component, as dots with intervals in the panels of `PANELS`."""
    shown = [result.baseline, *(one for one in result.measured if any(name == component for _, name in one.changes))]
    stacked = arrangement == "stacked"
    figure = make_subplots(
        rows=len(PANELS) if stacked else 1,
        cols=1 if stacked else len(PANELS),
        subplot_titles=[words for words, _ in PANELS],
        shared_yaxes=not stacked,
        horizontal_spacing=0.02,
        vertical_spacing=0.03,
    )
    for place, (_, number) in enumerate(PANELS):
        where = {"row": place + 1, "col": 1} if stacked else {"row": 1, "col": place + 1}
        for kind in KINDS if number is not None else ("between",):
            dots = [_number(one, kind, component, number, result) for one in shown]
            _add(figure, kind, [one.variant.name for one in shown], dots, where, legend=place == 0)
    figure.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(shown))),
        ticktext=[html.escape(one.variant.name) for one in shown],
        range=[len(shown) - 0.4, -0.6],
        zeroline=False,
    )
    figure.update_xaxes(zeroline=True, zerolinecolor=QUIET)
    confidence = f"{100 * result.confidence:.0f} % intervals over subjects"
    title = f"What changes if: {component_words(component)}"
    height = 150 + 22 * len(shown) * (len(PANELS) if stacked else 1)
    words = "dashed: the baseline · dots without a bar have no interval"
    apply_look(figure, title, f"{confidence} · {words}", height=height)
    return figure.update_layout(legend_y=1 + LEGEND_ABOVE / (height - 150))


def _number(one: VariantResult, kind: str, component: str, number: Number | None, result: Varied) -> Estimate:
    """What a row shows in a panel; nothing where the modality is the baseline's, or the unit is another one."""
    nothing = Estimate(float("nan"))
    if number is None:
        return one.gaps[component].agreement if component in one.gaps else nothing
    change = one.changes.get((kind, component))
    if change is None or kind in one.same:
        return nothing
    base = result.baseline.setup
    other_unit = one.setup is not None and base is not None and one.setup.metric != base.metric
    return nothing if other_unit and number(change) is change.total else number(change)


def _add(
    figure: go.Figure, kind: str, names: Sequence[str], dots: Sequence[Estimate], where: dict[str, int], *, legend: bool
) -> None:
    """The dots of one modality in one panel, with the line of the baseline, which is the first of them."""
    colour = MODALITY_COLOURS.get(kind, BETWEEN_COLOUR)
    value, low, high = (np.array([getattr(dot, name) for dot in dots]) for name in ("value", "low", "high"))
    bars = {"array": np.nan_to_num(high - value), "arrayminus": np.nan_to_num(value - low)}
    texts = [f"{html.escape(name)}: {dot!r}" for name, dot in zip(names, dots, strict=True)]
    figure.add_trace(
        go.Scatter(
            x=value,
            y=np.arange(len(dots)) - APART.get(kind, 0.0),
            mode="markers",
            name=kind,
            legendgroup=kind,
            showlegend=legend,
            error_x={"type": "data", **bars, "thickness": 1.5, "width": 3},
            marker={"color": colour, "size": 8, "symbol": MODALITY_SYMBOLS.get(kind, "square")},
            text=texts,
            hovertemplate="%{text}<extra></extra>",
        ),
        **where,
    )
    if not np.isnan(value[0]):
        figure.add_vline(x=float(value[0]), line={"color": colour, "width": 1, "dash": "dash"}, **where)
