"""The template is there once figures are opened, and plotly's own default stays."""

import subprocess
import sys

import plotly.graph_objects as go
import plotly.io

import spiritlens as sl
from spiritlens.report.figures.look import FONT, MODALITY_COLOURS


def test_opening_the_figures_registers_it_and_changes_no_default() -> None:
    code = (
        "import plotly.io as io, spiritlens as sl\n"
        "before = io.templates.default, 'spiritlens' in io.templates\n"
        "sl.figures.trace_map\n"
        "print(before, (io.templates.default, 'spiritlens' in io.templates))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "('plotly', False) ('plotly', True)"


def test_a_figure_of_ones_own_looks_like_ours() -> None:
    assert sl.figures.__all__
    figure = go.Figure([go.Scatter(y=[1, 2]), go.Scatter(y=[2, 1])]).update_layout(template="spiritlens")
    assert figure.layout.template.layout.font.family == FONT
    assert figure.layout.template.layout.colorway[:2] == (MODALITY_COLOURS["T2T"], MODALITY_COLOURS["S2T"])
    white = plotly.io.templates["plotly_white"]
    assert white.layout.font.family != FONT
    assert figure.layout.template.layout.plot_bgcolor == white.layout.plot_bgcolor
