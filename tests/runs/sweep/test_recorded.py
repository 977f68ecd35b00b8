"""Recorded runs, and values put into rows, on tensors small enough to write down."""

import pytest
import torch

from spiritlens.components import hook_name
from spiritlens.models.protocol import names_at_hand
from spiritlens.models.random_weights import random_config, random_lens_model
from spiritlens.runs.sweep.plan import Action
from spiritlens.runs.sweep.recorded import (
    RecordedRun,
    RunPair,
    as_rows,
    by_position,
    first_difference,
    n_samples,
    patched,
    record,
)

TOKENS = torch.tensor([[1, 17, 5, 33]])


@pytest.fixture(scope="module")
def model():
    return random_lens_model(random_config(n_layers=2), seed=4)


def run_of(name: str, values: torch.Tensor) -> RecordedRun:
    embeddings = None if len(values) == 1 else torch.zeros(len(values), 1, 1)
    return RecordedRun(TOKENS, embeddings, {name: values}, torch.zeros(len(values), 1, 2))


def test_a_run_is_recorded_with_its_embeddings_and_read_by_sample(model):
    name, embeddings = hook_name("resid_pre", 1), model.embed(TOKENS).repeat(2, 1, 1)
    embeddings[1, 2] += 1
    plain, found = record(model, TOKENS, None, [name], 2), record(model, TOKENS, embeddings, [name], 2)
    assert (plain.n_runs, found.n_runs) == (1, 2)
    assert torch.allclose(found.values[name][0], plain.values[name][0], atol=1e-12, rtol=0)
    assert found.logits.shape[:2] == (2, 2)
    assert torch.allclose(plain.logits, model.forward(TOKENS)[:, -2:], atol=1e-12, rtol=0)
    samples = torch.tensor([1, 0])
    at = found.at("resid_pre", 1, samples, range(1, 3))
    assert torch.equal(at, found.values[name][[1, 0], 1:3])
    assert torch.equal(at, found.at("resid_pre", 1, samples, (1, 2)))
    assert torch.equal(plain.at("resid_pre", 1, samples, (3,)), plain.values[name][[0, 0], 3:4])
    assert n_samples({"base": plain, "source": found}) == 2


def test_two_runs_part_where_their_embeddings_do(model):
    plain = model.embed(TOKENS)
    moved = plain.repeat(2, 1, 1)
    moved[1, 2, 0] += 1
    assert first_difference(plain, plain, moved) == 2
    assert first_difference(plain, moved, moved) == TOKENS.shape[1]
    assert RunPair(TOKENS, moved, None).first_changed(model) == RunPair(TOKENS, None, moved).first_changed(model) == 2
    pair = RunPair(TOKENS, moved, None).record(model, {"base": [hook_name("z", 0)], "source": []}, 1)
    assert hook_name("z", 0) in pair["base"].values
    assert hook_name("z", 0) not in pair["source"].values


@pytest.mark.parametrize("disturbed", ["base", "source"])
@pytest.mark.parametrize("first", [0, 2, 3])
@pytest.mark.parametrize("n_readouts", [1, 2])
def test_a_disturbed_run_goes_on_where_the_clean_one_was(model, disturbed, first, n_readouts):
    moved = model.embed(TOKENS).repeat(3, 1, 1)
    moved[1:, first] += torch.tensor([[1.0], [-2.0]])
    embeddings = {"base": None, "source": None} | {disturbed: moved}
    asked = sorted(names_at_hand(model.n_layers))
    names = {"base": asked, "source": asked} | {disturbed: asked[::2]}
    pair = RunPair(TOKENS, embeddings["base"], embeddings["source"]).record(model, names, n_readouts, first)
    assert list(pair) == ["base", "source"]
    for run, found in pair.items():
        alone = record(model, TOKENS, embeddings[run], names[run], n_readouts)
        assert found.values.keys() == alone.values.keys()
        assert found.n_runs == alone.n_runs == (3 if run == disturbed else 1)
        for name, values in alone.values.items():
            assert torch.allclose(found.values[name], values, atol=1e-10, rtol=0), name
        assert torch.allclose(found.logits, alone.logits, atol=1e-10, rtol=0)
    assert (pair[disturbed].logits[1:] - pair[disturbed].logits[:1]).abs().max() > 1e-3


def test_values_go_to_their_rows_positions_and_heads_and_nowhere_else():
    """z of 1 run, 4 positions, 2 heads of width 1: the source holds 10 · position + head."""
    source = (10 * torch.arange(4)[:, None] + torch.arange(2)).float()[None, ..., None]
    runs = {"source": run_of(hook_name("z", 0), source), "base": run_of(hook_name("z", 0), -source)}
    rows = torch.full((3, 1, 3, 2, 1), 0.5)  # positions 1, 2, 3
    actions = [(Action("z", (2,)),), (Action("z", (0, 3), 1), Action("q", (1,))), (Action("z", (1,), 0, "base"),)]
    found = patched(rows, "z", 0, actions, range(1, 4), runs, torch.tensor([0]))[:, 0, ..., 0]
    assert found.tolist() == [
        [[0.5, 0.5], [20.0, 21.0], [0.5, 0.5]],
        [[0.5, 0.5], [0.5, 0.5], [0.5, 31.0]],
        [[-10.0, 0.5], [0.5, 0.5], [0.5, 0.5]],
    ]
    assert (rows == 0.5).all(), "rows that are given stay"
    assert patched(rows, "k", 0, actions, range(1, 4), runs, torch.tensor([0])) is rows


def test_rows_of_a_pattern_are_its_queries():
    pattern = torch.arange(2 * 3 * 4 * 4.0).reshape(2, 3, 4, 4)
    assert torch.equal(by_position("pattern", pattern)[:, 1, 2], pattern[:, 2, 1])
    assert torch.equal(by_position("pattern", by_position("pattern", pattern)), pattern)
    assert by_position("z", pattern) is pattern
    assert as_rows(torch.zeros(6, 5), torch.zeros(2, 3)).shape == (2, 3, 5)
