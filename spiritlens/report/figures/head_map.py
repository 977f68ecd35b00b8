"""Maps of heads: layers × heads, the modalities side by side on one colour scale.

Axes: columns are layers, rows heads. What is drawn is a mean over facts: of the effects at one role; of direct logit
attributions; of attention from one role to another (`attention_mass`), or to the place that a detector names.
"""

import html
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from spiritlens.arguments import told_keywords
from spiritlens.effects.averages import cell_status
from spiritlens.effects.quantities import Quantity
from spiritlens.effects.schema import Status
from spiritlens.report.figures.head_means import default_role, given_heads, role_of
from spiritlens.report.figures.heatmap import add_cells, cell_words, name_marks, window_hover
from spiritlens.report.figures.look import INK, apply_look, layer_ticks
from spiritlens.report.figures.rows import every_row
from spiritlens.report.numerals import several
from spiritlens.terms import Facts

HEAD_PIXELS = 20


@told_keywords
def head_map(
    effects: xr.Dataset,
    role: str | None = None,
    component: str | None = None,
    metric: str | None = None,
    *,
    quantity: Quantity | None = None,
    facts: Facts | None = None,
) -> go.Figure:
    """Mean of each head at a role over facts, T2T beside S2T.

    `effects` are those of a component with heads, or their averages; or what `direct_logit_attribution`,
    `attention_mass` or `detectors` returns, which has no component, metric or quantity. `role` None is the read-out
    where it was traced (of attention: the read-out to the subject), else the first row that has numbers.

    Raises ValueError for a dataset without heads, or a choice that was not traced.
    """
    heads = given_heads(effects, component, metric, quantity, facts)
    role = default_role(heads.means) if role is None else role
    panels = [_at_role(heads.means.isel(group=group), role) for group in range(heads.means.sizes["group"])]
    counts = [int(panel["n_facts"].max()) for panel in panels]
    kinds = heads.means["modality"].values.tolist()
    named = f" · {html.escape(heads.component)}" if heads.component else ""
    titles = [f"<b>{kind}</b>{named} · n = {several(count, 'fact')}" for kind, count in zip(kinds, counts, strict=True)]
    figure = make_subplots(1, len(panels), shared_yaxes=True, horizontal_spacing=0.04, subplot_titles=titles)
    names = [f"head {head}" for head in heads.means["head"].values]
    for column, panel in enumerate(panels, start=1):
        place = {"row": 1, "col": column}
        status = cell_status(panel) if heads.component else _measured(panel)
        layers, values = panel["layer"].values, panel["mean"].values
        hover = _hover(heads.component, panel, status)
        add_cells(figure, layers, values, status, hover, place=place)
        figure.update_xaxes(**layer_ticks(layers), **place)
        kept = list(range(0, len(names), max(1, len(names) // 16)))
        figure.update_yaxes(**every_row(len(names)).ticks(names, kept=kept), **place)
    scale = heads.scale(*(panel["mean"].values for panel in panels))
    figure.update_layout(coloraxis=scale.axis(heads.colour))
    height = 150 + max(160, HEAD_PIXELS * len(names))
    title = heads.title.format(role=html.escape(role))
    subtitle = f"{heads.subtitle} · mean over facts{f' · {scale.line}' if scale.line else ''}"
    apply_look(figure, title, subtitle, height=height)
    return name_marks(figure.update_annotations(font={"size": 13, "color": INK}))


def _at_role(group: xr.Dataset, role: str) -> xr.Dataset:
    """The map [head layer] of one modality at a role."""
    return group.sel(role=role_of(group, role)).transpose("head", "layer", ...)


def _measured(panel: xr.Dataset) -> Any:
    return np.where(panel["n_facts"].values > 0, Status.MEASURED, Status.ABSENT)


def _hover(component: str, panel: xr.Dataset, status: Any) -> list[list[str]]:
    role = html.escape(str(panel["role"].values))
    layers = [int(layer) for layer in panel["layer"].values]
    windows = [window_hover(panel, component, layer) if component else "" for layer in layers]
    columns = [*(panel[name].values for name in ("mean", "low", "high", "n_facts")), status]
    return [
        [
            f"layer {layer}{window}, head {head}, {role}<br>"
            f"mean {cell_words(mean, code, low, high)}<br>n = {several(int(n), 'fact')}"
            for layer, window, mean, low, high, n, code in zip(
                layers, windows, *(column[row] for column in columns), strict=True
            )
        ]
        for row, head in enumerate(panel["head"].values)
    ]
