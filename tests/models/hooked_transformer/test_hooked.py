"""What is a `HookedTransformer`'s own; the protocol's calls are tested in `tests/models/blocks/test_lens_model.py`."""

import pytest
import torch

from spiritlens.components import hook_name
from spiritlens.models.hooked_transformer.hooked import is_plain, reach
from spiritlens.models.protocol import CachedPrefix
from spiritlens.models.random_weights import random_config, random_lens_model

LAYERS, LENGTH, RUNS = 3, 9, 2
NAMES = [hook_name(part, layer) for part in ("resid_pre", "resid_post", "k", "v") for layer in range(LAYERS)]
ROWS = torch.tensor([1, 0, 0, 1, 1])


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randint(3, 60, (RUNS, LENGTH), generator=torch.Generator().manual_seed(7))


@pytest.fixture
def model():
    return random_lens_model(random_config(n_layers=2, n_kv_heads=2), seed=2, backend="hooked_transformer").model


def largest_difference(a: torch.Tensor, b: torch.Tensor) -> float:
    assert a.shape == b.shape
    return float((a - b).abs().max())


def test_biases_count_where_they_are_not_zero(tokens):
    """Llamas have none, and adding zeros is left out."""
    biased = random_lens_model(random_config(n_layers=LAYERS, n_kv_heads=2), seed=3, backend="hooked_transformer")
    generator = torch.Generator().manual_seed(5)
    for name, parameter in biased.model.named_parameters():
        if name.split(".")[-1].lstrip("_").startswith("b_"):
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
    run = biased.cache(tokens, NAMES)
    found = biased.block(1, run[hook_name("resid_pre", 1)][ROWS, 4:], CachedPrefix(run, 4, ROWS))
    assert largest_difference(found, run[hook_name("resid_post", 1)][ROWS, 4:]) < 1e-12
    expected = biased.model(tokens)
    assert largest_difference(biased.logits(run[hook_name("resid_post", LAYERS - 1)]), expected) < 1e-12


def test_ungrouped_keys_take_the_way_of_the_block(tokens):
    grouped = random_lens_model(random_config(n_kv_heads=2), backend="hooked_transformer")
    expected = grouped.cache(tokens, [hook_name("resid_post", 1)])[hook_name("resid_post", 1)]
    grouped.model.set_ungroup_grouped_query_attention(True)
    run = grouped.cache(tokens, NAMES)
    assert run[hook_name("k", 1)].shape[2] == 4
    resid = run[hook_name("resid_pre", 1)][ROWS, 3:]
    assert largest_difference(grouped.block(1, resid, CachedPrefix(run, 3, ROWS)), expected[ROWS, 3:]) < 1e-12
    with pytest.raises(ValueError, match="no plain Llama block"):
        grouped.attend(1, *grouped.qkv(1, resid), CachedPrefix(run, 3, ROWS))


def test_a_block_is_plain_until_a_hook_or_an_unusual_setting(model):
    block, other = model.blocks
    assert is_plain(block, 9)
    assert not is_plain(block, block.attn.rotary_cos.shape[0] + 1)
    handle = block.mlp.hook_post.register_forward_hook(lambda *_: None)
    assert not is_plain(block, 9)
    assert is_plain(other, 9), "a hook is the affair of its own block"
    handle.remove()
    assert is_plain(block, 9)
    block.cfg.use_local_attn = True
    assert not is_plain(block, 9)


def test_rotary_tables_reach_as_far_as_asked(model):
    attn = model.blocks[0].attn
    whole = attn.rotary_cos.clone()
    attn.rotary_cos, attn.rotary_sin = attn.rotary_cos[:10], attn.rotary_sin[:10]
    reach(attn, 10)
    assert len(attn.rotary_cos) == 10
    reach(attn, 15)
    assert 15 <= len(attn.rotary_cos) < len(whole)
    assert torch.allclose(attn.rotary_cos, whole[: len(attn.rotary_cos)])
