"""Each fact's total effect as a point, with means and intervals, for reading and hearing."""

import html

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from spiritlens.arguments import told_keywords
from spiritlens.effects.given import given_traces
from spiritlens.effects.statistics import (
    average_total_effects,
    fact_means,
    total_effect,
)
from spiritlens.report.figures.heatmap import interval_words
from spiritlens.report.figures.look import (
    MODALITY_COLOURS,
    MODALITY_SYMBOLS,
    QUIET,
    apply_look,
)
from spiritlens.report.words import (
    _interval_of,
    choose,
    metric_words,
)
from spiritlens.terms import Facts


@told_keywords
def total_effects(effects: xr.Dataset, metric: str | None = None, *, facts: Facts = "known") -> go.Figure:
    """Total effect of the corruption: each fact a point, the mean and its interval beside them, by modality."""
    effects = given_traces(effects)
    metric = choose(effects, "metric", metric)
    average = average_total_effects(effects, facts=facts).sel(metric=metric)
    points = fact_means(total_effect(effects), facts=facts).sel(metric=metric)
    figure = go.Figure()
    kinds, counts = average["modality"].values.tolist(), average["n_facts"].values.tolist()
    for group, kind in enumerate(kinds):
        _add_points(figure, points.isel(fact=points["modality"].values == kind), group, kind)
        _add_mean(figure, average.isel(group=group), group, kind)
    names = [f"{kind}<br>n = {n} facts" for kind, n in zip(kinds, counts, strict=True)]
    places = list(range(len(names)))
    figure.update_xaxes(tickmode="array", tickvals=places, ticktext=names, range=[-0.6, len(names) - 0.4])
    effect = f"total effect on the {metric_words(metric)}"
    title = f"total effect on the<br>{metric_words(metric)}"  # one line would be longer than the axis
    figure.update_yaxes(title_text=title, rangemode="tozero", zerolinecolor=QUIET)
    formula = "clean − corrupted" if int(effects["metric_sign"].sel(metric=metric)) > 0 else "corrupted − clean"
    return apply_look(
        figure, "What the corruption costs", f"{effect} ({formula}) · {_interval_of(average, 'bar')}", height=400
    )


def _add_points(figure: go.Figure, points: xr.DataArray, group: int, kind: str) -> None:
    """Every fact of one modality, spread sideways so that they do not hide each other."""
    spread = np.random.default_rng(0).uniform(-0.26, 0.06, points.sizes["fact"])
    pairs = zip(points["subject"].values, points["answer"].values, strict=True)
    figure.add_trace(
        go.Scatter(
            x=group + spread,
            y=points.values,
            text=[html.escape(f"{subject} → {answer}") for subject, answer in pairs],
            mode="markers",
            showlegend=False,
            marker={"color": MODALITY_COLOURS[kind], "opacity": 0.45, "size": 7, "symbol": MODALITY_SYMBOLS[kind]},
            hovertemplate="%{text}<br>total effect %{y:.3f}<extra></extra>",
        )
    )


def _add_mean(figure: go.Figure, average: xr.Dataset, group: int, kind: str) -> None:
    """Mean of one modality with its interval, where there is one."""
    mean, low, high = (float(average[name]) for name in ("mean", "low", "high"))
    bar = {"type": "data", "array": [high - mean], "arrayminus": [mean - low], "thickness": 2, "width": 6}
    words = f"mean {mean:.3f}{interval_words(low, high, '.3f')}, n = {int(average['n_facts'])} facts"
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
