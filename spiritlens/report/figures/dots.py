"""Rows of dots with intervals: what was ranked, largest first or in an order of its own, the modalities on each row.

Rows were chosen for being large: their intervals hold for all that could have been chosen at once
(`spiritlens.effects.sign_flips.simultaneous_interval`), and are wider than those of single means.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from spiritlens.effects.clusters import Array
from spiritlens.effects.sign_flips import simultaneous_interval
from spiritlens.report.figures.look import MODALITY_COLOURS, MODALITY_SYMBOLS, QUIET
from spiritlens.report.figures.rows import every_row
from spiritlens.report.numerals import interval_of, several
from spiritlens.report.words import MODALITY_WORDS

APART = {"T2T": -0.16, "S2T": 0.16, "mixed": 0.0}
"""How far the dots of the modalities stand from the middle of their row."""
ROW_PIXELS = 24


@dataclass(frozen=True, eq=False)
class Ranked:
    """Means of one modality [row] with their intervals, of so many facts [row]."""

    kind: str
    mean: Array
    low: Array
    high: Array
    n_facts: Array

    @property
    def bounded(self) -> bool:
        """Whether any row has an interval."""
        return bool((~np.isnan(self.low)).any())


def ranked_means(kind: str, values: Array, subjects: Sequence[str], confidence: float = 0.95) -> Ranked:
    """Means of `values` [fact row] over facts; intervals hold for all rows at once."""
    counts = (~np.isnan(values)).sum(axis=0)
    sums = np.nansum(values, axis=0)
    mean = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    low, high = simultaneous_interval(values, [name.casefold() for name in subjects], confidence=confidence)
    return Ranked(kind, mean, low, high, counts)


def strongest(ranked: Sequence[Ranked], top: int, floor: float = 0.0) -> list[int]:
    """Places of the `top` rows whose mean is largest in size in any modality, largest first.

    Rows without a number are left out, and those that are rounding: up to `floor`, or a billionth of the largest;
    where all are, they stay.
    """
    sizes = np.max([np.nan_to_num(np.abs(one.mean), nan=-1.0) for one in ranked], axis=0)
    order = [int(place) for place in np.argsort(-sizes, kind="stable") if sizes[place] >= 0][:top]
    least = max(floor, 1e-9 * float(sizes.max(initial=0.0)))
    return [place for place in order if sizes[place] > least] or order


def dots(ranked: Sequence[Ranked], rows: Sequence[int], labels: Sequence[str], unit: str) -> go.Figure:
    """The chosen `rows` from top to bottom, `labels` [row of the figure] escaped; `unit` names the axis."""
    figure = go.Figure()
    for one in ranked:
        mean, low, high = (values[list(rows)] for values in (one.mean, one.low, one.high))
        bars = {"type": "data", "array": high - mean, "arrayminus": mean - low, "width": 3, "thickness": 1.5}
        figure.add_trace(
            go.Scatter(
                x=mean,
                y=np.arange(len(rows)) + APART[one.kind],
                text=[
                    f"{label}<br>{one.kind} {interval_of(*ends)}, n = {several(int(one.n_facts[row]), 'fact')}"
                    for label, row, *ends in zip(labels, rows, mean, low, high, strict=True)
                ],
                name=f"{one.kind}, {MODALITY_WORDS[one.kind]}",
                mode="markers",
                error_x=bars if one.bounded else None,
                marker={"color": MODALITY_COLOURS[one.kind], "symbol": MODALITY_SYMBOLS[one.kind], "size": 9},
                hovertemplate="%{text}<extra></extra>",
                showlegend=True,
            )
        )
    figure.update_xaxes(title_text=unit, zeroline=True, zerolinecolor=QUIET, zerolinewidth=1)
    return figure.update_yaxes(**every_row(len(labels)).ticks(labels))


def bars_words(ranked: Sequence[Ranked]) -> str:
    """What the bars are."""
    if not any(one.bounded for one in ranked):
        return "no bars: too few subjects, or facts without a difference between them"
    return "bars: 95 % intervals over facts that hold for all at once"
