"""Each fact's total effect as a point, with means and intervals, in writing and in speech."""

import html

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from spiritlens.arguments import told_keywords
from spiritlens.effects.averages import averaged_total, fact_groups
from spiritlens.effects.metric_words import sign_of
from spiritlens.report.figures.chosen import chosen
from spiritlens.report.figures.look import (
    MODALITY_COLOURS,
    MODALITY_SYMBOLS,
    QUIET,
    apply_look,
)
from spiritlens.report.numerals import interval_of, number_words, several
from spiritlens.report.words import interval_words, metric_words
from spiritlens.terms import Facts


@told_keywords
def total_effects(effects: xr.Dataset, metric: str | None = None, *, facts: Facts | None = None) -> go.Figure:
    """Total effect of the corruption: each fact a point, the mean and its interval beside them, by modality.

    `effects` are raw, or averages of total effects (`sl.effects.average_total`).

    Returns a plotly figure. Raises ValueError for a metric that was not traced.
    """
    average = averaged_total(effects, facts)
    metric = chosen(average, "metric", metric)
    average = average.sel(metric=metric)
    kind_of_fact = fact_groups(average)
    figure = go.Figure()
    kinds, counts = average["modality"].values.tolist(), average["n_facts"].values.tolist()
    for group, kind in enumerate(kinds):
        _add_points(figure, average.isel(fact=kind_of_fact == kind), group, kind)
        _add_mean(figure, average.isel(group=group), group, kind)
    names = [f"{kind}<br>n = {several(n, 'fact')}" for kind, n in zip(kinds, counts, strict=True)]
    places = list(range(len(names)))
    figure.update_xaxes(tickmode="array", tickvals=places, ticktext=names, range=[-0.6, len(names) - 0.4])
    effect = f"total effect on the {metric_words(average, metric)}"
    title = f"total effect on the<br>{metric_words(average, metric)}"  # one line would be longer than the axis
    figure.update_yaxes(title_text=title, rangemode="tozero", zerolinecolor=QUIET)
    formula = "clean − corrupted" if sign_of(average, metric) > 0 else "corrupted − clean"
    return apply_look(
        figure, "What the corruption costs", f"{effect} ({formula}) · {interval_words(average, 'bar')}", height=400
    )


def _add_points(figure: go.Figure, points: xr.Dataset, group: int, kind: str) -> None:
    """Every fact of one modality, spread sideways so that they do not hide each other."""
    spread = np.random.default_rng(0).uniform(-0.26, 0.06, points.sizes["fact"])
    pairs = zip(points["fact_subject"].values, points["fact_answer"].values, strict=True)
    figure.add_trace(
        go.Scatter(
            x=group + spread,
            y=points["fact_mean"].values,
            text=[
                f"{html.escape(f'{subject} → {answer}')}<br>total effect {number_words(value)}"
                for (subject, answer), value in zip(pairs, points["fact_mean"].values, strict=True)
            ],
            mode="markers",
            showlegend=False,
            marker={"color": MODALITY_COLOURS[kind], "opacity": 0.45, "size": 7, "symbol": MODALITY_SYMBOLS[kind]},
            hovertemplate="%{text}<extra></extra>",
        )
    )


def _add_mean(figure: go.Figure, average: xr.Dataset, group: int, kind: str) -> None:
    """Mean of one modality with its interval, where there is one."""
    mean, low, high = (float(average[name]) for name in ("mean", "low", "high"))
    bar = {"type": "data", "array": [high - mean], "arrayminus": [mean - low], "thickness": 2, "width": 6}
    words = f"mean {interval_of(mean, low, high)}, n = {several(int(average['n_facts']), 'fact')}"
    figure.add_trace(
        go.Scatter(
            x=[group + 0.22],
            y=[mean],
            mode="markers",
            showlegend=False,
            error_y=None if np.isnan(low) else bar,
            marker={"color": MODALITY_COLOURS[kind], "size": 12, "symbol": MODALITY_SYMBOLS[kind]},
            hovertemplate=f"{kind}: {words}<extra></extra>",
        )
    )
