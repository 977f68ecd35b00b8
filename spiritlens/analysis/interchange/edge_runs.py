"""Runs of the model with sets of edges removed: every reader has a residual stream of its own.

A node's *write* is the embedding, a head's z through its output weights, or an MLP's output. Where the edge from a node
to a reader is removed, the reader finds the write's stand-in (of tokens like it) in its stream instead of the write;
everything else it finds as it is in this run, in which other readers may find something else:

    stream of reader r  =  stream + Σ over nodes n before r whose edge to r is removed of (stand-in of n − write of n)

1. Layer by layer, each reader's stream goes through its norm into queries, keys or values of its head, or the MLP.
2. The heads attend, and heads and MLPs write; what they write differs from the whole model's where they read otherwise.
3. The logits read last. With no edge removed this is the model; with all removed nothing of the prompt is left.

The first token keeps its streams, and so do answer tokens that follow the prompt. One row of one batch is one set of
edges. Readers that miss nothing share the run's own stream: a layer is projected once for each row, and once more for
each reader of a row that misses something, so many of them at a time as the memory budget holds. A set of one edge
costs little more than a plain run; a set of nearly all edges costs a projection for every head.

Axes: writes ``[node row pos d_model]``; ``kept [row reader node]``. Source: Syed et al. 2023 (arXiv 2310.10348); Hanna
et al. 2024 (arXiv 2403.17806), which evaluate circuits of edges so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spiritlens.analysis.grid.results import array
from spiritlens.analysis.interchange.set_runs import SetValues, StandIns
from spiritlens.analysis.paths.nodes import Receiver, Sender, all_receivers, all_senders
from spiritlens.components import hook_name
from spiritlens.models.protocol import CachedPrefix
from spiritlens.out_of_memory import in_pieces
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spans import EVERYWHERE
from spiritlens.runs.metrics import Metric
from spiritlens.runs.scoring import Scorer, prompt_scorers
from spiritlens.runs.sweep.recorded import RecordedRun, record
from spiritlens.runs.sweep.sweep import resolved_memory_budget

EDGE_COMPONENTS = ("embed", "z", "mlp_out")
Own = Iterator[tuple[Tensor, Tensor, Tensor]]
"""Rows, readers and streams ``[pair pos d_model]`` of readers that miss something."""


@dataclass(frozen=True)
class Edge:
    """What a node says to a reader."""

    sender: Sender
    receiver: Receiver

    @property
    def name(self) -> str:
        """``MLP2 → L6H1.v``."""
        return f"{self.sender} → {self.receiver}"


def edges_of(model: Any) -> tuple[Edge, ...]:
    """Every edge of the model that can exist, by reader in the order of the computation."""
    senders = all_senders(model)
    return tuple(
        Edge(sender, receiver)
        for receiver in all_receivers(model)
        for sender in senders
        if sender.stage < receiver.stage(model.n_layers)
    )


@dataclass(frozen=True, eq=False)
class EdgeSets:
    """Sets of edges, removed from runs of whole sequences."""

    stand_ins: StandIns
    edges: tuple[Edge, ...]
    metric: Metric

    @cached_property
    def places(self) -> tuple[Tensor, Tensor]:
        """Reader and node of each edge, as numbers of `all_receivers` and `all_senders`."""
        model = self.stand_ins.lens.backend
        readers = {reader: number for number, reader in enumerate(all_receivers(model))}
        nodes = {node: number for number, node in enumerate(all_senders(model))}
        pairs = [(readers[edge.receiver], nodes[edge.sender]) for edge in self.edges]
        found = torch.tensor(pairs, device=model.device).T
        return found[0], found[1]

    def values(self, prompt: Prompt, removed: Sequence[Sequence[int]]) -> SetValues:
        """Values of the prompt with each set of edges removed."""
        sets = [*removed, range(len(self.edges)), ()]
        total: Any = 0.0
        clean = 0.0
        for scorer in prompt_scorers(self.stand_ins.lens, prompt, [self.metric]):
            found, whole = self._scored(prompt, sets, scorer)
            total, clean = total + found, clean + whole
        return SetValues(total[:-2], clean, float(total[-2]), abs(float(total[-1]) - clean))

    @torch.no_grad()
    def _scored(
        self, prompt: Prompt, sets: Sequence[Sequence[int]], scorer: Scorer
    ) -> tuple[np.ndarray[Any, np.dtype[np.float64]], float]:
        """Values ``[set]``, means over samples, and that of the model as it is."""
        lens = self.stand_ins.lens
        model, positions = lens.backend, prompt.span(EVERYWHERE).positions
        tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=model.device)
        layers = range(model.n_layers)
        hooks = {
            "embed": [hook_name("resid_pre", 0)],
            **{name: [hook_name(name, layer) for layer in layers] for name in EDGE_COMPONENTS[1:]},
        }
        prefix = [hook_name(name, layer) for layer in layers for name in "kv"]
        base = record(model, tokens, None, [*(hook for some in hooks.values() for hook in some), *prefix],
                      scorer.n_readouts)  # fmt: skip
        stand_ins = {
            component: self.stand_ins.of(component, prompt, positions, [base.values[name] for name in some])
            for component, some in hooks.items()
        }
        scored = scorer.with_clean(base.logits)
        budget = resolved_memory_budget(model.device, lens.memory_budget)
        values = np.zeros(len(sets))
        for sample in range(self.stand_ins.samples):
            writes = {name: [one[sample] for one in found] for name, found in stand_ins.items()}
            run = _EdgeRun(self, base, writes, positions, scorer.n_readouts, budget)
            values += self._of_sample(run, sets, scored) / self.stand_ins.samples
        return values, float(scored(base.logits)[0, 0])

    def _of_sample(
        self, run: "_EdgeRun", sets: Sequence[Sequence[int]], scored: Scorer
    ) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Values ``[set]`` with one sample of stand-ins, so many sets at a time as the memory budget holds."""

        def some_values(some: Sequence[Sequence[int]], budget: int) -> np.ndarray[Any, np.dtype[np.float64]]:
            found: np.ndarray[Any, Any] = array(scored(replace(run, budget=budget).logits(self._kept(some)))[:, 0])
            return found.astype(np.float64)

        n_positions = run.base.tokens.shape[1]
        size, least = self._bytes_per_row(n_positions), self._bytes_per_reader(n_positions)
        return np.concatenate(in_pieces(sets, some_values, bytes_of_one=size, budget=run.budget, least=least))

    def _kept(self, sets: Sequence[Sequence[int]]) -> Tensor:
        """Which edges each set leaves, ``[row reader node]``."""
        model = self.stand_ins.lens.backend
        shape = (len(sets), len(all_receivers(model)), len(all_senders(model)))
        kept = torch.ones(shape, dtype=model.dtype, device=model.device)
        readers, nodes = self.places
        for row, numbers in enumerate(sets):
            chosen = torch.tensor(list(numbers), dtype=torch.long, device=model.device)
            kept[row, readers[chosen], nodes[chosen]] = 0
        return kept

    def _bytes_per_row(self, n_positions: int) -> int:
        """Memory of one row: what each node's readers would miss, and which edges are kept."""
        model = self.stand_ins.lens.backend
        n_senders, n_receivers = len(all_senders(model)), len(all_receivers(model))
        values = (n_senders + 4) * n_positions * model.d_model + 2 * n_senders * n_receivers
        return values * torch.finfo(model.dtype).bits // 8

    def _bytes_per_reader(self, n_positions: int) -> int:
        """Memory of one reader with a stream of its own."""
        model = self.stand_ins.lens.backend
        per_position = 4 * model.d_model + (model.n_heads + 2 * model.n_kv_heads) * model.d_head
        return n_positions * per_position * torch.finfo(model.dtype).bits // 8

    def readers_at_once(self, n_positions: int, budget: int) -> int:
        """How many readers with streams of their own a memory budget holds."""
        return max(1, budget // self._bytes_per_reader(n_positions))


@dataclass(frozen=True, eq=False)
class _EdgeRun:
    """Runs of one prompt with one sample of stand-ins: by component and layer, ``[pos …]``."""

    sets: EdgeSets
    base: RecordedRun
    stand_ins: dict[str, list[Tensor]]
    positions: Sequence[int]
    n_readouts: int
    budget: int

    def logits(self, kept: Tensor) -> Tensor:
        """Logits ``[row readout d_vocab]`` at the read-outs of rows that keep these edges ``[row reader node]``."""
        model = self.sets.stand_ins.lens.backend
        n_rows, n_positions = len(kept), self.base.tokens.shape[1]
        where = torch.zeros(n_positions, 1, dtype=model.dtype, device=model.device)
        where[list(self.positions)] = 1
        stream = self.base.values[hook_name("resid_pre", 0)].expand(n_rows, -1, -1)
        missing = stream.new_empty((kept.shape[2], *stream.shape))  # per node, what a reader without it gets more
        missing[0] = (self.stand_ins["embed"][0] - stream) * where
        cut, reader, node = 1 - kept, 0, 1

        def own_streams(count: int) -> Own:
            """Streams of those of the next readers that miss something."""
            nonlocal reader
            of_readers = cut[:, reader : reader + count, :node]
            reader += count
            return self._own_streams(stream, missing[:node], of_readers)

        for layer in range(model.n_layers):
            z = self._attended(layer, stream, own_streams(model.n_heads + 2 * model.n_kv_heads))
            w_o, other = model.w_o(layer), self.stand_ins["z"][layer]
            written = torch.einsum("rphd,hdm->hrpm", z, w_o)
            instead = torch.einsum("phd,hdm->hpm", other, w_o)[:, None]
            missing[node : node + model.n_heads] = (instead - written) * where
            node += model.n_heads
            stream = stream + model.project(layer, z)
            mlp_out = model.mlp(layer, _with_own(stream, own_streams(1)))
            missing[node] = (self.stand_ins["mlp_out"][layer] - mlp_out) * where
            node += 1
            stream = stream + mlp_out
        return model.logits(_with_own(stream, own_streams(1))[:, -self.n_readouts :])

    def _own_streams(self, stream: Tensor, missing: Tensor, cut: Tensor) -> Own:
        """Rows, readers and streams ``[pair pos d_model]`` of the readers from which something is cut ``[row reader
        node]``, so many at a time as fit."""
        pairs, size = cut.any(dim=2).nonzero(), self.sets.readers_at_once(stream.shape[1], self.budget)
        for first in range(0, len(pairs), size):
            rows, readers = pairs[first : first + size].T
            streams = stream[rows]
            for row in rows.unique().tolist():
                mine = rows == row
                streams[mine] += torch.einsum("kn,npd->kpd", cut[row, readers[mine]], missing[:, row])
            yield rows, readers, streams

    def _attended(self, layer: int, stream: Tensor, own_streams: Own) -> Tensor:
        """The heads' z ``[row pos head d_head]``: queries, keys and values of the stream, and those of readers that
        have streams of their own, numbered in this order."""
        model = self.sets.stand_ins.lens.backend
        read = [values.clone() for values in model.qkv(layer, stream)]
        for rows, readers, streams in own_streams:
            first = 0
            for values, own in zip(read, model.qkv(layer, streams), strict=True):
                head = readers - first
                first += values.shape[2]
                (mine,) = ((head >= 0) & (head < values.shape[2])).nonzero(as_tuple=True)
                values[rows[mine], :, head[mine]] = own[mine, :, head[mine]]
        q, k, v = read
        nothing = torch.zeros(len(stream), dtype=torch.long, device=stream.device)
        return model.attend(layer, q, k, v, CachedPrefix(self.base.values, 0, nothing))


def _with_own(stream: Tensor, own_streams: Own) -> Tensor:
    """The streams ``[row pos d_model]`` of one reader: its own where it has one."""
    result = stream.clone()
    for rows, _, streams in own_streams:
        result[rows] = streams
    return result
