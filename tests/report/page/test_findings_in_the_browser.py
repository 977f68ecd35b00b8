"""Numbers of findings that no view draws outline their rows in the tables of the comparison."""

import json
from pathlib import Path

import pytest
import xarray as xr
from browser import Browser, needs_chromium
from every_page import AXE, serious

from spiritlens.comparison.compare import compare
from spiritlens.comparison.references import References
from spiritlens.comparison.result import Comparison
from spiritlens.report.page.dashboard import dashboard
from tests.made_interchange import made_interchange

pytestmark = [pytest.mark.browser, needs_chromium]

LINKS = "[...document.querySelectorAll('#findings a[data-goal]')].map((one) => [one.textContent, one.dataset.goal])"
MARKED = """[...document.querySelectorAll('tr.marked')].map((one) => {
  const box = one.getBoundingClientRect();
  return [one.innerText, box.height > 0 && box.top >= 0 && box.bottom <= innerHeight];
})"""


@pytest.fixture(scope="module")
def served(roles: xr.Dataset) -> Comparison:
    references = References(interchange=made_interchange(noise=0.2))
    return compare(roles, resamples=20, permutations=100, references=references)


def test_numbers_of_an_interchange_outline_their_rows(
    tab: Browser, roles: xr.Dataset, served: Comparison, tmp_path: Path
) -> None:
    tab.open(dashboard(roles, tmp_path, comparison=served))
    links = [
        (place, text) for place, (text, goal) in enumerate(tab.tell(LINKS)) if json.loads(goal)["view"] == "served"
    ]
    assert len(links) == 10  # how many of how many, and three numbers, each way
    for place, text in links:
        tab.tell(f"document.querySelectorAll('#findings a[data-goal]')[{place}].click()")
        ((row, in_sight),) = tab.tell(MARKED)
        assert in_sight
        assert text in row
    tab.tell("history.back()")
    tab.wait(f"document.querySelector('tr.marked')?.innerText !== {json.dumps(row)}")
    tab.tell("document.querySelector('a[data-view=facts]').click()")
    assert tab.tell(MARKED) == []


def test_a_page_without_the_effects_has_the_numbers_in_its_tables(
    tab: Browser, served: Comparison, tmp_path: Path
) -> None:
    page = dashboard({"found": served}, tmp_path)
    tab.open(page)
    for place, (text, goal) in enumerate(tab.tell(LINKS)):
        tab.tell(f"document.querySelectorAll('#findings a[data-goal]')[{place}].click()")
        rows = tab.tell(MARKED)
        assert rows, (text, goal)
        assert rows[0][1], (text, goal)
    address = tab.tell("location.hash")
    tab.open(page, address)  # and a shared address does the same
    assert tab.tell(MARKED) == rows
    assert tab.problems == []


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is in a checkout alone")
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_marked_tables(
    tab: Browser, roles: xr.Dataset, served: Comparison, tmp_path: Path, width: int, height: int, scheme: str
) -> None:
    tab.look(width, height, scheme)
    tab.open(dashboard({"a": roles, "found": served}, tmp_path, comparison=served))
    tab.draw()
    tab.tell("[...document.querySelectorAll('#findings a[data-goal]')].at(-1).click()")
    assert serious(tab) == []
    tab.problems.clear()
    tab.look()
