"""The fused kernels against what they are defined to compute, worked out by hand."""

import math
from dataclasses import replace

import pytest
import torch

from spiritlens.models.blocks import suffix
from spiritlens.models.blocks.weights import Norm
from spiritlens.models.precision import widened
from spiritlens.models.random_weights import random_config, random_lens_model


@pytest.fixture
def inside():
    return random_lens_model(random_config(n_layers=2, n_kv_heads=2), seed=2)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_norm_divides_by_the_root_mean_square_and_multiplies_its_gain(dtype):
    norm = Norm(w=torch.tensor([1.0, 2.0], dtype=dtype), eps=0.5)
    found = suffix.normed(norm, torch.tensor([3.0, 4.0], dtype=dtype))
    scale = math.sqrt((9 + 16) / 2 + 0.5)
    assert found.dtype == dtype
    assert found.tolist() == pytest.approx([3 / scale, 8 / scale], rel=1e-2 if dtype == torch.bfloat16 else 1e-6)
    assert suffix.normed(Norm(None, 0.5), torch.tensor([3.0, 4.0])).tolist() == pytest.approx([3 / scale, 4 / scale])


def test_the_mlp_is_down_of_silu_gate_times_up_with_and_without_gradients(inside):
    weights, resid = inside.mlp_weights(1), random(2, 3, inside.d_model)
    states = suffix.normed(weights.norm, resid)
    gate, up = states @ weights.gate.weight.T, states @ weights.up.weight.T
    expected = (gate * torch.sigmoid(gate) * up) @ weights.out.weight.T
    assert torch.allclose(suffix.mlp(weights, resid), expected, atol=1e-12, rtol=0)
    biased = replace(weights, hidden_bias=torch.ones(inside.d_mlp, dtype=torch.float64))
    shifted = expected + weights.out.weight.sum(1)
    assert torch.allclose(suffix.mlp(biased, resid), shifted, atol=1e-12, rtol=0)
    learning = resid.requires_grad_(True)
    assert torch.allclose(suffix.mlp(weights, learning), expected, atol=1e-12, rtol=0)
    assert torch.allclose(suffix.mlp(biased, learning), shifted, atol=1e-12, rtol=0)
    assert suffix.mlp(weights, learning).requires_grad


def test_a_bias_of_zeros_is_left_out_unless_it_learns():
    zero = torch.zeros(3)
    assert suffix.added(None) is None
    assert suffix.added(zero) is None
    assert suffix.added(torch.tensor([0.0, 1.0])) is not None
    learning = zero.clone().requires_grad_(True)
    assert suffix.added(learning) is learning
    with torch.no_grad():
        assert suffix.added(learning) is None


def test_the_read_out_is_the_same_in_pieces_and_in_float32_of_bfloat16(monkeypatch):
    low = random_lens_model(random_config(n_layers=2), seed=2, dtype=torch.bfloat16)
    norm, unembed = low.read_out_weights()
    unembed = unembed._replace(bias=random(low.d_vocab).to(torch.bfloat16))
    resid = random(2, low.d_model).to(torch.bfloat16)
    states = widened(resid)
    scale = (states.square().mean(-1, keepdim=True) + norm.eps).sqrt()
    expected = (states / scale * norm.w.float()) @ unembed.weight.T.float() + unembed.bias.float()
    whole = suffix.read_out(norm, unembed, resid)
    monkeypatch.setattr(suffix, "VOCAB_CHUNK", 7)
    pieces = suffix.read_out(norm, unembed, resid)
    assert whole.dtype == pieces.dtype == torch.float32
    assert torch.allclose(whole, expected, atol=1e-4)
    assert torch.allclose(pieces, whole, atol=1e-5)
