"""Runs that are cut to what can change, against whole passes."""

import pytest
import torch

from spiritlens.models.backends import BACKENDS
from spiritlens.models.blocks.lens_model import BlockLensModel
from spiritlens.models.random_weights import random_config, random_lens_model
from spiritlens.runs.changed_logits import plain_run
from spiritlens.runs.sweep.recorded import record

TOKENS = torch.tensor([[1, 17, 5, 33, 8, 21, 40]])


@pytest.fixture(scope="module", params=[row.maker.name for row in BACKENDS if row.maker])
def model(request) -> BlockLensModel:
    return random_lens_model(random_config(n_layers=3), seed=4, backend=request.param)


def changed(model: BlockLensModel, positions: tuple[int, ...]) -> torch.Tensor:
    embeddings = model.embed(TOKENS).repeat(3, 1, 1)
    draw = torch.randn(3, len(positions), model.d_model, dtype=model.dtype, generator=torch.Generator().manual_seed(2))
    embeddings[:, list(positions)] += draw
    return embeddings


@pytest.mark.parametrize("positions", [(0,), (2, 3), (4,), (6,), ()], ids=str)
@pytest.mark.parametrize("n_readouts", [1, 3])
def test_what_is_cut_is_what_whole_passes_give(model, positions: tuple[int, ...], n_readouts: int) -> None:
    embeddings = changed(model, positions)
    plain = plain_run(model, TOKENS, n_readouts)
    found = plain.changed(model, embeddings)
    assert plain.n_bytes == 8 * sum(value.numel() for value in (plain.logits, *plain.recorded.values.values()))
    for run, logits in ((None, plain.logits), (embeddings, found)):
        whole = record(model, TOKENS, run, [], n_readouts).logits
        assert logits.shape == whole.shape
        assert float((logits - whole).abs().max()) < 1e-12
    if positions:
        assert float((found - plain.logits).abs().max()) > 1e-3


def test_a_users_hook_takes_effect(model) -> None:
    embeddings = changed(model, (4,))
    without = plain_run(model, TOKENS)
    handle = model.points["blocks.1.hook_mlp_out"].register_forward_hook(lambda module, inputs, output: output / 2)
    try:
        plain = plain_run(model, TOKENS)
        found = plain.changed(model, embeddings)
        whole = record(model, TOKENS, embeddings, []).logits
    finally:
        handle.remove()
    assert torch.equal(found, whole)
    assert float((plain.logits - without.logits).abs().max()) > 1e-3
