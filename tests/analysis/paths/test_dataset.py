"""The dataset of a path study: edges that run backwards are absent."""

import numpy as np
from paths_by_hooks import pick

from spiritlens.analysis.paths.nodes import Receiver, Sender
from spiritlens.analysis.paths.path_patching import path_patch
from spiritlens.analysis.paths.paths import Paths
from spiritlens.effects.paths import check_paths


def test_backward_edges_are_absent_and_never_zero(circuits):
    circuit = circuits["fact machine"]
    prompts, others = pick(circuit)
    dataset = path_patch(
        circuit.lens,
        prompts,
        others,
        Paths(senders=[Sender("z", 6, 1), Sender("embed")], receivers=[Receiver("v_input", 6, 1), Receiver("logits")]),
        progress="none",
    )
    cell = {
        "sender_component": 0,
        "sender_layer": 1,
        "sender_head": 1,
        "receiver_component": 0,
        "receiver_layer": 1,
        "receiver_head": 1,
    }
    assert (dataset["status"].isel(cell) == 3).all()
    assert np.isnan(dataset["patched"].isel(cell)).all()
    check_paths(dataset)
