"""A full pass through plain Llama blocks by the kernels of suffix steps, with what is asked for kept on the way.

The same numbers as the model's own pass to rounding, in half the time: no hook point is visited, weights are not
copied, and one attention serves all heads. It is taken where no hook is live and only activations of `AT_HAND` are
asked for; everything else goes through the model itself (`spiritlens.models.blocks.lens_model`).

Axes: ``batch pos d_model``; heads ``batch pos head d_head``, keys and queries before the rotary embedding.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from spiritlens.components import hook_name
from spiritlens.models.blocks import suffix
from spiritlens.models.blocks.attending import CachedKeys, attend
from spiritlens.models.blocks.places import cached_keys
from spiritlens.models.blocks.weights import AttentionWeights, MLPWeights
from spiritlens.models.protocol import CachedPrefix, names_at_hand


class PlainBlocks(Protocol):
    """What the pass needs of a backend's model (`spiritlens.models.blocks.lens_model`)."""

    model: Any
    n_layers: int

    def is_plain(self, layer: int, length: int) -> bool: ...
    def own_embedding(self, tokens: Tensor) -> Tensor: ...
    def attention_weights(self, layer: int) -> AttentionWeights: ...
    def mlp_weights(self, layer: int) -> MLPWeights: ...


def serves(blocks: PlainBlocks, length: int, wanted: Sequence[str] = ()) -> bool:
    """Whether a pass over so many positions has all that is asked for, and no hook is live but on the embeddings and
    on what follows the last block."""
    if blocks.model._forward_hooks or blocks.model._forward_pre_hooks:
        return False
    served = names_at_hand(blocks.n_layers) >= set(wanted) - {hook_name("embed", 0)}
    return served and all(blocks.is_plain(layer, length) for layer in range(blocks.n_layers))


def run(
    blocks: PlainBlocks,
    tokens: Tensor,
    wanted: Sequence[str] = (),
    found: dict[str, Tensor] | None = None,
    prefix: CachedPrefix | None = None,
) -> Tensor:
    """The residual after the last block ``[batch pos d_model]``; the `wanted` activations are put into `found`.

    With a `prefix` of the positions behind it alone.
    """
    asked, kept = set(wanted), {} if found is None else found

    def keep(component: str, layer: int, value: Tensor) -> Tensor:
        name = hook_name(component, layer)
        if name in asked:
            kept[name] = value
        return value

    start, length = 0 if prefix is None else prefix.start, tokens.shape[1]
    resid = keep("embed", 0, blocks.own_embedding(tokens)[:, start:])
    positions = torch.arange(start, length, device=resid.device)
    rows = torch.arange(len(resid), device=resid.device)

    def attention(layer: int, entering: Tensor) -> Tensor:
        weights = blocks.attention_weights(layer)
        states = suffix.normed(weights.norm, entering)
        q = keep("q", layer, suffix.query(weights, states))
        k, v = (keep(name, layer, value) for name, value in zip("kv", suffix.key_value(weights, states), strict=True))
        before = CachedKeys(k[:, :0], v[:, :0], rows) if prefix is None else cached_keys(layer, prefix)
        z = keep("z", layer, attend(weights, q, k, v, before, positions))
        return keep("attn_out", layer, suffix.project(weights, z))

    for layer in range(blocks.n_layers):
        resid = keep("resid_mid", layer, resid + attention(layer, keep("resid_pre", layer, resid)))
        mlp_out = keep("mlp_out", layer, suffix.mlp(blocks.mlp_weights(layer), resid))
        resid = keep("resid_post", layer, resid + mlp_out)
    return resid
