"""At which layer each fact's effect peaks, as counts over facts, in writing and in speech."""

import html

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from spiritlens.arguments import shown, told_keywords
from spiritlens.effects.averages import averaged, fact_groups
from spiritlens.effects.statistics import peak_layer
from spiritlens.report.figures.chosen import chosen, without_heads
from spiritlens.report.figures.look import (
    MODALITY_COLOURS,
    QUIET,
    apply_look,
    layer_ticks,
)
from spiritlens.report.numerals import several
from spiritlens.report.words import (
    MODALITY_WORDS,
    component_words,
    patching_words,
    site_words,
)
from spiritlens.terms import Facts

ENRICHED = "mlp_out"
"""The component whose output at the subject enriches it: counted by default where it was traced."""
BAR_PATTERNS = {"T2T": "", "S2T": "/", "mixed": "x"}


@told_keywords
def peak_layers(
    effects: xr.Dataset,
    role: str | None = None,
    component: str | None = None,
    metric: str | None = None,
    *,
    facts: Facts | None = None,
) -> go.Figure:
    """How many facts have their largest effect at each layer, T2T above and S2T (and mixed) below the line.

    `effects` are raw, or averages (`sl.effects.average`). `role` None is the subject, else the first row; `component`
    None the output of the MLPs, else the first that was traced.

    Returns a plotly figure. Raises ValueError for a choice that was not traced.
    """
    average = without_heads(averaged(effects, facts=facts))
    if component is None and ENRICHED in average["component"].values:
        component = ENRICHED
    component, metric = chosen(average, "component", component), chosen(average, "metric", metric)
    per_fact = average["fact_mean"].sel(component=component, metric=metric)
    traced = per_fact["role"].values.tolist()
    if role is None:
        role = "subject" if "subject" in traced else traced[0]
    if not isinstance(role, str) or role not in traced:
        raise ValueError(f"role={shown(role)} was not traced; choose from {', '.join(traced)}")
    peaks = peak_layer(per_fact.sel(role=role))
    layers, kinds = average["layer"].values, fact_groups(average)
    figure = go.Figure()
    counted = []
    for kind in dict.fromkeys(kinds.tolist()):
        counts = np.array([int((peaks.values[kinds == kind] == layer).sum()) for layer in layers])
        counted.append(f"{kind} n = {several(int(counts.sum()), 'fact')}")
        figure.add_trace(
            go.Bar(
                x=layers,
                y=counts if kind == "T2T" else -counts,
                customdata=counts,
                text=[
                    f"{kind}, layer {layer}: {several(int(n), 'fact')}" for layer, n in zip(layers, counts, strict=True)
                ],
                textposition="none",
                name=f"{kind}, {MODALITY_WORDS[kind]}",
                marker={"color": MODALITY_COLOURS[kind], "pattern": {"shape": BAR_PATTERNS[kind]}},
                hovertemplate="%{text}<extra></extra>",
            )
        )
    figure.update_layout(barmode="relative", bargap=0.25)
    figure.update_xaxes(**layer_ticks(layers))
    _count_axis(figure)
    subtitle = (
        f"{component_words(component)} at the {html.escape(role)} · {patching_words(average)} · "
        f"{site_words(average)} · {', '.join(counted)}"
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
