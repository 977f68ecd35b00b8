"""The dose curve: how much of the answer's probability the noise takes away, by its scale, in writing and in speech.

Noise of equal scale is no equal dose: a spoken subject has more tokens and other embeddings. Maps of two modalities are
best compared at scales where the curves reach the same height. Facts weigh equally (prompts of one fact are averaged),
and intervals are over subjects, as everywhere (`spiritlens.effects.intervals`).
"""

from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from spiritlens.arguments import number, told_keywords
from spiritlens.effects.given import given_dataset
from spiritlens.effects.intervals import cluster_interval
from spiritlens.effects.measures import DOSES_SCHEMA, check_doses
from spiritlens.effects.statistics import fact_names, subject_names
from spiritlens.report.figures.look import MODALITY_COLOURS, MODALITY_DASHES, MODALITY_SYMBOLS, apply_look
from spiritlens.report.numerals import interval_of, number_words, several

KIND_OF_SUBJECT = {"text": "T2T", "speech": "S2T"}


@told_keywords
def dose_curves(doses: xr.Dataset, target: float | None = None) -> go.Figure:
    """Mean normalised total effect over facts at each multiple of the default scale, with its interval.

    `doses` is what `dose_curve` returns; `target` draws the height at which two doses are matched. Over fewer
    than six subjects there is no interval. Raises ValueError for what is no result of `dose_curve`.
    """
    doses = check_doses(given_dataset(doses, DOSES_SCHEMA, "doses"))
    target = None if target is None else number("target", target, above=0, below=1)
    figure = go.Figure()
    multiples, counts = doses["multiple"].values.astype(float), []
    for modality in dict.fromkeys(doses["subject_modality"].values.tolist()):
        values, subjects = _by_fact(doses.isel(prompt=doses["subject_modality"].values == modality))
        found = cluster_interval(values, subjects)
        mean, low, high = found.mean, found.low, found.high
        scales = doses["scale"].sel(modality=modality).values
        kind = KIND_OF_SUBJECT.get(str(modality), "mixed")
        counts.append(f"{modality} n = {several(len(values), 'fact')}")
        bars = {"type": "data", "array": high - mean, "arrayminus": mean - low, "width": 3}
        figure.add_trace(
            go.Scatter(
                x=multiples,
                y=mean,
                name=f"subject in {modality}",
                mode="lines+markers",
                error_y=None if np.isnan(low).all() else bars,
                text=[
                    f"{number_words(multiple)} × default (scale {number_words(scale)}): {interval_of(*ends)}"
                    for multiple, scale, *ends in zip(multiples, scales, mean, low, high, strict=True)
                ],
                line={"color": MODALITY_COLOURS[kind], "dash": MODALITY_DASHES[kind]},
                marker={"symbol": MODALITY_SYMBOLS[kind], "size": 8},
                hovertemplate="%{text}",
            )
        )
    if target is not None:
        figure.add_hline(y=target, line={"dash": "dot"}, annotation_text=f"target {number_words(target)}")
    axis = "log" if (multiples > 0).all() else "linear"
    figure.update_xaxes(title_text="noise scale ÷ default scale of the modality", type=axis)
    figure.update_xaxes(tickmode="array", tickvals=multiples, ticktext=[*map(number_words, multiples)])
    figure.update_yaxes(title_text="normalised total effect", rangemode="tozero")
    law = doses.attrs.get("noise_law", "noise")
    share = f"share of the clean probability that {law} noise on the subject takes away"
    drawn = any(trace.error_y.array is not None for trace in figure.data)
    subtitle = f"{share}{' · bars: 95 % intervals over facts' if drawn else ''} · {', '.join(counts)}"
    return apply_look(figure, "Dose of the corruption", subtitle, height=430)


def _by_fact(doses: xr.Dataset) -> tuple[Any, Any]:
    """Mean over the prompts (voices, phrasings) of each fact [fact multiple], and each fact's subject."""
    values = doses["normalised_total_effect"].transpose("prompt", "multiple").values
    names, subjects = fact_names(doses), subject_names(doses)
    facts = list(dict.fromkeys(names.tolist()))
    means = np.stack([values[names == fact].mean(axis=0) for fact in facts])
    return means, subjects[[names.tolist().index(fact) for fact in facts]]
