"""The planted machine that the tests of lenses share."""

import pytest

from spiritlens.models.planted.planted import planted


@pytest.fixture(scope="module")
def machine():
    return planted("fact machine")
