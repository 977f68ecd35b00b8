"""Maps of heads: layers × heads, the modalities side by side on one colour scale.

Axes: columns are layers, rows heads. What is drawn is a mean over facts: of the effects at one role; of direct logit
attributions; of attention from one role to another (`attention_mass`), or to the place that a detector names. The
*read-out* is where the answer is read: the final marker of a prompt that has one, else its last word.
"""

import html
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from spiritlens.arguments import shown, told_keywords
from spiritlens.effects.averages import averaged, cell_status
from spiritlens.effects.quantities import Quantity
from spiritlens.effects.schema import Status
from spiritlens.report.figures.chosen import chosen
from spiritlens.report.figures.head_measures import MEASURES, measured_heads
from spiritlens.report.figures.heatmap import add_cells, cell_words, name_marks, window_hover
from spiritlens.report.figures.look import INK, apply_look, layer_ticks
from spiritlens.report.figures.rows import every_row
from spiritlens.report.figures.scale import OF_HEADS, Scale, averages_scale, effect_scale
from spiritlens.report.numerals import several
from spiritlens.report.words import COLOUR_WORDS, component_words, patching_words, quantity_words, site_words
from spiritlens.terms import READOUT, READOUT_ROLES, Facts

READOUT_NAMES = ("last token", *READOUT_ROLES)
"""Rows that may be the read-out, the first that a modality has."""
HEAD_PIXELS = 20


@dataclass(frozen=True, eq=False)
class HeadMeans:
    """Means of heads [group role layer head], and how the figure speaks of them (escaped)."""

    means: xr.Dataset
    title: str
    subtitle: str
    colour: str
    component: str = ""

    def scale(self, *maps: Any) -> Scale:
        """The scale of maps of one role: of effects full colour is a quarter of the total effect."""
        return averages_scale(self.means, *maps, part=OF_HEADS) if self.component else effect_scale(*maps)


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
    if isinstance(effects, xr.Dataset) and effects.attrs.get("schema") in MEASURES:
        heads = _of_measures(effects, {"component": component, "metric": metric, "quantity": quantity}, facts)
    else:
        heads = _of_effects(effects, component, metric, quantity, facts)
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


def default_role(means: xr.Dataset) -> str:
    """The read-out where one of its rows was traced, else the first row that has numbers."""
    roles = [str(name) for name in means["role"].values]
    for ending in ("", TO_SUBJECT):
        if any(name in roles for name in _readout_names(READOUT + ending)):
            return READOUT + ending
    some = means["n_facts"].max([dim for dim in means["n_facts"].dims if dim != "role"]).values > 0
    return roles[int(np.argmax(some))]


def _of_effects(
    effects: xr.Dataset, component: str | None, metric: str | None, quantity: Quantity | None, facts: Facts | None
) -> HeadMeans:
    """Means of effects of one component."""
    average = averaged(effects, quantity, facts)
    if "head" not in average.dims:
        raise ValueError(
            "this dataset has no heads: trace a component that has them, such as 'z', or patch it with heads='each'"
        )
    component, metric = chosen(average, "component", component), chosen(average, "metric", metric)
    means = average.sel(component=component, metric=metric)
    colour = quantity_words(average, average.attrs["quantity"], metric)
    subtitle = f"{colour} · {patching_words(average)} · {site_words(average)}"
    bar = COLOUR_WORDS[average.attrs["quantity"]][average.attrs["direction"]]
    return HeadMeans(means, f"Heads at the {{role}}: {component_words(component)}", subtitle, bar, component)


def _of_measures(dataset: xr.Dataset, options: dict[str, str | None], facts: Facts | None) -> HeadMeans:
    """Means of a measure without a corrupted run."""
    given = {**options, "facts": facts}
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{name}={shown(value)}: attributions and attention have none; leave it out")
    words = MEASURES[dataset.attrs["schema"]]
    return HeadMeans(measured_heads(dataset), words.title, words.subtitle, words.colour)


TO_SUBJECT = " → subject"


def _readout_names(role: str) -> list[str]:
    """The rows that a role may stand for: those of the read-out (of attention: from it), or itself."""
    if role not in (READOUT, READOUT + TO_SUBJECT):
        return [role]
    return [name + role.removeprefix(READOUT) for name in READOUT_NAMES]


def _at_role(group: xr.Dataset, role: str) -> xr.Dataset:
    """The map [head layer] of one modality at a role; read-out resolves to the final marker or the last word."""
    roles = group["role"].values.tolist()
    wanted = [name for name in _readout_names(role) if name in roles] if isinstance(role, str) else []
    if not wanted:
        raise ValueError(f"role={shown(role)} was not traced; choose from {', '.join(roles)}")
    found = next((name for name in wanted if int(group["n_facts"].sel(role=name).max()) > 0), wanted[0])
    return group.sel(role=found).transpose("head", "layer", ...)


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
