"""The dose curve: how much of the answer's probability the noise takes away, by its scale, in writing and in speech.

Noise of equal scale is no equal dose: a spoken subject has more tokens and other embeddings. Maps of two modalities are
best compared at scales where the curves reach the same height.
"""

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from spiritlens.effects.resampling import bootstrap_mean
from spiritlens.report.labels import MODALITY_COLOURS, MODALITY_DASHES, MODALITY_SYMBOLS, apply_look

KIND_OF_SUBJECT = {"text": "T2T", "speech": "S2T"}


def dose_curves(doses: xr.Dataset, target: float | None = None) -> go.Figure:
    """Mean normalised total effect over prompts at each multiple of the default scale, with its interval.

    `doses` is what `dose_curve` returns; `target` draws the height at which two doses are matched.
    """
    figure = go.Figure()
    multiples, counts = doses["multiple"].values.astype(float), []
    for modality in dict.fromkeys(doses["subject_modality"].values.tolist()):
        chosen = doses.isel(prompt=doses["subject_modality"].values == modality)
        values = chosen["normalised_total_effect"].transpose("prompt", "multiple").values
        mean, low, high = bootstrap_mean(values, chosen["prompt_id"].values)
        scales = chosen["scale"].sel(modality=modality).values
        kind = KIND_OF_SUBJECT.get(str(modality), "mixed")
        counts.append(f"{modality} n = {len(values)} prompts")
        above, below = np.nan_to_num(high - mean), np.nan_to_num(mean - low)
        bars = {"type": "data", "array": above, "arrayminus": below, "width": 3}
        figure.add_trace(
            go.Scatter(
                x=multiples,
                y=mean,
                name=f"subject in {modality}",
                mode="lines+markers",
                error_y=bars,
                customdata=scales,
                line={"color": MODALITY_COLOURS[kind], "dash": MODALITY_DASHES[kind]},
                marker={"symbol": MODALITY_SYMBOLS[kind], "size": 8},
                hovertemplate="%{x:g} × default (scale %{customdata:.4g}): %{y:.3f}",
            )
        )
    if target is not None:
        figure.add_hline(y=target, line={"dash": "dot"}, annotation_text=f"target {target:.2f}")
    axis = "log" if (multiples > 0).all() else "linear"
    figure.update_xaxes(title_text="noise scale ÷ default scale of the modality", type=axis)
    figure.update_xaxes(tickmode="array", tickvals=multiples, ticktext=[f"{multiple:g}" for multiple in multiples])
    figure.update_yaxes(title_text="normalised total effect", rangemode="tozero")
    law = doses.attrs.get("noise_law", "noise")
    share = f"share of the clean probability that {law} noise on the subject takes away"
    subtitle = f"{share} · 95 % intervals · {', '.join(counts)}"
    return apply_look(figure, "Dose of the corruption", subtitle, height=430)
