"""Values of edges against the four-pass algorithm, and the identities of path patching."""

import itertools
from dataclasses import replace

import pytest
import torch
from paths_by_hooks import CLEAN, CORRUPTED, TOLERANCE, L, four_passes, norm_scale, score, values
from random_llamas import opened

from spiritlens.analysis.paths.nodes import Receiver, Sender, all_receivers, all_senders
from spiritlens.analysis.paths.path_values import path_values
from spiritlens.analysis.paths.paths import Held
from spiritlens.analysis.paths.recording import record_pair


@pytest.mark.parametrize("norms", ["recomputed", "frozen"])
@pytest.mark.parametrize("frozen", ["heads", "heads+mlps", "nothing"])
def test_every_edge_equals_the_four_pass_algorithm(llama, frozen, norms):
    model = opened(llama)
    senders = [
        Sender("embed"),
        Sender("z", 0, 1),
        Sender("mlp_out", 0),
        Sender("z", 1, 3),
        Sender("mlp_out", 1),
        Sender("z", 2, 0),
    ]
    kv = model.n_kv_heads - 1
    groups = [
        (Receiver("q_input", 1, 2),),
        (Receiver("k_input", 1, kv),),
        (Receiver("v_input", 2, kv),),
        (Receiver("q_input", 2, 1),),
        (Receiver("mlp_in", 0),),
        (Receiver("mlp_in", 2),),
        (Receiver("logits"),),
        (Receiver("q_input", 1, 0), Receiver("v_input", 1, 0), Receiver("mlp_in", 2)),
    ]
    for positions in ((2,), (2, 3, 7)):
        found = values(llama, senders, groups, positions, frozen, norms)
        slow = four_passes(llama, senders, groups, list(positions), frozen, norms)
        for (row, group), (column, sender) in itertools.product(enumerate(groups), enumerate(senders)):
            backwards = sender.stage >= max(receiver.stage(L) for receiver in group)
            if backwards:
                assert torch.isnan(found.values[row, column]).all()
                assert not found.exact[row, column]
                continue
            expected = slow[row, column]
            assert torch.allclose(found.values[row, column], expected, atol=TOLERANCE, rtol=0), (str(sender), group)
            if found.exact[row, column]:
                assert torch.allclose(found.values[row, column], found.base, atol=0, rtol=0)


def test_rows_of_the_fourth_pass_are_passes_of_their_own(llama):
    senders = [Sender("embed"), Sender("z", 0, 1), Sender("mlp_out", 0)]
    groups = [
        (Receiver("q_input", 1, 2),),
        (Receiver("q_input", 1, 0), Receiver("v_input", 2, 0), Receiver("mlp_in", 2)),
    ]
    together = four_passes(llama, senders, groups, [2, 3], "heads", "recomputed")
    alone = [four_passes(llama, [sender], groups, [2, 3], "heads", "recomputed") for sender in senders]
    assert torch.allclose(together, torch.cat(alone, dim=1), atol=TOLERANCE, rtol=0)


def test_a_path_from_every_head_to_the_logits_is_its_direct_logit_attribution(llama):
    """Frozen heads, MLPs and norm scale: the change of the logit difference is the change of the head's DLA exactly."""
    model = opened(llama)
    senders = all_senders(model)
    found = values(llama, senders, [(Receiver("logits"),)], tuple(range(8)), norms="frozen")
    _, base = llama.run_with_cache(CLEAN)
    _, source = llama.run_with_cache(CORRUPTED)
    scale = norm_scale(model, base[f"blocks.{L - 1}.hook_resid_post"])[0, -1]
    reading = model.norm_gain("ln_final") * (model.w_u[:, 4] - model.w_u[:, 30]) / scale
    for column, sender in enumerate(senders):
        if sender.component != "z":
            continue
        hook = f"blocks.{sender.layer}.attn.hook_z"
        moved = (source[hook] - base[hook])[0, -1, sender.head] @ model.w_o(sender.layer)[sender.head]
        change = found.values[0, column, 1] - found.base[1]
        assert torch.allclose(change, moved @ reading, atol=TOLERANCE, rtol=0)


def test_a_last_layer_head_has_no_other_path_than_the_one_that_heads_leave_open(llama):
    found = values(llama, [Sender("z", 2, 1)], [(Receiver("logits"),)], tuple(range(8)), frozen="heads")
    total = values(llama, [Sender("z", 2, 1)], [(Receiver("logits"),)], tuple(range(8)), frozen="nothing")
    direct = values(llama, [Sender("z", 2, 1)], [(Receiver("logits"),)], tuple(range(8)), frozen="heads+mlps")
    assert torch.allclose(found.values, total.values, atol=TOLERANCE, rtol=0)
    assert (found.values - direct.values).abs().max() > 1e-3  # the last MLP still follows the head


def test_patching_a_sender_with_its_own_value_changes_nothing(llama):
    model = opened(llama)
    groups = [(receiver,) for receiver in all_receivers(model)]
    recorded = replace(record_pair(model, CLEAN, None, None, groups, 1), first_changed=0)  # nothing is left out
    for frozen in ("heads", "heads+mlps", "nothing"):
        found = path_values(recorded, all_senders(model), groups, range(8), held=Held(frozen), score=score)
        change = (found.values - found.base).nan_to_num()
        assert change.abs().max() < TOLERANCE
        assert found.noise_floor.max() < TOLERANCE


def test_queries_and_key_together_are_the_patterns_of_their_heads(llama):
    """With everything moved upstream (resid patched), a key and the queries that read it = their patterns patched."""
    model = opened(llama)
    shared = model.n_heads // model.n_kv_heads  # query heads of a key-value head; one under multi-head attention
    heads = range(shared, 2 * shared)
    queries = tuple(Receiver("q_input", 0, head) for head in heads)
    found = values(
        llama, [Sender("embed")], [(*queries, Receiver("k_input", 0, 1))], tuple(range(8)), frozen="heads+mlps"
    )
    _, source = llama.run_with_cache(CORRUPTED)

    def put(x, hook):
        x = x.clone()
        x[:, list(heads)] = source[hook.name][:, list(heads)]
        return x

    with torch.no_grad():
        logits = llama.run_with_hooks(CLEAN, fwd_hooks=[("blocks.0.attn.hook_pattern", put)])
    assert torch.allclose(found.values[0, 0], score(logits[:, -1:])[0], atol=TOLERANCE, rtol=0)


def test_batched_senders_and_small_memory_give_the_same_as_one_by_one(llama):
    model = opened(llama)
    senders, groups = all_senders(model), [(receiver,) for receiver in all_receivers(model)]
    together = values(llama, senders, groups, (2, 3, 7))
    small = values(llama, senders, groups, (2, 3, 7), budget=1)
    alone = torch.cat([values(llama, [sender], groups, (2, 3, 7)).values for sender in senders], dim=1)
    assert torch.allclose(together.values, alone, atol=TOLERANCE, rtol=0, equal_nan=True)
    assert torch.allclose(together.values, small.values, atol=TOLERANCE, rtol=0, equal_nan=True)
