import pytest
import xarray as xr
from effects_synthetic import role_effects, token_effects


@pytest.fixture
def roles() -> xr.Dataset:
    return role_effects()


@pytest.fixture
def tokens() -> xr.Dataset:
    return token_effects()
