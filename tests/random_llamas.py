"""Tiny random Llamas in float64, with multi-head or grouped-query attention, for the tests of several rooms."""

import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformers import LlamaConfig

from spiritlens.models.checkpoints.llama import LlamaLike, architecture

SHAPE = frozenset(
    {
        *("num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "intermediate_size"),
        *("vocab_size", "max_position_embeddings", "rms_norm_eps", "tie_word_embeddings", "rope_parameters"),
        *("bos_token_id", "eos_token_id"),
    }
)
"""Fields of a configuration that every architecture has."""


def random_llama(
    n_kv_heads: int = 4, n_layers: int = 3, seed: int = 7, act_fn: str = "silu", d_vocab: int = 50, biased: bool = False
) -> HookedTransformer:
    """Weights of a size at which every part matters; float64. ``biased``: with biases on queries, keys and values."""
    torch.manual_seed(seed)
    model = HookedTransformer(
        HookedTransformerConfig(
            n_layers=n_layers,
            d_model=24,
            d_head=6,
            n_heads=4,
            n_key_value_heads=None if n_kv_heads == 4 else n_kv_heads,
            d_mlp=40,
            n_ctx=64,
            d_vocab=d_vocab,
            act_fn=act_fn,
            normalization_type="RMS",
            final_rms=True,
            gated_mlp=True,
            positional_embedding_type="rotary",
            rotary_dim=6,
            rotary_adjacent_pairs=False,
            original_architecture="LlamaForCausalLM",
            dtype=torch.float64,
            init_weights=False,
        )
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".w"):
                parameter.copy_(1 + 0.3 * torch.randn_like(parameter))
            elif biased and name.split(".")[-1].lstrip("_") in ("b_Q", "b_K", "b_V"):
                parameter.copy_(torch.randn_like(parameter))
            elif not name.split(".")[-1].lstrip("_").startswith("b_"):
                parameter.copy_(torch.randn_like(parameter) / parameter.shape[-2] ** 0.5 * 1.5)
    return model.eval().requires_grad_(False)


def tied(config: LlamaConfig, share: bool = True) -> LlamaConfig:
    """The configuration with one matrix for embedding and unembedding, or with two."""
    config.tie_word_embeddings = share
    return config


def of_architecture(config: LlamaLike, model_type: str) -> LlamaLike:
    """The same shape in another architecture: ``qwen2`` has biases on q, k, v."""
    shape = {name: value for name, value in config.to_dict().items() if name in SHAPE}
    found: LlamaLike = architecture(model_type).config(**shape)
    return found
