"""Average maps of several groups of facts beside each other: the four cells of knowing, kinds of recall, or one's own.

One column a group, one row for each component and modality, all on one colour scale, which the largest total effect
limits: what differs between two columns is in the numbers, not in the colours. A group of which nothing was traced
keeps its column and says so.
"""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from spiritlens.arguments import check_choice, shown, told_keywords
from spiritlens.effects.averages import averaged, cell_status
from spiritlens.effects.role_effects import ordered_roles
from spiritlens.report.acts import act_of
from spiritlens.report.figures.chosen import chosen, chosen_components, without_heads
from spiritlens.report.figures.heatmap import add_cells, name_marks
from spiritlens.report.figures.look import INK, Arrangement, apply_look, layer_ticks
from spiritlens.report.figures.role_maps import ROW_PIXELS, TITLES, hover_texts, place_names
from spiritlens.report.figures.rows import Rows, folded_rows
from spiritlens.report.figures.scale import Scale, effect_scale, share_scale
from spiritlens.report.words import colour_words, patching_words, quantity_words, site_words

Groups = Mapping[str, xr.Dataset | None]
"""Effects, or averages of them, by the name of the group; None: nothing of it was traced."""
NOT_TRACED = "not traced"
GAP_PIXELS = 76
"""Between maps: numbers of layers, and a heading of two lines."""
FEW_TICKS = 5
"""On the layer axis of one of several columns, where layers are many."""


@dataclass(frozen=True, eq=False)
class _Panel:
    group: str
    component: str
    kind: str
    means: xr.Dataset | None
    """[role layer]; None where the group has no facts in this modality."""

    @property
    def n_facts(self) -> int:
        return 0 if self.means is None else int(self.means["n_facts"].max())


