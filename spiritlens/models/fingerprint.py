"""A short hash that tells whether two results come from the same weights.

It reads the settings and 64 evenly spaced values of each parameter: cheap for billions of parameters, and changed by
training, fine-tuning, folding, another dtype or another tokenizer's rows. It is no proof against tampering.
"""

import hashlib

import torch
from transformer_lens import HookedTransformer

VALUES_PER_TENSOR = 64


def fingerprint(model: HookedTransformer) -> str:
    """16 hexadecimal digits for the model's settings and weights; the same on every device."""
    config = model.cfg
    settings = (config.n_layers, config.n_heads, config.n_key_value_heads, config.d_model, config.d_vocab, config.eps)
    digest = hashlib.sha256(repr((settings, config.rotary_base, config.normalization_type)).encode())
    for name, parameter in sorted(model.named_parameters()):
        count = parameter.numel()
        places = torch.linspace(0, count - 1, min(VALUES_PER_TENSOR, count), dtype=torch.float64).long()
        index = torch.unravel_index(places, parameter.shape)
        values = parameter.detach()[tuple(axis.to(parameter.device) for axis in index)]
        digest.update(f"{name} {tuple(parameter.shape)} {parameter.dtype}".encode())
        digest.update(values.double().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
