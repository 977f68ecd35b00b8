"""The page in a real browser: nothing is fetched or opened, every view is drawn, the address is the state."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import xarray as xr
from browser import Browser, browser, needs_chromium

from spiritlens.comparison.compare import compare
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.page.dashboard import dashboard

pytestmark = [pytest.mark.browser, needs_chromium]


@pytest.fixture(scope="module")
def page(
    roles: xr.Dataset, tokens: xr.Dataset, prompts: list[Prompt], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("page")
    comparison = compare(roles, resamples=20, permutations=100)
    return dashboard({"by role": roles, "by token": tokens}, folder, prompts=prompts, comparison=comparison)


@pytest.fixture(scope="module")
def tab(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as one:
        one.look()
        yield one


def test_every_control_asks_for_nothing_and_opens_nothing(tab: Browser, page: Path) -> None:
    tab.open(page)
    tab.tell("document.querySelectorAll('section').forEach((one) => one.scrollIntoView())")
    tab.tell("window.print = () => {}; window.open = () => { document.body.dataset.opened = 'yes'; }")
    for part in ("facts", "difference", "curves", "maps"):
        tab.tell(f"document.getElementById('{part}').scrollIntoView({{behavior: 'instant'}})")
        tab.tell("new Promise((then) => setTimeout(then, 400))")
    buttons = set(tab.tell("[...document.querySelectorAll('.modebar-btn')].map((one) => one.dataset.title)"))
    assert buttons == {"Download plot as a PNG", "Zoom", "Pan", "Zoom in", "Zoom out", "Reset axes"}
    links = tab.tell(
        "[...document.querySelectorAll('a[href], [src], [action]')].map((one) => one.getAttribute('href'))"
    )
    assert [link for link in links if link and not link.startswith("#")] == []
    names = tab.tell("[...document.querySelectorAll('button, a[href], summary, select')].length")
    assert names > 20
    tab.tell("document.querySelectorAll('button, summary, a[href]').forEach((one) => one.click())")
    tab.tell("new Promise((then) => setTimeout(then, 300))")
    assert (tab.requests, tab.windows, tab.problems) == ([], [], [])
    assert tab.tell("document.body.dataset.opened") is None


def test_the_address_is_the_state_and_back_returns(tab: Browser, page: Path) -> None:
    tab.open(page, "#view=facts&fact=capital%2F2")
    tab.wait("document.querySelector('#fact-title')")
    assert tab.tell("document.querySelector('#fact-title').textContent") == "norway → oslo"
    tab.click('[data-fact="capital/1"]')
    tab.wait("document.querySelector('#fact-title').textContent.startsWith('italy')")
    assert "fact=capital%2F1" in tab.tell("location.hash")
    tab.tell("history.back()")
    tab.wait("document.querySelector('#fact-title').textContent.startsWith('norway')")


@pytest.mark.parametrize("width", [1440, 390, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_leaves_the_page_at_its_side(tab: Browser, page: Path, width: int, scheme: str) -> None:
    tab.look(width, 844, scheme)
    tab.open(page)
    for part in ("facts", "difference"):
        tab.tell(f"document.getElementById('{part}').scrollIntoView({{behavior: 'instant'}})")
        tab.wait(f"document.getElementById('{part}').querySelector('svg')")
    assert tab.tell("document.documentElement.scrollWidth - window.innerWidth") == 0
    tab.look()
