"""Colour bars as a browser draws them: the title beside all numbers, and no number on another or outside the figure."""

import sys
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parent))

from every_figure import given, roles_of
from printed import measured, outside, overlapping, svgs

import spiritlens as sl
from spiritlens.report.figures.look import FIGURE_SPACE, equally_wide


def bar_of(figure: go.Figure) -> Any:
    """The colour bar: of the figure's scale, or of its map."""
    if figure.layout.coloraxis.colorbar.ticktext is not None:
        return figure.layout.coloraxis.colorbar
    return next(trace.colorbar for trace in figure.data if trace.type == "heatmap")


def titled() -> dict[str, go.Figure]:
    roles = roles_of(8)
    scaled = roles.assign(noise_floor=roles["noise_floor"] + 2.0)  # other numbers, and pale
    return {
        "role maps": sl.figures.role_maps(roles),
        "of one component": sl.figures.role_maps(roles, "mlp_out"),
        "of shares": sl.figures.role_maps(roles, "mlp_out", quantity="normalised"),
        "pale": sl.figures.role_maps(scaled, "mlp_out"),
        "one prompt": sl.figures.trace_map(given()["effects"]),
        "difference": sl.figures.difference_map(roles, component="mlp_out"),
        "lens": sl.figures.lens_map(given()["lens"]),
    }


@pytest.mark.browser
def test_the_title_stands_beside_all_numbers(tmp_path: Path) -> None:
    figures = titled()
    sizes = {
        f"{name}, {width}": go.Figure(figure).update_layout(width=width, height=figure.layout.height)
        for name, figure in figures.items()
        for width in (1200, 700)
    }
    for name, one in measured(svgs(sizes), tmp_path).items():
        bar = bar_of(sizes[name])
        numbers = [text for text in one["texts"] if text["left"] > 0.8 * one["width"] and text["text"] in bar.ticktext]
        (title,) = (text for text in one["texts"] if text["text"] == bar.title.text)
        assert len(numbers) == len(bar.ticktext), name
        assert title["left"] >= max(number["right"] for number in numbers) - 1, name
        assert outside(one) == [], name
        own = {*bar.ticktext, bar.title.text}
        assert [pair for pair in overlapping(one) if own & set(pair)] == [], name


def test_labels_are_filled_up_to_the_longest() -> None:
    assert equally_wide(["−0.5", "0"]) == ["−0.5", f"0{3 * FIGURE_SPACE}"]
    assert equally_wide([]) == []
