"""Hugging Face's model of a checkpoint, loaded afresh, as the yardstick of the conversion.

``LlamaForCausalLM.double()`` is not float64: its RMS norms, its rotary tables and the softmax of its eager attention
stay in float32, 1e-6 away from the truth. `hold_float64` makes a loaded model truly float64, so that a comparison to
1e-10 means something.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MethodType
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging

from spiritlens.components import hook_name
from spiritlens.files.weights import read_json
from spiritlens.models.checkpoints.checkpoint import read_checkpoint
from spiritlens.models.checkpoints.llama import MODEL_TYPES, architecture, rotary_frequencies
from spiritlens.models.checkpoints.weight_files import open_weights


def load_reference(
    folder: Path, dtype: torch.dtype, device: torch.device | str = "cpu", attention: str = "eager"
) -> PreTrainedModel:
    """The folder's model by Hugging Face's own loading; truly float64 where ``dtype`` is float64.

    A wrapper's folder (SIMS) and weights under other names (``_orig_mod.model.layers…``), which Hugging Face does not
    know and would replace by random ones, are read by `read_checkpoint` into Hugging Face's model.
    """
    plain = read_json(folder / "config.json").get("model_type") in MODEL_TYPES
    files = open_weights(folder)
    if plain and files.without_prefix().tensors.keys() == files.tensors.keys():
        with _silent_loading():
            llama = AutoModelForCausalLM.from_pretrained(
                folder, dtype=dtype, attn_implementation=attention, trust_remote_code=False, local_files_only=True
            )
    else:
        checkpoint = read_checkpoint(folder, dtype)
        checkpoint.config._attn_implementation = attention
        llama = architecture(checkpoint.config.model_type).model(checkpoint.config)
        for parameter in llama.parameters():  # not all by .to(dtype), which would round the rotary frequencies too
            parameter.data = parameter.data.to(dtype)
        llama.load_state_dict(checkpoint.weights, strict=not checkpoint.config.tie_word_embeddings)
    llama = llama.eval().requires_grad_(False).to(device)
    return hold_float64(llama) if dtype == torch.float64 else llama


@contextmanager
def _silent_loading() -> Iterator[None]:
    """Hugging Face's loading bars off, and as they were afterwards."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def hold_float64(llama: PreTrainedModel) -> PreTrainedModel:
    """Replace the float32 islands of a float64 model, in place: norms' statistics, rotary tables, eager softmax."""
    llama.set_attn_implementation("sdpa")
    for module in llama.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = MethodType(_precise_norm, module)  # a method goes with its module when that is copied
    rotary = llama.model.rotary_emb
    rotary.precise_frequencies = rotary_frequencies(llama.config, torch.float64)
    rotary.forward = MethodType(_precise_tables, rotary)
    return llama


def _precise_norm(norm: Any, states: Tensor) -> Tensor:
    normed: Tensor = states / (states.pow(2).mean(-1, keepdim=True) + norm.variance_epsilon).sqrt() * norm.weight
    return normed


def _precise_tables(rotary: Any, states: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
    frequencies = rotary.precise_frequencies.to(position_ids.device)
    angles = (position_ids[..., None].double() * frequencies).repeat(1, 1, 2)
    return angles.cos().to(states.dtype), angles.sin().to(states.dtype)


@torch.no_grad()
def reference_activations(llama: PreTrainedModel, tokens: Tensor) -> dict[str, Tensor]:
    """Hugging Face's residuals, block outputs and logits under TransformerLens's names, in the order of computation."""
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            found[name] = (output[0] if isinstance(output, tuple) else output).detach()

        return hook

    handles = [llama.model.embed_tokens.register_forward_hook(keep(hook_name("embed", 0)))]
    for layer, block in enumerate(llama.model.layers):
        for part, name in ((block.self_attn, "attn_out"), (block.mlp, "mlp_out"), (block, "resid_post")):
            handles.append(part.register_forward_hook(keep(hook_name(name, layer))))
    try:
        logits = llama(tokens.to(llama.device), use_cache=False).logits
    finally:
        for handle in handles:
            handle.remove()
    return found | {"logits": logits.detach()}
