"""Tiny random Llamas in float64, with multi-head and with grouped-query attention."""

import sys
from pathlib import Path

import pytest
import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig

from spiritlens.models.hooked import HookedLensModel

sys.path.append(str(Path(__file__).parents[1] / "analysis"))  # tracing_lens: the tiny lens that both rooms test with


def random_llama(n_kv_heads: int, n_layers: int = 3, dtype: torch.dtype = torch.float64) -> HookedTransformer:
    torch.manual_seed(7)
    config = HookedTransformerConfig(
        n_layers=n_layers,
        d_model=24,
        d_head=6,
        n_heads=4,
        n_key_value_heads=None if n_kv_heads == 4 else n_kv_heads,
        d_mlp=40,
        n_ctx=64,
        d_vocab=50,
        act_fn="silu",
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
    model = HookedTransformer(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".w"):
                parameter.copy_(1 + 0.3 * torch.randn_like(parameter))
            elif not name.split(".")[-1].lstrip("_").startswith("b_"):
                parameter.copy_(torch.randn_like(parameter) / parameter.shape[-2] ** 0.5 * 1.5)
    return model.to(dtype).eval().requires_grad_(False)


@pytest.fixture(scope="session", params=[4, 2], ids=["MHA", "GQA"])
def llama(request: pytest.FixtureRequest) -> HookedTransformer:
    return random_llama(request.param)


@pytest.fixture(scope="session")
def inside(llama: HookedTransformer) -> HookedLensModel:
    return HookedLensModel(llama)
