"""A spoken prompt over time: waveform, words and units under each other, on one axis of seconds.

Units keep the times that deduplication would lose, so the width of a box is how long the unit lasted. The subject's
words and units are drawn darker.
"""

import html
from typing import TYPE_CHECKING, Literal

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spiritlens.report.labels import INK, MODALITY_COLOURS, QUIET, apply_look

if TYPE_CHECKING:
    from spiritlens.prompts.prompt import Prompt

ENVELOPE_POINTS = 1200
"""A waveform is drawn as the smallest and largest sample of this many slices."""

BOX = "#DCE6EF"
SUBJECT_BOX = "#F2C7A8"


UnitLabels = Literal["shown", "on hovering"]
"""Whether unit ids are written into their boxes; on narrow screens they would cover each other."""


def speech(prompt: "Prompt", *, unit_labels: UnitLabels = "shown") -> go.Figure:
    """Waveform (where the prompt carries it), words and units of a spoken prompt over time in seconds."""
    timed = [place for place, start in enumerate(prompt.starts) if not np.isnan(start)]
    if not timed:
        raise ValueError(f"prompt {prompt.id} ({prompt.kind}) has no spoken part: build one with lens.speak(...)")
    figure = make_subplots(3, 1, shared_xaxes=True, row_heights=[0.5, 0.25, 0.25], vertical_spacing=0.04)
    if prompt.waveform is not None:
        _add_waveform(figure, prompt.waveform.samples, prompt.waveform.rate)
    subject = set(prompt.subject.positions)
    words = sorted({prompt.word_index[place] for place in timed if prompt.word_index[place] >= 0})
    for index in words:
        places = [place for place in timed if prompt.word_index[place] == index]
        interval = min(prompt.starts[place] for place in places), max(prompt.ends[place] for place in places)
        _add_box(figure, 2, interval, prompt.words[index], subject=bool(subject & set(places)))
    for place in timed:
        label = prompt.labels[place]
        interval = prompt.starts[place], prompt.ends[place]
        _add_box(figure, 3, interval, label, subject=place in subject, labelled=unit_labels == "shown")
    for row, name in ((1, "waveform"), (2, "words"), (3, "units")):
        figure.update_yaxes(title_text=name, showticklabels=False, showgrid=False, zeroline=False, row=row, col=1)
    figure.update_yaxes(range=[0, 1], row=2, col=1)
    figure.update_yaxes(range=[0, 1], row=3, col=1)
    figure.update_xaxes(title_text="seconds", row=3, col=1, range=[0, _duration(prompt, timed)])
    spoken = " ".join(html.escape(prompt.words[index]) for index in words)
    voice = f"voice {html.escape(prompt.voice)} · " if prompt.voice else ""
    return apply_look(figure, f"Spoken: “{spoken}”", f"{voice}{len(timed)} units · subject in orange", height=360)


def _duration(prompt: "Prompt", timed: list[int]) -> float:
    last = max(prompt.ends[place] for place in timed)
    return max(last, prompt.waveform.duration) if prompt.waveform is not None else last


def _add_waveform(figure: go.Figure, samples: np.ndarray, rate: int) -> None:
    """The envelope: smallest and largest sample of each slice, as one closed outline."""
    width = max(1, len(samples) // ENVELOPE_POINTS)
    slices = samples[: len(samples) // width * width].reshape(-1, width)
    time = (np.arange(len(slices)) + 0.5) * width / rate
    low, high = slices.min(axis=1), slices.max(axis=1)
    outline = go.Scatter(
        x=np.round(np.concatenate([time, time[::-1]]), 4),
        y=np.round(np.concatenate([high, low[::-1]]), 3),
        fill="toself",
        mode="lines",
        line={"width": 0.5, "color": MODALITY_COLOURS["T2T"]},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_trace(outline, row=1, col=1)


def _add_box(
    figure: go.Figure,
    row: int,
    interval: tuple[float, float],
    label: str,
    *,
    subject: bool,
    labelled: bool = True,
) -> None:
    """A box from start to end, its label inside where `labelled`; the times on hovering."""
    start, end = interval
    shown = label.strip("[]").removeprefix("Hu") if row == 3 else label
    box = go.Scatter(
        x=[start, end, end, start, start],
        y=[0, 0, 1, 1, 0],
        fill="toself",
        mode="lines",
        line={"width": 1, "color": QUIET},
        fillcolor=SUBJECT_BOX if subject else BOX,
        hoveron="fills",
        text=f"{html.escape(label)}: {start:.2f}–{end:.2f} s",
        hoverinfo="text",
        showlegend=False,
    )
    figure.add_trace(box, row=row, col=1)
    if not labelled:
        return
    vertical = row == 3 and end - start < 0.07
    figure.add_annotation(
        x=(start + end) / 2,
        y=0.5,
        text=html.escape(shown),
        showarrow=False,
        font={"size": 11 if row == 3 else 13, "color": INK},
        textangle=-90 if vertical else 0,
        row=row,
        col=1,
    )
