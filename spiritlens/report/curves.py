"""Curves and points over facts: effects by layer with confidence bands, total effects, and where each fact peaks.

Bands and bars are bootstrap intervals over facts, drawn by subject (`spiritlens.effects.resampling`); facts of a single
subject have none, and none is drawn. Averages hide that facts differ, so total effects show every fact as a point and
the peak figure counts facts by their own peak layer.
"""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from spiritlens.arguments import check_choice, listed, shown, told_keywords
from spiritlens.effects.given import given_traces
from spiritlens.effects.statistics import (
    Facts,
    Quantity,
    average_total_effects,
    fact_means,
    peak_layer,
    role_effects,
    total_effect,
)
from spiritlens.report.average_map import Arrangement
from spiritlens.report.averages import averages_of, components_of
from spiritlens.report.heatmap import interval_words
from spiritlens.report.labels import (
    MODALITY_COLOURS,
    MODALITY_DASHES,
    MODALITY_SYMBOLS,
    MODALITY_WORDS,
    QUIET,
    apply_look,
    choose,
    component_words,
    layer_ticks,
    metric_words,
    patching_words,
    quantity_words,
    site_words,
    window_words,
    without_heads,
)

CURVE_ROLES = ("subject", "last word", "final marker")
"""Roles drawn by default: where the subject is enriched, and where the answer is read out."""
BAR_PATTERNS = {"T2T": "", "S2T": "/", "mixed": "x"}


