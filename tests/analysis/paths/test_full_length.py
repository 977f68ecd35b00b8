"""Path patching beside a user's own hooks."""

import itertools

import pytest
import torch
from paths_by_hooks import TOLERANCE, L, four_passes, values
from random_llamas import opened

from spiritlens.analysis.paths.nodes import Receiver, Sender, all_receivers, all_senders


def bend(x, hook):
    """A user's hook: nonlinear, at an absolute position, and reading another position."""
    x = x.clone()
    x[:, 5] = (x[:, 5] + x[:, 2]).tanh()
    return x


@pytest.fixture
def bent(llama):
    """The model with `bend` live on the residual stream."""
    names = ("blocks.1.hook_resid_pre", "blocks.1.hook_resid_mid", "blocks.2.hook_resid_pre")
    for name in names:
        llama.add_hook(name, bend)
    yield llama
    for name in names:
        llama.hook_dict[name].remove_hooks(including_permanent=True, level=None)


@pytest.mark.parametrize("norms", ["recomputed", "frozen"])
@pytest.mark.parametrize("frozen", ["heads", "heads+mlps", "nothing"])
def test_a_users_own_hook_takes_effect_in_every_pass(bent, frozen, norms):
    """Against the four passes with the hook live: it moves the stream that receivers read, also across positions."""
    kv = opened(bent).n_kv_heads - 1
    senders = [Sender("embed"), Sender("z", 0, 1), Sender("mlp_out", 0), Sender("z", 1, 3)]
    groups = [
        (Receiver("q_input", 1, 2),),
        (Receiver("v_input", 2, kv),),
        (Receiver("mlp_in", 1),),
        (Receiver("mlp_in", 2),),
        (Receiver("logits"),),
        (Receiver("q_input", 1, 0), Receiver("v_input", 2, 0), Receiver("mlp_in", 2)),
    ]
    found = values(bent, senders, groups, (2, 3), frozen, norms)
    slow = four_passes(bent, senders, groups, [2, 3], frozen, norms)
    for (row, group), (column, sender) in itertools.product(enumerate(groups), enumerate(senders)):
        if sender.stage >= max(receiver.stage(L) for receiver in group):
            assert torch.isnan(found.values[row, column]).all()
            continue
        expected = slow[row, column]
        assert torch.allclose(found.values[row, column], expected, atol=TOLERANCE, rtol=0), (str(sender), group)


def test_a_users_hook_that_changes_nothing_leaves_the_closed_form(llama):
    model = opened(llama)
    senders, groups = all_senders(model), [(receiver,) for receiver in all_receivers(model)]
    settings = [(frozen, norms) for frozen in ("heads", "heads+mlps", "nothing") for norms in ("recomputed", "frozen")]
    fast = [values(llama, senders, groups, (2, 3, 7), *setting) for setting in settings]
    llama.add_hook("blocks.0.hook_mlp_out", lambda x, hook: x)
    try:
        assert model.has_user_hooks()
        slow = [values(llama, senders, groups, (2, 3, 7), *setting) for setting in settings]
    finally:
        llama.hook_dict["blocks.0.hook_mlp_out"].remove_hooks()
    for one, other in zip(fast, slow, strict=True):
        assert torch.allclose(one.values, other.values, atol=TOLERANCE, rtol=0, equal_nan=True)
        assert other.noise_floor.max() < TOLERANCE


def test_a_query_that_a_user_holds_at_zero_receives_nothing(llama):
    def silence(x, hook):
        x = x.clone()
        x[:, :, 2] = 0
        return x

    groups = [(Receiver("q_input", 1, 2),), (Receiver("q_input", 1, 1),)]
    llama.add_hook("blocks.1.attn.hook_q", silence)
    try:
        found = values(llama, [Sender("embed"), Sender("mlp_out", 0)], groups, tuple(range(8)))
    finally:
        llama.hook_dict["blocks.1.attn.hook_q"].remove_hooks()
    change = (found.values - found.base).abs()
    assert change[0].max() < TOLERANCE
    assert change[1].max() > 1e-3
