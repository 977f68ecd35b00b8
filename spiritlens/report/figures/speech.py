"""A spoken prompt over time: waveform, words and units under each other, on one axis of seconds.

Units keep the times that deduplication would lose, so the width of a box is how long the unit lasted; tokens of other
streams (pitch, style) are not drawn. The subject's words and units are drawn darker. Where a prompt has several spoken
segments, whose times begin at 0 each, they follow each other.
"""

import html
from typing import Literal

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spiritlens.arguments import check_choice, shown, told_keywords
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spoken_parts import spoken_segments
from spiritlens.prompts.spoken_seconds import seconds_of
from spiritlens.report.figures.look import INK, MODALITY_COLOURS, QUIET, apply_look

ENVELOPE_POINTS = 1200
"""A waveform is drawn as the smallest and largest sample of this many slices."""

BOX = "#DCE6EF"
SUBJECT_BOX = "#F2C7A8"


UnitLabels = Literal["shown", "on hovering"]
"""Whether unit ids are written into their boxes; on narrow screens they would cover each other."""


@told_keywords
def speech(prompt: Prompt, *, unit_labels: UnitLabels = "shown") -> go.Figure:
    """Waveform (where the prompt carries it), words and units of a spoken prompt over time in seconds.

    Returns a plotly figure. Raises ValueError for a prompt without units.
    """
    if not isinstance(prompt, Prompt):
        raise ValueError(
            f"prompt={shown(prompt, 40)} ({type(prompt).__name__}): expected a Prompt, such as lens.speak(...) makes"
        )
    check_choice("unit_labels", unit_labels, UnitLabels)
    if not spoken_segments(prompt):
        raise ValueError(f"prompt {prompt.id} ({prompt.kind}) has no spoken part: build one with lens.speak(...)")
    layout = seconds_of(prompt)
    times = layout.times
    figure = make_subplots(3, 1, shared_xaxes=True, row_heights=[0.5, 0.25, 0.25], vertical_spacing=0.04)
    if prompt.waveform is not None:
        _add_waveform(figure, prompt.waveform.samples, prompt.waveform.rate, layout.sound_start)
    subject = set(prompt.subject.positions)
    words = sorted({prompt.word_index[place] for place in times if prompt.word_index[place] >= 0})
    for index in words:
        places = [place for place in times if prompt.word_index[place] == index]
        interval = min(times[place][0] for place in places), max(times[place][1] for place in places)
        _add_box(figure, 2, interval, prompt.words[index], subject=bool(subject & set(places)))
    for place, interval in times.items():
        label = prompt.labels[place]
        _add_box(figure, 3, interval, label, subject=place in subject, labelled=unit_labels == "shown")
    for row, name in ((1, "waveform"), (2, "words"), (3, "units")):
        figure.update_yaxes(title_text=name, showticklabels=False, showgrid=False, zeroline=False, row=row, col=1)
    figure.update_yaxes(range=[0, 1], row=2, col=1)
    figure.update_yaxes(range=[0, 1], row=3, col=1)
    figure.update_xaxes(title_text="seconds", row=3, col=1, range=[0, layout.duration])
    spoken = " ".join(html.escape(prompt.words[index]) for index in words)
    voice = f"voice {html.escape(prompt.voice)} · " if prompt.voice else ""
    return apply_look(figure, f"Spoken: “{spoken}”", f"{voice}{len(times)} units · subject in orange", height=360)


def _add_waveform(figure: go.Figure, samples: np.ndarray, rate: int, start: float) -> None:
    """The envelope: smallest and largest sample of each slice, as one closed outline from `start` (seconds)."""
    width = max(1, len(samples) // ENVELOPE_POINTS)
    slices = samples[: len(samples) // width * width].reshape(-1, width)
    time = start + (np.arange(len(slices)) + 0.5) * width / rate
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
