"""Words, colours and the common look of all figures.

Colours: T2T blue and S2T vermilion (Okabe & Ito's palette, told apart by all common forms of colour blindness; markers
and dashes differ too). Effects use a diverging scale, blue below 0 and red above, always symmetric about 0, so that
white is "nothing happened" and a suppressor is seen as one. Cells that were not run are grey and hatched; cells that
are exact without a run carry a small ring.
"""

import html
from typing import Any

import plotly.graph_objects as go
import xarray as xr

from spiritlens.arguments import shown
from spiritlens.effects.given import given_traces

MODALITY_COLOURS = {"T2T": "#0072B2", "S2T": "#D55E00", "mixed": "#009E73"}
MODALITY_DASHES = {"T2T": "solid", "S2T": "dash", "mixed": "dot"}
MODALITY_SYMBOLS = {"T2T": "circle", "S2T": "diamond", "mixed": "square"}
MODALITY_WORDS = {"T2T": "told in writing", "S2T": "told in speech", "mixed": "text and speech mixed"}

DIVERGING = [[0.0, "#2166AC"], [0.25, "#92C5DE"], [0.5, "#FFFFFF"], [0.75, "#F4A582"], [1.0, "#B2182B"]]
NOT_RUN = "#E3E5E8"
FONT = "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
LINE = 110
INK = "#22303C"
QUIET = "#5B6770"

COMPONENT_WORDS = {
    "embed": "token embedding",
    "resid_pre": "residual stream into the block",
    "resid_mid": "residual stream after attention",
    "resid_post": "residual stream out of the block",
    "attn_out": "attention output",
    "mlp_out": "MLP output",
    "q": "queries",
    "k": "keys",
    "v": "values",
    "z": "head output",
}
WINDOWED = ("mlp_out", "attn_out", "attention")
"""Components that are patched (or cut) in a window of layers."""
METRIC_WORDS = {
    "probability": "probability of the answer",
    "log_probability": "log-probability of the answer",
    "logit": "logit of the answer",
    "logit_difference": "logit of the answer − logit of the foil",
    "log_probability_difference": "log-probability of the answer − that of the foil",
    "rank": "rank of the answer",
    "kl": "KL divergence from the clean run",
    "leaked_mass": "probability of tokens that are not text",
    "text_probability": "probability of the answer among text tokens",
    "text_log_probability": "log-probability of the answer among text tokens",
    "text_rank": "rank of the answer among text tokens",
    "text_kl": "KL divergence from the clean run over text tokens",
}
QUANTITY_WORDS = {
    "indirect": {"denoising": "indirect effect", "noising": "loss by noising"},
    "normalised": {"denoising": "indirect effect ÷ total effect", "noising": "loss by noising ÷ total effect"},
}
DIRECTION_WORDS = {
    "denoising": "denoising: restored in the corrupted run",
    "noising": "noising: corrupted in the clean run",
}


def component_words(component: str) -> str:
    """A component in words, with its TransformerLens name."""
    words = COMPONENT_WORDS.get(component)
    return f"{words} ({component})" if words else html.escape(component)


def metric_words(metric: str) -> str:
    """A metric in words; unknown names with spaces for underscores."""
    return METRIC_WORDS.get(metric, metric.replace("_", " "))


def quantity_words(quantity: str, direction: str, metric: str) -> str:
    """What the colour means: ``indirect effect on the probability of the answer``."""
    words = QUANTITY_WORDS[quantity][direction]
    return words if quantity == "normalised" else f"{words} on the {metric_words(metric)}"


def method_words(effects: xr.Dataset) -> str:
    """What was run. Tracing names no method, and an attention knock-out is known by its component."""
    traced = "attention knock-out" if effects["component"].values.tolist() == ["attention"] else "causal tracing"
    return str(effects.attrs.get("method", "")) or traced


def patching_words(effects: xr.Dataset) -> str:
    """What was run and in which direction, for subtitles: an estimate must not be read as a patch."""
    return f"{html.escape(method_words(effects))} · {DIRECTION_WORDS[effects.attrs['direction']]}"


def site_words(effects: xr.Dataset) -> str:
    """What a row of an average is: sites patched together, or single ones, averaged afterwards."""
    at = effects.attrs["at"]
    if at in ("token", "word"):
        return f"single {at}s, averaged within a role"
    return f"{at}s {'restored' if effects.attrs['direction'] == 'denoising' else 'patched'} together"


def without_heads(effects: Any) -> xr.Dataset:
    """The effects of whole components; a dataset with heads is refused."""
    found = given_traces(effects)
    if "head" in found.dims:
        raise ValueError("this dataset has heads; choose one with effects.isel(head=...) first")
    return found


def window_words(effects: xr.Dataset, component: str) -> str:
    """How many layers were patched together, for components that use a window."""
    window = int(effects.attrs["window"])
    return f"window {window} layers" if component in WINDOWED and window > 1 else "single layers"


def choose(effects: xr.Dataset, axis: str, wanted: str | None) -> str:
    """The wanted component or metric, by default the first; an unknown one is refused with the choices."""
    names = [str(name) for name in effects[axis].values]
    if wanted is None:
        return names[0]
    if not isinstance(wanted, str) or wanted not in names:
        raise ValueError(f"{axis}={shown(wanted)} was not traced; choose from {', '.join(names)}")
    return wanted


def apply_look(figure: go.Figure, title: str, subtitle: str, *, height: int) -> go.Figure:
    """The common look: quiet axes, readable fonts, title and subtitle at the left.

    The subtitle breaks at its dots where it would be wider than a page; `height` grows with its lines.
    """
    lines = _lines(subtitle)
    height += 16 * (len(lines) - 1)
    figure.update_layout(
        template="plotly_white",
        title={
            **{"text": f"{title}<br><sup>{'<br>'.join(lines)}</sup>", "font": {"size": 16, "color": INK}},
            **{"x": 0, "xref": "container", "xanchor": "left", "pad": {"l": 10}},
            **{"y": 1 - 18 / height, "yref": "container", "yanchor": "top"},
        },
        font={"family": FONT, "size": 13, "color": INK},
        height=height,
        margin={"l": 10, "r": 10, "t": 82 + 16 * len(lines), "b": 50},
        hoverlabel={"align": "left", "font": {"size": 13}},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
    )
    figure.update_xaxes(automargin=True, title_standoff=8, title_font={"size": 13})
    figure.update_yaxes(automargin=True, title_standoff=8, title_font={"size": 13})
    return figure


def _lines(subtitle: str) -> list[str]:
    """The subtitle in lines of at most LINE letters, broken at its dots."""
    lines = [""]
    for piece in subtitle.split(" · "):
        longer = f"{lines[-1]} · {piece}" if lines[-1] else piece
        lines = [*lines[:-1], longer] if len(longer) <= LINE else [*lines, piece]
    return [line for line in lines if line]


def layer_ticks(layers: Any) -> dict[str, Any]:
    """Tick settings for a layer axis: whole numbers, at most about a dozen of them."""
    values = [int(layer) for layer in layers]
    step = max(1, -(-len(values) // 12))
    return {"tickmode": "array", "tickvals": values[::step], "title_text": "layer", "zeroline": False}
