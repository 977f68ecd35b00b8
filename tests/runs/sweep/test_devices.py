"""Nothing of a sweep is made on another device than the model's: run on torch's meta device, which mixes with none.

Values are not computed there. Ops that read them (how far a prefix is shared) are out of its reach, and so are kernels.
"""

from typing import Any

import pytest
import torch
from live_memory import tensors_in
from torch.utils._python_dispatch import TorchDispatchMode

from spiritlens.models.random_weights import random_config, random_lens_model
from spiritlens.runs.sweep.plan import Action
from spiritlens.runs.sweep.recorded import RunPair
from spiritlens.runs.sweep.sweep import plan_sweep

META, LAYERS = torch.device("meta"), 3
COMPONENTS = {"resid_pre": None, "mlp_out": None, "attn_out": None, "resid_mid": None, "resid_post": None} | {
    "z": 1, "q": 0, "k": 1, "v": 0
}  # fmt: skip


class OneDevice(TorchDispatchMode):
    """Refuses an operation on tensors of two devices, as a GPU would, and those that it would forgive."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        tensors = tensors_in(args, kwargs, found)
        devices = {value.device.type for value in tensors if value.ndim or value.device == META}
        if len(devices) > 1:
            raise AssertionError(f"{func} mixes {sorted(devices)}")
        return found


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch):
    from spiritlens.models.blocks import lens_model

    found = random_lens_model(random_config(n_layers=LAYERS, n_kv_heads=2), dtype=torch.float32)
    found.model._apply(lambda value: value.to(META))
    found.model.cfg.device = str(META)
    for block in found.model.blocks:
        for name in ("rotary_cos", "rotary_sin", "mask", "IGNORE"):
            if hasattr(block.attn, name):  # a bridge has none of them: its tables follow the model's frequencies
                setattr(block.attn, name, getattr(block.attn, name).to(META))
    monkeypatch.setattr(lens_model, "check_tokens", lambda *given: None)  # it reads the tokens, which are not there
    return found


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_sweep_stays_on_its_device(model, component: str) -> None:
    programs = [
        {layer: (Action(component, where, COMPONENTS[component]),)}
        for layer in range(LAYERS)
        for where in ((8,), (10, 11, 12), (17,))
    ]
    with OneDevice():
        tokens = torch.ones(1, 20, dtype=torch.long, device=META)
        pair = RunPair(tokens, torch.zeros(2, 20, model.d_model, device=META), None)
        sweep = plan_sweep(model, programs, 20, 8)
        runs = pair.record(model, sweep.names, 1, sweep.first_changed)
        for budget in (2**30, 2**14):
            found = sweep.run(model, runs, lambda logits: logits[:, -1, :2], memory_budget=budget)
            assert found.values.device == found.base.device == META
            assert found.values.shape == (9, 2, 2)


def test_gradients_stay_on_their_device(model) -> None:
    tokens = torch.ones(1, 20, dtype=torch.long, device=META)
    with OneDevice():
        found = model.gradients(tokens, ["blocks.1.hook_resid_pre"], lambda logits: logits[:, -1, 3].sum())
    assert found["blocks.1.hook_resid_pre"].device == META


def test_two_devices_are_refused() -> None:
    with pytest.raises(AssertionError, match=r"mixes \['cpu', 'meta'\]"), OneDevice():
        torch.zeros(3, device=META)[torch.tensor([1])] = 0.0
