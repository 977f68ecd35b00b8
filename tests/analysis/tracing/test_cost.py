"""Prices against what the engine really runs, and against FLOPs counted by torch."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from tracing_lens import spoken_prompt, text_prompt, tiny_lens

from spiritlens.analysis.grid.canary import canary_programs
from spiritlens.analysis.grid.grid import Draws, Grid
from spiritlens.analysis.grid.sites import grid_sites
from spiritlens.analysis.tracing.cost import estimate_cost, plan_of
from spiritlens.analysis.tracing.grid import trace_grid
from spiritlens.analysis.tracing.one_prompt import cells_of, trace_prompt
from spiritlens.analysis.tracing.settings import TraceSettings
from spiritlens.runs.corruptions.control_span import control_span
from spiritlens.runs.sweep.cost import ModelShape, shape_of
from spiritlens.runs.sweep.plan import Action, make_plan


@pytest.fixture(scope="module")
def lens():
    return tiny_lens(n_kv_heads=2)


@pytest.mark.parametrize("components", [("resid_pre",), ("mlp_out", "attn_out"), ("z",), ("resid_post", "mlp_out")])
def test_token_layers_are_those_that_run(lens, components, monkeypatch) -> None:
    counted = [0]
    inside = lens.backend

    def counting(method):
        def call(layer, first, *rest):
            counted[0] += first.shape[0] * first.shape[1]
            return method(layer, first, *rest)

        return call

    settings = TraceSettings(trace_grid(inside, Grid(components, window=2)), draws=Draws(3))
    prompt, plan = spoken_prompt(), plan_of(spoken_prompt(), settings)
    monkeypatch.setattr(inside, "attention", counting(inside.attention))
    monkeypatch.setattr(inside, "qkv", counting(inside.qkv))  # where z is patched: step by step
    trace_prompt(lens, prompt, settings)
    suffix = tuple(range(4, len(prompt)))  # from the subject on: the noise floor and the canary, beside the cells
    more = [{0: (Action("resid_pre", suffix, None, "base"),)}, *canary_programs(components, 3, suffix, prompt.id)]
    known = make_plan(
        [*plan.programs, *more],
        n_layers=3,
        n_positions=len(prompt),
        first_changed=4,
        changed=prompt.subject.positions,
        always=range(len(plan.programs), len(plan.programs) + len(more)),
    )
    assert counted[0] == known.token_layers(3)
    assert 0 < known.token_layers(3) - plan.token_layers(3) <= 4 * 3 * len(suffix) * 3


def test_sizes_and_counts(lens) -> None:
    shape = shape_of(lens.backend)
    assert shape.block_parameters == 24 * (24 + 24 + 12 + 12) + 3 * 24 * 40
    assert shape.itemsize == 8
    cost = estimate_cost(lens, [text_prompt(), spoken_prompt()], ("resid_pre",), samples=Draws(3), tflops=2.0)
    assert cost.cells == 3 * (8 + 14)
    after = [len(prompt) - 1 - prompt.subject.last for prompt in (text_prompt(), spoken_prompt())]
    assert cost.exact_cells == 3 * (4 + 4) + sum(after), "what enters block 0 behind the subject is not disturbed"
    rows = (1 + 2 + 3) * (sum(range(1, 5)) + sum(range(1, 11)))
    first_of_four = 1 + 2 + 3  # put back, the written subject's first token is clean: its rows begin behind it
    assert cost.token_layers == 3 * (rows - 3 * sum(sum(range(1, more + 1)) for more in after) - first_of_four)
    assert cost.hours == cost.flops / 2e12 / 3600
    assert "22 prompts" not in repr(cost)
    assert f"66 cells, of which {24 + sum(after)} need no run" in repr(cost)
    cells = cells_of(trace_grid(lens.backend, ("resid_pre",)), grid_sites(text_prompt(), "token"))
    assert len(cells.programs) == 24


def test_a_control_is_priced_where_it_is_corrupted(lens) -> None:
    """The control of the written prompt (tokens 2 and 3) stands before its subject: fewer cells are spared."""
    subject, control = (
        estimate_cost(lens, [text_prompt()], Grid(("resid_pre",), corrupted=who)) for who in ("subject", "control")
    )
    first = min(control_span(text_prompt()).positions)
    spared = [len(text_prompt()) - first - count for first, count in ((4, 2), (first, 2))]
    assert (subject.exact_cells, control.exact_cells) == (3 * 4 + spared[0], 3 * first + spared[1])
    assert first < 4


def test_block_flops_are_torchs(lens) -> None:
    """A pass over T tokens: torch counts matrix products and attention with all T keys of each query."""
    shape, tokens = shape_of(lens.backend), torch.ones(1, 14, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        lens.backend.model(tokens)  # torch counts no fused attention of a CPU, which the backend's own pass has
    whole = 14 * (3 * shape.block_flops(14) + shape.readout_flops)
    assert counter.get_total_flops() == pytest.approx(whole, rel=0.01)


def test_a_sevens_worth_of_layers_costs_hours() -> None:
    shape = ModelShape(32, 32, 32, 4096, 128, 11008, 32512, 2)
    assert shape.block_parameters * 32 == pytest.approx(6.48e9, rel=0.01)


def test_refusals(lens) -> None:
    with pytest.raises(ValueError, match="tflops=0: expected a number > 0"):
        estimate_cost(lens, [text_prompt()], tflops=0)
    with pytest.raises(ValueError, match="prompts is empty"):
        estimate_cost(lens, [])
    with pytest.raises(ValueError, match="samples=0: expected a whole number ≥ 1"):
        estimate_cost(lens, [text_prompt()], samples=0)
