"""What senders change in the residual stream."""

import torch
from paths_by_hooks import CLEAN, CORRUPTED, TOLERANCE
from random_llamas import opened

from spiritlens.analysis.paths.changes import residual_changes
from spiritlens.analysis.paths.nodes import Receiver, all_senders
from spiritlens.analysis.paths.path_values import record_pair


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
