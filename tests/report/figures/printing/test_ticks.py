"""As many labels as fit: every second, third … name or number, turned where they are long."""

import plotly.graph_objects as go
import pytest

from spiritlens.report.figures.printing.panels import panels_of
from spiritlens.report.figures.printing.ticks import fit_columns, fit_rows


def a_map(n_rows: int, n_columns: int) -> go.Figure:
    figure = go.Figure(go.Heatmap(z=[[0.0] * n_columns] * n_rows, x=list(range(n_columns)), y=list(range(n_rows))))
    figure.update_yaxes(tickvals=list(range(n_rows)), ticktext=[f"row {place}" for place in range(n_rows)])
    return figure.update_xaxes(tickvals=list(range(n_columns)))


@pytest.mark.parametrize(("height", "step"), [(400, 1), (200, 2), (100, 3)])
def test_names_of_rows_have_room(height: float, step: int) -> None:
    figure = a_map(24, 2)
    (panel,) = panels_of(figure)
    fit_rows(panel, 321, height)
    assert list(panel.y.tickvals) == list(range(0, 24, step)) or height / 24 * step >= 12.1
    assert list(panel.y.ticktext) == [f"row {place}" for place in panel.y.tickvals]


def test_numbers_across_are_thinned_out_and_stay_upright() -> None:
    figure = a_map(2, 80)
    (panel,) = panels_of(figure)
    fit_columns(panel, 200)
    steps = {b - a for a, b in zip(panel.x.tickvals, panel.x.tickvals[1:], strict=False)}
    assert len(steps) == 1
    assert steps.pop() * 200 / 80 >= 15
    assert panel.x.tickangle == 0


def test_long_names_across_are_turned() -> None:
    figure = a_map(2, 6).update_xaxes(ticktext=[f"receiver {place}" for place in range(6)])
    (panel,) = panels_of(figure)
    taken = fit_columns(panel, 150)
    assert panel.x.tickangle == -90
    assert len(panel.x.ticktext) == 6
    assert taken > 40
    fit_columns(panel, 900)
    assert panel.x.tickangle == 0
