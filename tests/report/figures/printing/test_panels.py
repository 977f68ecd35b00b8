"""Panels in reading order, with their titles, by rows."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spiritlens.report.figures.printing.panels import panels_of, rows_of


def test_panels_of_subplots_have_their_titles() -> None:
    figure = make_subplots(2, 2, subplot_titles=["a", "b", "c", "d"])
    for row, column in ((2, 2), (1, 1), (2, 1), (1, 2)):
        figure.add_scatter(y=[1, 2], row=row, col=column)
    rows = rows_of(panels_of(figure))
    assert [[panel.title.text for panel in row] for row in rows] == [["a", "b"], ["c", "d"]]
    assert rows[0][0].across[1] < rows[0][1].across[0]
    assert rows[0][0].up[0] > rows[1][0].up[1]


def test_a_plain_figure_is_one_panel_and_a_table_none() -> None:
    (panel,) = panels_of(go.Figure(go.Scatter(y=[1])))
    assert (panel.across, panel.up, panel.title) == ((0.0, 1.0), (0.0, 1.0), None)
    assert panels_of(go.Figure(go.Table())) == ()
