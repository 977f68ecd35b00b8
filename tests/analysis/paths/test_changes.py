"""What senders change in the residual stream."""

import torch
from paths_by_hooks import CLEAN, CORRUPTED, TOLERANCE
from random_llamas import opened

from spiritlens.analysis.paths.changes import residual_changes, sender_changes
from spiritlens.analysis.paths.nodes import Receiver, all_senders
from spiritlens.analysis.paths.recording import record_pair


def test_all_senders_with_nothing_frozen_give_the_activation_patch_of_the_receiver(llama):
    """The sum of all writers' changes is the stream of the source run: the receiver then reads what it reads there."""
    model = opened(llama)
    recorded = record_pair(model, CLEAN, None, model.embed(CORRUPTED), [(Receiver("v_input", 2, 0),)], 1)
    _, changes = residual_changes(
        model, recorded.base, recorded.source, all_senders(model), range(8), [4], "heads+mlps"
    )
    stream = recorded.base.values["blocks.2.hook_resid_pre"] + changes[4].sum(0)
    _, source = llama.run_with_cache(CORRUPTED)
    assert torch.allclose(stream, source["blocks.2.hook_resid_pre"], atol=TOLERANCE, rtol=0)


def test_changes_of_many_senders_are_those_of_each(llama):
    model = opened(llama)
    recorded = record_pair(model, CLEAN, None, model.embed(CORRUPTED), [(Receiver("logits"),)], 1)
    senders = all_senders(model)[::-1]
    together = sender_changes(model, recorded.base, recorded.source, senders, (2, 7))
    assert together.shape == (len(senders), 2, model.d_model)
    for found, sender in zip(together, senders, strict=True):
        name = {"embed": "hook_embed", "z": "attn.hook_z", "mlp_out": "hook_mlp_out"}[sender.component]
        name = name if sender.layer < 0 else f"blocks.{sender.layer}.{name}"
        moved = (llama.run_with_cache(CORRUPTED)[1][name] - llama.run_with_cache(CLEAN)[1][name])[0, [2, 7]]
        if sender.head >= 0:
            moved = moved[:, sender.head] @ model.w_o(sender.layer)[sender.head]
        assert torch.allclose(found, moved, atol=TOLERANCE, rtol=0), str(sender)
