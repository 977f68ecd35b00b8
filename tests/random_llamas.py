"""Tiny random Llamas in float64, with multi-head or grouped-query attention, for the tests of several rooms."""

from collections.abc import Iterator

import torch
from torch import nn
from transformers import LlamaConfig

from spiritlens.models.backend_row import BackendName
from spiritlens.models.backends import backend_of, maker
from spiritlens.models.blocks.lens_model import BlockLensModel
from spiritlens.models.checkpoints.llama import LlamaLike, architecture
from spiritlens.models.random_weights import random_config

SHAPE = frozenset(
    {
        *("num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "intermediate_size"),
        *("vocab_size", "max_position_embeddings", "rms_norm_eps", "tie_word_embeddings", "rope_parameters"),
        *("bos_token_id", "eos_token_id"),
    }
)
"""Fields of a configuration that every architecture has."""


def random_llama(
    n_kv_heads: int = 4,
    n_layers: int = 3,
    seed: int = 7,
    d_vocab: int = 50,
    biased: bool = False,
    dtype: torch.dtype = torch.float64,
    backend: BackendName | None = None,
) -> nn.Module:
    """Weights of a size at which every part matters. ``biased``: with biases on queries, keys and values."""
    weights, config = random_checkpoint(n_kv_heads, n_layers, seed, d_vocab, biased)
    weights = {name: weight.to(dtype) for name, weight in weights.items()}
    return maker(backend).converted(weights, config, dtype, name="random llama")


def random_checkpoint(
    n_kv_heads: int = 4, n_layers: int = 3, seed: int = 7, d_vocab: int = 50, biased: bool = False
) -> tuple[dict[str, torch.Tensor], LlamaLike]:
    """The weights of `random_llama` in float64, by Hugging Face's names, and their configuration."""
    shape = {"n_layers": n_layers, "d_model": 24, "n_heads": 4, "d_mlp": 40, "n_ctx": 64}
    config = random_config(**shape, n_kv_heads=n_kv_heads, d_vocab=d_vocab)
    config = of_architecture(config, "qwen2") if biased else config
    stream = torch.Generator().manual_seed(seed)
    weights = {
        "model.embed_tokens.weight": _matrix(stream, d_vocab, 24),
        **{name: weight for layer in range(n_layers) for name, weight in _layer(stream, layer, n_kv_heads, biased)},
        "model.norm.weight": _gain(stream),
        "lm_head.weight": _matrix(stream, 24, d_vocab).T,
    }
    return {name: weight.contiguous() for name, weight in weights.items()}, config


def _layer(stream: torch.Generator, layer: int, n_kv_heads: int, biased: bool) -> Iterator[tuple[str, torch.Tensor]]:
    """Drawn by heads, in the order and the axes in which TransformerLens has them; known numbers rest on that."""
    before = f"model.layers.{layer}."
    for norm in ("input_layernorm", "post_attention_layernorm"):
        yield f"{before}{norm}.weight", _gain(stream)
    attention = f"{before}self_attn."
    yield f"{attention}q_proj.weight", _matrix(stream, 4, 24, 6).transpose(1, 2).reshape(24, 24)
    yield f"{attention}o_proj.weight", _matrix(stream, 4, 6, 24).reshape(24, 24).T
    if biased:
        yield f"{attention}q_proj.bias", _normal(stream, 24)
    for letter in "kv":
        drawn = _matrix(stream, n_kv_heads, 24, 6).transpose(1, 2)
        yield f"{attention}{letter}_proj.weight", drawn.reshape(n_kv_heads * 6, 24)
    if biased:
        for letter in "kv":
            yield f"{attention}{letter}_proj.bias", _normal(stream, n_kv_heads * 6)
    for part, size in (("up", (24, 40)), ("down", (40, 24)), ("gate", (24, 40))):
        yield f"{before}mlp.{part}_proj.weight", _matrix(stream, *size).T


def _normal(stream: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.float64).normal_(generator=stream)


def _matrix(stream: torch.Generator, *shape: int) -> torch.Tensor:
    return _normal(stream, *shape) / shape[-2] ** 0.5 * 1.5


def _gain(stream: torch.Generator) -> torch.Tensor:
    return 1 + 0.3 * _normal(stream, 24)


def opened(model: nn.Module) -> BlockLensModel:
    """The model through the protocol of its backend."""
    return backend_of(model).opened(model)


def tied(config: LlamaConfig, share: bool = True) -> LlamaConfig:
    """The configuration with one matrix for embedding and unembedding, or with two."""
    config.tie_word_embeddings = share
    return config


def of_architecture(config: LlamaLike, model_type: str) -> LlamaLike:
    """The same shape in another architecture: ``qwen2`` has biases on q, k, v."""
    shape = {name: value for name, value in config.to_dict().items() if name in SHAPE}
    found: LlamaLike = architecture(model_type).config(**shape)
    return found
