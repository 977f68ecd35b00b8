"""Fused kernels of one Llama block on the last positions of sequences whose beginnings are cached.

They compute what the model's own block computes, with fewer passes over memory: projections straight from the stored
weights (no copy), the prefix rotated once per cached run and not once per row (`spiritlens.models.blocks.attending`),
and for chosen ``queries`` the query, output and MLP products of those positions only. They are used for layers without
live hooks; the backend decides which those are.

Axes: ``rows`` (what is recomputed), ``run`` (what is cached), ``suffix`` (positions from ``start`` on), ``query`` (the
positions that are read out), ``head``/``kv_head``, ``d_head``, ``d_model``.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spiritlens.models.blocks.attending import CachedKeys, attend
from spiritlens.models.blocks.weights import AttentionWeights, Linear, MLPWeights, Norm
from spiritlens.models.precision import VOCAB_CHUNK, widened


def hooks_live(module: nn.Module) -> bool:
    """Whether any part of the module carries a forward hook."""
    if module._forward_hooks or module._forward_pre_hooks:
        return True
    return any(part is not None and hooks_live(part) for part in module._modules.values())


def added(bias: Tensor | None) -> Tensor | None:
    """The bias, or None where it is all zeros (as in every Llama) and adding it would cost a pass over the output."""
    if bias is None:
        return None
    learns = bias.requires_grad and torch.is_grad_enabled()
    known_zero = bias.device.type == "cpu" and not learns and not bool(bias.any())
    return None if known_zero else bias


def normed(norm: Norm, resid: Tensor) -> Tensor:
    """RMS norm with its gain, rounded as the models do: statistics in float32 or better, gain in the model's dtype."""
    if resid.dtype in (torch.float32, torch.float64):
        return F.rms_norm(resid, resid.shape[-1:], norm.w, norm.eps)
    plain = F.rms_norm(resid.float(), resid.shape[-1:], None, norm.eps).to(resid.dtype)
    return plain if norm.w is None else plain * norm.w


def linear(states: Tensor, projection: Linear) -> Tensor:
    return F.linear(states, projection.weight, added(projection.bias))


def query(weights: AttentionWeights, states: Tensor) -> Tensor:
    """Queries ``[rows pos head d_head]`` of normed states, before the rotary embedding."""
    return linear(states, weights.q).view(*states.shape[:-1], -1, weights.d_head)


def key_value(weights: AttentionWeights, states: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values ``[rows pos kv_head d_head]`` of normed states, before the rotary embedding."""
    shape = (*states.shape[:-1], -1, weights.d_head)
    return linear(states, weights.k).view(shape), linear(states, weights.v).view(shape)


def attention(
    weights: AttentionWeights,
    resid: Tensor,
    before: CachedKeys,
    positions: Tensor,
    offsets: Tensor | None,
) -> Tensor:
    """attn_out ``[rows query d_model]`` of ``resid [rows suffix d_model]`` after a cached prefix.

    ``positions`` are those of the queries, ``offsets`` their places in the suffix (None: all of it).
    """
    states = normed(weights.norm, resid)
    keys, values = key_value(weights, states)
    queries = query(weights, states if offsets is None else states[:, offsets])
    return project(weights, attend(weights, queries, keys, values, before, positions))


def project(weights: AttentionWeights, z: Tensor) -> Tensor:
    """attn_out ``[rows pos d_model]`` of heads' outputs ``z [rows pos head d_head]``."""
    return linear(z.flatten(2), weights.o)


def mlp(weights: MLPWeights, resid_mid: Tensor) -> Tensor:
    """mlp_out of ``[rows pos d_model]``: down(silu(gate(x)) · up(x)) with x the normed residual."""
    states = normed(weights.norm, resid_mid)
    gate, up, bias = linear(states, weights.gate), linear(states, weights.up), added(weights.hidden_bias)
    if gate.requires_grad or up.requires_grad or (bias is not None and bias.requires_grad):
        hidden = F.silu(gate) * up
        return linear(hidden if bias is None else hidden + bias, weights.out)
    hidden = F.silu(gate, inplace=True).mul_(up)
    return linear(hidden if bias is None else hidden.add_(bias), weights.out)


def read_out(norm: Norm | None, unembed: Linear, resid: Tensor) -> Tensor:
    """Logits ``[… d_vocab]`` of residuals after the last block, computed in float32 or better."""
    states = widened(resid)
    if norm is not None:
        states = F.rms_norm(states, states.shape[-1:], None if norm.w is None else widened(norm.w), norm.eps)
    weight, bias = unembed.weight, added(unembed.bias)
    if weight.dtype == states.dtype:
        return F.linear(states, weight, bias)
    chunks = [F.linear(states, part.to(states.dtype)) for part in torch.split(weight, VOCAB_CHUNK)]
    logits = torch.cat(chunks, dim=-1)
    return logits if bias is None else logits + bias.to(states.dtype)
