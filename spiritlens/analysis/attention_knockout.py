"""Attention knock-out: cut the flow of information between two sets of tokens, in a window of layers.

An *edge* names who may no longer look at whom: queries (readers) and keys (where they would read), such as ``last
token`` ↚ ``subject``. In every layer of a window the scores of these pairs are set to −∞ before the softmax, so that
the rest of each row is renormalised, as if the keys were not there. A row that would be left without any key is
refused.

Result: an effects dataset with direction="noising". Component ``attention``; axis ``span``: one span per edge, named
``keys → queries``; axis ``layer``: the window's centre. ``corrupted`` is the run with all edges cut in all layers.

Signs: noising effect = metric(clean) − metric(cut), so that a positive effect says the edge carried something the
answer needs.

Source: Geva et al. 2023 (arXiv 2304.14767), section 4.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor
from tqdm.auto import tqdm

from spiritlens.analysis.knowledge import known_prompts
from spiritlens.analysis.results import array, checked_prompts, model_attributes, prompt_columns
from spiritlens.analysis.tracing_sites import TOKEN_SETS, named_span
from spiritlens.effects.schema import Status, new_effects
from spiritlens.effects.store import join_effects
from spiritlens.models.hooked import HookFunction, LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.metrics import SIGNS, prompt_scorers

if TYPE_CHECKING:
    from spiritlens.models.lens import Lens

DEFAULT_WINDOW_SHARE = 0.3


@dataclass(frozen=True)
class Edge:
    """Queries that may not look at keys; both are names of spans (`spiritlens.analysis.tracing_sites.named_span`):
    ``subject``, ``relation``, ``speech``, ``last token``, a role, a word, ``positions 3 4``. A set that holds a query
    itself (``relation → last token`` in writing) leaves the query its own key."""

    keys: str
    queries: str = "last token"
    heads: Mapping[int, tuple[int, ...]] | None = None
    """Layer → heads that are cut; None: all heads."""

    @property
    def name(self) -> str:
        """``keys → queries``: the way that information would flow."""
        return f"{self.keys} → {self.queries}"


DEFAULT_EDGES = (Edge("subject"), Edge("relation"), Edge("last word"), Edge("speech", "final marker"))


def attention_knockout(
    lens: "Lens",
    prompts: Sequence[Prompt],
    edges: Sequence[Edge] = DEFAULT_EDGES,
    *,
    window: int | None = None,
    metrics: Sequence[str] = ("probability", "log_probability"),
    progress: Literal["bar", "none"] = "bar",
) -> xr.Dataset:
    """Cut each edge in a window of layers around each layer (`window` None: max(1, round(0.3 · layers)))."""
    chosen = checked_prompts(prompts)
    model = lens.inside
    width = max(1, round(DEFAULT_WINDOW_SHARE * model.n_layers)) if window is None else window
    if width < 1:
        raise ValueError(f"window is {width}; at least 1 layer is cut")
    if not edges:
        raise ValueError("no edges to cut: give at least one Edge(keys, queries)")
    windows = [_window(layer, width, model.n_layers) for layer in range(model.n_layers)]
    known = known_prompts(lens, chosen)
    settings = {"edges": [edge.name for edge in edges], "metrics": list(metrics)}
    attributes = {
        **model_attributes(lens, 0, settings),
        "corruption": "attention of all edges cut in all layers",
        "window": width,
        "window_layers": json.dumps(
            {"attention": {str(layer): [found.start, found.stop - 1] for layer, found in enumerate(windows)}}
        ),
    }
    parts = []
    for prompt, knows in zip(tqdm(chosen, desc="knock-out", disable=progress == "none"), known, strict=True):
        parts.append(_one_prompt(lens, prompt, tuple(edges), windows, tuple(metrics), knows, attributes))
    return join_effects(parts)


def cut_scores(
    pairs: Sequence[tuple[Sequence[int], Sequence[int]] | None], heads: Sequence[Sequence[int] | None]
) -> HookFunction:
    """A hook on attention scores ``[row head query key]``: row i loses the pairs (queries, keys) of entry i, in its
    heads."""

    def cut(scores: Tensor) -> Tensor:
        result = scores.clone()
        for row, (pair, chosen) in enumerate(zip(pairs, heads, strict=True)):
            if pair is None:
                continue
            queries, keys = (torch.tensor(list(side), device=scores.device) for side in pair)
            which = torch.tensor(range(scores.shape[1]) if chosen is None else list(chosen), dtype=torch.long)
            result[row, which[:, None, None], queries[None, :, None], keys[None, None, :]] = -torch.inf
        return result

    return cut


def _window(layer: int, width: int, n_layers: int) -> range:
    start = layer - width // 2
    return range(max(0, start), min(n_layers, start + width))


def _pair(prompt: Prompt, edge: Edge) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Positions of queries and keys; None where the prompt lacks either."""
    queries, keys = (named_span(prompt, name) for name in (edge.queries, edge.keys))
    if queries is None or keys is None:
        return None
    left = keys.positions
    if edge.keys in TOKEN_SETS:
        left = tuple(position for position in left if position not in queries)
    return (queries.positions, left) if left else None


