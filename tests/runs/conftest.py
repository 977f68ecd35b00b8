"""Tiny random Llamas in float64, with multi-head and with grouped-query attention."""

import sys
from pathlib import Path

import pytest
from random_llamas import opened, random_llama
from torch import nn

from spiritlens.models.blocks.lens_model import BlockLensModel

sys.path.append(str(Path(__file__).parents[1] / "analysis"))  # tracing_lens: the tiny lens that both rooms test with


@pytest.fixture(scope="session", params=[4, 2], ids=["MHA", "GQA with biases"])
def llama(request: pytest.FixtureRequest) -> nn.Module:
    return random_llama(request.param, biased=request.param == 2)


@pytest.fixture(scope="session")
def inside(llama: nn.Module) -> BlockLensModel:
    return opened(llama)
