"""Notes among the data: across where they fit, turned where only that fits, left out where they would meet another."""

import plotly.graph_objects as go
import pytest

from spiritlens.report.figures.printing.notes import fit_cells, fit_notes
from spiritlens.report.figures.printing.panels import panels_of


def boxes(n: int) -> go.Figure:
    figure = go.Figure()
    for place in range(n):
        figure.add_scatter(x=[place, place + 1, place + 1, place, place], y=[0, 0, 1, 1, 0], fill="toself")
        figure.add_annotation(x=place + 0.5, y=0.5, text="word", showarrow=False)
    return figure.update_xaxes(range=[0, n])


@pytest.mark.parametrize(("width", "angles"), [(400, [0] * 10), (200, [-90] * 10), (100, [-90] * 5)])
def test_notes_that_fit(width: float, angles: list[int]) -> None:
    figure = boxes(10)
    (panel,) = panels_of(figure)
    notes = fit_notes(figure, panel, width, 40, None)
    assert len(notes) >= len(angles) - 1
    assert {note.textangle for note in notes} == set(angles)
    assert len(notes) < 10 or width >= 200


def test_none_is_turned_that_is_longer_than_the_panel_is_high() -> None:
    figure = boxes(10)
    (panel,) = panels_of(figure)
    assert fit_notes(figure, panel, 200, 15, None) == []


def test_texts_in_cells_are_cut_or_left_out() -> None:
    for width, shown in ((400, "Paris"), (120, "Pa…"), (40, None)):
        figure = go.Figure(go.Heatmap(z=[[1, 2, 3]], text=[["Paris"] * 3], texttemplate="%{text}"))
        (panel,) = panels_of(figure)
        fit_cells(panel, width)
        (trace,) = figure.data
        assert (trace.texttemplate is None) == (shown is None)
        if shown:
            assert trace.text[0][0].startswith(shown[:2])
