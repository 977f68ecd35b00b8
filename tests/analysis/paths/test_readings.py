"""What receivers make of a changed stream, against the model's own activations under a hook that changes it."""

import pytest
import torch
from either_kind import run_hooked
from paths_by_hooks import CLEAN, TOLERANCE, L, norm_scale
from random_llamas import opened

from spiritlens.analysis.paths.nodes import Receiver
from spiritlens.analysis.paths.readings import received
from spiritlens.components import hook_name
from spiritlens.runs.sweep.recorded import record

POSITIONS = (2, 5)
READ = {"q_input": ("resid_pre", "q"), "v_input": ("resid_pre", "v"), "mlp_in": ("resid_mid", "mlp_out")}


def by_hook(llama, receiver, change, norms):
    """The activation at the receiver when the stream before it is moved; its norm's scale recomputed or held."""
    stream, made = READ[receiver.component]
    norm = f"blocks.{receiver.layer}.{'ln2' if made == 'mlp_out' else 'ln1'}.hook_scale"
    _, base = llama.run_with_cache(CLEAN)
    found = {}

    def move(x, hook):
        x = x.clone()
        x[0, list(POSITIONS)] += change
        return x

    def keep(x, hook):
        found[hook.name] = x
        return x

    hooks = [(hook_name(stream, receiver.layer), move), (hook_name(made, receiver.layer), keep)]
    if norms == "frozen":
        hooks.append((norm, lambda x, hook: norm_scale(opened(llama), base[hook_name(stream, receiver.layer)])))
    run_hooked(llama, CLEAN, hooks)
    return found[hook_name(made, receiver.layer)][0, list(POSITIONS)]


@pytest.mark.parametrize("norms", ["recomputed", "frozen"])
@pytest.mark.parametrize("component", READ)
def test_readings_equal_the_models_own_activations(llama, component, norms):
    model, receiver = opened(llama), Receiver(component, 1, -1 if component == "mlp_in" else 1)
    stage = 2 * receiver.layer + (component == "mlp_in")
    stream, made = (hook_name(name, receiver.layer) for name in READ[component])
    change = torch.randn(
        1, len(POSITIONS), model.d_model, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
    )
    base = record(model, CLEAN, None, [stream], 1)
    found = received(model, base, [receiver], POSITIONS, {stage: change}, norms)
    assert stage < 2 * L
    assert list(found) == [made]
    slow = by_hook(llama, receiver, change[0], norms)
    assert torch.allclose(found[made][0, list(POSITIONS)], slow, atol=TOLERANCE, rtol=0)
    assert not found[made][0, 0].any(), "other positions are left empty"
