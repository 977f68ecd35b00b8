"""Logits of runs whose embeddings differ from the prompt's own at some positions, without what cannot change.

The model is causal: before the first position that differs a changed run is the plain one, so only what follows is run,
with the plain run's keys and values before it, and the last block gives the read-outs alone. For a spoken subject in
the middle of its prompt that is a fourth of the tokens. Under hooks of the user's own both are whole passes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from spiritlens.components import hook_name
from spiritlens.models.protocol import CachedPrefix, LensModel
from spiritlens.out_of_memory import joined, of_slices
from spiritlens.runs.sweep.recorded import RecordedRun, first_difference, record


@dataclass(frozen=True, eq=False)
class PlainRun:
    """The plain run of tokens ``[1 pos]``, with the keys and values that every changed one continues."""

    recorded: RecordedRun
    n_readouts: int

    @property
    def logits(self) -> Tensor:
        """Logits at the last `n_readouts` positions, ``[1 readout d_vocab]``."""
        return self.recorded.logits

    @property
    def n_bytes(self) -> int:
        """What it holds."""
        return sum(value.nbytes for value in (self.logits, *self.recorded.values.values()))

    @torch.no_grad()
    def changed(self, model: LensModel, embeddings: Tensor) -> Tensor:
        """Logits ``[run readout d_vocab]`` of the runs with `embeddings` ``[run pos d_model]``."""
        tokens, n_readouts = self.recorded.tokens, self.n_readouts
        if model.has_user_hooks():
            return record(model, tokens, embeddings, [], n_readouts).logits
        length = tokens.shape[1]
        own = model.embed(tokens)
        start = min(first_difference(own, own, embeddings), length - n_readouts)
        read = torch.arange(length - n_readouts, length, device=model.device)

        def of_rows(some: slice) -> Tensor:
            rows = embeddings[some, start:]
            runs = torch.zeros(len(rows), dtype=torch.long, device=model.device)
            prefix = CachedPrefix(self.recorded.values, start, runs)
            for layer in range(model.n_layers):
                rows = model.block(layer, rows, prefix, read if layer == model.n_layers - 1 else None)
            return model.logits(rows)

        return joined(of_slices(len(embeddings), of_rows))


def plain_run(model: LensModel, tokens: Tensor, n_readouts: int = 1) -> PlainRun:
    """Run tokens ``[1 pos]`` as they are."""
    keys = [hook_name(name, layer) for layer in range(model.n_layers) for name in "kv"]
    return PlainRun(record(model, tokens, None, keys, n_readouts), n_readouts)
