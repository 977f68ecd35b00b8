"""Cells as whole sequences with hooks against TransformerLens's own run_with_hooks."""

import pytest
import torch

from spiritlens.components import hook_name
from spiritlens.models.random_weights import random_config, random_lens_model
from spiritlens.runs.sweep.full_length import cell_hooks, full_length_cells, read_names, reads_source, through_attn_out
from spiritlens.runs.sweep.plan import Action
from spiritlens.runs.sweep.recorded import RunPair

TOKENS = torch.tensor([[1, 17, 5, 33, 8]])
PROGRAMS = {
    0: {0: (Action("resid_pre", (1, 2)),), 1: (Action("z", (4,), 1),)},
    3: {1: (Action("resid_mid", (3,)), Action("mlp_out", (4,)))},
    4: {0: (Action("pattern", (2, 4), 1),)},
    7: {1: (Action("pattern", (4,)), Action("mlp_out", (2,), None, "base"))},
}


@pytest.fixture(scope="module")
def model():
    return random_lens_model(random_config(n_layers=2), seed=5)


@pytest.fixture(scope="module")
def pair(model):
    moved = model.embed(TOKENS).repeat(2, 1, 1)
    moved[:, 1:3] += torch.randn(2, 2, model.d_model, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    return RunPair(TOKENS, moved, None)


def slow(model, pair, program, sample: int) -> torch.Tensor:
    """Last logits of one cell and sample."""
    noise = ("hook_embed", lambda x, hook: pair.base[sample : sample + 1])
    _, source = model.model.run_with_cache(TOKENS)
    with model.model.hooks(fwd_hooks=[noise]):
        _, base = model.model.run_with_cache(TOKENS)
    hooks = [noise]
    for layer, actions in program.items():
        for action in actions:
            name = f"blocks.{layer}.hook_{action.component}"
            name = name if name in model.model.hook_dict else f"blocks.{layer}.attn.hook_{action.component}"
            taken = (source if action.run == "source" else base)[name]

            def put(x, hook, action=action, taken=taken):
                x = x.clone()
                for at in action.positions:
                    if action.component == "pattern":
                        heads = range(x.shape[1]) if action.head is None else [action.head]
                        for head in heads:
                            x[0, head, at] = taken[0, head, at]
                    elif action.head is None:
                        x[0, at] = taken[0, at]
                    else:
                        x[0, at, action.head] = taken[0, at, action.head]
                return x

            hooks.append((name, put))
    return model.model.run_with_hooks(TOKENS, fwd_hooks=hooks)[0, -1]


@pytest.mark.parametrize("budget", [1, 1 << 30], ids=["one row at a time", "all together"])
def test_cells_equal_one_pass_per_cell_and_sample(model, pair, budget):
    runs = pair.record(model, read_names(list(PROGRAMS.values())), 1)
    cells, pieces = list(PROGRAMS), []
    expected = torch.stack([torch.stack([slow(model, pair, PROGRAMS[c], s) for s in range(2)]) for c in cells])
    for some, samples, found in full_length_cells(model, PROGRAMS, runs, lambda logits: logits[:, 0], 1, budget):
        pieces += [(cell, sample) for cell in some for sample in samples]
        wanted = expected[[cells.index(cell) for cell in some]][:, samples.start : samples.stop]
        assert (found - wanted).abs().max() < 1e-10
    assert pieces == [(cell, sample) for cell in cells for sample in range(2)]
    plain = torch.stack([slow(model, pair, {}, sample) for sample in range(2)])
    assert ((expected - plain).abs().amax((1, 2)) > 1e-6).all(), "every cell moves something"


def test_what_programs_read():
    assert read_names([PROGRAMS[7]]) == {"base": [hook_name("mlp_out", 1)], "source": [hook_name("pattern", 1)]}
    assert reads_source(PROGRAMS[7])
    assert not reads_source({0: (Action("z", (1,), None, "base"),)})


def test_hooks_come_in_the_order_of_the_block(model, pair):
    runs = pair.record(model, read_names(list(PROGRAMS.values())), 1)
    names = [name for name, _ in cell_hooks([PROGRAMS[3]], runs, torch.arange(2))]
    assert names == [hook_name("mlp_out", 1), hook_name("resid_pre", 1), hook_name("attn_out", 1)]


def test_the_stream_after_attention_is_patched_through_attn_out():
    """resid_pre 1, attn_out 2: their sum 3 becomes 10 where it is asked for, by an attn_out of 9."""
    (_, remember), (_, replace) = through_attn_out(0, lambda mid: torch.tensor([[10.0], [float(mid[1])]]))
    assert remember(torch.tensor([[1.0], [1.0]])).tolist() == [[1.0], [1.0]]
    assert replace(torch.tensor([[2.0], [2.0]])).tolist() == [[9.0], [2.0]]
