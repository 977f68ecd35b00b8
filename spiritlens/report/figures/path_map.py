"""Maps of paths: senders × receivers, from a `spiritlens.paths/1` dataset.

Colour: the mean change over facts, (metric(patched) − metric(base)) times the metric's sign. With the clean run as base
a path that carries the fact is blue (patching it loses the answer); with the corrupted run as base it is red. Hatched
grey: no such path (it would run backwards, or was not asked for).
"""

import html
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from spiritlens.arguments import told_keywords, whole
from spiritlens.effects.given import given_dataset
from spiritlens.effects.paths import PATHS_SCHEMA, check_paths, path_change
from spiritlens.effects.schema import Status
from spiritlens.effects.statistics import fact_means
from spiritlens.report.figures.chosen import chosen
from spiritlens.report.figures.heatmap import add_cells, cell_words, name_marks
from spiritlens.report.figures.look import INK, apply_look
from spiritlens.report.figures.rows import every_row
from spiritlens.report.figures.scale import effect_scale
from spiritlens.report.numerals import several
from spiritlens.report.words import metric_words
from spiritlens.terms import Facts

SENDER = ("sender_component", "sender_layer", "sender_head")
RECEIVER = ("receiver_component", "receiver_layer", "receiver_head")
ROW_PIXELS = 20


SHORT = {"z": "{place}", "mlp_out": "MLP{layer}", "mlp_in": "MLP{layer}"} | {
    f"{letter}_input": f"{{place}}.{letter}" for letter in "qkv"
}


def node_name(component: str, layer: int, head: int) -> str:
    """A node in short: ``L3H1``, ``L6H1.v``, ``MLP2``, ``embed``, ``logits``."""
    place = (f"L{layer}" if layer >= 0 else "") + (f"H{head}" if head >= 0 else "")
    return SHORT.get(component, f"{component} {{place}}").format(place=place, layer=layer).strip()


@told_keywords
def path_map(
    paths: xr.Dataset, metric: str | None = None, *, pos: int = 0, top: int | None = 40, facts: Facts = "known"
) -> go.Figure:
    """Mean change of each path over facts, one panel per modality; `top` keeps the senders of the largest changes.

    `pos` is the place along the axis of positions (named by ``pos_name``) at which the senders were patched. Returns a
    plotly figure. Raises ValueError for what is no result of paths, and for a metric or place that it lacks.
    """
    paths = check_paths(given_dataset(paths, PATHS_SCHEMA, "paths"))
    n = paths.sizes["pos"]
    pos = whole("pos", pos, at_least=-n, at_most=n - 1)
    top = None if top is None else whole("top", top, at_least=1)
    metric = chosen(paths, "metric", metric)
    change = fact_means(path_change(paths).sel(metric=metric).isel(pos=pos), facts=facts)
    nodes = change.stack(sender=SENDER, receiver=RECEIVER)
    status = paths["status"].isel(pos=pos).stack(sender=SENDER, receiver=RECEIVER)
    absent = (status >= Status.SCREENED).all("prompt").transpose("sender", "receiver").values
    kinds = list(dict.fromkeys(change["modality"].values.tolist()))
    groups = [nodes.isel(fact=nodes["modality"].values == kind) for kind in kinds]
    maps = np.stack([group.mean("fact").transpose("sender", "receiver").values for group in groups])
    rows, columns = _kept(maps, absent, top)
    kept = (("sender", rows), ("receiver", columns))
    names = [[html.escape(node_name(*node)) for node in nodes[axis].values[places]] for axis, places in kept]
    titles = [
        f"<b>{kind}</b> · n = {several(group.sizes['fact'], 'fact')}" for kind, group in zip(kinds, groups, strict=True)
    ]
    figure = make_subplots(1, len(kinds), shared_yaxes=True, horizontal_spacing=0.04, subplot_titles=titles)
    for index, values in enumerate(maps):
        cells = np.ix_(rows, columns)
        _add_panel(figure, values[cells], absent[cells], names[0], names[1], column=index + 1)
    figure.update_yaxes(title_text="sender", row=1, col=1)
    scale = effect_scale(maps, floor=float(paths["noise_floor"].sel(metric=metric).max()))
    figure.update_layout(coloraxis=scale.axis("change"))
    words = path_words(paths, metric, pos)
    return _titled(figure, f"{words} · {scale.line}" if scale.line else words, len(rows))


def _add_panel(
    figure: go.Figure, values: Any, absent: Any, senders: list[str], receivers: list[str], *, column: int
) -> None:
    place = {"row": 1, "col": column}
    status = np.where(absent, Status.ABSENT, Status.MEASURED)
    hover = [
        [
            f"{sender} → {receiver}<br>change {cell_words(value, code)}"
            for receiver, value, code in zip(receivers, line, codes, strict=True)
        ]
        for sender, line, codes in zip(senders, values, status, strict=True)
    ]
    places = list(range(len(receivers)))
    add_cells(figure, places, values, status, hover, place=place)
    figure.update_xaxes(tickmode="array", tickvals=places, ticktext=receivers, title_text="receiver", **place)
    figure.update_xaxes(range=[-0.5, len(receivers) - 0.5], **place)
    figure.update_yaxes(**every_row(len(senders)).ticks(senders), **place)


def _kept(maps: Any, absent: Any, top: int | None) -> tuple[Any, Any]:
    """Places of senders (those with the largest changes, in their order) and receivers that have any path."""
    rows = np.nonzero(~absent.all(axis=1))[0]
    columns = np.nonzero(~absent.all(axis=0))[0]
    if not len(rows):
        raise ValueError("every path is absent: no sender precedes a receiver")
    if top is not None and len(rows) > top:
        largest = np.nanmax(np.abs(np.nan_to_num(maps[:, rows])), axis=(0, 2))
        rows = np.sort(rows[np.argsort(-largest, kind="stable")[:top]])
    return rows, columns


def _titled(figure: go.Figure, subtitle: str, n_rows: int) -> go.Figure:
    apply_look(figure, "What one node tells another", subtitle, height=230 + ROW_PIXELS * max(8, n_rows))
    return name_marks(figure.update_annotations(font={"size": 13, "color": INK}))


def path_words(paths: xr.Dataset, metric: str, pos: int) -> str:
    """What was patched, in which run, and what was held."""
    attributes = paths.attrs
    method = html.escape(str(attributes.get("method", "path patching")))
    return (
        f"{method} · change of the {metric_words(paths, metric)} in the "
        f"{attributes['base_run']} run · senders patched at {html.escape(str(paths['pos_name'].values[pos]))} · "
        f"held: {attributes['frozen']} · norms {attributes['norms']} · mean over facts"
    )
