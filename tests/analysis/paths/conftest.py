"""Models that the tests of path patching share."""

import pytest
from random_llamas import random_llama

from spiritlens.models.planted.planted import planted
from spiritlens.models.planted.weights import CIRCUITS


@pytest.fixture(scope="module", params=[4, 2], ids=["MHA", "GQA with biases"])
def llama(request):
    return random_llama(request.param, biased=request.param == 2)


@pytest.fixture(scope="module")
def circuits():
    return {name: planted(name) for name in CIRCUITS}
