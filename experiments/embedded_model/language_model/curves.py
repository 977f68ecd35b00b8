"""The training curves of the language model as one offline page."""

import json
from pathlib import Path

import plotly.graph_objects as go
from plotly.subplots import make_subplots


def write_curve_page(folder: Path) -> Path:
    """`curve.html` from `curve.json`: cross-entropy above, accuracy on held-out prompts below."""
    curve = json.loads((folder / "curve.json").read_text(encoding="utf-8"))
    losses = [point for point in curve if "text loss" in point]
    measured = [point for point in curve if "accuracy" in point]
    figure = make_subplots(
        rows=2, shared_xaxes=True, subplot_titles=["cross-entropy (nats)", "held-out prompts answered"]
    )
    for name in ("text loss", "unit loss"):
        steps = [point["step"] for point in losses]
        figure.add_trace(go.Scatter(x=steps, y=[point[name] for point in losses], name=name), row=1, col=1)
    kinds = {(kind, group) for point in measured for kind, groups in point["accuracy"].items() for group in groups}
    for kind, group in sorted(kinds):
        values = [point["accuracy"].get(kind, {}).get(group) for point in measured]
        trace = go.Scatter(x=[point["step"] for point in measured], y=values, name=f"{kind}, {group}")
        figure.add_trace(trace.update(visible=True if group in ("both", "text only") else "legendonly"), row=2, col=1)
    figure.update_xaxes(title_text="step", row=2, col=1)
    figure.update_layout(height=900, title="Training of the embedded model")
    path = folder / "curve.html"
    figure.write_html(path, include_plotlyjs=True)
    return path
