"""Path patching against an independent four-pass algorithm with plain hooks, in float64, and the identities of the
method."""

import itertools

import pytest
import torch

from spiritlens.analysis.path_nodes import Receiver, Sender, all_receivers, all_senders
from spiritlens.analysis.path_values import path_values, record_pair
from spiritlens.models.hooked import HookedLensModel
from tests.analysis.patching_models import CLEAN, CORRUPTED, random_llama, score

TOLERANCE = 1e-10
L = 3


@pytest.fixture(scope="module", params=[4, 2], ids=["MHA", "GQA"])
def llama(request):
    return random_llama(request.param)


def four_passes(llama, sender, group, positions, frozen, norms):
    """Wang et al.'s algorithm, written with nothing but hooks: base CLEAN, source CORRUPTED."""
    _, base = llama.run_with_cache(CLEAN)
    _, source = llama.run_with_cache(CORRUPTED)
    name = {
        "z": f"blocks.{sender.layer}.attn.hook_z",
        "mlp_out": f"blocks.{sender.layer}.hook_mlp_out",
        "embed": "hook_embed",
    }
    written = name[sender.component]

    def put_sender(x, hook):
        x = x.clone()
        if sender.head < 0:
            x[:, positions] = source[written][:, positions]
        else:
            x[:, positions, sender.head] = source[written][:, positions, sender.head]
        return x

    def hold(x, hook):
        return base[hook.name].clone()

    def hold_all_but_sender(x, hook):
        x = base[hook.name].clone()
        return put_sender(x, hook) if hook.name == written else x

    # pass 3: sender from the source run, frozen nodes held, receivers' inputs recorded
    hooks = []
    for layer in range(L):
        if frozen != "nothing":
            hooks.append((f"blocks.{layer}.attn.hook_z", hold_all_but_sender))
        if frozen == "heads+mlps":
            hooks.append((f"blocks.{layer}.hook_mlp_out", hold_all_but_sender))
    if frozen == "nothing" or sender.component == "embed" or (frozen == "heads" and sender.component == "mlp_out"):
        hooks.append((written, put_sender))
    streams = {}

    def remember(x, hook):
        streams[hook.name] = x.clone()
        return x

    hooks += [(f"blocks.{layer}.hook_{part}", remember) for layer in range(L) for part in ("resid_pre", "resid_mid")]
    hooks.append((f"blocks.{L - 1}.hook_resid_post", remember))
    with torch.no_grad():
        llama.run_with_hooks(CLEAN, fwd_hooks=hooks)
    # pass 4: receivers read what was recorded; everything after them runs
    final, inputs = [], {}
    for receiver in group:
        if receiver.component == "logits":
            stream = streams[f"blocks.{L - 1}.hook_resid_post"]
            scale = norm_scale(llama, base[f"blocks.{L - 1}.hook_resid_post"] if norms == "frozen" else stream)
            return score(((stream / scale * llama.ln_final.w) @ llama.W_U + llama.b_U)[:, -1:])[0]
        block = llama.blocks[receiver.layer]
        part, norm = ("resid_mid", block.ln2) if receiver.component == "mlp_in" else ("resid_pre", block.ln1)
        hook = f"blocks.{receiver.layer}.hook_{part}"
        scale = norm_scale(llama, base[hook] if norms == "frozen" else streams[hook])
        normed = streams[hook] / scale * norm.w
        if receiver.component == "mlp_in":
            inputs[f"blocks.{receiver.layer}.hook_mlp_out", None] = block.mlp(normed)
        else:
            letter = receiver.component[0]
            weight = {"q": "W_Q", "k": "_W_K" if hasattr(block.attn, "_W_K") else "W_K"}.get(
                letter, "_W_V" if hasattr(block.attn, "_W_V") else "W_V"
            )
            weights = getattr(block.attn, weight)
            inputs[f"blocks.{receiver.layer}.attn.hook_{letter}", receiver.head] = normed @ weights[receiver.head]
    for (hook, head), value in inputs.items():

        def put(x, hook, head=head, value=value):
            x = x.clone()
            if head is None:
                return value.clone()
            x[:, :, head] = value
            return x

        final.append((hook, put))
    with torch.no_grad():
        return score(llama.run_with_hooks(CLEAN, fwd_hooks=final)[:, -1:])[0]


def norm_scale(llama, x):
    return (x.pow(2).mean(-1, keepdim=True) + llama.cfg.eps).sqrt()


def values(llama, senders, groups, positions, frozen="heads+mlps", norms="recomputed", budget=None):
    model = HookedLensModel(llama)
    recorded = record_pair(model, CLEAN, None, model.embed(CORRUPTED), groups, 1)
    found = path_values(
        model, recorded, senders, groups, positions, frozen=frozen, norms=norms, score=score, memory_budget=budget
    )
    return found


@pytest.mark.parametrize("norms", ["recomputed", "frozen"])
@pytest.mark.parametrize("frozen", ["heads", "heads+mlps", "nothing"])
def test_every_edge_equals_the_four_pass_algorithm(llama, frozen, norms):
    model = HookedLensModel(llama)
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
        for (row, group), (column, sender) in itertools.product(enumerate(groups), enumerate(senders)):
            backwards = sender.stage >= max(receiver.stage(L) for receiver in group)
            if backwards:
                assert torch.isnan(found.values[row, column]).all()
                assert not found.exact[row, column]
                continue
            slow = four_passes(llama, sender, group, list(positions), frozen, norms)
            assert torch.allclose(found.values[row, column], slow, atol=TOLERANCE, rtol=0), (str(sender), group)
            if found.exact[row, column]:
                assert torch.allclose(found.values[row, column], found.base, atol=0, rtol=0)


