"""Attention knock-out: cut the flow of information between two sets of tokens, in a window of layers.

A *blocked* edge names who may no longer look at whom: queries (readers) and keys (where they would read), such as
``last token`` ↚ ``subject``. In every layer of a window the scores of these pairs are set to −∞ before the softmax, so
that the rest of each row is renormalised, as if the keys were not there. A query always keeps its own key, so that no
row is left without any.

    sl.heads.attention_knockout(lens, prompts, [sl.heads.Blocked("subject", "last token")], window=1)

Result: an effects dataset with direction="noising". Component ``attention``; axis ``span``: one span per edge, named
``keys → queries``; axis ``layer``: the window's centre. ``corrupted`` is the run with all edges cut in all layers. An
edge that cuts nothing in a prompt (no such tokens, or a query and its own key alone) is absent there.

Signs: noising effect = metric(clean) − metric(cut), so that a positive effect says the edge carried something the
answer needs.

Source: Geva et al. 2023 (arXiv 2304.14767), section 4.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from spiritlens.analysis.grid.canary import Deviations
from spiritlens.analysis.grid.cells import Along, CellRuns, Cells, effects_of
from spiritlens.analysis.grid.each_prompt import Advance, Work, each_prompt
from spiritlens.analysis.grid.given import given_scored
from spiritlens.analysis.grid.results import array, metric_settings, model_attributes
from spiritlens.analysis.grid.sites import GridSites
from spiritlens.analysis.grid.windows import given_window, window_around
from spiritlens.arguments import listed, shown, told_keywords, whole
from spiritlens.components import CUT_ATTENTION, hook_name
from spiritlens.effects.shards import RunFolder
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.models.protocol import HookFunction, LensModel
from spiritlens.out_of_memory import joined, of_slices
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spans import find_span
from spiritlens.runs.answers import knows
from spiritlens.runs.metrics import Metric
from spiritlens.runs.scoring import prompt_scorers
from spiritlens.runs.side_by_side import processes_of
from spiritlens.terms import Progress

Couples = tuple[tuple[int, int], ...]
"""Positions (query, key) that may not meet."""


@dataclass(frozen=True)
class Blocked:
    """Queries that may not look at keys; both are names of spans (`spiritlens.prompts.spans`):
    ``subject``, ``relation``, ``speech``, ``last token``, a role, a word, ``positions 3 4``. Keys that hold a query
    itself (``relation → last token`` in writing) leave the query its own key."""

    keys: str
    queries: str = "last token"
    heads: Mapping[int, tuple[int, ...]] | None = None
    """Layer → heads that are cut; None: all heads."""

    def __post_init__(self) -> None:
        for name in ("keys", "queries"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise ValueError(f"{name}={shown(value)}: expected the name of a span, such as 'subject'")
        if self.heads is not None:
            object.__setattr__(self, "heads", _given_heads(self.heads))

    @property
    def name(self) -> str:
        """``keys → queries``: the way that information would flow."""
        return f"{self.keys} → {self.queries}"


def _given_heads(heads: Any) -> dict[int, tuple[int, ...]]:
    """Heads by layer, at least one head in all."""
    rule = "expected layers with their heads, such as {5: (0, 1)}, or None for all heads"
    if not isinstance(heads, Mapping):
        raise ValueError(f"heads={shown(heads)}: {rule}")
    found: dict[int, tuple[int, ...]] = {}
    for layer, some in heads.items():
        numbers = listed(f"heads[{shown(layer)}]", some, empty=True)
        found[whole("layer of heads", layer, at_least=0)] = tuple(
            whole(f"heads[{layer}]", head, at_least=0) for head in numbers
        )
    if not any(found.values()):
        raise ValueError(f"heads={shown(heads)} names no head, so nothing would be cut: {rule}")
    return found


DEFAULT_EDGES = (Blocked("subject"), Blocked("relation"), Blocked("last word"), Blocked("speech", "final marker"))


@told_keywords
@plain_torch
def attention_knockout(
    lens: Lens,
    prompts: Sequence[Prompt],
    edges: Sequence[Blocked] = DEFAULT_EDGES,
    metrics: Sequence[str | Metric] = ("probability", "log_probability"),
    *,
    window: int | None = None,
    folder: str | Path | RunFolder | None = None,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Cut each edge in a window of layers around each layer (`window` None: max(1, round(0.3 · layers))).

    `folder` keeps each finished prompt, and the same call goes on where it stopped; without it, Ctrl-C returns what is
    finished.

    Returns an effects dataset, ``restored [prompt component layer span sample metric]``. Raises ValueError for names of
    spans that no prompt knows, heads that the model lacks, and a folder of other settings.
    """
    prompts = given_prompts(given_lens(lens), prompts)
    model, edges = lens.backend, listed("edges", edges, of=Blocked)
    _check_edges(model, prompts, edges)
    width = given_window(window, model.n_layers)
    prompts, metrics = given_scored(lens, prompts, metrics)
    windows = [window_around(layer, width, model.n_layers) for layer in range(model.n_layers)]
    settings = {
        "edges": [edge.name for edge in edges],
        "heads": [None if edge.heads is None else dict(edge.heads) for edge in edges],
        **metric_settings(metrics),
    }
    attributes = {
        **model_attributes(lens, 0, settings),
        "corruption": "attention of all edges cut in all layers",
        "window": width,
        "window_layers": json.dumps(
            {CUT_ATTENTION: {str(layer): [found.start, found.stop - 1] for layer, found in enumerate(windows)}}
        ),
    }
    along = Along((CUT_ATTENTION,), range(model.n_layers), metrics, "noising", attributes)

    def measure(place: int, advance: Advance) -> xr.Dataset:
        return _one_prompt(lens, prompts[place], edges, windows, along)

    within = {"samples": 1, "at": "span", "direction": along.direction}
    processes = processes_of(lens)
    work = Work(prompts, measure, attributes, "attention knock-out", settings=within, processes=processes)
    return each_prompt(work, folder=folder, progress=progress)


