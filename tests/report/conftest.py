"""Synthetic results (from the effects tests) and prompts that belong to them."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

sys.path += [str(Path(__file__).parents[1] / "effects"), str(Path(__file__).parent)]

from effects_synthetic import role_effects, token_effects
from made_prompt import make_prompt

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
