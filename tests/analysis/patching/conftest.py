"""Lenses that the tests of patching share."""

import pytest

from spiritlens.models.planted.planted import planted
from tests.analysis.tracing_lens import tiny_lens


@pytest.fixture(scope="module", params=[4, 2], ids=["MHA", "GQA with biases"])
def lens(request):
    return tiny_lens(request.param, biased=request.param == 2)


@pytest.fixture(scope="module")
def circuits():
    return {name: planted(name) for name in ("fact machine", "or pair", "and pair")}
