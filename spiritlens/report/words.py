"""Words of figures and pages: modalities, components, what was run, what a colour means.

What comes from a dataset (names of components, words of a user's metric) is escaped here, where it enters a caption.
Colours and marks: `spiritlens.report.figures.look`; words of metrics: `spiritlens.effects.metric_words`; numbers and
plurals: `spiritlens.report.numerals`.
"""

import html
import json

import xarray as xr

from spiritlens.components import COMPONENT_NAMED, CUT_ATTENTION
from spiritlens.effects.intervals import FEWEST_CLUSTERS
from spiritlens.effects.metric_words import words_of
from spiritlens.effects.schema import Status, window_of

MODALITY_WORDS = {"T2T": "written", "S2T": "spoken", "mixed": "partly spoken"}

QUANTITY_WORDS = {
    "indirect": {"denoising": "indirect effect", "noising": "loss by noising"},
    "normalised": {"denoising": "indirect effect ÷ total effect", "noising": "loss by noising ÷ total effect"},
}
COLOUR_WORDS = {
    "indirect": {"denoising": "indirect effect", "noising": "loss by noising"},
    "normalised": {"denoising": "share of the total effect", "noising": "share of the total effect"},
}
"""What stands beside a colour bar."""
DIRECTION_WORDS = {
    "denoising": "denoising: restored in the corrupted run",
    "noising": "noising: corrupted in the clean run",
}

AGAINST_WORDS = {
    "foil": "logit of the answer − logit of the foil",
    "nothing": "logit of the answer",
    "mean": "logit of the answer − mean logit of all tokens",
}
"""What a direct logit attribution adds up to, by the setting ``against``."""

STATUS_WORDS = {
    Status.MEASURED: "measured",
    Status.EXACT: "exact: the patch changes nothing, not run",
    Status.SCREENED: "screened out: not run",
    Status.ABSENT: "absent: no such place",
}
"""How a cell came by its value, in hovers; what stands before the colon names its mark in the legend."""


def setting(dataset: xr.Dataset, name: str) -> str:
    """A setting of the call that made a dataset (`config_json`), as a text; "" where it was not written down."""
    found = json.loads(str(dataset.attrs.get("config_json") or "{}")).get(name)
    return "" if found is None else str(found)


def component_words(component: str) -> str:
    """A component in words, with its TransformerLens name."""
    row = COMPONENT_NAMED.get(component)
    return f"{row.words} ({component})" if row else html.escape(component)


def metric_words(dataset: xr.Dataset, metric: str) -> str:
    """A metric in words."""
    return html.escape(words_of(dataset, metric), quote=False)


def quantity_words(dataset: xr.Dataset, quantity: str, metric: str) -> str:
    """What the colour means: ``indirect effect on the probability of the answer``."""
    words = QUANTITY_WORDS[quantity][dataset.attrs["direction"]]
    return words if quantity == "normalised" else f"{words} on the {metric_words(dataset, metric)}"


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


def window_words(effects: xr.Dataset, component: str) -> str:
    """How many layers were patched together, for components that use a window."""
    window = int(effects.attrs["window"])
    spans = [window_of(effects, component, int(layer)) for layer in effects["layer"].values]
    return f"window {window} layers" if window > 1 and any(last > first for first, last in spans) else "single layers"


def interval_words(average: xr.Dataset, mark: str) -> str:
    """What the band or bar shows; that there is none over too few subjects."""
    if not bool(average["low"].notnull().any()):
        return f"no {mark}: fewer than {FEWEST_CLUSTERS} subjects, or too few facts with any effect"
    return f"{mark}: {100 * float(average.attrs['confidence']):.0f} % interval over facts"
