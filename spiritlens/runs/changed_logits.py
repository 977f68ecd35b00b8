"""Logits of runs whose embeddings differ from the prompt's own at some positions, without what cannot change.

The model is causal: before the first position that differs a changed run is the plain one, so only what follows is run,
with the plain run's keys and values before it, and the last block gives the read-outs alone. For a spoken subject in
the middle of its prompt that is a fourth of the tokens. Under hooks of the user's own both are whole passes.
"""

import torch
from torch import Tensor

from spiritlens.components import hook_name
from spiritlens.models.protocol import CachedPrefix, LensModel
from spiritlens.runs.sweep.recorded import first_difference, record


@torch.no_grad()
def changed_logits(model: LensModel, tokens: Tensor, embeddings: Tensor, n_readouts: int = 1) -> tuple[Tensor, Tensor]:
    """Logits at the last `n_readouts` positions, ``[1 readout d_vocab]`` of the plain run of tokens ``[1 pos]`` and
    ``[run readout d_vocab]`` of those with `embeddings` ``[run pos d_model]``."""
    keys = [hook_name(name, layer) for layer in range(model.n_layers) for name in "kv"]
    plain = record(model, tokens, None, keys, n_readouts)
    if model.has_user_hooks():
        return plain.logits, record(model, tokens, embeddings, [], n_readouts).logits
    length = tokens.shape[1]
    own = model.embed(tokens)
    start = min(first_difference(own, own, embeddings), length - n_readouts)
    prefix = CachedPrefix(plain.values, start, torch.zeros(len(embeddings), dtype=torch.long, device=model.device))
    rows, read = embeddings[:, start:], torch.arange(length - n_readouts, length, device=model.device)
    for layer in range(model.n_layers):
        rows = model.block(layer, rows, prefix, read if layer == model.n_layers - 1 else None)
    return plain.logits, model.logits(rows)
