"""Words of figures and pages: modalities, components, what was run, what a colour means.

What comes from a dataset (names of components, words of a user's metric) is escaped here, where it enters a caption.
Colours and marks: `spiritlens.report.figures.look`; words of metrics: `spiritlens.effects.metric_words`; numbers and
plurals: `spiritlens.report.numerals`; what was done: `spiritlens.report.acts`.
"""

import html

import xarray as xr

from spiritlens.components import COMPONENT_NAMED
from spiritlens.effects.intervals import FEWEST_CLUSTERS
from spiritlens.effects.metric_words import words_of
from spiritlens.effects.schema import Status, window_of
from spiritlens.report.acts import act_of, act_words

MODALITY_WORDS = {"T2T": "written", "S2T": "spoken", "mixed": "partly spoken"}

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


def component_words(component: str) -> str:
    """A component in words, with its TransformerLens name."""
    row = COMPONENT_NAMED.get(component)
    return f"{row.words} ({component})" if row else html.escape(component)


def metric_words(dataset: xr.Dataset, metric: str) -> str:
    """A metric in words."""
    return html.escape(words_of(dataset, metric), quote=False)


def quantity_words(dataset: xr.Dataset, quantity: str, metric: str) -> str:
    """What the colour means: ``indirect effect on the probability of the answer``."""
    words = act_words(dataset).number(dataset.attrs["direction"])
    return f"{words} ÷ total effect" if quantity == "normalised" else f"{words} on the {metric_words(dataset, metric)}"


def colour_words(dataset: xr.Dataset, quantity: str) -> str:
    """What stands beside a colour bar."""
    if quantity == "normalised":
        return "share of the total effect"
    return act_words(dataset).number(dataset.attrs["direction"])


def method_words(effects: xr.Dataset) -> str:
    """What was run. Tracing names no method; back-patching and an attention knock-out are known by what they hold."""
    method, act = str(effects.attrs.get("method", "")), act_of(effects)
    return method if method and act != "back-patching" else act


def patching_words(effects: xr.Dataset) -> str:
    """What was run, and what happened to a cell, for subtitles: an estimate must not be read as a patch."""
    happened = act_words(effects).captioned(effects.attrs["direction"])
    return f"{html.escape(method_words(effects))} · {happened}"


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