def _check_edges(model: LensModel, prompts: Sequence[Prompt], edges: Sequence[Blocked]) -> None:
    """The prompts understand the edges' names, and the model has their heads."""
    for edge in edges:
        for prompt in prompts:
            _couples(prompt, edge)
        for layer, heads in (edge.heads or {}).items():
            for head in heads:
                if layer >= model.n_layers or head >= model.n_heads:
                    raise ValueError(
                        f"edge '{edge.name}' names L{layer}H{head}; the model has {model.n_layers} layers of "
                        f"{model.n_heads} heads"
                    )


def cut_scores(couples: Sequence[Couples], heads: Sequence[Sequence[int] | None]) -> HookFunction:
    """A hook on attention scores ``[row head query key]``: row i loses the couples of entry i, in its heads."""

    def cut(scores: Tensor) -> Tensor:
        result = scores.clone()
        for row, (pairs, chosen) in enumerate(zip(couples, heads, strict=True)):
            if not pairs:
                continue
            queries, keys = torch.tensor(pairs, device=scores.device).T
            which = list(range(scores.shape[1]) if chosen is None else chosen)
            index = torch.tensor(which, dtype=torch.long, device=scores.device)[:, None]
            result[row, index, queries, keys] = -torch.inf
        return result

    return cut


def _couples(prompt: Prompt, edge: Blocked) -> Couples:
    """The edge's (query, key) positions; none where the prompt lacks either side."""
    queries, keys = (find_span(prompt, name) for name in (edge.queries, edge.keys))
    if queries is None or keys is None:
        return ()
    return tuple((query, key) for query in queries for key in keys if key != query)


def _one_prompt(
    lens: Lens,
    prompt: Prompt,
    edges: tuple[Blocked, ...],
    windows: Sequence[range],
    along: Along,
) -> xr.Dataset:
    model = lens.backend
    couples = [_couples(prompt, edge) for edge in edges]
    cells = [(layer, index) for layer in range(len(windows)) for index, chosen in enumerate(couples) if chosen]
    parts = prompt_scorers(lens, prompt, along.metrics)
    totals: dict[str, Tensor] = {}
    for scorer in parts:
        tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=model.device)
        with torch.no_grad():
            clean_logits = model.forward(tokens)[:, -scorer.n_readouts :]
        scored = scorer.with_clean(clean_logits)
        cut = _cut_logits(model, tokens, edges, couples, windows, cells, scorer.n_readouts)
        nothing = _nothing_cut(model, tokens, scorer.n_readouts)
        again = _logits(model, tokens, _renormalised(model, edges, couples), scorer.n_readouts)
        for name, logits in {"clean": clean_logits, "cut": cut, "nothing": nothing, "again": again}.items():
            totals[name] = totals.get(name, 0) + scored(logits)
    cut_values = array(totals["cut"]).astype(np.float64)
    runs = CellRuns(
        array(totals["clean"]),
        cut_values[-1:],
        cut_values[:-1, None],
        floor := array((totals["nothing"] - totals["clean"]).abs().amax(0)),
        canary=Deviations(floor, array((totals["cut"][-1:] - totals["again"]).abs().amax(0))),
    )
    grid = Cells(tuple((0, layer, index, 0) for layer, index in cells), (1, len(windows), len(edges), 1), by_head=False)
    sites = GridSites("span", (), _edge_coordinates(prompt, edges, couples))
    return effects_of(prompt, knows(lens, prompt), sites, grid, runs, along)


