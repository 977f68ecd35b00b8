"""A short hash that tells whether two results come from the same weights.

It reads the settings and 64 evenly spaced values of each parameter: cheap for billions of parameters, and changed by
training, fine-tuning, folding, another dtype or another tokenizer's rows. It is no proof against tampering.
"""

import hashlib
from typing import Any

import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig

from spiritlens.environment import plain_torch

VALUES_PER_TENSOR = 64


@plain_torch
def fingerprint(model: HookedTransformer) -> str:
    """16 hexadecimal digits for the model's settings and weights; the same on every device."""
    config = model.cfg
    settings = (config.n_layers, config.n_heads, config.n_key_value_heads, config.d_model, config.d_vocab, config.eps)
    positions = (config.rotary_base, config.normalization_type, *_rotary_scaling(config))
    digest = hashlib.sha256(repr((settings, *positions)).encode())
    for name, parameter in sorted(model.named_parameters()):
        count = parameter.numel()
        places = torch.linspace(0, count - 1, min(VALUES_PER_TENSOR, count), dtype=torch.float64).long()
        index = torch.unravel_index(places, parameter.shape)
        values = parameter.detach()[tuple(axis.to(parameter.device) for axis in index)]
        digest.update(f"{name} {tuple(parameter.shape)} {parameter.dtype}".encode())
        digest.update(values.cpu().double().numpy().tobytes())  # some devices have no float64
    return digest.hexdigest()[:16]


def _rotary_scaling(config: HookedTransformerConfig) -> tuple[Any, ...]:
    """How positions are stretched; empty where they are not, so that plain models keep the ids they had before."""
    linear = () if config.rotary_scaling_factor == 1 else ("linear", config.rotary_scaling_factor)
    if not config.use_NTK_by_parts_rope:
        return linear
    low, high = config.NTK_by_parts_low_freq_factor, config.NTK_by_parts_high_freq_factor
    return (*linear, "llama3", config.NTK_by_parts_factor, low, high, config.NTK_original_ctx_len)
