"""Weights of the Llama kind become a `HookedTransformer` whose parameters are views of the checkpoint's own memory.

TransformerLens stores a projection as ``[head d_model d_head]``, Hugging Face as ``[(head d_head) d_model]``: the same
numbers under other strides. A skeleton is made on the meta device and the re-strided views are assigned to it, so there
is no second copy, and TransformerLens's ``W.T.contiguous()`` in each forward finds its layout and copies nothing.

Weights are raw: no norm is folded and nothing is centred, so that every hook shows what Hugging Face computes.
``fold_norms`` multiplies the norms' gains into the matrices that read the normed residual (exact for RMS norms, which
have no mean to remove); it writes in place, so give it weights that nobody else holds (`owned`).

Axes as in TransformerLens: ``head d_model d_head d_mlp d_vocab``.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from accelerate import init_empty_weights
from torch import Tensor
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.components import RMSNormPre
from transformers import PreTrainedModel

from spiritlens.models.checkpoints.llama import (
    LAYER_TENSORS,
    LlamaLike,
    architecture,
    check_supported,
    context,
    head_size,
    rope_settings,
    rotary_frequencies,
    tensor_shapes,
    window,
)

TABLE_POSITIONS = 8192


def hooked_config(
    config: LlamaLike, dtype: torch.dtype, device: torch.device | str = "cpu", name: str = "llama"
) -> HookedTransformerConfig:
    """TransformerLens's configuration of a model of the Llama kind, complete and without a look at any hub."""
    check_supported(config)
    rope = rope_settings(config)
    grouped = config.num_key_value_heads != config.num_attention_heads
    scaling: dict[str, Any] = {}
    if rope["rope_type"] == "linear":
        scaling["rotary_scaling_factor"] = float(rope["factor"])
    if rope["rope_type"] == "llama3":
        scaling = {
            "use_NTK_by_parts_rope": True,
            "NTK_by_parts_factor": float(rope["factor"]),
            "NTK_by_parts_low_freq_factor": float(rope["low_freq_factor"]),
            "NTK_by_parts_high_freq_factor": float(rope["high_freq_factor"]),
            "NTK_original_ctx_len": int(rope["original_max_position_embeddings"]),
        }
    return HookedTransformerConfig(
        n_layers=config.num_hidden_layers,
        d_model=config.hidden_size,
        n_heads=config.num_attention_heads,
        n_key_value_heads=config.num_key_value_heads if grouped else None,
        d_head=head_size(config),
        d_mlp=config.intermediate_size,
        n_ctx=context(config),
        window_size=window(config),
        d_vocab=config.vocab_size,
        d_vocab_out=config.vocab_size,
        act_fn="silu",
        gated_mlp=True,
        normalization_type="RMS",
        final_rms=True,
        eps=config.rms_norm_eps,
        positional_embedding_type="rotary",
        rotary_dim=head_size(config),
        rotary_base=rope["rope_theta"],
        rotary_adjacent_pairs=False,
        original_architecture="LlamaForCausalLM",
        model_name=name,
        tokenizer_name=None,
        tie_word_embeddings=bool(config.tie_word_embeddings),
        init_weights=False,
        dtype=dtype,
        device=str(device),
        **scaling,
    )


def hooked_transformer(
    weights: Mapping[str, Tensor], config: LlamaLike, dtype: torch.dtype | None = None, name: str = "llama"
) -> HookedTransformer:
    """A `HookedTransformer` on views of ``weights`` (Hugging Face's names; all on one device, in one dtype).

    A tensor of another dtype than ``dtype`` is converted, one at a time. Nothing else is copied. A tied model unembeds
    by its embedding's memory unless an unembedding of its own (``lm_head.weight``) is given.
    """
    shapes = tensor_shapes(config)
    embedding = weights["model.embed_tokens.weight"]
    dtype, device = dtype or embedding.dtype, embedding.device
    hooked = hooked_config(config, dtype, device, name)
    with init_empty_weights(include_buffers=False), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = HookedTransformer(hooked, tokenizer=None, move_to_device=False)
    converted = {key: weights[key].detach().to(dtype) for key in [*shapes, "lm_head.weight"] if key in weights}
    converted.setdefault("lm_head.weight", converted["model.embed_tokens.weight"])
    state = _zero_biases(model, dtype, device) | _views(converted, hooked, architecture(config.model_type).biased)
    leftover = model.load_state_dict(state, strict=False, assign=True)
    if leftover.unexpected_keys:
        raise RuntimeError(
            f"TransformerLens has no parameter {leftover.unexpected_keys[0]}; its version is not the pinned one"
        )
    _share_rotary_tables(model, config, device)
    unset = [key for key, value in [*model.named_parameters(), *model.named_buffers()] if value.is_meta]
    if unset:
        raise RuntimeError(f"parameter {unset[0]} received no weight; TransformerLens's version is not the pinned one")
    model.eval().requires_grad_(False)
    return model