@told_keywords
def layer_curves(
    effects: xr.Dataset,
    roles: Sequence[str] | None = None,
    component: str | None = None,
    metric: str | None = None,
    *,
    quantity: Quantity = "indirect",
    facts: Facts = "known",
    arrangement: Arrangement = "side by side",
    average: xr.Dataset | None = None,
) -> go.Figure:
    """Mean effect by layer with its interval, one panel per role and component, T2T and S2T in each.

    `roles` None draws `CURVE_ROLES`, or all rows where none of those was traced (named spans).
    """
    effects = without_heads(effects)
    metric, components = choose(effects, "metric", metric), components_of(effects, component)
    check_choice("arrangement", arrangement, Arrangement)
    roles = None if roles is None else listed("roles", roles, of=str)
    average = averages_of(effects, quantity, facts, average)
    average = average.sel(metric=metric)
    present = _present(average["role"].values.tolist(), roles)
    panels = [(name, role) for name in components for role in present]
    shape = (len(components), len(present)) if arrangement == "side by side" else (len(panels), 1)
    figure = make_subplots(
        *shape,
        shared_yaxes="rows" if shape[1] > 1 else False,
        horizontal_spacing=0.03,
        vertical_spacing=min(0.2, 62 / (250 * shape[0])),
        subplot_titles=[html.escape(f"{name} · {role}") for name, role in panels],
    )
    for index, (name, role) in enumerate(panels):
        place = {"row": index // shape[1] + 1, "col": index % shape[1] + 1}
        for group in range(average.sizes["group"]):
            _add_curve(figure, average.sel(component=name, role=role).isel(group=group), place)
        last_of_column = index + shape[1] >= len(panels)
        ticks = {**layer_ticks(average["layer"].values), **({} if last_of_column else {"title_text": ""})}
        figure.update_xaxes(showgrid=False, **ticks, **place)
        figure.update_yaxes(rangemode="tozero", zeroline=True, zerolinecolor=QUIET, zerolinewidth=1, **place)
    _name_each_modality_once(figure)
    windows = "; ".join(f"{html.escape(name)}: {window_words(effects, name)}" for name in components)
    colour = quantity_words(quantity, effects.attrs["direction"], metric)
    band = _interval_of(average, "band")
    subtitle = f"{colour} · {patching_words(effects)} · {site_words(effects)} · {band} · {windows}"
    apply_look(figure, "The same by layer", subtitle, height=150 + 250 * shape[0])
    figure.update_annotations(font={"size": 13})
    return figure.update_layout(hovermode="x unified", legend={"y": 1 + 30 / (250 * shape[0])})


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


@told_keywords
def peak_layers(
    effects: xr.Dataset,
    role: str = "subject",
    component: str | None = None,
    metric: str | None = None,
    *,
    facts: Facts = "known",
) -> go.Figure:
    """How many facts have their largest effect at each layer, T2T above and S2T (and mixed) below the line."""
    effects = without_heads(effects)
    component, metric = choose(effects, "component", component), choose(effects, "metric", metric)
    per_fact = fact_means(role_effects(effects), facts=facts).sel(component=component, metric=metric)
    traced = per_fact["role"].values.tolist()
    if not isinstance(role, str) or role not in traced:
        raise ValueError(f"role={shown(role)} was not traced; choose from {', '.join(traced)}")
    peaks = peak_layer(per_fact.sel(role=role))
    layers = effects["layer"].values
    figure = go.Figure()
    counted = []
    for kind in dict.fromkeys(per_fact["modality"].values.tolist()):
        chosen = peaks.values[per_fact["modality"].values == kind]
        counts = np.array([int((chosen == layer).sum()) for layer in layers])
        counted.append(f"{kind} n = {int(counts.sum())}")
        figure.add_trace(
            go.Bar(
                x=layers,
                y=counts if kind == "T2T" else -counts,
                customdata=counts,
                name=f"{kind}, {MODALITY_WORDS[kind]}",
                marker={"color": MODALITY_COLOURS[kind], "pattern": {"shape": BAR_PATTERNS[kind]}},
                hovertemplate=f"{kind}, layer %{{x}}: %{{customdata}} facts<extra></extra>",
            )
        )
    figure.update_layout(barmode="relative", bargap=0.25)
    figure.update_xaxes(**layer_ticks(layers))
    _count_axis(figure)
    subtitle = (
        f"{component_words(component)} at the {html.escape(role)} · {patching_words(effects)} · "
        f"{site_words(effects)} · {', '.join(counted)}"
    )
    return apply_look(figure, "Where single facts peak", subtitle, height=400)


def _count_axis(figure: go.Figure) -> None:
    """The axis of counts, as far above the line as below; bars on one side of it are stacked."""
    bars = np.array([trace.y for trace in figure.data])
    sides = [int(np.clip(sign * bars, 0, None).sum(axis=0).max()) for sign in (1, -1)]
    largest = max(1, *sides)
    step = max(1, -(-largest // 4))
    ticks = list(range(-step * 4, step * 4 + 1, step))
    figure.update_yaxes(title_text="facts", tickvals=ticks, ticktext=[str(abs(tick)) for tick in ticks], zeroline=True)
    figure.update_yaxes(range=[-1.1 * largest, 1.1 * largest], zerolinecolor=QUIET)


def _present(traced: list[str], roles: Sequence[str] | None) -> list[str]:
    """The wanted roles that were traced; by default `CURVE_ROLES`, or all where none of those was (named spans)."""
    present = [role for role in (CURVE_ROLES if roles is None else roles) if role in traced]
    if roles is None and not present:
        return traced
    if not present:
        raise ValueError(f"roles={tuple(roles or ())}: none was traced; choose from {', '.join(traced)}")
    return present


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


def _add_curve(figure: go.Figure, curve: xr.Dataset, place: dict[str, int]) -> None:
    """One modality's mean and band in one panel; nothing where no fact has the role."""
    kind = str(curve["modality"].values)
    usable = curve["n_facts"].values > 0
    if not usable.any():
        return
    layers, mean = curve["layer"].values[usable], curve["mean"].values[usable]
    low, high = curve["low"].values[usable], curve["high"].values[usable]
    colour, n = MODALITY_COLOURS[kind], int(curve["n_facts"].max())
    bounded = ~np.isnan(low)
    if bounded.any():
        _add_band(figure, layers[bounded], low[bounded], high[bounded], kind, place)
    text = [
        f"{kind} {value:.3f}{interval_words(a, b, '.3f')}, n = {n}" for value, a, b in zip(mean, low, high, strict=True)
    ]
    figure.add_trace(
        go.Scatter(
            x=layers,
            y=mean,
            text=text,
            name=f"{kind}, {MODALITY_WORDS[kind]}",
            legendgroup=kind,
            mode="lines+markers",
            line={"color": colour, "dash": MODALITY_DASHES[kind], "width": 2},
            marker={"symbol": MODALITY_SYMBOLS[kind], "size": 6},
            hovertemplate="%{text}<extra></extra>",
        ),
        **place,
    )


def _add_band(figure: go.Figure, layers: Any, low: Any, high: Any, kind: str, place: dict[str, int]) -> None:
    """The interval around one curve, as one closed outline."""
    figure.add_trace(
        go.Scatter(
            x=np.concatenate([layers, layers[::-1]]),
            y=np.concatenate([high, low[::-1]]),
            fill="toself",
            mode="lines",
            line={"width": 0},
            fillcolor=MODALITY_COLOURS[kind],
            opacity=0.18,
            showlegend=False,
            legendgroup=kind,
            hoverinfo="skip",
        ),
        **place,
    )


def _name_each_modality_once(figure: go.Figure) -> None:
    """One entry of the legend for each modality, from the first panel that has it."""
    named: set[str] = set()
    for trace in figure.data:
        if trace.name:
            trace.showlegend = trace.name not in named
            named.add(trace.name)


def _interval_of(average: xr.Dataset, mark: str) -> str:
    """What the band or bar shows; that there is none over facts of a single subject."""
    if not bool(average["low"].notnull().any()):
        return f"no {mark}: a single subject"
    return f"{mark}: {100 * float(average.attrs['confidence']):.0f} % interval over facts"
