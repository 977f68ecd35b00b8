"""Maps of groups in the browser: in one row where there is room, below each other on a phone, no text on another."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
import xarray as xr
from browser import Browser, browser, needs_chromium

import spiritlens as sl
from spiritlens.report.page.sections.beside import BesideSection

pytestmark = [pytest.mark.browser, needs_chromium]

SECTION = "beside-By-what-is-known"
CELLS = ("known in both", "text only", "speech only", "known in neither")
BOXES = f"""[...document.querySelectorAll('#{SECTION} .plot {{}}')].map((one) => {{{{
  const box = one.getBoundingClientRect(), plot = one.closest('.plot').getBoundingClientRect();
  return {{{{text: one.textContent, left: box.left - plot.left, right: box.right - plot.left, top: box.top - plot.top,
    bottom: box.bottom - plot.top, width: plot.width}}}};
}}}})"""


@pytest.fixture(scope="module")
def page(roles: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    means = sl.effects.average(roles)
    written = sl.effects.average(roles.isel(prompt=roles["modality"].values == "T2T"))
    groups = dict(zip(CELLS, (means, written, None, means), strict=True))
    results = {"by role": roles, "cells": BesideSection("By what is known", "How to read.", groups)}
    return sl.dashboard(results, tmp_path_factory.mktemp("beside"))


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as one:
        yield one


def boxes(tab: Browser, selector: str) -> list[dict[str, float]]:
    return [box for box in tab.tell(BOXES.format(selector)) if box["text"] or selector == ".cbfills"]


@pytest.mark.parametrize(("width", "beside"), [(1440, True), (800, True), (390, False)])
def test_groups_stand_beside_each_other_where_there_is_room(
    tab: Browser, page: Path, width: int, *, beside: bool
) -> None:
    tab.look(width, 900)
    tab.open(page)
    tab.draw(SECTION)
    titles = boxes(tab, ".annotation-text")
    heads = {cell: next((box for box in titles if cell in str(box["text"])), None) for cell in CELLS}
    if beside:
        tops = {round(box["top"]) for box in heads.values() if box is not None}
        lefts = [box["left"] for box in heads.values() if box is not None]
        assert (len(lefts), len(tops)) == (4, 1)
        assert lefts == sorted(lefts)
        assert "not traced" in str(heads["speech only"])
    else:
        assert heads["speech only"] is None, "an empty group takes no place on a phone"
        ends = [box["right"] for box in titles]
        assert max(ends) - min(ends) < 2


@pytest.mark.parametrize("width", [1440, 800, 390])
def test_no_text_leaves_the_figure_or_lies_on_another(tab: Browser, page: Path, width: int) -> None:
    tab.look(width, 900)
    tab.open(page)
    tab.draw(SECTION)
    texts = [box for each in (".annotation-text", "[class$=tick] text") for box in boxes(tab, each)]
    assert len(texts) > 40
    assert [box for box in texts if box["left"] < -1 or box["right"] > box["width"] + 1] == []
    meeting = [
        (one["text"], other["text"])
        for one, other in combinations(texts, 2)
        if min(one["right"], other["right"]) - max(one["left"], other["left"]) > 1
        and min(one["bottom"], other["bottom"]) - max(one["top"], other["top"]) > 1
    ]
    assert meeting == []
    (bar,) = boxes(tab, ".cbfills")
    assert [box["text"] for box in boxes(tab, ".annotation-text") if box["right"] > bar["left"]] == []


@pytest.mark.parametrize(("scheme", "colour"), [("light", "rgb(227, 229, 232)"), ("dark", "rgb(48, 56, 63)")])
def test_what_was_not_run_is_grey_in_light_and_dark(tab: Browser, page: Path, scheme: str, colour: str) -> None:
    tab.look(1440, 900, scheme)
    tab.open(page)
    tab.draw(SECTION)
    fills = tab.tell(
        f"[...document.querySelectorAll('#{SECTION} .bglayer .bg')].map((one) => getComputedStyle(one).fill)"
    )
    assert len(fills) == 16
    assert set(fills) == {colour}
