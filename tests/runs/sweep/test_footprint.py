"""Bytes told from shapes against the bytes of all tensors alive, counted while the same sweep runs."""

from dataclasses import replace

import pytest
import torch
from live_memory import LiveMemory

from spiritlens.models.random_weights import random_config, random_lens_model
from spiritlens.runs.sweep.footprint import footprint
from spiritlens.runs.sweep.full_length import whole_rows_at_once
from spiritlens.runs.sweep.plan import Action
from spiritlens.runs.sweep.recorded import RunPair
from spiritlens.runs.sweep.sweep import plan_sweep

LAYERS, SAMPLES, SMALL = 3, 4, 2**18


SHAPES = (({}, torch.float32), ({"n_kv_heads": 2}, torch.bfloat16), ({"d_vocab": 9000}, torch.bfloat16))


@pytest.fixture(scope="module", params=SHAPES, ids=["plain", "grouped", "large vocabulary"])
def model(request):
    own, dtype = request.param
    shape = {"d_model": 64, "n_heads": 8, "d_mlp": 160, "d_vocab": 300} | own
    return random_lens_model(random_config(n_layers=LAYERS, **shape), dtype=dtype)


def programs(components, positions, heads=(None,)):
    return [
        {layer: (Action(name, where, head),)}
        for name in components
        for layer in range(LAYERS)
        for where in positions
        for head in heads
    ]


GRIDS = {
    "each token": programs(("resid_pre", "mlp_out", "attn_out"), [(at,) for at in range(30, 40)]),
    "spans": programs(("resid_pre", "mlp_out"), [tuple(range(24, 30)), tuple(range(30, 40)), (39,)]),
    "heads": programs(("z",), [(at,) for at in range(34, 40)], heads=range(8)),
    "heads of spans": programs(("z",), [tuple(range(24, 40))], heads=range(8)),
    "behind a long prefix": programs(("resid_pre",), [(38,), (39,)]),
}


@pytest.mark.parametrize("budget", [2**30, SMALL])
@pytest.mark.parametrize("grid", GRIDS)
def test_a_sweep_holds_what_was_told(model, grid: str, budget: int) -> None:
    torch.manual_seed(0)
    first = min(min(action.positions) for program in GRIDS[grid] for actions in program.values() for action in actions)
    with LiveMemory() as live:
        tokens = torch.arange(3, 43)[None]
        noisy = model.embed(tokens).repeat(SAMPLES, 1, 1)
        noisy[:, first:] += 0.1
        pair = RunPair(tokens, noisy, None)
        sweep = plan_sweep(model, GRIDS[grid], 40, first)
        runs = pair.record(model, sweep.names, 1, sweep.first_changed)
        sweep.run(model, runs, lambda logits: logits[:, -1, :2], memory_budget=budget)
    told = footprint(model, sweep, {"base": SAMPLES, "source": 1}, budget)
    assert told.peak == pytest.approx(live.peak, rel=0.15)
    assert (told.largest_batch < told.whole_batch) == (budget == SMALL)


def test_a_smaller_budget_takes_less(model) -> None:
    sweep = plan_sweep(model, GRIDS["each token"], 40, 30)
    sizes = [footprint(model, sweep, {"base": 4, "source": 1}, budget) for budget in (2**30, 2**20, 2**18, 2**10)]
    assert [size.rows for size in sizes] == sorted((size.rows for size in sizes), reverse=True)
    assert [size.largest_batch for size in sizes] == sorted((size.largest_batch for size in sizes), reverse=True)
    assert len({size.recorded for size in sizes}) == 1


def test_whole_sequences_are_told_as_such(model) -> None:
    sweep = replace(plan_sweep(model, GRIDS["each token"], 40, 30), whole_sequences=True)
    told = footprint(model, sweep, {"base": 4, "source": 1}, 2**20)
    assert told.largest_batch == 4 * whole_rows_at_once(model, 40, 4, 2**20)
    assert told.rows > 2 * 4 * 40 * model.d_vocab
