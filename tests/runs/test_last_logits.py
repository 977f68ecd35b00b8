"""Logits at the ends of sequences that are filled up, against each sequence alone."""

import pytest
import torch

from spiritlens.models.backends import BACKENDS
from spiritlens.models.blocks.lens_model import BlockLensModel
from spiritlens.models.random_weights import random_config, random_lens_model
from spiritlens.runs.last_logits import last_logits

DRAW = torch.Generator().manual_seed(5)
ROWS = [torch.randint(3, 60, (length,), generator=DRAW).tolist() for length in (4, 9, 5, 11, 4, 12, 2, 7, 11, 3)]
COUNTS = [1 + place % 2 for place in range(len(ROWS))]


@pytest.fixture(scope="module", params=[row.maker.name for row in BACKENDS if row.maker])
def model(request) -> BlockLensModel:
    return random_lens_model(random_config(n_layers=3), seed=1, backend=request.param)


def alone(model: BlockLensModel, row: list[int], count: int) -> torch.Tensor:
    """The slow way: a sequence by itself through the model as it is."""
    return model.model(torch.tensor([row]))[0, -count:]


def test_every_sequence_has_the_logits_that_it_has_alone(model: BlockLensModel) -> None:
    found = last_logits(model, ROWS, COUNTS)
    for logits, row, count in zip(found, ROWS, COUNTS, strict=True):
        assert logits.shape == (count, model.d_vocab)
        assert float((logits - alone(model, row, count)).abs().max()) < 1e-12
    assert last_logits(model, [], []) == []


def test_a_users_hook_sees_no_filled_up_sequence(model: BlockLensModel) -> None:
    lengths: list[int] = []

    def halve_the_last(module, inputs, output):
        lengths.append(output.shape[1])
        return torch.cat([output[:, :-1], output[:, -1:] / 2], dim=1)

    point = model.points["blocks.1.hook_mlp_out"]
    handle = point.register_forward_hook(halve_the_last)
    try:
        found = last_logits(model, ROWS, COUNTS)
        assert set(lengths) == {len(row) for row in ROWS}
        for logits, row, count in zip(found, ROWS, COUNTS, strict=True):
            assert float((logits - alone(model, row, count)).abs().max()) < 1e-12
    finally:
        handle.remove()
    assert max(float((a - b).abs().max()) for a, b in zip(found, last_logits(model, ROWS, COUNTS), strict=True)) > 1e-6