def hooked_from_llama(model: PreTrainedModel, name: str = "llama") -> HookedTransformer:
    """A `HookedTransformer` on views of a loaded Hugging Face model; both then share their memory."""
    weights = model.state_dict()
    return hooked_transformer(weights, model.config, weights["model.embed_tokens.weight"].dtype, name)


def _views(
    weights: Mapping[str, Tensor], config: HookedTransformerConfig, biased: tuple[str, ...]
) -> dict[str, Tensor]:
    """TransformerLens's names and axes on the same memory."""
    grouped = config.n_key_value_heads is not None
    state = {
        "embed.W_E": weights["model.embed_tokens.weight"],
        "ln_final.w": weights["model.norm.weight"],
        "unembed.W_U": weights["lm_head.weight"].T,
    }
    for layer in range(config.n_layers):
        for source, target in LAYER_TENSORS.items():
            weight = weights[f"model.layers.{layer}.{source}"]
            if target in ("attn.W_Q", "attn.W_K", "attn.W_V"):
                weight = weight.view(-1, config.d_head, config.d_model).transpose(1, 2)
            elif target == "attn.W_O":
                weight = weight.view(config.d_model, -1, config.d_head).permute(1, 2, 0)
            elif target.startswith("mlp."):
                weight = weight.T
            if grouped and target in ("attn.W_K", "attn.W_V"):
                target = target.replace("W_", "_W_")
            state[f"blocks.{layer}.{target}"] = weight
        for letter in biased:
            bias = weights[f"model.layers.{layer}.self_attn.{letter}_proj.bias"].view(-1, config.d_head)
            own = "_" if grouped and letter != "q" else ""
            state[f"blocks.{layer}.attn.{own}b_{letter.upper()}"] = bias
    return state


def _zero_biases(model: HookedTransformer, dtype: torch.dtype, device: torch.device) -> dict[str, Tensor]:
    """TransformerLens keeps every bias, also those that an architecture does not have."""
    return {
        key: torch.zeros(value.shape, dtype=dtype, device=device)
        for key, value in model.named_parameters()
        if key.rpartition(".")[2].lstrip("_").startswith("b_")
    }


def _share_rotary_tables(model: HookedTransformer, config: LlamaLike, device: torch.device) -> None:
    """One table for all layers instead of one each, in the precision that Hugging Face's formula needs.

    It covers ``TABLE_POSITIONS``; TransformerLens extends it by its own formula when a longer sequence comes.
    """
    precision = torch.float64 if model.cfg.dtype == torch.float64 else torch.float32
    positions = torch.arange(min(model.cfg.n_ctx, TABLE_POSITIONS), dtype=precision)
    angles = torch.outer(positions, rotary_frequencies(config, precision)).repeat(1, 2)
    cos, sin = (table.to(model.cfg.dtype).to(device) for table in (angles.cos(), angles.sin()))
    for block in model.blocks:
        block.attn.rotary_cos, block.attn.rotary_sin = cos, sin
        block.attn.mask, block.attn.IGNORE = block.attn.mask.to(device), block.attn.IGNORE.to(device)


@torch.no_grad()
def fold_norms(model: HookedTransformer) -> HookedTransformer:
    """Multiply each RMS norm's gain into the matrices that read it, in place, and drop the gain.

    The logits stay (1e-5 in float32); ``hook_normalized`` then has no gain after it. Nothing is centred.
    """
    if model.cfg.normalization_type != "RMS":
        return model
    for block in model.blocks:
        attn = block.attn
        keys, values = (attn._W_K, attn._W_V) if model.cfg.n_key_value_heads else (attn.W_K, attn.W_V)
        for weight in (attn.W_Q, keys, values):
            weight.mul_(block.ln1.w[None, :, None])
        for weight in (block.mlp.W_in, block.mlp.W_gate):
            weight.mul_(block.ln2.w[:, None])
        block.ln1, block.ln2 = RMSNormPre(model.cfg), RMSNormPre(model.cfg)
    model.unembed.W_U.mul_(model.ln_final.w[:, None])
    model.ln_final = RMSNormPre(model.cfg)
    model.cfg.normalization_type = "RMSPre"
    model.setup()
    model.eval()
    return model
