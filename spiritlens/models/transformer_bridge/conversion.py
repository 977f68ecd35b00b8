"""Weights of the Llama kind become a `TransformerBridge` on Hugging Face's own model, which holds them as they are.

Hugging Face's model is made on the meta device and the checkpoint's tensors are assigned to it, so that there is no
second copy; TransformerLens then wraps its modules in place. In float64 the model is made truly float64
(`spiritlens.models.transformer_bridge.precise`).
"""

import copy
import warnings
from collections.abc import Mapping

import torch
from accelerate import init_empty_weights
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources import build_bridge_from_module
from transformers import PreTrainedModel

from spiritlens.models.checkpoints.llama import LlamaLike, architecture, check_supported, tensor_shapes
from spiritlens.models.checkpoints.reference import hold_float64
from spiritlens.models.transformer_bridge.precise import precise_softmax


def transformer_bridge(
    weights: Mapping[str, Tensor], config: LlamaLike, dtype: torch.dtype | None = None, name: str = "llama"
) -> TransformerBridge:
    """A `TransformerBridge` on ``weights`` (Hugging Face's names; all on one device, in one dtype).

    A tensor of another dtype than ``dtype`` is converted, one at a time. Nothing else is copied. A tied model unembeds
    by its embedding's memory unless an unembedding of its own (``lm_head.weight``) is given.
    """
    check_supported(config)
    shapes = tensor_shapes(config)
    embedding = weights["model.embed_tokens.weight"]
    dtype, device = dtype or embedding.dtype, embedding.device
    state = {key: weights[key].detach().to(dtype) for key in [*shapes, "lm_head.weight"] if key in weights}
    state.setdefault("lm_head.weight", state["model.embed_tokens.weight"])
    own = copy.deepcopy(config)
    own.tie_word_embeddings, own._attn_implementation = False, "eager"  # the memory is shared below, where it is tied
    with init_empty_weights(include_buffers=False):
        llama = architecture(config.model_type).model(own)
    llama.load_state_dict(state, assign=True)
    for buffer_owner in llama.modules():
        for key, buffer in buffer_owner.named_buffers(recurse=False):
            setattr(buffer_owner, key, buffer.to(device))
    return bridge_on(llama, name)


def bridge_on(llama: PreTrainedModel, name: str = "llama") -> TransformerBridge:
    """A `TransformerBridge` on a loaded model of Hugging Face's, which it wraps in place: both are one model then."""
    llama.eval().requires_grad_(False)
    exact = llama.model.embed_tokens.weight.dtype == torch.float64
    if exact:
        hold_float64(llama)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = build_bridge_from_module(
            llama, type(llama).__name__, hf_config=llama.config, tokenizer=None, model_name=name
        )
    if exact:
        precise_softmax(model)
    model.eval().requires_grad_(False)  # 3.9 adds a bias to the unembedding, which learns
    return model


@torch.no_grad()
def fold_bridge_norms(model: TransformerBridge) -> TransformerBridge:
    """Multiply each RMS norm's gain into the matrices that read it, in place, and leave a gain of ones.

    The logits stay (1e-5 in float32). Nothing is centred.
    """
    for block in model.blocks:
        attn, mlp = block.attn, block.mlp
        readers = ((block.ln1, (attn.q, attn.k, attn.v)), (block.ln2, (mlp.gate, getattr(mlp, "in"))))
        for norm, linears in readers:
            for linear in linears:
                linear.original_component.weight.mul_(norm.original_component.weight)
            norm.original_component.weight.fill_(1)
    model.unembed.original_component.weight.mul_(model.ln_final.original_component.weight)
    model.ln_final.original_component.weight.fill_(1)
    return model
