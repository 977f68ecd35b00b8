"""Bytes told from shapes against the bytes of all tensors alive, counted while the same sweep runs."""

import math

import pytest
import torch
from live_memory import LiveMemory

from spiritlens.components import COMPONENTS, HEAD_COMPONENTS
from spiritlens.models.backends import BACKENDS
from spiritlens.models.random_weights import random_config, random_lens_model
from spiritlens.runs.sweep.footprint import footprint
from spiritlens.runs.sweep.full_length import whole_rows
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
    "each token": programs(("resid_pre", "mlp_out", "attn_out"), [(at,) for at in (30, 33, 36, 39)]),
    "spans": programs(("resid_pre", "mlp_out"), [tuple(range(24, 30)), tuple(range(30, 40)), (39,)]),
    "heads": programs(("z",), [(34,), (39,)], heads=range(8)),
    "heads of spans": programs(("z",), [tuple(range(24, 40))], heads=range(8)),
    "behind a long prefix": programs(("resid_pre",), [(38,), (39,)]),
    "what heads are made of": programs(("q", "k", "v"), [(34,), (39,)], heads=range(2)),
    "patterns": programs(("pattern",), [(34,), (39,)], heads=range(4)),
    "inside and behind a block": programs(("resid_mid", "resid_post"), [(34,), (39,)]),
    "several layers together": [
        {layer: (Action("mlp_out", (at,)),) for layer in range(first, LAYERS)}
        for first in range(LAYERS)
        for at in (34, 36, 39)
    ],
}


def told_and_held(model, programs, first, length, budget):
    """The footprint, and the most bytes that recording and the sweep held."""
    with LiveMemory() as live:
        tokens = torch.arange(3, 3 + length)[None]
        noisy = model.embed(tokens).repeat(SAMPLES, 1, 1)
        noisy[:, first:] += 0.1
        sweep = plan_sweep(model, programs, length, first)
        runs = RunPair(tokens, noisy, None).record(model, sweep.names, 1, sweep.first_changed)
        recording, live.peak = live.peak, 0
        sweep.run(model, runs, lambda logits: logits[:, -1, :2], memory_budget=budget)
    return footprint(model, sweep, {"base": SAMPLES, "source": 1}, budget), recording, live.peak


@pytest.mark.parametrize("budget", [2**30, SMALL])
@pytest.mark.parametrize("grid", GRIDS)
def test_a_sweep_holds_what_was_told(model, grid: str, budget: int) -> None:
    torch.manual_seed(0)
    first = min(min(action.positions) for program in GRIDS[grid] for actions in program.values() for action in actions)
    told, recording, rows = told_and_held(model, GRIDS[grid], first, 40, budget)
    assert told.peak == pytest.approx(max(recording, rows), rel=0.15)
    assert (told.largest_batch < told.whole_batch) == (budget == SMALL)


WHOLE = {  # sizes that decide: what attention makes, the MLP, the vocabulary, in full and in half precision
    "attention": (40, {"d_mlp": 160}, torch.float32),
    "attention in half precision": (40, {"d_mlp": 160, "n_kv_heads": 2}, torch.bfloat16),
    "attention in float64": (40, {"d_mlp": 160}, torch.float64),
    "the MLP": (12, {"d_mlp": 1200}, torch.float32),
    "the MLP in half precision": (12, {"d_mlp": 1200, "n_kv_heads": 2}, torch.bfloat16),
    "the vocabulary": (20, {"d_vocab": 9000}, torch.float32),
    "the vocabulary in half precision": (20, {"d_vocab": 9000, "n_kv_heads": 2}, torch.bfloat16),
}


@pytest.fixture(scope="module", params=[row.maker.name for row in BACKENDS if row.maker])
def backend(request):
    return request.param


def hooked(backend, size):
    """A model that carries a user's own hook, and the length of its prompts."""
    length, own, dtype = WHOLE[size]
    config = random_config(n_layers=LAYERS, **({"d_model": 64, "n_heads": 8, "d_mlp": 160, "d_vocab": 300} | own))
    model = random_lens_model(config, dtype=dtype, backend=backend)
    model.model.blocks[1].register_forward_hook(lambda module, inputs, output: None)
    return model, length


@pytest.mark.parametrize("size", WHOLE)
def test_whole_sequences_hold_what_was_told(backend: str, size: str) -> None:
    (model, length), budget = hooked(backend, size), 2**23
    cells = programs(("resid_pre", "mlp_out"), [(length - 4,), (length - 1,)])
    told, recording, rows = told_and_held(model, cells, length - 4, length, budget)
    assert told.recorded + told.recording == pytest.approx(recording, rel=0.15)
    assert told.recorded + told.rows == pytest.approx(rows, rel=0.15)
    assert told.whole_batch == len(cells) * SAMPLES
    assert told.largest_batch == math.prod(whole_rows(model, length, SAMPLES, len(cells), budget))


@pytest.mark.parametrize("component", [row.name for row in COMPONENTS])
def test_whole_sequences_hold_what_was_told_of_every_component(backend: str, component: str) -> None:
    model, length = hooked(backend, "attention")
    heads = range(2) if component in HEAD_COMPONENTS else (None,)
    cells = programs((component,), [(length - 4,), (length - 1,)], heads)
    told, recording, rows = told_and_held(model, cells, length - 4, length, 2**30)
    assert told.peak == pytest.approx(max(recording, rows), rel=0.15)


def test_a_smaller_budget_takes_less(model) -> None:
    sweep = plan_sweep(model, GRIDS["each token"], 40, 30)
    sizes = [footprint(model, sweep, {"base": 4, "source": 1}, budget) for budget in (2**30, 2**20, 2**18, 2**10)]
    assert [size.rows for size in sizes] == sorted((size.rows for size in sizes), reverse=True)
    assert [size.largest_batch for size in sizes] == sorted((size.largest_batch for size in sizes), reverse=True)
    assert len({size.recorded for size in sizes}) == 1
