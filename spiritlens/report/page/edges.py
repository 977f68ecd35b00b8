"""Paths and edges for the page: what each changes on average over facts, packed so that a head can ask for its own.

An edge is ``[sender, receiver, position]``. Of very many only the largest are kept (`MOST`), and how many there are is
told. Axes of the packed numbers: ``edge group metric``, a group for each modality. Signs and units as in
`spiritlens.effects.paths.path_change`; intervals are those of one edge.
"""

from typing import Any

import numpy as np
import xarray as xr

from spiritlens.effects.intervals import cluster_interval
from spiritlens.effects.paths import path_change
from spiritlens.effects.statistics import fact_means, of_facts, subject_names
from spiritlens.report.figures.path_map import RECEIVER, SENDER, node_name, path_words
from spiritlens.report.page.packing import Described, Packing
from spiritlens.terms import Facts

MOST = 4000
"""A page holds so many edges of a result."""


def packed_edges(paths: xr.Dataset, facts: Facts, packing: Packing) -> Described | None:
    """The edges of a result of paths with their nodes, means, intervals and n; None where no fact is known."""
    if not of_facts(paths, facts).sizes["prompt"]:
        return None
    change = fact_means(path_change(paths), facts=facts).stack(sender=SENDER, receiver=RECEIVER)
    change = change.transpose("fact", "sender", "receiver", "pos", "metric")
    kinds = list(dict.fromkeys(change["modality"].values.tolist()))
    sides = [change.isel(fact=change["modality"].values == kind) for kind in kinds]
    size = np.max([np.nan_to_num(np.abs(_means(one.values)), nan=-1.0) for one in sides], axis=0).max(axis=-1)
    order = np.argsort(-size.reshape(-1), kind="stable")[:MOST]
    kept = [np.unravel_index(place, size.shape) for place in sorted(order[size.reshape(-1)[order] >= 0].tolist())]
    sender, receiver, pos = (np.asarray(axis, dtype=np.int64) for axis in zip(*kept, strict=True))
    found = [
        cluster_interval(one.values[:, sender, receiver, pos], subject_names(one), confidence=0.95) for one in sides
    ]
    return {
        "senders": _nodes(change, "sender"),
        "receivers": _nodes(change, "receiver"),
        "positions": [str(name) for name in paths["pos_name"].values],
        "metrics": [
            {"name": str(name), "words": path_words(paths, str(name), 0)} for name in paths["metric"].values.tolist()
        ],
        "groups": kinds,
        "there": int((size >= 0).sum()),
        "edges": packing.numbers("edges", np.stack([sender, receiver, pos], axis=1)),
        "mean": packing.numbers("edges", np.stack([one.mean for one in found], axis=1)),
        "low": packing.numbers("edges", np.stack([one.low for one in found], axis=1)),
        "high": packing.numbers("edges", np.stack([one.high for one in found], axis=1)),
        "n_facts": packing.numbers("edges", np.stack([one.n_facts for one in found], axis=1).astype(np.int64)),
    }


def _means(values: Any) -> Any:
    """Means over facts [fact …]; NaN where no fact has the edge."""
    n = (~np.isnan(values)).sum(axis=0)
    return np.where(n > 0, np.nan_to_num(values).sum(axis=0) / np.maximum(n, 1), np.nan)


def _nodes(change: xr.DataArray, side: str) -> list[Described]:
    """Names, components, layers and heads of the senders or of the receivers."""
    return [
        {"name": node_name(*node), "component": str(node[0]), "layer": int(node[1]), "head": int(node[2])}
        for node in change[side].values.tolist()
    ]
