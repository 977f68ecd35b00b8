"""Small models of the Llama kind with random weights, for tests, examples and benchmarks; deterministic in their seed.

Their norm gains are perturbed and their matrices scaled so that activations stay of order one through the layers: on
such a model every wrong transpose, missing gain or shifted position shows in the logits.
"""

from typing import Any

import torch
from torch import Tensor

from spiritlens.environment import plain_torch
from spiritlens.models.backend_row import BackendName
from spiritlens.models.backends import backend_of, maker
from spiritlens.models.checkpoints.llama import LlamaLike, architecture, tensor_shapes
from spiritlens.models.protocol import LensModel


def random_config(
    n_layers: int = 3,
    d_model: int = 32,
    n_heads: int = 4,
    n_kv_heads: int | None = None,
    d_mlp: int = 48,
    d_vocab: int = 64,
    n_ctx: int = 256,
    rope: dict[str, Any] | None = None,
) -> LlamaLike:
    """A Llama configuration; ``n_kv_heads`` below ``n_heads`` gives grouped-query attention."""
    config: LlamaLike = architecture("llama").config(
        num_hidden_layers=n_layers,
        hidden_size=d_model,
        num_attention_heads=n_heads,
        num_key_value_heads=n_kv_heads or n_heads,
        intermediate_size=d_mlp,
        vocab_size=d_vocab,
        max_position_embeddings=n_ctx,
        rms_norm_eps=1e-5,
        tie_word_embeddings=False,
        rope_parameters=rope or {"rope_type": "default", "rope_theta": 10000.0},
        bos_token_id=1,
        eos_token_id=2,
    )
    return config


def random_weights(config: LlamaLike, seed: int = 0, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Weights by Hugging Face's names, drawn in float32 on the CPU and converted."""
    generator = torch.Generator().manual_seed(seed)
    weights: dict[str, Tensor] = {}
    for name, shape in tensor_shapes(config).items():
        noise = torch.randn(shape, generator=generator, dtype=torch.float32)
        if name.endswith(".bias"):
            weights[name] = noise.to(dtype)
        elif len(shape) == 1:
            weights[name] = (1 + 0.2 * noise).to(dtype)
        else:
            scale = 1.0 if "embed_tokens" in name else shape[1] ** -0.5
            weights[name] = noise.mul_(scale).to(dtype)
    return weights


@plain_torch
def random_lens_model(
    config: LlamaLike | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    backend: BackendName | None = None,
) -> LensModel:
    """A random model behind the protocol: ``random_lens_model(random_config(n_layers=4, n_kv_heads=2))``."""
    config = config or random_config()
    model = maker(backend).converted(random_weights(config, seed, dtype), config, dtype, name="random")
    return backend_of(model).opened(model)
