"""Every figure in the browser, at the width of a notebook and of a page: no text lies on another or outside."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import plotly
import pytest
from browser import Browser, browser, needs_chromium
from every_figure import DRAWN, every_figure

pytestmark = [pytest.mark.browser, needs_chromium]

TEXTS = """[...document.querySelectorAll('.main-svg text')].filter((one) => one.textContent.trim()).map((one) => {
  const box = one.getBoundingClientRect();
  return {text: one.textContent, left: box.left, right: box.right, top: box.top, bottom: box.bottom};
}).filter((one) => one.right > one.left)"""
TOUCHING = 2
"""Pixels: boxes are as high as the font's tallest letter, so that those of neighbouring lines touch."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    (folder / script.name).write_bytes(script.read_bytes())
    for name, figure in every_figure().items():
        page = figure.to_html(include_plotlyjs="directory", config={"displayModeBar": False, "responsive": True})
        ready = "<script>document.documentElement.dataset.ready = 'yes'</script>"
        (folder / f"{name}.html").write_text(page.replace("</body>", f"{ready}</body>"), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as one:
        yield one


def meeting(texts: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [
        (one["text"], other["text"])
        for one, other in combinations(texts, 2)
        if min(one["right"], other["right"]) - max(one["left"], other["left"]) > TOUCHING
        and min(one["bottom"], other["bottom"]) - max(one["top"], other["top"]) > TOUCHING
    ]


@pytest.mark.parametrize("name", sorted(DRAWN))
@pytest.mark.parametrize("width", [700, 1200])
def test_texts_have_their_place(tab: Browser, folder: Path, name: str, width: int) -> None:
    tab.look(width, 900)
    tab.open(folder / f"{name}.html")
    tab.wait("document.querySelector('.main-svg .infolayer')")
    texts = tab.tell(TEXTS)
    assert texts
    assert meeting(texts) == []
    assert [one["text"] for one in texts if one["left"] < -1 or one["right"] > width + 1] == []


def test_texts_that_meet_are_found() -> None:
    one = {"text": "a", "left": 0, "right": 10, "top": 0, "bottom": 10}
    assert meeting([one, {**one, "text": "b", "left": 5}]) == [("a", "b")]
    assert meeting([one, {**one, "text": "b", "left": 9}]) == []
