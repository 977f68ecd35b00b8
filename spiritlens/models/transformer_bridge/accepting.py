"""Which `TransformerBridge`s a lens can be put on: those on Hugging Face's Llama, Mistral or Qwen 2 as it is.

A bridge shows the numbers of the model that it wraps, so its settings are those of Hugging Face's configuration. One in
compatibility mode runs on processed copies of its weights, which the kernels would not see. One in float64 takes norms,
rotary tables and softmax in float32 unless it was made by `spiritlens.models.transformer_bridge.conversion`.
"""

from typing import Any

import torch
from transformer_lens.model_bridge import TransformerBridge

from spiritlens.arguments import shown
from spiritlens.models.blocks.fingerprint import fingerprint
from spiritlens.models.checkpoints.llama import MODEL_TYPES, check_supported
from spiritlens.models.transformer_bridge.precise import is_precise

INCIDENTAL = ("_name_or_path", "transformers_version", "dtype", "torch_dtype", "architectures", "use_cache")
"""Entries of a configuration that decide no number."""


def accepted_bridge(model: Any) -> TransformerBridge:
    """The model, refused where it is no `TransformerBridge` of the Llama kind."""
    if not isinstance(model, TransformerBridge):
        raise ValueError(
            f"model={shown(model, 40)} ({type(model).__name__}): expected a TransformerBridge; spiritlens.load takes a "
            "checkpoint's folder, a hub id or a loaded Llama, Qwen2 or Mistral"
        )
    config = getattr(model.original_model, "config", None)
    found = getattr(config, "model_type", None)
    if found not in MODEL_TYPES:
        raise ValueError(
            f"the bridge is on a model of the type {found!r}: a lens needs blocks of the Llama kind, "
            f"{', '.join(MODEL_TYPES)}; load the checkpoint by spiritlens.load"
        )
    check_supported(config)
    if getattr(model, "compatibility_mode", False):
        raise ValueError(
            "the bridge is in compatibility mode, whose processed weights a lens does not read: make it without "
            "enable_compatibility_mode(), or load the checkpoint by spiritlens.load(folder, norms='folded')"
        )
    if model.embed.original_component.weight.dtype == torch.float64 and not is_precise(model):
        raise ValueError(
            "the bridge holds float64 weights but computes norms, rotary tables and softmax in float32: give its "
            "checkpoint to spiritlens.load(folder, dtype='float64', backend='bridge'), or a float32 bridge"
        )
    return model


def bridge_fingerprint(model: TransformerBridge) -> str:
    """16 hexadecimal digits for Hugging Face's settings and all values; the same on every device."""
    settings = model.original_model.config.to_dict()
    return fingerprint(model, tuple(sorted((key, repr(settings[key])) for key in settings.keys() - set(INCIDENTAL))))
