"""The page for everyone: by keyboard alone, read aloud, in the dark, in the reader's own colours, and on paper."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from browser import Browser, needs_chromium
from every_page import AXE, PAPER, drawn_on_paper, serious

from spiritlens.effects.quantities import indirect
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.page.dashboard import dashboard
from spiritlens.report.page.document import Texts

pytestmark = [pytest.mark.browser, needs_chromium]

FACT = "#view=facts&fact=capital%2F2&set=by+role&component=mlp_out"
WRITTEN, SPOKEN = '.panel[data-kind="T2T"] svg.map', '.panel[data-kind="S2T"] svg.map'


@pytest.fixture(autouse=True)
def looked_at(tab: Browser) -> Iterator[None]:
    yield
    tab.look()


def cursor(tab: Browser, svg: str) -> list[float]:
    names = ("x", "y", "width", "height")
    return [
        float(tab.tell(f"document.querySelector({json.dumps(svg + ' .cursor')}).getAttribute('{name}')"))
        for name in names
    ]


def said(tab: Browser) -> str:
    return str(tab.tell("document.querySelector('[role=status]').textContent"))


def written(value: float) -> str:
    """Three significant digits with a real minus sign, as the page writes numbers."""
    digits = 0 if value == 0 else min(6, max(0, 2 - int(np.floor(np.log10(abs(value))))))
    return f"{value:.{digits}f}".replace("-", "−")


@pytest.mark.parametrize("address", [FACT, "#view=facts&fact=capital%2F0&set=by+token", "#view=difference"])
def test_each_map_is_one_stop_of_the_tab_key_and_has_a_table(tab: Browser, study_page: Path, address: str) -> None:
    tab.open(study_page, address)
    tab.draw()
    maps = tab.tell(
        "[...document.querySelectorAll('svg.map')].map((one) => "
        "[one.tabIndex, one.querySelectorAll('[tabindex]').length])"
    )
    assert maps == [[0, 0]] * len(maps)
    assert len(maps) >= 4
    behind = "one.closest('.panel').querySelectorAll('.table-behind').length"
    assert set(tab.tell(f"[...document.querySelectorAll('svg.map')].map((one) => {behind})")) == {1}
    figures = tab.tell("document.querySelectorAll('.plot').length")
    assert tab.tell("document.querySelectorAll('figure > .plot ~ .table-behind').length") == figures
    assert tab.tell("document.querySelectorAll('#first .table-behind, #difference-dots .table-behind').length") == 2


def test_arrow_keys_walk_the_cells_and_enter_opens(tab: Browser, study_page: Path, roles: xr.Dataset) -> None:
    tab.open(study_page, FACT)
    tab.draw("facts")
    tab.tell(f"document.querySelector('{SPOKEN}').focus()")
    tab.press("ArrowDown")
    begun = cursor(tab, SPOKEN)
    tab.press("ArrowRight")
    tab.press("ArrowRight")
    right = cursor(tab, SPOKEN)
    assert right[0] == pytest.approx(begun[0] + 2 * begun[2], abs=0.1)
    while "subject" not in said(tab).split(", ")[1:2]:
        before = cursor(tab, SPOKEN)
        tab.press("ArrowDown")
        assert cursor(tab, SPOKEN)[1] > before[1]
    effect = indirect(roles).isel(prompt=5).sel(component="mlp_out", layer=2, role="subject").isel(metric=0).item()
    assert said(tab).startswith("layer 2 (layers 1–3 patched together), subject, effect " + written(effect))
    tab.press("ArrowLeft")
    assert said(tab).startswith("layer 1 ")
    tab.press("Enter")
    assert {"kind=S2T", "word=subject", "layer=1"} <= set(tab.tell("location.hash").strip("#").split("&"))
    assert tab.tell(f"document.activeElement === document.querySelector('{SPOKEN}')")
    for _ in range(20):
        tab.press("ArrowLeft")  # the edge holds
    assert said(tab).startswith("layer 0 ")


def test_dots_are_walked_and_enter_opens_the_fact(tab: Browser, study_page: Path) -> None:
    tab.open(study_page, "#view=difference&quantity=effect&component=mlp_out&word=subject&layer=4")
    tab.draw("difference")
    tab.wait("document.querySelector('svg.dots')")
    tab.tell("document.querySelector('svg.dots').focus()")
    tab.press("ArrowRight")
    first = said(tab)
    tab.press("ArrowRight")
    assert said(tab) != first
    numbers = [float(one.rsplit(" ", 1)[1].replace("−", "-")) for one in (first, said(tab))]
    assert numbers[0] <= numbers[1]
    fact = said(tab).split(",")[0]
    tab.press("Enter")
    assert tab.tell("new URLSearchParams(location.hash.slice(1)).get('fact')") == fact


def test_the_list_is_walked_and_enter_goes_to_the_fact(tab: Browser, study_page: Path) -> None:
    tab.open(study_page, FACT)
    tab.draw("facts")
    tab.tell("document.getElementById('fact-list').focus()")
    now = tab.tell("document.getElementById('fact-title').textContent")
    tab.press("ArrowDown")
    tab.wait(f"document.getElementById('fact-title').textContent !== {json.dumps(now)}")
    active = "document.getElementById(document.getElementById('fact-list').getAttribute('aria-activedescendant'))"
    assert tab.tell(f"{active}.getAttribute('aria-selected')") == "true"
    tab.press("Enter")
    tab.wait("document.activeElement === document.getElementById('fact-title')")


def test_the_table_behind_a_map_has_its_numbers(tab: Browser, study_page: Path, roles: xr.Dataset) -> None:
    tab.open(study_page, FACT)
    tab.draw("facts")
    tab.tell("document.querySelector('.panel[data-kind=T2T] summary').click()")
    tab.wait("document.querySelector('.panel[data-kind=T2T] table')")
    rows = tab.tell(
        "[...document.querySelectorAll('.panel[data-kind=T2T] tbody tr')].map((row) => "
        "[...row.children].map((cell) => cell.textContent))"
    )
    effect = indirect(roles).isel(prompt=4).sel(component="mlp_out").isel(metric=0)
    subject = next(row for row in rows if row[0] == "subject")
    assert subject[1:] == [written(value) for value in np.round(effect.sel(role="subject").values, 6)]


def test_one_status_line_is_read_aloud(tab: Browser, study_page: Path) -> None:
    tab.open(study_page, FACT)
    tab.draw()
    live = tab.tell(
        "[...document.querySelectorAll('[aria-live], [role=status], [role=alert], [role=log]')].map((one) => one.id)"
    )
    assert live == ["status"]
    assert tab.tell("document.getElementById('status').textContent.length") > 10
    assert tab.tell("document.getElementById('status').offsetHeight") < 30


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is in a checkout alone")
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(tab: Browser, study_page: Path, width: int, height: int, scheme: str) -> None:
    tab.look(width, height, scheme)
    tab.open(study_page, "#fact=capital%2F0&set=by+token")
    tab.draw()
    tab.tell("document.querySelectorAll('.table-behind summary').forEach((one, place) => place < 4 && one.click())")
    assert serious(tab) == []
    assert tab.tell("axe.version") == "4.10.3"
    tab.problems.clear()


def colour(tab: Browser, selector: str, name: str) -> tuple[int, ...]:
    told = tab.tell(f"getComputedStyle(document.querySelector({json.dumps(selector)})).{name}")
    return tuple(int(float(one)) for one in told[told.index("(") + 1 : -1].split(",")[:3])


def test_figures_are_dark_in_the_dark_and_light_on_paper(tab: Browser, study_page: Path, tmp_path: Path) -> None:
    grounds = {}
    for scheme in ("light", "dark"):
        tab.look(scheme=scheme)
        tab.open(study_page, FACT)
        tab.draw()
        grounds[scheme] = [
            colour(tab, ".plot .bg, .plot .main-svg", "backgroundColor"),
            colour(tab, ".plot .main-svg", "backgroundColor"),
        ]
        assert abs(sum(grounds[scheme][1]) - sum(colour(tab, "section", "backgroundColor"))) < 30
        assert abs(sum(colour(tab, ".plot .xtick text", "fill")) - sum(grounds[scheme][1])) > 300
    assert sum(grounds["dark"][1]) < 150 < 700 < sum(grounds["light"][1])
    tab.tell("window.dispatchEvent(new Event('beforeprint'))")
    tab.wait("getComputedStyle(document.querySelector('.plot .main-svg')).backgroundColor === 'rgb(255, 255, 255)'")
    tab.tell("window.dispatchEvent(new Event('afterprint'))")
    tab.wait("getComputedStyle(document.querySelector('.plot .main-svg')).backgroundColor !== 'rgb(255, 255, 255)'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_the_readers_own_colours_maps_stay_and_marks_are_seen(tab: Browser, study_page: Path, scheme: str) -> None:
    tab.look(scheme=scheme, colours="active")
    tab.open(study_page, FACT)
    tab.draw("facts")
    cell = f"{WRITTEN} .cell[fill]"
    drawn = tab.tell(
        f"[...document.querySelectorAll('{WRITTEN} .cell[fill]')].map((one) => "
        "[one.getAttribute('fill').replaceAll(',', ', '), getComputedStyle(one).fill])"
    )
    assert all(given == shown for given, shown in drawn)
    assert colour(tab, cell, "fill")
    system = (
        "(() => { const one = document.createElement('p'); one.style.color = '%s'; document.body.append(one); "
        "return getComputedStyle(one).color; })()"
    )
    canvas, text, highlight = (tab.tell(system % name) for name in ("Canvas", "CanvasText", "Highlight"))
    look = "getComputedStyle(document.querySelector('%s')).%s"
    assert tab.tell(look % ("section", "backgroundColor")) == canvas
    assert tab.tell(look % ("#fact-title", "color")) == text
    assert tab.tell(look % (".fact.here", "backgroundColor")) == highlight
    assert tab.tell(look % (".fact:not(.here)", "backgroundColor")) != highlight
    assert tab.tell(look % (f"{WRITTEN} .cursor", "stroke")) == highlight
    assert tab.tell(look % (f"{WRITTEN} .label", "fill")) == text
    tab.tell("document.querySelector('[data-player=slow]').click()")
    assert tab.tell(look % ("[data-player=slow]", "backgroundColor")) == highlight
    tab.tell("document.querySelector('[data-player=slow]').click()")


@pytest.mark.parametrize("address", [FACT, "#fact=capital%2F0&set=by+token"])
def test_print_tears_no_figure(tab: Browser, study_page: Path, tmp_path: Path, address: str) -> None:
    tab.open(study_page, address)
    tab.draw()
    told = drawn_on_paper(tab)
    assert len(told) > 15
    for one in told:
        assert one["inside"] == "avoid", one
        assert one["height"] <= PAPER[1], one
        assert one["right"] <= PAPER[0] + 1, one
    assert tab.tell("document.documentElement.scrollWidth") <= PAPER[0] + 1
    for gone in ("nav", "#status", ".take-away", ".list-side", ".player"):
        assert tab.tell(f"document.querySelector('{gone}').offsetHeight") == 0
    tab.tell("window.dispatchEvent(new Event('afterprint'))")
    assert tab.printed(tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


def test_odd_words_change_nothing(tab: Browser, roles: xr.Dataset, prompts: list[Prompt], tmp_path: Path) -> None:
    odd = [
        "</script><img src=x onerror=alert(1)>",
        "A" * 300,
        "مرحبا بالعالم",
        "\"q\" 'x' & <b>",
        "a\u202eb",
        "\u2028x",
    ]
    names = np.array([odd[place // 2 % len(odd)] for place in range(roles.sizes["prompt"])], dtype=object).astype(str)
    effects = roles.assign_coords(
        subject=("prompt", names), answer=("prompt", names[::-1].copy()), relation=("prompt", names)
    )
    page = dashboard(effects, tmp_path, texts=Texts(odd[0], odd, odd))
    for width in (1440, 320):
        tab.look(width, 844)
        tab.open(page)
        tab.draw()
        assert tab.tell("document.documentElement.scrollWidth - window.innerWidth") == 0
        shown = tab.tell(
            "[...new Set([...document.querySelectorAll('.fact-name bdi:first-child')].map((one) => one.textContent))]"
        )
        assert set(shown) <= set(odd)
        assert len(shown) > 3
        assert tab.tell("document.title") == odd[0]
        assert tab.tell("document.querySelectorAll('main img, main script').length") == 0
    assert (tab.problems, tab.requests) == ([], [])
