"""Fused kernels of one Llama block on the last positions of sequences whose beginnings are cached.

They compute what TransformerLens's block computes, with fewer passes over memory: projections straight from the stored
weights (no copy), the prefix rotated once per cached run and not once per row
(`spiritlens.models.hooked_transformer.attending`), and for chosen ``queries`` the query, output and MLP products of
those positions only. They are used for layers without live hooks; `is_plain` decides.

Axes: ``rows`` (what is recomputed), ``run`` (what is cached), ``suffix`` (positions from ``start`` on), ``query`` (the
positions that are read out), ``head``/``kv_head``, ``d_head``, ``d_model``.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformer_lens.components import RMSNorm, RMSNormPre
from transformer_lens.components.attention import Attention
from transformer_lens.components.grouped_query_attention import GroupedQueryAttention
from transformer_lens.components.mlps.gated_mlp import GatedMLP

from spiritlens.models.hooked_transformer.attending import CachedKeys, attend
from spiritlens.models.precision import widened

VOCAB_CHUNK = 8192
"""Columns of the unembedding that are widened to float32 at a time, so that no second copy of it is ever held."""


def hooks_live(module: nn.Module) -> bool:
    """Whether any part of the module carries a forward hook."""
    if module._forward_hooks or module._forward_pre_hooks:
        return True
    return any(part is not None and hooks_live(part) for part in module._modules.values())


def is_plain(block: Any, length: int) -> bool:
    """Whether the block is an ordinary Llama block without live hooks, its rotary tables long enough for ``length``."""
    config, attn = block.cfg, block.attn
    unusual = (
        config.use_qk_norm or config.clip_qkv or config.use_logn_attn or config.use_attention_sinks
        or config.use_local_attn or config.use_dynamic_ntk_rope or config.use_normalization_before_and_after
        or config.parallel_attn_mlp or config.load_in_4bit or config.ungroup_grouped_query_attention
        or config.attn_scores_soft_cap > 0
    )  # fmt: skip
    return (
        not unusual
        and config.original_architecture in (None, "LlamaForCausalLM")
        and config.attention_dir == "causal"
        and config.positional_embedding_type == "rotary"
        and config.rotary_dim == config.d_head
        and not config.rotary_adjacent_pairs
        and config.act_fn == "silu"
        and type(attn) in (Attention, GroupedQueryAttention)
        and type(getattr(block, "mlp", None)) is GatedMLP
        and type(block.ln1) in (RMSNorm, RMSNormPre)
        and type(block.ln2) in (RMSNorm, RMSNormPre)
        and length <= attn.rotary_cos.shape[0]
        and not hooks_live(block)
    )


def reach(attn: Any, length: int) -> None:
    """Let the rotary tables cover ``length`` positions: TransformerLens makes 2,048 and extends them when needed."""
    if length > attn.rotary_cos.shape[0]:
        probe = attn.rotary_cos.new_zeros(1, 1, 1, attn.cfg.d_head)
        attn.apply_rotary(probe, past_kv_pos_offset=length - 1)


def added(bias: Tensor) -> Tensor | None:
    """The bias, or None where it is all zeros (as in every Llama) and adding it would cost a pass over the output."""
    learns = bias.requires_grad and torch.is_grad_enabled()
    known_zero = bias.device.type == "cpu" and not learns and not bool(bias.any())
    return None if known_zero else bias


def normed(norm: Any, resid: Tensor) -> Tensor:
    """RMS norm with its gain, rounded as TransformerLens does: statistics in float32, gain in the model's dtype."""
    gain = getattr(norm, "w", None)
    if resid.dtype in (torch.float32, torch.float64):
        return F.rms_norm(resid, resid.shape[-1:], gain, norm.eps)
    plain = F.rms_norm(resid.float(), resid.shape[-1:], None, norm.eps).to(resid.dtype)
    return plain if gain is None else plain * gain


def projections(attn: Any, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of normed states, before the rotary embedding; keys and values by key-value head."""
    return query(attn, states), *key_value(attn, states)


def query(attn: Any, states: Tensor) -> Tensor:
    return _project(states, attn.W_Q, attn.b_Q)


def key_value(attn: Any, states: Tensor) -> tuple[Tensor, Tensor]:
    if isinstance(attn, GroupedQueryAttention):
        return _project(states, attn._W_K, attn._b_K), _project(states, attn._W_V, attn._b_V)
    return _project(states, attn.W_K, attn.b_K), _project(states, attn.W_V, attn.b_V)


def _project(states: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``[rows pos d_model] × [head d_model d_head] -> [rows pos head d_head]``; the flattened weight is a view."""
    heads, d_model, d_head = weight.shape
    flat = weight.transpose(1, 2).reshape(heads * d_head, d_model)
    return F.linear(states, flat, added(bias.reshape(-1))).view(*states.shape[:-1], heads, d_head)


def attention(
    block: Any,
    resid: Tensor,
    before: CachedKeys,
    positions: Tensor,
    offsets: Tensor | None,
) -> Tensor:
    """attn_out ``[rows query d_model]`` of ``resid [rows suffix d_model]`` after a cached prefix.

    ``positions`` are those of the queries, ``offsets`` their places in the suffix (None: all of it).
    """
    states = normed(block.ln1, resid)
    keys, values = key_value(block.attn, states)
    queries = query(block.attn, states if offsets is None else states[:, offsets])
    z = attend(block.attn, queries, keys, values, before, positions)
    return project(block.attn, z)


def project(attn: Any, z: Tensor) -> Tensor:
    """attn_out ``[rows pos d_model]`` of heads' outputs ``z [rows pos head d_head]``."""
    return F.linear(z.flatten(2), attn.W_O.flatten(0, 1).T, added(attn.b_O))


def mlp(block: Any, resid_mid: Tensor) -> Tensor:
    """mlp_out of ``[rows pos d_model]``: down(silu(gate(x)) · up(x)) with x the normed residual."""
    weights, states = block.mlp, normed(block.ln2, resid_mid)
    gate = F.linear(states, weights.W_gate.T)
    up = F.linear(states, weights.W_in.T)
    if gate.requires_grad or up.requires_grad:
        return F.linear(F.silu(gate) * up + weights.b_in, weights.W_out.T, weights.b_out)
    hidden, bias = F.silu(gate, inplace=True).mul_(up), added(weights.b_in)
    return F.linear(hidden if bias is None else hidden.add_(bias), weights.W_out.T, added(weights.b_out))


def read_out(norm: Any | None, unembed: Any, resid: Tensor) -> Tensor:
    """Logits ``[… d_vocab]`` of residuals after the last block, computed in float32 or better."""
    states = widened(resid)
    if isinstance(norm, RMSNorm | RMSNormPre):
        gain = getattr(norm, "w", None)
        states = F.rms_norm(states, states.shape[-1:], None if gain is None else widened(gain), norm.eps)
    elif norm is not None:
        states = widened(norm(resid))
    weight, bias = unembed.W_U.T, unembed.b_U
    if weight.dtype == states.dtype:
        return F.linear(states, weight, added(bias))
    chunks = [
        F.linear(states, part.to(states.dtype), offset.to(states.dtype))
        for part, offset in zip(weight.split(VOCAB_CHUNK), bias.split(VOCAB_CHUNK), strict=True)
    ]
    return torch.cat(chunks, dim=-1)
