"""Settings shared by all tests."""

import gc
import os
from collections.abc import Generator
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

settings.register_profile("spiritlens", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("spiritlens")


gc.disable()  # until all is imported: see `pytest_collection_finish`


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        gc.enable()  # the process that hands tests out collects none


def pytest_collection_finish() -> None:
    """What the imports made stays to the end: no collection looks through it again, which would take a tenth of the
    tests' time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(2000, 10, 10)
    gc.enable()


ABOUT_HOOKED_TRANSFORMERS = (
    "models/hooked_transformer",  # the backend itself
    "analysis/test_induction.py",  # trains a HookedTransformer
)
if find_spec("transformer_lens.HookedTransformer") is None:  # TransformerLens 4
    collect_ignore = list(ABOUT_HOOKED_TRANSFORMERS)


@pytest.fixture(scope="session", autouse=True)
def _speech_cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Spoken prompts made by the tests stay out of the user's cache."""
    os.environ["SPIRITLENS_CACHE"] = str(tmp_path_factory.mktemp("cache"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, so that processes that share the tests end together."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


ALLOWED_SKIPS = ("piper is an extra", "faster-whisper is an extra")
"""What even a whole run leaves out."""


def _whole(report: pytest.TestReport | pytest.CollectReport) -> None:
    """In a whole run (``SPIRITLENS_TESTS=whole``, set by `.ci/run`) a test skipped for want of a tool fails."""
    if os.environ.get("SPIRITLENS_TESTS") != "whole" or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    if not any(allowed in reason for allowed in ALLOWED_SKIPS):
        report.outcome, report.longrepr = "failed", f"left out in a whole run: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _whole(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _whole(report)
    return report
