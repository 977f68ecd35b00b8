"""Edges of one receiver run on from its block: against whole sequences, and what is not run."""

from dataclasses import replace

import torch
from paths_by_hooks import CLEAN, CORRUPTED, TOLERANCE, L, score
from random_llamas import opened

from spiritlens.analysis.paths.nodes import Receiver, Sender, all_receivers, all_senders
from spiritlens.analysis.paths.path_values import path_values
from spiritlens.analysis.paths.paths import Held
from spiritlens.analysis.paths.recording import record_pair

QUERIES = [(Receiver("q_input", L - 1, 0),), (Receiver("mlp_in", L - 1),)]


def edges(model, groups, positions, n_readouts=1, senders=None, **changed):
    recorded = replace(record_pair(model, CLEAN, None, model.embed(CORRUPTED), groups, n_readouts), **changed)
    told = []
    found = path_values(
        recorded, senders or all_senders(model), groups, positions, held=Held(), score=score, advance=told.append
    )
    return found, sum(told)


def test_several_read_outs_equal_whole_sequences(llama):
    """A user's hook that changes nothing lets every edge run as a whole sequence: the slow twin."""
    model = opened(llama)
    groups = [(receiver,) for receiver in all_receivers(model)]
    fast, _ = edges(model, groups, (3, 6), n_readouts=3)
    llama.add_hook("blocks.0.hook_mlp_out", lambda x, hook: x)
    try:
        slow, _ = edges(model, groups, (3, 6), n_readouts=3)
    finally:
        llama.hook_dict["blocks.0.hook_mlp_out"].remove_hooks()
    assert torch.allclose(fast.values, slow.values, atol=TOLERANCE, rtol=0, equal_nan=True)
    assert (fast.values - fast.base).nan_to_num().abs().amax((1, 2)).min() > 1e-6, "some edge of every receiver moves"


def test_positions_at_which_both_runs_agree_change_nothing(llama):
    model = opened(llama)
    groups = [(receiver,) for receiver in all_receivers(model)]
    some, _ = edges(model, groups, range(8))
    whole, _ = edges(model, groups, range(8), first_changed=0)
    assert torch.allclose(some.values, whole.values, atol=TOLERANCE, rtol=0, equal_nan=True)
    early, told = edges(model, groups, (0, 1))
    assert (early.exact | early.values.isnan().all(-1)).all()
    assert told == len(groups) * len(all_senders(model))


def test_what_cannot_reach_a_read_out_is_exact(llama):
    """In the last block, queries and MLP outputs before the read-outs are read by nobody; keys and values are."""
    model = opened(llama)
    sender = [Sender("z", 0, 1)]
    found, told = edges(model, [*QUERIES, (Receiver("v_input", L - 1, 0),)], (2, 3), senders=sender)
    assert found.exact[:, 0].tolist() == [True, True, False]
    assert told == 3
    assert edges(model, QUERIES, (2, 7), senders=sender)[0].exact.any().item() is False


def test_senders_without_a_path_are_not_run(llama, monkeypatch):
    model = opened(llama)
    rows = []
    block = type(model).block

    def count(self, layer, resid, prefix, queries=None):
        rows.append(len(resid))
        return block(self, layer, resid, prefix, queries)

    monkeypatch.setattr(type(model), "block", count)
    edges(model, [(Receiver("v_input", L - 2, 0),)], range(8))
    before = 1 + (L - 2) * (model.n_heads + 1)  # the embedding, and heads and MLPs of earlier blocks
    assert sum(rows) == before + 1, "and one row of a sender that changes nothing"
