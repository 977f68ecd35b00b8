"""Paths as dots with intervals, by sender: how much each changes, and how sure that is.

A row is a path, ``L3H1 → logits``; rows of one sender stand together, senders in the order of the model. The paths were
chosen for their size in either modality, so that intervals hold for all paths at once. Sign and base as in `path_map`.
"""

import html

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from spiritlens.arguments import told_keywords, whole
from spiritlens.effects.given import given_dataset
from spiritlens.effects.paths import PATHS_SCHEMA, check_paths, path_change
from spiritlens.effects.statistics import fact_means
from spiritlens.report.figures.chosen import chosen
from spiritlens.report.figures.dots import ROW_PIXELS, bars_words, dots, ranked_means, strongest
from spiritlens.report.figures.look import apply_look
from spiritlens.report.figures.path_map import RECEIVER, SENDER, node_name, path_words
from spiritlens.report.numerals import number_words, several
from spiritlens.terms import Facts


@told_keywords
def path_dots(
    paths: xr.Dataset, metric: str | None = None, *, pos: int = 0, top: int = 20, facts: Facts = "known"
) -> go.Figure:
    """The `top` paths of the largest mean change over facts as dots with intervals, by sender, T2T and S2T on each row.

    `pos` is the place along the axis of positions (named by ``pos_name``) at which the senders were patched. Returns a
    plotly figure. Raises ValueError for what is no result of paths, and for a metric or place that it lacks.
    """
    paths = check_paths(given_dataset(paths, PATHS_SCHEMA, "paths"))
    n = paths.sizes["pos"]
    pos, top = whole("pos", pos, at_least=-n, at_most=n - 1), whole("top", top, at_least=1)
    metric = chosen(paths, "metric", metric)
    change = fact_means(path_change(paths).sel(metric=metric).isel(pos=pos), facts=facts)
    nodes = change.stack(sender=SENDER, receiver=RECEIVER).transpose("fact", "sender", "receiver")
    kinds = list(dict.fromkeys(change["modality"].values.tolist()))
    ranked = []
    for kind in kinds:
        own = nodes.isel(fact=nodes["modality"].values == kind)
        ranked.append(ranked_means(kind, own.values.reshape(own.sizes["fact"], -1), own["subject"].values.tolist()))
    floor = float(paths["noise_floor"].sel(metric=metric).max())
    rows = sorted(strongest(ranked, top, floor), key=lambda row: _order(nodes, row))
    if not rows:
        raise ValueError("every path is absent: no sender precedes a receiver")
    figure = dots(ranked, rows, [_label(nodes, row) for row in rows], "change")
    counts = ", ".join(f"{one.kind} n = {several(int(one.n_facts.max(initial=0)), 'fact')}" for one in ranked)
    there = int((np.max([one.n_facts for one in ranked], axis=0) > 0).sum())
    subtitle = (
        f"{len(rows)} of {several(there, 'path')}, the largest in size · {path_words(paths, metric, pos)} · "
        f"{bars_words(ranked)} · changes up to {number_words(floor)} are rounding and left out · {counts}"
    )
    height = 170 + ROW_PIXELS * max(4, len(rows))
    return apply_look(figure, "What one node tells another, by sender", subtitle, height=height)


def _places(nodes: xr.DataArray, row: int) -> tuple[int, int]:
    """Places of the sender and the receiver of a row."""
    return divmod(row, nodes.sizes["receiver"])


def _order(nodes: xr.DataArray, row: int) -> tuple[int, int, int]:
    """Senders in the order of the model (layer, then as given), then receivers."""
    sender, receiver = _places(nodes, row)
    return int(nodes["sender_layer"].values[sender]), sender, receiver


def _label(nodes: xr.DataArray, row: int) -> str:
    sender, receiver = _places(nodes, row)
    names = (node_name(*nodes["sender"].values[sender]), node_name(*nodes["receiver"].values[receiver]))
    return html.escape(" → ".join(names))
