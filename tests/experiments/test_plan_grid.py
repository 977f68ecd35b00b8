"""The plan of a grid at 7B: against numbers made by loops of their own, and against the sweep itself, run without any
value on torch's meta device as a GPU would run it."""

import sys
from pathlib import Path

import pytest
import torch
from live_memory import LiveMemory
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments"))

import plan_grid as plan

from spiritlens.models.random_weights import random_config
from spiritlens.runs.sweep.recorded import RunPair
from spiritlens.runs.sweep.sweep import plan_sweep

LAYERS, WIDTH, HIDDEN, ROWS = 32, 4096, 11008, 32512
SAMPLES = 10
BLOCK = 4 * WIDTH**2 + 3 * WIDTH * HIDDEN
"""Weights of a block."""
KNOWN = {12: (384, 331_584), 64: (2048, 10_021_888), 128: (4096, 40_359_936)}
"""Cells, and token-layers: 10 samples × 32 · 31 / 2 rows × (T − 1) · T / 2 suffixes, and 11 recorded runs."""
SETTINGS = plan.Settings()


@pytest.fixture(scope="module")
def model():
    return plan.meta_model(plan.seven_billion())


def test_the_shape_is_spirit_lms(model) -> None:
    assert (model.n_layers, model.d_model, model.d_mlp, model.d_vocab) == (LAYERS, WIDTH, HIDDEN, ROWS)
    parameters = LAYERS * (BLOCK + 2 * WIDTH) + 2 * ROWS * WIDTH + WIDTH
    held = sum(value.nbytes for value in model.model.parameters())
    assert held == pytest.approx(2 * parameters, rel=1e-3)  # TransformerLens holds biases of zeros, too
    assert {value.device.type for value in model.model.parameters()} == {"meta"}
    assert model.dtype == torch.bfloat16


@pytest.mark.parametrize("tokens", KNOWN)
def test_a_grid_is_counted_by_hand(model, tokens: int) -> None:
    """A cell restored behind block l at token p runs the blocks after l on the tokens from p on; the last block of them
    makes keys and values of all of these and the rest of the read-out's. Tokens share nothing but
    that."""
    found = plan.grid_plan(model, plan.block_outputs(LAYERS, tokens), tokens, SETTINGS)
    cells, token_layers = KNOWN[tokens]
    blocks, flops = 0, 0.0
    for place in range(1, tokens):
        length = (place + tokens + 1) / 2
        for block in range(1, LAYERS):
            patched_before, suffix = block, tokens - place
            blocks += SAMPLES * patched_before * suffix
            if block < LAYERS - 1:
                flops += SAMPLES * patched_before * suffix * (2 * BLOCK + 4 * WIDTH * length)
            else:
                key_value = 4 * WIDTH**2
                flops += SAMPLES * patched_before * (suffix - 1) * key_value
                flops += SAMPLES * patched_before * (2 * BLOCK + 4 * WIDTH * tokens)
        at_the_end = LAYERS if place == tokens - 1 else LAYERS - 1  # what the last block gives the last token, too
        flops += SAMPLES * at_the_end * 2 * WIDTH * ROWS
    for _ in range(1 + SAMPLES):  # recorded
        blocks += tokens * LAYERS
        flops += LAYERS * (tokens * 2 * BLOCK + 4 * WIDTH * tokens * (tokens + 1) / 2) + 2 * WIDTH * ROWS
    assert (found.cells, found.token_layers) == (cells, token_layers) == (tokens * LAYERS, blocks)
    assert found.flops == pytest.approx(flops, rel=1e-9)
    assert found.reference == cells * 11 * tokens * LAYERS


def test_the_sweep_itself_runs_as_planned(model, monkeypatch) -> None:
    """Its operations by torch's own count, and its memory by that of all tensors: a GPU's way, all rows together.

    The grid's first column, which takes the most; for the last ones, how far a prefix is shared is asked of values.
    Attention is that of a fused kernel, which makes z alone: the meta device has none, and would hold scores.
    """
    from spiritlens.models.blocks import lens_model

    monkeypatch.setattr(lens_model, "check_tokens", lambda *given: None)  # it reads the tokens, which are not there
    tokens, meta = 12, torch.device("meta")
    programs = plan.block_outputs(LAYERS, tokens)
    programs = [one for one in programs if max(one[min(one)][0].positions) <= plan.FIRST]
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", lambda q, k, v, **how: torch.empty_like(q))
    told = plan.grid_plan(model, programs, tokens, SETTINGS)
    with LiveMemory(meta=True) as live, FlopCounterMode(display=False) as counter:
        ids = torch.ones(1, tokens, dtype=torch.long, device=meta)
        noisy = torch.zeros(SAMPLES, tokens, WIDTH, dtype=torch.bfloat16, device=meta)
        sweep = plan_sweep(model, programs, tokens, plan.FIRST, two_runs=True)
        runs = RunPair(ids, noisy, None).record(model, sweep.names, 1, sweep.first_changed)
        found = sweep.run(model, runs, lambda logits: logits[:, -1, :1], memory_budget=10**10)
    assert found.values.device.type == "meta"
    weights = sum(value.nbytes for value in model.model.parameters())
    assert told.peak - weights == pytest.approx(live.peak, rel=1e-3)
    assert counter.get_total_flops() == pytest.approx(told.flops, rel=0.05)


@pytest.mark.slow
def test_what_a_card_holds_decides_the_batch(model) -> None:
    programs = plan.three_components(LAYERS, 128)
    large = plan.grid_plan(model, programs, 128, SETTINGS)
    assert large.fits == large.whole == large.batch
    small = plan.grid_plan(model, programs, 128, plan.Settings(memory_gb=18.0))
    assert 0 < small.fits < large.fits
    assert small.batch < large.batch
    assert small.peak < large.peak
    assert plan.grid_plan(model, programs, 128, plan.Settings(memory_gb=13.5)).fits == 0


def test_the_table_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "seven_billion", lambda: random_config(n_layers=4, d_vocab=64))
    plan.main(plan.Settings(tokens=(12,)))
    lines = capsys.readouterr().out.splitlines()
    assert "nothing was run on one" in lines[0]
    assert [line[:18].strip() for line in lines[2:]] == ["block outputs", "three components"]