@told_keywords
def maps_beside(
    groups: Groups,
    component: str | None = None,
    metric: str | None = None,
    *,
    arrangement: Arrangement = "side by side",
) -> go.Figure:
    """Average maps by role × layer of several groups of facts, one column each, on one colour scale.

    `groups` maps names to effects or to their averages (`sl.effects.average`), or to None where nothing was traced:
    ``{cell.name: cell.averages for cell in result.cells.cells}``. `component` None draws every traced component.

    Returns a plotly figure; "stacked" has one column for all, without the empty ones. Raises ValueError where no group
    has anything, for groups that were made differently, and for a choice that was not traced.
    """
    check_choice("arrangement", arrangement, Arrangement)
    means = _averages(groups)
    first = next(iter(means.values()))
    metric, components = chosen(first, "metric", metric), chosen_components(first, component)
    roles = ordered_roles(list(dict.fromkeys(role for one in means.values() for role in one["role"].values.tolist())))
    means = {name: one.sel(metric=metric).reindex(role=roles) for name, one in means.items()}
    kinds = list(dict.fromkeys(str(kind) for one in means.values() for kind in one["modality"].values))
    panels = [_panel(group, name, kind, means.get(group)) for name in components for kind in kinds for group in groups]
    if arrangement == "stacked":
        panels = [panel for panel in panels if panel.means is not None]
    drawn = [panel.means for panel in panels if panel.means is not None]
    shape = (len(components) * len(kinds), len(groups)) if arrangement == "side by side" else (len(panels), 1)
    rows = folded_rows(*map(cell_status, drawn))
    figure = _figure(panels, shape, rows)
    for number, panel in enumerate(panels):
        place = {"row": number // shape[1] + 1, "col": number % shape[1] + 1}
        _draw(figure, panel, place, rows, first["layer"].values, roles, last=number + shape[1] >= len(panels))
        if shape[1] > 1 and place["col"] == 1:
            figure.update_yaxes(title_text=f"{panel.kind} · {html.escape(panel.component)}", **place)
    scale = _scale(list(means.values()), [one["mean"].values for one in drawn])
    figure.update_layout(coloraxis=scale.axis(colour_words(first, first.attrs["quantity"])))
    subtitle = (
        f"{quantity_words(first, first.attrs['quantity'], metric)} · {patching_words(first)} · {site_words(first)} · "
        f"mean over the facts of each group{f' · {scale.line}' if scale.line else ''}"
    )
    height = 150 + round(shape[0] * (ROW_PIXELS * rows.height + GAP_PIXELS))
    apply_look(figure, TITLES[act_of(first)][first.attrs["direction"] == "noising"], subtitle, height=height)
    figure.update_layout(margin={"t": figure.layout.margin.t + 20})
    # stacked, a heading may be wider than its map: it ends with the map and reaches over the names of the rows
    heading: dict[str, Any] = {"xanchor": "center"} if shape[1] > 1 else {"x": 1, "xanchor": "right", "align": "right"}
    figure.update_annotations(font={"size": 13, "color": INK}, **heading)
    return name_marks(figure)


def _averages(groups: Groups) -> dict[str, xr.Dataset]:
    """The averages of the groups that have any; they must have been made alike."""
    if (
        isinstance(groups, xr.Dataset)
        or not isinstance(groups, Mapping)
        or any(not isinstance(name, str) or not name for name in groups)
    ):
        raise ValueError(
            f"groups={shown(groups, 40)} ({type(groups).__name__}): expected effects by the name of their group, such "
            "as {cell.name: cell.averages for cell in result.cells.cells}"
        )
    found = {name: without_heads(averaged(one, None, None)) for name, one in groups.items() if one is not None}
    if not found:
        raise ValueError(f"groups={shown(list(groups))}: nothing of them was traced, so there is no map to draw")
    (leading, first), *others = found.items()
    for name, one in others:
        for what in ("layer", "component", "metric"):
            theirs, ours = one[what].values.tolist(), first[what].values.tolist()
            if theirs != ours:
                raise ValueError(
                    f"groups {leading!r} and {name!r} differ in {what} ({shown(ours)} and {shown(theirs)}): maps that "
                    "stand beside each other are of one run"
                )
        for what in ("quantity", "direction"):
            if one.attrs[what] != first.attrs[what]:
                raise ValueError(
                    f"groups {leading!r} and {name!r} differ in {what} ({first.attrs[what]!r} and "
                    f"{one.attrs[what]!r}): maps that stand beside each other are of one run"
                )
    return found


def _panel(group: str, component: str, kind: str, means: xr.Dataset | None) -> _Panel:
    kinds = [] if means is None else means["modality"].values.tolist()
    if means is None or kind not in kinds:
        return _Panel(group, component, kind, None)
    own = means.sel(component=component).isel(group=kinds.index(kind)).transpose("role", "layer", ...)
    return _Panel(group, component, kind, own if int(own["n_facts"].max()) else None)


def _figure(panels: list[_Panel], shape: tuple[int, int], rows: Rows) -> go.Figure:
    beside = shape[1] > 1
    return make_subplots(
        *shape,
        shared_yaxes=beside,
        horizontal_spacing=0.025,
        vertical_spacing=min(0.25, (GAP_PIXELS - 16) / ((ROW_PIXELS * rows.height + GAP_PIXELS) * shape[0])),
        subplot_titles=[_heading(panel, beside=beside, top=number < shape[1]) for number, panel in enumerate(panels)],
    )


def _heading(panel: _Panel, *, beside: bool, top: bool) -> str:
    """Beside each other the group's name stands over its column; stacked, each map tells all that it is."""
    group = f"<b>{html.escape(panel.group)}</b>"
    count = f"n = {panel.n_facts}" if panel.means is not None else NOT_TRACED
    if beside:
        return f"{group}<br>{count}" if top else count
    return f"{group} · {count}<br>{panel.kind} · {html.escape(panel.component)}"


def _draw(
    figure: go.Figure,
    panel: _Panel,
    place: dict[str, int],
    rows: Rows,
    layers: Any,
    roles: list[str],
    *,
    last: bool,
) -> None:
    names = place_names(roles, rows)
    if panel.means is not None:
        drawn = panel.means.isel(role=rows.first)
        status = cell_status(drawn)
        texts = hover_texts(panel.component, drawn, names, status)
        add_cells(figure, layers, drawn["mean"].values, status, texts, place=place, rows=rows)
    else:
        figure.add_trace(go.Scatter(x=[None], y=[None], showlegend=False, hoverinfo="skip"), **place)
    ticks = layer_ticks(layers, about=12 if len(layers) <= 12 else FEW_TICKS)
    figure.update_xaxes(**ticks | ({} if last else {"title_text": ""}), **place)
    figure.update_yaxes(**rows.ticks(names), **place)


def _scale(means: list[xr.Dataset], maps: list[Any]) -> Scale:
    """One scale for all: the largest total effect of any group is full colour."""
    if means[0].attrs["quantity"] == "normalised":
        return share_scale(*maps)
    if any("total_effect" not in one.variables for one in means):
        return effect_scale(*maps)
    totals = np.concatenate([np.ravel(one["total_effect"].values) for one in means])
    return effect_scale(*maps, total=totals, floor=max(float(one["noise_floor"]) for one in means))
