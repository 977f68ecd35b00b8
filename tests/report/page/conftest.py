"""A page with everything on it, and a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import xarray as xr
from browser import Browser, browser

from spiritlens.comparison.compare import compare
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.page.dashboard import dashboard


@pytest.fixture(scope="session")
def study_page(
    roles: xr.Dataset, tokens: xr.Dataset, prompts: list[Prompt], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("page")
    comparison = compare(roles, resamples=20, permutations=100)
    return dashboard({"by role": roles, "by token": tokens}, folder, prompts=prompts, comparison=comparison)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as one:
        one.look()
        one.save_to(tmp_path_factory.mktemp("saved"))
        yield one
