"""Attention after a shared prefix against one softmax per row, head and query; no code is shared."""

import pytest
import torch

from spiritlens.models.blocks import attending
from spiritlens.models.blocks.attending import CachedKeys, attend, rotated
from spiritlens.models.random_weights import random_config, random_lens_model

HEADS, SUFFIX, RUNS, ROWS = 4, 3, 2, (1, 0, 0, 1)


@pytest.fixture(scope="module", params=[4, 2, 1], ids=["mha", "gqa", "mqa"])
def attn(request):
    return random_lens_model(random_config(n_layers=1, n_kv_heads=request.param), seed=1).attention_weights(0)


def random(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def turned(attn, vector: torch.Tensor, position: int) -> torch.Tensor:
    """Pairs (i, i + d/2) turned as complex numbers by the position's angles."""
    half = len(vector) // 2
    cos, sin = attn.rotary_cos[position, :half], attn.rotary_sin[position, :half]
    pairs = torch.complex(vector[:half], vector[half:]) * torch.complex(cos.double(), sin.double())
    return torch.cat([pairs.real, pairs.imag])


def slow(attn, queries, keys, values, before: CachedKeys, positions) -> torch.Tensor:
    groups, start = HEADS // keys.shape[2], before.keys.shape[1]
    z = torch.zeros(len(keys), len(positions), HEADS, keys.shape[-1], dtype=torch.float64)
    for row, run in enumerate(before.sample_of_row.tolist()):
        for place, position in enumerate(positions.tolist()):
            for head in range(HEADS):
                kv = head // groups
                all_keys = torch.cat([before.keys[run, :, kv], keys[row, :, kv]])[: position + 1]
                all_values = torch.cat([before.values[run, :, kv], values[row, :, kv]])[: position + 1]
                query = turned(attn, queries[row, place, head], position)
                scores = [query @ turned(attn, key, at) / attn.attn_scale for at, key in enumerate(all_keys)]
                z[row, place, head] = torch.stack(scores).softmax(0) @ all_values
    assert start + keys.shape[1] > positions.max()
    return z


@pytest.mark.parametrize("share", [0, 100], ids=["shared", "joined"])
@pytest.mark.parametrize("start", [0, 1, 5])
@pytest.mark.parametrize("rows", [ROWS, (0, 0, 1), (1, 1)], ids=["equal", "unequal", "one run"])
def test_attention_is_one_softmax_per_row_head_and_query(attn, monkeypatch, share, start, rows):
    monkeypatch.setattr(attending, "PREFIX_TO_SHARE", share)
    kv, width = attn.k.weight.shape[0] // attn.d_head, attn.d_head
    keys, values = random(len(rows), SUFFIX, kv, width, seed=1), random(len(rows), SUFFIX, kv, width, seed=2)
    before = CachedKeys(
        random(RUNS, start, kv, width, seed=3), random(RUNS, start, kv, width, seed=4), torch.tensor(rows)
    )
    for positions in (torch.arange(start, start + SUFFIX), torch.tensor([start + 2, start])):
        queries = random(len(rows), len(positions), HEADS, width, seed=5)
        found = attend(attn, queries, keys, values, before, positions)
        assert (found - slow(attn, queries, keys, values, before, positions)).abs().max() < 1e-12


def test_rotation_depends_on_distance_only(attn):
    one, other = random(1, 1, 1, attn.d_head, seed=6), random(1, 1, 1, attn.d_head, seed=7)

    def product(first: int, second: int) -> float:
        return float((rotated(attn, one, slice(first, first + 1)) * rotated(attn, other, torch.tensor([second]))).sum())

    assert torch.equal(rotated(attn, one, slice(0, 1)), one)
    assert product(2, 5) == pytest.approx(product(7, 10), abs=1e-6)  # tables are float32
    assert abs(product(2, 5) - product(2, 6)) > 1e-4
