"""At which layer each fact's effect peaks, as counts over facts, for reading and hearing."""

import html

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from spiritlens.arguments import shown, told_keywords
from spiritlens.effects.statistics import (
    fact_means,
    peak_layer,
    role_effects,
)
from spiritlens.report.figures.look import (
    MODALITY_COLOURS,
    QUIET,
    apply_look,
    layer_ticks,
)
from spiritlens.report.words import (
    MODALITY_WORDS,
    choose,
    component_words,
    patching_words,
    site_words,
    without_heads,
)
from spiritlens.terms import Facts

BAR_PATTERNS = {"T2T": "", "S2T": "/", "mixed": "x"}


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
