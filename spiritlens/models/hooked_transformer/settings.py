"""Settings of a `HookedTransformer` that decide what is computed from its weights, for the model's hash."""

from typing import Any

from transformer_lens import HookedTransformer, HookedTransformerConfig

from spiritlens.models.blocks.fingerprint import fingerprint

SETTINGS = (
    *("n_layers", "n_heads", "n_key_value_heads", "d_model", "d_head", "d_mlp", "d_vocab", "eps", "act_fn"),
    *("normalization_type", "positional_embedding_type", "rotary_base", "rotary_dim", "rotary_adjacent_pairs"),
    *("use_attn_scale", "attn_scale", "attention_dir", "parallel_attn_mlp", "gated_mlp", "final_rms"),
)
"""Settings of TransformerLens that decide what is computed from the weights."""


def hooked_fingerprint(model: HookedTransformer) -> str:
    """16 hexadecimal digits for the model's settings and all its values; the same on every device."""
    settings = [getattr(model.cfg, name, None) for name in SETTINGS]
    return fingerprint(model, (settings, *_rotary_scaling(model.cfg)))


def _rotary_scaling(config: HookedTransformerConfig) -> tuple[Any, ...]:
    """How positions are stretched; empty where they are not."""
    linear = () if config.rotary_scaling_factor == 1 else ("linear", config.rotary_scaling_factor)
    if not config.use_NTK_by_parts_rope:
        return linear
    low, high = config.NTK_by_parts_low_freq_factor, config.NTK_by_parts_high_freq_factor
    return (*linear, "llama3", config.NTK_by_parts_factor, low, high, config.NTK_original_ctx_len)
