"""Tiny random Llamas in float64, with multi-head or grouped-query attention, for the tests of several rooms."""

import torch
from torch import nn
from transformers import LlamaConfig

from spiritlens.models.backend_row import BackendName
from spiritlens.models.backends import backend_of, maker
from spiritlens.models.blocks.lens_model import BlockLensModel
from spiritlens.models.checkpoints.llama import tensor_shapes
from spiritlens.models.random_weights import of_architecture, random_config


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
    shape = {"n_layers": n_layers, "d_model": 24, "n_heads": 4, "d_mlp": 40, "n_ctx": 64}
    config = random_config(**shape, n_kv_heads=n_kv_heads, d_vocab=d_vocab)
    config = of_architecture(config, "qwen2") if biased else config
    stream = torch.Generator().manual_seed(seed)
    weights = {}
    for name, size in tensor_shapes(config).items():
        drawn = torch.randn(size, generator=stream, dtype=torch.float64)
        if name.endswith("norm.weight"):
            drawn = 1 + 0.3 * drawn
        elif len(size) == 2:
            drawn *= 1.5 * (size[0] if "embed" in name else size[1]) ** -0.5
        weights[name] = drawn.to(dtype)
    return maker(backend).converted(weights, config, dtype, name="random llama")


def opened(model: nn.Module) -> BlockLensModel:
    """The model through the protocol of its backend."""
    return backend_of(model).opened(model)


def tied(config: LlamaConfig, share: bool = True) -> LlamaConfig:
    """The configuration with one matrix for embedding and unembedding, or with two."""
    config.tie_word_embeddings = share
    return config
