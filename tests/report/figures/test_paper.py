"""Figures for a paper: at the width of a column or page, every text within the figure and on no other."""

import importlib.util
import json
import re
import struct
import sys
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
from plotly.subplots import make_subplots

sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parent))

from every_figure import every_figure
from printed import measured, outside, overlapping, svgs

import spiritlens as sl
from spiritlens.report.figures import FIGURES
from spiritlens.report.figures.paper import INCHES, PER_INCH, PIXELS
from spiritlens.report.figures.printing.layout import laid_out

POINT = 96 / 72


def forms(figures: dict[str, go.Figure]) -> dict[str, go.Figure]:
    """Each figure in both widths."""
    return {
        f"{name}, {width}": laid_out(figure, pixels)
        for name, figure in figures.items()
        for width, pixels in PIXELS.items()
    }


@pytest.mark.browser
def test_no_text_leaves_its_figure_or_meets_another(tmp_path: Path) -> None:
    figures = every_figure()
    assert {figure.name for figure in FIGURES} <= set(figures)
    found = measured(svgs(forms(figures)), tmp_path)
    assert len(found) == 2 * len(figures)
    assert {name: outside(one) for name, one in found.items() if outside(one)} == {}
    assert {name: overlapping(one) for name, one in found.items() if overlapping(one)} == {}
    for name, one in found.items():
        inches = INCHES["column" if name.endswith("column") else "page"]
        assert one["width"] <= inches * PER_INCH < one["width"] + 2, name
        assert one["height"] <= 9 * PER_INCH + 10, name
        assert len(one["texts"]) > 4, name
        assert all(7 * POINT - 0.05 <= text["size"] <= 8 * POINT + 0.05 for text in one["texts"]), name


@pytest.mark.browser
def test_long_names_are_cut_and_the_measure_can_fail(tmp_path: Path) -> None:
    name = "an-endlessly-long-name " * 14
    cells = [[0.1, -0.2], [0.3, 0.4], [0.2, 0.1]]
    long = go.Figure(go.Heatmap(z=cells, x=[0, 1], y=[0, 1, 2], showscale=False))
    long.update_yaxes(tickvals=[0, 1, 2], ticktext=[name, f"<b>{name}</b>", "x"])
    long.update_xaxes(tickvals=[0, 1], ticktext=[name, name[::-1]], title_text=name)
    curves = go.Figure([go.Scatter(x=[1, 2], y=[1, 2], name=f"{place} {name}") for place in range(3)])
    curves.update_yaxes(title_text=name[:90])
    given = {"map": long, "curves": curves}
    raw = {f"{key}, as it is": go.Figure(one).update_layout(width=321, height=120) for key, one in given.items()}
    found = measured(svgs(forms(given) | raw), tmp_path)
    for key, one in found.items():
        wrong = outside(one) + overlapping(one)
        assert bool(wrong) == key.endswith("as it is"), (key, wrong)


@pytest.mark.browser
def test_files_of_each_kind(tmp_path: Path) -> None:
    figure = every_figure()["total_effects"]
    before = json.loads(figure.to_json())
    column = sl.figures.paper(figure, tmp_path / "a.svg")
    assert column == tmp_path / "a.svg"
    assert "total effect" in column.read_text(encoding="utf-8")
    page = sl.figures.paper(figure, tmp_path / "new" / "b.PDF", "page").read_bytes()
    assert page.startswith(b"%PDF")
    assert page.rstrip().endswith(b"%%EOF")
    box = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", page)
    assert box
    assert 6.85 <= float(box[1]) / 72 <= 6.9
    png = sl.figures.paper(figure, tmp_path / "c.png", width="column").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert struct.unpack(">I", png[16:20])[0] == pytest.approx(3.35 * 300, abs=5)
    assert json.loads(figure.to_json()) == before


def test_titles_are_left_out_and_the_figure_given_stays_as_it_is() -> None:
    figure = every_figure()["role_maps"]
    before = json.loads(figure.to_json())
    form = laid_out(figure, 321)
    assert form.layout.title.text is None
    assert form.layout.width == 321
    assert json.loads(figure.to_json()) == before
    assert {trace.type for trace in form.data} == {trace.type for trace in figure.data}


def test_a_map_keeps_its_numbers() -> None:
    figure = every_figure()["role_maps"]
    numbers = [trace.z.tolist() for trace in laid_out(figure, 321).data if trace.type == "heatmap"]
    assert repr(numbers) == repr([trace.z.tolist() for trace in figure.data if trace.type == "heatmap"])


@pytest.mark.parametrize("value", [None, "map", [go.Figure()], {}])
def test_what_is_no_figure_is_refused(value: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a plotly figure, such as sl\.figures\.role_maps"):
        sl.figures.paper(value, tmp_path / "a.pdf")


def test_other_widths_and_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"width='wide': expected one of column, page"):
        sl.figures.paper(go.Figure(), tmp_path / "a.pdf", "wide")
    for name in ("a.eps", "a", "a.html"):
        with pytest.raises(ValueError, match=r"expected a name that ends with \.pdf, \.svg, \.png"):
            sl.figures.paper(go.Figure(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_without_kaleido_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'spiritlens\[paper\]'"):
        sl.figures.paper(every_figure()["total_effects"], tmp_path / "a.pdf")
    assert list(tmp_path.iterdir()) == []


def test_without_a_browser_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kaleido = pytest.importorskip("kaleido")
    errors = importlib.import_module("kaleido.errors")

    def none(*given: Any, **options: Any) -> None:
        raise errors.ChromeNotFoundError

    monkeypatch.setattr(kaleido, "calc_fig_sync", none)
    with pytest.raises(FileNotFoundError, match=r"apt-get install chromium, or plotly_get_chrome.*BROWSER_PATH"):
        sl.figures.paper(every_figure()["total_effects"], tmp_path / "a.pdf")
    assert list(tmp_path.iterdir()) == []


def test_the_measure_finds_what_it_should() -> None:
    def box(left: float, top: float, text: str) -> dict[str, Any]:
        return {"text": text, "left": left, "right": left + 10, "top": top, "bottom": top + 10}

    one = {"width": 100, "height": 50, "texts": [box(0, 0, "a"), box(9, 9, "b"), box(95, 0, "c"), box(20, 0, "d")]}
    assert overlapping(one) == [("a", "b")]
    assert outside(one) == ["c"]


def test_titles_are_turned_where_a_word_is_wider_than_its_panel() -> None:
    figure = make_subplots(1, 3, subplot_titles=["<b>speech only</b><br>not traced", "neither", "both"])
    for column in (1, 2, 3):
        figure.add_scatter(x=[0, 1], y=[0, 1], row=1, col=column)
    narrow, wide = (laid_out(figure, pixels).layout.annotations for pixels in (140, 640))
    assert [note.textangle for note in narrow] == [-90] * 3
    assert [note.text for note in narrow] == [note.text for note in figure.layout.annotations]
    assert [note.textangle for note in wide] == [None] * 3
    assert [note.text for note in wide] == [note.text for note in figure.layout.annotations]