def _edge_coordinates(prompt: Prompt, edges: Sequence[Blocked], couples: Sequence[Couples]) -> dict[str, list[Any]]:
    """Coordinates of the span axis; they tell of the keys that are cut."""
    keys = [sorted({key for _, key in chosen}) for chosen in couples]
    return {
        "span_name": [edge.name for edge in edges],
        "span_role": [prompt.roles[found[0]] if found else "" for found in keys],
        "start": [prompt.starts[found[0]] if found else np.nan for found in keys],
        "end": [prompt.ends[found[-1]] if found else np.nan for found in keys],
        "n_tokens": [len(found) for found in keys],
    }


def _cut_logits(
    model: LensModel,
    tokens: Tensor,
    edges: Sequence[Blocked],
    couples: Sequence[Couples],
    windows: Sequence[range],
    cells: Sequence[tuple[int, int]],
    n_readouts: int,
    rows_at_once: int = 32,
) -> Tensor:
    """Logits ``[cell + 1 readout d_vocab]`` of all cells and, last, of the run with every edge cut everywhere."""

    def of_cells(together: Sequence[tuple[int, int]], rows: slice) -> Tensor:
        some = together[rows]
        hooks = []
        for layer in range(model.n_layers):
            cut = [couples[index] if layer in windows[centre] else () for centre, index in some]
            heads = [_heads_of(edges[index], layer) for _, index in some]
            if any(cut):
                hooks.append((hook_name("scores", layer), cut_scores(cut, heads)))
        return _logits(model, tokens.expand(len(some), -1), hooks, n_readouts)

    found: list[Tensor] = []
    for first in range(0, len(cells), rows_at_once):
        together = cells[first : first + rows_at_once]
        found += of_slices(len(together), partial(of_cells, together))
    everything = [
        (hook_name("scores", layer), cut_scores([chosen], [_heads_of(edge, layer)]))
        for layer in range(model.n_layers)
        for edge, chosen in zip(edges, couples, strict=True)
        if chosen
    ]
    return torch.cat([*found, _logits(model, tokens, everything, n_readouts)])


def _nothing_cut(model: LensModel, tokens: Tensor, n_readouts: int) -> Tensor:
    """Logits ``[2 readout d_vocab]`` of two runs whose scores pass through the hooks, which cut nothing."""

    def of_rows(rows: slice) -> Tensor:
        n_rows = rows.stop - rows.start
        idle = cut_scores([()] * n_rows, [None] * n_rows)
        hooks = [(hook_name("scores", layer), idle) for layer in range(model.n_layers)]
        return _logits(model, tokens.expand(n_rows, -1), hooks, n_readouts)

    return joined(of_slices(2, of_rows))


def _renormalised(
    model: LensModel, edges: Sequence[Blocked], couples: Sequence[Couples]
) -> list[tuple[str, HookFunction]]:
    """Hooks on the patterns by which every edge is cut everywhere, for the canary: without the cut keys, each row is
    divided by what is left of it, which is what −∞ before the softmax comes to."""

    def cut(layer: int) -> HookFunction:
        def renormalise(pattern: Tensor) -> Tensor:
            result = pattern.clone()
            for edge, pairs in zip(edges, couples, strict=True):
                heads = _heads_of(edge, layer)
                for query, key in pairs:
                    result[:, slice(None) if heads is None else list(heads), query, key] = 0
            return result / result.sum(-1, keepdim=True)

        return renormalise

    return [(hook_name("pattern", layer), cut(layer)) for layer in range(model.n_layers)]


def _heads_of(edge: Blocked, layer: int) -> tuple[int, ...] | None:
    return None if edge.heads is None else tuple(edge.heads.get(layer, ()))


def _logits(model: LensModel, tokens: Tensor, hooks: Sequence[tuple[str, HookFunction]], n_readouts: int) -> Tensor:
    with torch.no_grad(), model.hooked(hooks):
        return model.forward(tokens)[:, -n_readouts:].clone()  # not the logits of all positions
