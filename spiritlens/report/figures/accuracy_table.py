"""A table of how many facts the model knows, by group and modality."""

import plotly.graph_objects as go

from spiritlens.arguments import told_keywords
from spiritlens.report.figures.look import INK, apply_look
from spiritlens.report.tables import Accuracy, as_frame, shown


@told_keywords
def accuracy_table(accuracy: Accuracy) -> go.Figure:
    """The accuracy table as a figure, for a REPL or notebook (the page shows it as a real table).

    Returns a plotly figure. Raises ValueError for an empty table.
    """
    table = shown(as_frame(accuracy))
    cells = {"values": [table[name].tolist() for name in table.columns], "align": "left", "height": 26}
    header = {"values": [f"<b>{name}</b>" for name in table.columns], "align": "left", "fill_color": "#E9EEF3"}
    figure = go.Figure(go.Table(header={**header, "font": {"color": INK}}, cells={**cells, "fill_color": "#FFFFFF"}))
    return apply_look(
        figure, "Which facts the model knows", "share of facts answered rightly", height=190 + 28 * len(table)
    )
