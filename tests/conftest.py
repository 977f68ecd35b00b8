"""Settings shared by all tests."""

import os

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

settings.register_profile("spiritlens", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("spiritlens")


@pytest.fixture(scope="session", autouse=True)
def _speech_cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Spoken prompts made by the tests stay out of the user's cache."""
    os.environ["SPIRITLENS_CACHE"] = str(tmp_path_factory.mktemp("cache"))
