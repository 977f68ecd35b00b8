"""Words, colours and the common look of all figures.

Colours: T2T blue and S2T vermilion (Okabe & Ito's palette, told apart by all common forms of colour blindness; markers
and dashes differ too). Effects use a diverging scale, blue below 0 and red above, always symmetric about 0, so that
white is "nothing happened" and a suppressor is seen as one. Cells that were not run are grey and hatched; cells that
are exact without a run carry a small ring.
"""

import html
from typing import Any

import xarray as xr

from spiritlens.arguments import shown
from spiritlens.components import BY_NAME, CUT_ATTENTION, WINDOWED
from spiritlens.effects.given import given_traces

MODALITY_WORDS = {"T2T": "told in writing", "S2T": "told in speech", "mixed": "text and speech mixed"}


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
    row = BY_NAME.get(component)
    return f"{row.words} ({component})" if row else html.escape(component)


def metric_words(metric: str) -> str:
    """A metric in words; unknown names with spaces for underscores."""
    return METRIC_WORDS.get(metric, metric.replace("_", " "))


def quantity_words(quantity: str, direction: str, metric: str) -> str:
    """What the colour means: ``indirect effect on the probability of the answer``."""
    words = QUANTITY_WORDS[quantity][direction]
    return words if quantity == "normalised" else f"{words} on the {metric_words(metric)}"


def method_words(effects: xr.Dataset) -> str:
    """What was run. Tracing names no method, and an attention knock-out is known by its component."""
    traced = "attention knock-out" if effects["component"].values.tolist() == [CUT_ATTENTION] else "causal tracing"
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
    return f"window {window} layers" if component in (*WINDOWED, CUT_ATTENTION) and window > 1 else "single layers"


def choose(effects: xr.Dataset, axis: str, wanted: str | None) -> str:
    """The wanted component or metric, by default the first; an unknown one is refused with the choices."""
    names = [str(name) for name in effects[axis].values]
    if wanted is None:
        return names[0]
    if not isinstance(wanted, str) or wanted not in names:
        raise ValueError(f"{axis}={shown(wanted)} was not traced; choose from {', '.join(names)}")
    return wanted


def _interval_of(average: xr.Dataset, mark: str) -> str:
    """What the band or bar shows; that there is none over facts of a single subject."""
    if not bool(average["low"].notnull().any()):
        return f"no {mark}: a single subject"
    return f"{mark}: {100 * float(average.attrs['confidence']):.0f} % interval over facts"