def test_a_path_from_every_head_to_the_logits_is_its_direct_logit_attribution(llama):
    """Frozen heads, MLPs and norm scale: the change of the logit difference is the change of the head's DLA exactly."""
    model = HookedLensModel(llama)
    senders = all_senders(model)
    found = values(llama, senders, [(Receiver("logits"),)], tuple(range(8)), norms="frozen")
    _, base = llama.run_with_cache(CLEAN)
    _, source = llama.run_with_cache(CORRUPTED)
    scale = norm_scale(llama, base[f"blocks.{L - 1}.hook_resid_post"])[0, -1]
    reading = llama.ln_final.w * (llama.W_U[:, 4] - llama.W_U[:, 30]) / scale
    for column, sender in enumerate(senders):
        if sender.component != "z":
            continue
        hook = f"blocks.{sender.layer}.attn.hook_z"
        moved = (source[hook] - base[hook])[0, -1, sender.head] @ llama.blocks[sender.layer].attn.W_O[sender.head]
        change = found.values[0, column, 1] - found.base[1]
        assert torch.allclose(change, moved @ reading, atol=TOLERANCE, rtol=0)


def test_a_last_layer_head_has_no_other_path_than_the_one_that_heads_leave_open(llama):
    found = values(llama, [Sender("z", 2, 1)], [(Receiver("logits"),)], tuple(range(8)), frozen="heads")
    total = values(llama, [Sender("z", 2, 1)], [(Receiver("logits"),)], tuple(range(8)), frozen="nothing")
    direct = values(llama, [Sender("z", 2, 1)], [(Receiver("logits"),)], tuple(range(8)), frozen="heads+mlps")
    assert torch.allclose(found.values, total.values, atol=TOLERANCE, rtol=0)
    assert (found.values - direct.values).abs().max() > 1e-3  # the last MLP still follows the head


def test_patching_a_sender_with_its_own_value_changes_nothing(llama):
    model = HookedLensModel(llama)
    groups = [(receiver,) for receiver in all_receivers(model)]
    recorded = record_pair(model, CLEAN, None, None, groups, 1)
    for frozen in ("heads", "heads+mlps", "nothing"):
        found = path_values(
            model, recorded, all_senders(model), groups, range(8), frozen=frozen, norms="recomputed", score=score
        )
        change = (found.values - found.base).nan_to_num()
        assert change.abs().max() < TOLERANCE
        assert found.noise_floor.max() < TOLERANCE


def test_all_senders_with_nothing_frozen_give_the_activation_patch_of_the_receiver(llama):
    """The sum of all writers' changes is the stream of the source run: the receiver then reads what it reads there."""
    model = HookedLensModel(llama)
    recorded = record_pair(model, CLEAN, None, model.embed(CORRUPTED), [(Receiver("v_input", 2, 0),)], 1)
    from spiritlens.analysis.path_nodes import residual_changes

    _, changes = residual_changes(
        model, recorded.base, recorded.source, all_senders(model), range(8), [4], "heads+mlps"
    )
    stream = recorded.base.values["blocks.2.hook_resid_pre"] + changes[4].sum(0)
    _, source = llama.run_with_cache(CORRUPTED)
    assert torch.allclose(stream, source["blocks.2.hook_resid_pre"], atol=TOLERANCE, rtol=0)


def test_query_and_key_of_a_head_together_are_its_pattern(llama):
    """With everything moved upstream (resid patched), q and k of head h patched = the head's pattern patched."""
    model = HookedLensModel(llama)
    head = 1
    kv = head // (model.n_heads // model.n_kv_heads)
    if model.n_kv_heads != model.n_heads:
        pytest.skip("k of a key-value group moves the patterns of all its query heads")
    found = values(
        llama,
        [Sender("embed")],
        [(Receiver("q_input", 0, head), Receiver("k_input", 0, kv))],
        tuple(range(8)),
        frozen="heads+mlps",
    )
    _, source = llama.run_with_cache(CORRUPTED)

    def put(x, hook):
        x = x.clone()
        x[:, head] = source[hook.name][:, head]
        return x

    with torch.no_grad():
        logits = llama.run_with_hooks(CLEAN, fwd_hooks=[("blocks.0.attn.hook_pattern", put)])
    assert torch.allclose(found.values[0, 0], score(logits[:, -1:])[0], atol=TOLERANCE, rtol=0)


def test_batched_senders_and_small_memory_give_the_same_as_one_by_one(llama):
    model = HookedLensModel(llama)
    senders, groups = all_senders(model), [(receiver,) for receiver in all_receivers(model)]
    together = values(llama, senders, groups, (2, 3, 7))
    small = values(llama, senders, groups, (2, 3, 7), budget=1)
    alone = torch.cat([values(llama, [sender], groups, (2, 3, 7)).values for sender in senders], dim=1)
    assert torch.allclose(together.values, alone, atol=TOLERANCE, rtol=0, equal_nan=True)
    assert torch.allclose(together.values, small.values, atol=TOLERANCE, rtol=0, equal_nan=True)
