"""Nodes of a path: senders and receivers."""

import pytest

from spiritlens.analysis.paths.nodes import Receiver, Sender


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sender("z", 1), "z needs a head"),
        (lambda: Sender("embed", 0), "embed has no layer"),
        (lambda: Sender("mlp_out", 0, 1), "mlp_out has no head"),
        (lambda: Sender("pattern", 0, 1), "sender component='pattern': expected one of embed, z"),
        (lambda: Receiver("logits", 3), "logits has no layer"),
        (lambda: Receiver("resid", 3), "receiver component='resid': expected one of q_input"),
    ],
)
def test_bad_nodes_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
