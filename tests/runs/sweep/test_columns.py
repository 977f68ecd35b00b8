"""One column through the engine against full passes with hooks: whole rows, forks, and rows that join after a block."""

import pytest
import torch

from spiritlens.components import hook_name
from spiritlens.models.random_weights import random_config, random_lens_model
from spiritlens.runs.sweep.columns import ColumnRunner
from spiritlens.runs.sweep.plan import Action, Column, LayerPlan
from spiritlens.runs.sweep.recorded import RunPair
from spiritlens.runs.sweep.sweep import plan_sweep

TOKENS, START = torch.tensor([[1, 17, 5, 33, 8, 21]]), 2


@pytest.fixture(scope="module")
def model():
    return random_lens_model(random_config(n_layers=3, n_kv_heads=2), seed=7)


@pytest.fixture(scope="module")
def moved(model):
    embeddings = model.embed(TOKENS).repeat(2, 1, 1)
    generator = torch.Generator().manual_seed(8)
    embeddings[:, START : START + 2] += torch.randn(2, 2, model.d_model, dtype=torch.float64, generator=generator)
    return embeddings


def expected(model, moved, places, n_readouts: int) -> torch.Tensor:
    """The last resid_post with components at positions put to the clean run's, ``[sample readout d_model]``."""
    names, last = [hook_name(*place[:2]) for place in places], hook_name("resid_post", 2)
    clean = model.cache(TOKENS, names)

    def putting(name, position):
        def put(x):
            x = x.clone()
            x[:, position] = clean[name][:, position]
            return x

        return put

    hooks = [(hook_name("embed", 0), lambda _: moved)]
    hooks += [(name, putting(name, place[2])) for name, place in zip(names, places, strict=True)]
    with model.hooked(hooks):
        return model.cache(TOKENS.expand(2, -1), [last])[last][:, -n_readouts:]


@pytest.mark.parametrize("n_readouts", [1, 2])
def test_rows_carry_on_fork_and_join(model, moved, n_readouts):
    a, b, c = Action("resid_pre", (START,)), Action("attn_out", (4,)), Action("z", (3,))
    column = Column(  # row 0: resid_pre of layer 0; it forks at layer 1; z of layer 1 joins after that block
        START,
        (
            (0, LayerPlan((-1,), ((a,),), ())),
            (1, LayerPlan((0, 0), ((), (b,)), ((c,),))),
            (2, LayerPlan((0, 1, 2), ((), (), ()), ())),
        ),
        cells=(0, 1, 2),
        rows=(0, 1, 2),
    )
    cells = [{0: (a,)}, {0: (a,), 1: (b,)}, {1: (c,)}]
    pair = RunPair(TOKENS, moved, None)
    sweep = plan_sweep(model, cells, TOKENS.shape[1], START, n_readouts)
    runs = pair.record(model, sweep.names, n_readouts)
    found = ColumnRunner(model, runs, TOKENS.shape[1], n_readouts).column(column, torch.arange(2))
    places = [[("resid_pre", 0, START)], [("resid_pre", 0, START), ("attn_out", 1, 4)], [("z", 1, 3)]]
    slow = torch.stack([expected(model, moved, some, n_readouts) for some in places])
    assert found.shape == slow.shape
    assert (found - slow).abs().max() < 1e-11
    assert (slow[0] - slow[1]).abs().max() > 1e-6
    (planned,) = [one for one in sweep.plan.columns if one.start == START]
    forked = (1, LayerPlan((0, 0), ((), (b,)), ())), (2, LayerPlan((0, 1), ((), ()), ()))
    assert planned.layers == (column.layers[0], *forked)


def test_a_column_without_rows_is_refused(model, moved):
    runs = RunPair(TOKENS, moved, None).record(model, {"base": [], "source": []}, 1)
    with pytest.raises(ValueError, match="a column without rows cannot run"):
        ColumnRunner(model, runs, TOKENS.shape[1], 1).column(Column(0, (), (), ()), torch.arange(2))
