"""The fused kernels against what they are defined to compute, worked out by hand or by TransformerLens's block."""

import math
from types import SimpleNamespace

import pytest
import torch

from spiritlens.models.blocks import suffix
from spiritlens.models.precision import widened
from spiritlens.models.random_weights import random_config, random_lens_model


@pytest.fixture
def model():
    return random_lens_model(random_config(n_layers=2, n_kv_heads=2), seed=2).model


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_norm_divides_by_the_root_mean_square_and_multiplies_its_gain(dtype):
    norm = SimpleNamespace(w=torch.tensor([1.0, 2.0], dtype=dtype), eps=0.5)
    found = suffix.normed(norm, torch.tensor([3.0, 4.0], dtype=dtype))
    scale = math.sqrt((9 + 16) / 2 + 0.5)
    assert found.dtype == dtype
    assert found.tolist() == pytest.approx([3 / scale, 8 / scale], rel=1e-2 if dtype == torch.bfloat16 else 1e-6)
    assert suffix.normed(SimpleNamespace(eps=0.5), torch.tensor([3.0, 4.0])).tolist() == pytest.approx(
        [3 / scale, 4 / scale]
    )


def test_the_mlp_is_down_of_silu_gate_times_up_with_and_without_gradients(model):
    block, resid = model.blocks[1], random(2, 3, model.cfg.d_model)
    weights, states = block.mlp, suffix.normed(block.ln2, resid)
    gate, up = states @ weights.W_gate, states @ weights.W_in
    expected = (gate * torch.sigmoid(gate) * up) @ weights.W_out
    assert torch.allclose(suffix.mlp(block, resid), expected, atol=1e-12, rtol=0)
    learning = resid.requires_grad_(True)
    assert torch.allclose(suffix.mlp(block, learning), expected, atol=1e-12, rtol=0)
    assert suffix.mlp(block, learning).requires_grad


def test_a_bias_of_zeros_is_left_out_unless_it_learns():
    zero = torch.zeros(3)
    assert suffix.added(zero) is None
    assert suffix.added(torch.tensor([0.0, 1.0])) is not None
    learning = zero.clone().requires_grad_(True)
    assert suffix.added(learning) is learning
    with torch.no_grad():
        assert suffix.added(learning) is None


def test_a_block_is_plain_until_a_hook_or_an_unusual_setting(model):
    block, other = model.blocks
    assert suffix.is_plain(block, 9)
    assert not suffix.is_plain(block, block.attn.rotary_cos.shape[0] + 1)
    handle = block.mlp.hook_post.register_forward_hook(lambda *_: None)
    assert not suffix.is_plain(block, 9)
    assert suffix.is_plain(other, 9), "a hook is the affair of its own block"
    handle.remove()
    assert suffix.is_plain(block, 9)
    block.cfg.use_local_attn = True
    assert not suffix.is_plain(block, 9)


def test_rotary_tables_reach_as_far_as_asked(model):
    attn = model.blocks[0].attn
    whole = attn.rotary_cos.clone()
    attn.rotary_cos, attn.rotary_sin = attn.rotary_cos[:10], attn.rotary_sin[:10]
    suffix.reach(attn, 10)
    assert len(attn.rotary_cos) == 10
    suffix.reach(attn, 15)
    assert 15 <= len(attn.rotary_cos) < len(whole)
    assert torch.allclose(attn.rotary_cos, whole[: len(attn.rotary_cos)])


def test_the_read_out_is_the_same_in_pieces_and_in_float32_of_bfloat16(model, monkeypatch):
    low = model.to(torch.bfloat16)
    resid = random(2, low.cfg.d_model).to(torch.bfloat16)
    states = widened(resid)
    scale = (states.square().mean(-1, keepdim=True) + low.ln_final.eps).sqrt()
    expected = (states / scale * low.ln_final.w.float()) @ low.unembed.W_U.float() + low.unembed.b_U.float()
    whole = suffix.read_out(low.ln_final, low.unembed, resid)
    monkeypatch.setattr(suffix, "VOCAB_CHUNK", 7)
    pieces = suffix.read_out(low.ln_final, low.unembed, resid)
    assert whole.dtype == pieces.dtype == torch.float32
    assert torch.allclose(whole, expected, atol=1e-4)
    assert torch.allclose(pieces, whole, atol=1e-5)