def _check_rows(prompt: Prompt, edges: Sequence[Edge], pairs: Sequence[Any]) -> None:
    """No query may be left without any key, not even with all edges cut."""
    cut: dict[int, set[int]] = {}
    for queries, keys in (pair for pair in pairs if pair is not None):
        for query in queries:
            cut.setdefault(query, set()).update(keys)
    for query, keys in cut.items():
        if set(range(query + 1)) <= keys:
            raise ValueError(
                f"cutting {', '.join(edge.name for edge in edges)} in prompt {prompt.id} would leave position {query} "
                "nothing to look at; leave the beginning of the sequence, or the position itself, out of the keys"
            )


def _one_prompt(
    lens: "Lens",
    prompt: Prompt,
    edges: tuple[Edge, ...],
    windows: Sequence[range],
    metrics: tuple[str, ...],
    known: bool,
    attributes: Mapping[str, Any],
) -> xr.Dataset:
    model = lens.inside
    pairs = [_pair(prompt, edge) for edge in edges]
    _check_rows(prompt, edges, pairs)
    cells = [(layer, index) for layer in range(len(windows)) for index, pair in enumerate(pairs) if pair is not None]
    parts = prompt_scorers(lens, prompt, metrics)
    totals: dict[str, Tensor] = {}
    for scorer in parts:
        tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=model.device)
        with torch.no_grad():
            clean_logits = model.forward(tokens)[:, -scorer.n_readouts :]
        scored = scorer.with_clean(clean_logits)
        cut = _cut_values(model, tokens, edges, pairs, windows, cells, scorer.n_readouts)
        nothing = _logits(model, tokens.expand(2, -1), [], scorer.n_readouts)
        for name, logits in {"clean": clean_logits, "cells": cut[:-1], "all": cut[-1:], "nothing": nothing}.items():
            totals[name] = totals.get(name, 0) + scored(logits)
    shape = (1, len(windows), len(edges))
    restored = np.full((*shape, 1, len(metrics)), np.nan)
    status = np.full(shape, int(Status.ABSENT), dtype=np.int8)
    for (layer, index), values in zip(cells, array(totals["cells"]), strict=True):
        restored[0, layer, index, 0] = values
        status[0, layer, index] = int(Status.MEASURED)
    return new_effects(
        clean=array(totals["clean"]),
        corrupted=array(totals["all"])[None],
        restored=restored[None],
        status=status[None],
        noise_floor=array((totals["nothing"] - totals["clean"]).abs().amax(0))[None],
        components=("attention",),
        layers=range(len(windows)),
        metrics={name: SIGNS[name] for name in metrics},
        prompts=prompt_columns([prompt], [known]),
        sites={name: [values] for name, values in _edge_coordinates(prompt, edges, pairs).items()},
        at="span",
        direction="noising",
        attributes=dict(attributes),
    )


def _edge_coordinates(prompt: Prompt, edges: Sequence[Edge], pairs: Sequence[Any]) -> dict[str, list[Any]]:
    return {
        "span_name": [edge.name for edge in edges],
        "span_role": [prompt.roles[pair[1][0]] if pair else "" for pair in pairs],
        "start": [prompt.starts[pair[1][0]] if pair else np.nan for pair in pairs],
        "end": [prompt.ends[pair[1][-1]] if pair else np.nan for pair in pairs],
        "n_tokens": [len(pair[1]) if pair else 0 for pair in pairs],
    }


def _cut_values(
    model: LensModel,
    tokens: Tensor,
    edges: Sequence[Edge],
    pairs: Sequence[Any],
    windows: Sequence[range],
    cells: Sequence[tuple[int, int]],
    n_readouts: int,
    rows_at_once: int = 32,
) -> Tensor:
    """Logits ``[cell + 1 readout d_vocab]`` of all cells and, last, of the run with every edge cut everywhere."""
    found = []
    for first in range(0, len(cells), rows_at_once):
        some = cells[first : first + rows_at_once]
        hooks = []
        for layer in range(model.n_layers):
            cut = [pairs[index] if layer in windows[centre] else None for centre, index in some]
            heads = [_heads_of(edges[index], layer) for _, index in some]
            if any(pair is not None for pair in cut):
                hooks.append((f"blocks.{layer}.attn.hook_attn_scores", cut_scores(cut, heads)))
        found.append(_logits(model, tokens.expand(len(some), -1), hooks, n_readouts))
    everything = [
        (f"blocks.{layer}.attn.hook_attn_scores", cut_scores([pair], [_heads_of(edge, layer)]))
        for layer in range(model.n_layers)
        for edge, pair in zip(edges, pairs, strict=True)
        if pair is not None
    ]
    return torch.cat([*found, _logits(model, tokens, everything, n_readouts)])


def _heads_of(edge: Edge, layer: int) -> tuple[int, ...] | None:
    return None if edge.heads is None else tuple(edge.heads.get(layer, ()))


def _logits(model: LensModel, tokens: Tensor, hooks: Sequence[tuple[str, HookFunction]], n_readouts: int) -> Tensor:
    with torch.no_grad(), model.hooked(hooks):
        return model.forward(tokens)[:, -n_readouts:]
