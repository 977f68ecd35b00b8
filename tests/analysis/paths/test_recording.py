"""The two recorded runs of a path study."""

import torch
from paths_by_hooks import CLEAN, CORRUPTED, TOLERANCE
from random_llamas import opened

from spiritlens.analysis.paths.nodes import Receiver
from spiritlens.analysis.paths.recording import record_pair

INSIDE, LOGITS = [(Receiver("v_input", 2, 0),)], [(Receiver("logits"),)]


def test_both_runs_of_one_pass_are_those_of_a_pass_each(llama):
    model = opened(llama)
    recorded = record_pair(model, CLEAN, None, model.embed(CORRUPTED), INSIDE, 2)
    assert recorded.base.embeddings is None
    assert recorded.source.n_runs == 1
    for run, tokens in ((recorded.base, CLEAN), (recorded.source, CORRUPTED)):
        logits, alone = llama.run_with_cache(tokens)
        assert torch.allclose(run.logits, logits[:, -2:], atol=TOLERANCE, rtol=0)
        assert {"blocks.1.attn.hook_q", "blocks.2.hook_attn_out", "blocks.2.hook_resid_post"} <= set(run.values)
        for name, found in run.values.items():
            assert found.shape == alone[name].shape, name
            assert torch.allclose(found, alone[name], atol=TOLERANCE, rtol=0), name


def test_the_first_position_at_which_the_runs_can_differ(llama):
    model = opened(llama)
    assert record_pair(model, CLEAN, None, model.embed(CORRUPTED), LOGITS, 1).first_changed == 2
    assert record_pair(model, CLEAN, model.embed(CORRUPTED), None, LOGITS, 1).first_changed == 2
    assert record_pair(model, CLEAN, None, None, LOGITS, 1).first_changed == CLEAN.shape[1]


def test_beside_a_users_hook_each_run_is_its_own_pass_and_nothing_is_taken_for_granted(llama):
    batches = []

    def look(x, hook):
        batches.append(len(x))
        return x

    model = opened(llama)
    llama.add_hook("blocks.0.hook_mlp_out", look)
    try:
        recorded = record_pair(model, CLEAN, None, model.embed(CORRUPTED), LOGITS, 1)
    finally:
        llama.hook_dict["blocks.0.hook_mlp_out"].remove_hooks()
    assert recorded.first_changed == 0
    assert set(batches) == {1}
