"""The look of our figures as a plotly template named ``spiritlens``, for figures of one's own beside ours.

    figure.update_layout(template="spiritlens")

It is registered when `sl.figures` is opened; the template that plotly uses by default stays what it was. Colours come
in the order of `MODALITY_COLOURS` (T2T, S2T, mixed); maps are white at 0, red above, blue below.
"""

import plotly.graph_objects as go
import plotly.io

from spiritlens.report.figures.look import DIVERGING, FONT, INK, MODALITY_COLOURS, QUIET

NAME = "spiritlens"


def spiritlens_template() -> go.layout.Template:
    """The template: plotly's white one with our fonts, colours and quiet axes."""
    template = go.layout.Template(plotly.io.templates["plotly_white"])
    axis = {"automargin": True, "title": {"standoff": 8, "font": {"size": 13}}, "zerolinecolor": QUIET}
    template.layout.update(
        font={"family": FONT, "size": 13, "color": INK},
        title={"x": 0, "xref": "container", "xanchor": "left", "pad": {"l": 10}, "font": {"size": 16, "color": INK}},
        colorway=[*MODALITY_COLOURS.values()],
        colorscale={"diverging": DIVERGING},
        coloraxis={"colorbar": {"thickness": 12, "outlinewidth": 0}},
        hoverlabel={"align": "left", "font": {"size": 13}},
        xaxis=axis,
        yaxis=axis,
    )
    return template


def register_template() -> None:
    """Name the template in `plotly.io.templates`."""
    plotly.io.templates[NAME] = spiritlens_template()
