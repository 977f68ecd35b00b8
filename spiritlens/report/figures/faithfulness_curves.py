"""Faithfulness curves: what is left of the recall when only the first parts of a ranking are kept.

One panel for each modality in which parts are kept. In it stand the ranking of that modality, that of the other one,
the own ranking reversed, and orders of chance; sizes stand at equal steps, for a circuit is small and a model is not.
"""

from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from spiritlens.arguments import number, told_keywords
from spiritlens.effects.faithfulness import faithfulness
from spiritlens.effects.given import given_dataset
from spiritlens.effects.interchange import FOUND_IN
from spiritlens.effects.measures import FAITHFULNESS_SCHEMA, check_faithfulness
from spiritlens.report.figures.look import (
    MODALITY_COLOURS,
    MODALITY_DASHES,
    MODALITY_SYMBOLS,
    QUIET,
    apply_look,
    legend_below,
)
from spiritlens.report.numerals import interval_of, several

CHANCE_DASHES = {"reversed": "dashdot", "random": "dot"}


@told_keywords
def faithfulness_curves(interchanged: xr.Dataset, confidence: float = 0.95) -> go.Figure:
    """What is left of the recall with the first parts of a ranking kept, in writing and in speech, with intervals.

    `interchanged` is what `interchange` or `faithfulness` returned. Returns a plotly figure. Raises ValueError for
    anything else.
    """
    confidence = number("confidence", confidence, above=0, below=1)
    is_read = isinstance(interchanged, xr.Dataset) and interchanged.attrs.get("schema") == FAITHFULNESS_SCHEMA
    curves = interchanged if is_read else faithfulness(interchanged, confidence)
    curves = check_faithfulness(given_dataset(curves, FAITHFULNESS_SCHEMA, "interchanged"))
    sizes = curves["size"].values.tolist()
    titles = [f"kept in {kept}{_why(curves, kept)}" for kept in FOUND_IN]
    figure = make_subplots(1, 2, shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.04)
    for column, kept in enumerate(FOUND_IN, 1):
        for found in FOUND_IN:
            curve = curves.sel(direction=f"{found}→{kept}")
            figure.add_trace(_ranked(curve.sel(ranking="ranked"), found, column == 1), 1, column)
        for ranking, dash in CHANCE_DASHES.items():
            own = curves["f"].sel(direction=f"{kept}→{kept}", ranking=ranking).values
            name = f"{kept} reversed" if ranking == "reversed" else "random"
            line = {"color": MODALITY_COLOURS[kept] if ranking == "reversed" else QUIET, "dash": dash, "width": 1.5}
            shown = ranking == "reversed" or column == 1
            figure.add_trace(
                go.Scatter(x=_places(sizes), y=own, name=name, mode="lines", line=line, showlegend=shown), 1, column
            )
    figure.update_xaxes(tickmode="array", tickvals=_places(sizes), ticktext=[str(size) for size in sizes])
    figure.update_xaxes(title_text=f"{curves.attrs['parts']} kept, of {sizes[-1]}")
    figure.update_yaxes(title_text="faithfulness", col=1)
    counts = ", ".join(
        f"{kept} n = {several(int(curves['n_facts'].sel(direction=f'{kept}→{kept}')), 'fact')}" for kept in FOUND_IN
    )
    bars = " · bars: intervals over facts" if any(trace.error_y.array is not None for trace in figure.data) else ""
    subtitle = (
        f"0: nothing kept, 1: the whole model · removed: {curves.attrs['removed']} · {curves.attrs['metric']}"
        f" · rankings from the other half of the facts{bars} · {counts}"
    )
    return legend_below(apply_look(figure, "Faithfulness of the parts kept", subtitle, height=460), lines=2)


def _ranked(curve: xr.Dataset, found: str, shown: bool) -> go.Scatter:
    """The curve of a modality's ranking, with bars where there are intervals."""
    f, low, high = (curve[name].values for name in ("f", "low", "high"))
    bars = {"type": "data", "array": high - f, "arrayminus": f - low, "width": 3}
    return go.Scatter(
        x=_places(curve["size"].values.tolist()),
        y=f,
        name=f"ranked in {found}",
        mode="lines+markers",
        error_y=None if np.isnan(low).all() else bars,
        line={"color": MODALITY_COLOURS[found], "dash": MODALITY_DASHES[found]},
        marker={"symbol": MODALITY_SYMBOLS[found], "size": 8},
        text=[
            f"{size} kept: {interval_of(*ends)}"
            for size, *ends in zip(curve["size"].values.tolist(), f, low, high, strict=True)
        ],
        hovertemplate="%{text}",
        showlegend=shown,
    )


def _places(sizes: list[Any]) -> list[int]:
    """Sizes at equal steps."""
    return list(range(len(sizes)))


def _why(curves: xr.Dataset, kept: str) -> str:
    """Why a panel is empty."""
    why = str(curves["why"].sel(direction=f"{kept}→{kept}").values)
    return f": {why}" if why else ""
