"""The page on paper (A4), as its PDF is read back: whole figures with their titles, and all texts, in order.

For the reading, marks are printed into the upper left and lower right corner of each figure, and behind headings. Boxes
that are placed are read after the text of their page, so that a text which goes on overleaf is known by its beginning.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from browser import Browser, needs_chromium

pytestmark = [pytest.mark.browser, needs_chromium]

ADDRESSES = ("#view=facts&fact=capital%2F2&set=by+role&component=mlp_out", "#fact=capital%2F0&set=by+token")
FIGURES = "main figure:not(:has(figure))"
MARKS = f"""@media print {{
  body {{ counter-reset: figures headings; }}
  main > section > h2, #fact-title {{ counter-increment: headings; }}
  main > section > h2::after, #fact-title::after {{ content: "qh" counter(headings) "q"; font: 2px monospace; }}
  {FIGURES} {{ position: relative; counter-increment: figures; }}
  {FIGURES}::before, {FIGURES}::after {{ position: absolute; font: 6px monospace; }}
  {FIGURES}::before {{ content: "qa" counter(figures) "q"; top: 0; left: 0; }}
  {FIGURES}::after {{ content: "qz" counter(figures) "q"; bottom: 0; right: 0; }}
}}"""
TORN = "@media print { figure { break-inside: auto !important; margin-bottom: 61mm !important; } }"
TITLES = f"""[...document.querySelectorAll('{FIGURES}')].map((one) =>
  [...one.querySelectorAll('h3, h4, figcaption')].map((title) => title.innerText))"""
HEADINGS = """[...document.querySelectorAll('main > section > h2, #fact-title')].map((one) => {
  const after = [...one.parentNode.children].slice([...one.parentNode.children].indexOf(one) + 1);
  const next = after.find((other) => other.offsetHeight && other.innerText.trim());
  return [one.innerText, next.innerText.trim().split('\\n')[0].slice(0, 30)];
})"""
FIRST = """[...document.querySelectorAll('main > section > h2, #fact-title')].map((one) => {
  const every = [...document.querySelectorAll('FIGURES')];
  const own = every.find((other) => one.closest('section').contains(other) && one.compareDocumentPosition(other) & 4);
  return own ? every.indexOf(own) + 1 : 0;
})""".replace("FIGURES", FIGURES)
TEXTS = """[...document.querySelectorAll('h1, .headline, .findings li, main > section > h2, #methods > p')].map(
  (one) => one.innerText)"""


@pytest.fixture(autouse=True)
def looked_at(tab: Browser) -> Iterator[None]:
    yield
    tab.look()


def close(text: str) -> str:
    """Without blanks, which a PDF does not keep, and with letters for ligatures."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def printed(tab: Browser, page: Path, address: str, path: Path, style: str = "") -> list[str]:
    """The text of each printed page."""
    tab.open(page, address)
    tab.draw()
    tab.tell(
        f"document.head.append(Object.assign(document.createElement('style'), {{textContent: {json.dumps(style)}}}))"
    )
    return texts_of(tab, path)


def texts_of(tab: Browser, path: Path) -> list[str]:
    """The text of each printed page of what is open."""
    with pypdfium2.PdfDocument(tab.printed(path)) as found:
        assert {tuple(map(round, one.get_size())) for one in found} == {(595, 842)}
        return [close(one.get_textpage().get_text_range()) for one in found]


def told(tab: Browser, expression: str) -> Any:
    """What holds on paper."""
    tab.look(687, 1015, media="print")
    return tab.tell(expression)


def pages_of(pages: list[str], mark: str) -> dict[int, list[int]]:
    """By figure the pages with its mark."""
    found: dict[int, list[int]] = {}
    for place, text in enumerate(pages):
        for number in re.findall(rf"{mark}(\d+)q", text):
            found.setdefault(int(number), []).append(place)
    return found


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_figure_is_torn_and_titles_stand_with_their_figures(
    tab: Browser, study_page: Path, tmp_path: Path, address: str
) -> None:
    pages = printed(tab, study_page, address, tmp_path / "page.pdf", MARKS)
    titles = told(tab, TITLES)
    begun, ended = pages_of(pages, "qa"), pages_of(pages, "qz")
    assert len(titles) >= 8
    assert sorted(begun) == list(range(1, len(titles) + 1))
    assert begun == ended
    for number, own in enumerate(titles, start=1):
        (place,) = begun[number]
        for title in own:
            assert close(title)[:60] in pages[place], (number, title)
    headings = told(tab, HEADINGS)
    placed = pages_of(pages, "qh")
    assert sorted(placed) == list(range(1, len(headings) + 1))
    for place, (heading, following) in enumerate(headings, start=1):
        (page,) = placed[place]
        assert close(heading) in pages[page]
        assert close(following) in pages[page], heading


def test_a_torn_figure_would_be_found(tab: Browser, study_page: Path, tmp_path: Path) -> None:
    pages = printed(tab, study_page, ADDRESSES[0], tmp_path / "page.pdf", MARKS + TORN)
    assert pages_of(pages, "qa") != pages_of(pages, "qz")


def stranded(tab: Browser, path: Path, style: str, above: int) -> list[str]:
    """Headings without the first figure of their section on their page, with so many millimetres above all."""
    style = f"{MARKS} {style} @media print {{ h1 {{ margin-top: {above}mm; }} }}"
    tab.tell(f"document.getElementById('style').textContent = {json.dumps(style)}")
    pages = texts_of(tab, path)
    placed, begun = pages_of(pages, "qh"), pages_of(pages, "qa")
    found = zip(told(tab, HEADINGS), tab.tell(FIRST), strict=True)
    tab.look()
    return [
        heading
        for number, ((heading, _), first) in enumerate(found, start=1)
        if first and placed[number] != begun[first]
    ]


def test_no_heading_stands_without_its_first_figure(tab: Browser, study_page: Path, tmp_path: Path) -> None:
    tab.open(study_page, ADDRESSES[0])
    tab.draw()
    tab.tell("document.head.append(Object.assign(document.createElement('style'), {id: 'style'}))")
    for above in range(0, 250, 50):  # so that each heading comes to stand near the foot of a page
        assert stranded(tab, tmp_path / "page.pdf", "", above) == [], above
    loose = "@media print { h2, h3, p { break-after: auto !important; } }"
    assert stranded(tab, tmp_path / "page.pdf", loose, 0)  # one that does is found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_texts_are_on_paper_in_their_order(tab: Browser, study_page: Path, tmp_path: Path, scheme: str) -> None:
    tab.look(scheme=scheme)
    whole = "".join(printed(tab, study_page, ADDRESSES[0], tmp_path / "page.pdf"))
    texts = [close(text) for text in told(tab, TEXTS)]
    assert len(texts) > 10
    places = []
    for text in texts:
        places.append(whole.find(text[:50], places[-1] + 1 if places else 0))
        assert places[-1] >= 0, text
        assert text[-30:] in whole
    assert all(one < other for one, other in pairwise(places))
    assert "norway→oslo" in whole
    for only_on_a_screen in ("Searchfacts", "SavedPNG", "bypointing"):
        assert only_on_a_screen not in whole
