"""The maps of the four cells of knowing, as figures of a study's page."""

import html

import plotly.graph_objects as go

from spiritlens.report.figures.role_maps import role_maps
from spiritlens.studies.cells import FourCells

HEADINGS = {
    "both": "facts known in both modalities",
    "text only": "facts known in writing only",
    "speech only": "facts known in speech only",
    "neither": "facts known in neither modality",
}


def cell_figures(cells: FourCells) -> tuple[go.Figure, ...]:
    """One figure a traced cell; none where all that was traced is of one cell, whose maps the page shows already."""
    traced = [(cell, cell.averages) for cell in cells.cells if cell.averages is not None]
    if len(traced) < 2:
        return ()
    figures = []
    for cell, averages in traced:
        figure = role_maps(averages)
        counts = " and ".join(f"{count} {kind}" for kind, count in cell.traced.items() if count)
        heading = html.escape(f"{counts} prompts of {HEADINGS[cell.name]}")
        figure.layout.title.text = f"{heading}<br>{figure.layout.title.text.partition('<br>')[2]}"
        figures.append(figure)
    return tuple(figures)
