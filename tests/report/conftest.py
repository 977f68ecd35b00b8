"""Synthetic results (from the effects tests) and prompts that belong to them."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

sys.path += [str(Path(__file__).parents[1] / "effects"), str(Path(__file__).parent)]

from effects_synthetic import prompt_columns, role_effects, token_effects
from made_datasets import made_paths
from made_prompt import make_prompt

from spiritlens.effects.schema import Status
from spiritlens.prompts.prompt import Prompt


@pytest.fixture(scope="session")
def prompts() -> list[Prompt]:
    return [make_prompt(kind, fact) for fact in range(3) for kind in ("T2T", "S2T")]


@pytest.fixture
def spoken(prompts: list[Prompt]) -> Prompt:
    return replace(prompts[1])


@pytest.fixture(scope="session")
def tokens(prompts: list[Prompt]) -> xr.Dataset:
    effects = token_effects(model_name="tiny", window_layers='{"resid_pre": {"2": [1, 3]}}')
    return effects.assign_coords(prompt_id=("prompt", np.array([prompt.id for prompt in prompts])))


@pytest.fixture(scope="session")
def roles() -> xr.Dataset:
    layers = ", ".join(f'"{layer}": [{max(0, layer - 1)}, {min(7, layer + 1)}]' for layer in range(8))
    return role_effects(
        n_facts=12,
        peaks={"T2T": 2.0, "S2T": 4.0},
        components=("resid_pre", "mlp_out"),
        model_name="tiny",
        window_layers=f'{{"mlp_out": {{{layers}}}}}',
    )


@pytest.fixture(scope="session")
def heads(roles: xr.Dataset) -> xr.Dataset:
    """Two heads: the second has half the effect of the first."""
    cell = ("prompt", "component", "layer", "role", "head")
    half = (roles["restored"] + roles["corrupted"]) / 2
    joined = xr.concat([roles["restored"], half], dim="head").transpose(*cell, "sample", "metric")
    status = roles["status"].expand_dims(head=2).transpose(*cell)
    return roles.drop_vars(["restored", "status"]).assign(restored=joined, status=status).assign_coords(head=[0, 1])


@pytest.fixture(scope="module")
def paths() -> xr.Dataset:
    """Heads of layers 0 and 1 to the value input of layer 1 and to the logits; two facts, two modalities."""
    status = np.full((4, 1, 2, 2, 2, 2, 2, 1), Status.ABSENT)
    values = np.full((*status.shape, 1), np.nan)
    for prompt in range(4):
        for layer in (0, 1):
            for head in (0, 1):
                for component, receiver_layer, receiver_head in ((0, 1, 1), (1, 0, 0)):
                    if component == 0 and layer == 1:
                        continue  # backwards
                    cell = (prompt, 0, layer, head, component, receiver_layer, receiver_head, 0)
                    status[cell], values[cell] = Status.MEASURED, 1.0 - 0.1 * (prompt // 2) - head - 0.5 * layer
    return made_paths(
        base=np.ones((4, 1)),
        patched=values,
        status=status,
        noise_floor=np.zeros((4, 1)),
        senders={"component": ["z"], "layer": [0, 1], "head": [0, 1]},
        receivers={"component": ["v_input", "logits"], "layer": [-1, 1], "head": [-1, 0]},
        positions=["all"],
        metrics={"logit": 1},
        prompts=prompt_columns([(0, "T2T", 0), (0, "S2T", 0), (1, "T2T", 0), (1, "S2T", 0)]),
        base_run="clean",
        frozen="heads+mlps",
        norms="recomputed",
    )
