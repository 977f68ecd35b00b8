"""A figure without a form for narrow screens keeps its width there, in a place that scrolls by keys."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import xarray as xr
from browser import Browser, browser, needs_chromium

import spiritlens as sl

pytestmark = [pytest.mark.browser, needs_chromium]


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as one:
        yield one


def test_it_scrolls_in_its_place(tab: Browser, roles: xr.Dataset, tmp_path: Path) -> None:
    page = sl.dashboard(roles, tmp_path, figures=[sl.figures.crossing(roles)])
    found = {}
    for width in (390, 1440):
        tab.look(width, 844)
        tab.open(page)
        tab.draw("more")
        plot = "document.querySelector('#more .plot')"
        found[width] = {
            "drawn": tab.tell(f"{plot}.querySelector('.main-svg').getBoundingClientRect().width"),
            "scrolls": tab.tell(f"{plot}.scrollWidth > {plot}.clientWidth + 1"),
            "by keys": tab.tell(f"{plot}.tabIndex === 0"),
            "page": tab.tell("document.documentElement.scrollWidth"),
        }
    assert found[390] == {"drawn": 700, "scrolls": True, "by keys": True, "page": 390}
    assert found[1440]["drawn"] > 700
    assert not found[1440]["scrolls"]
    assert found[1440]["page"] == 1440
    assert tab.problems == []
