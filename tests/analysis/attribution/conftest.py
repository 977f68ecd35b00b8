"""The lenses that the tests of attribution share."""

import pytest

from tests.analysis.tracing_lens import tiny_lens


@pytest.fixture(scope="module", params=[4, 2], ids=["MHA", "GQA with biases"])
def lens(request):
    return tiny_lens(request.param, biased=request.param == 2)
