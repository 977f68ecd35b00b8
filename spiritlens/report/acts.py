"""What was done to a model's run, in words: by which method, with whose values, and how a cell of it is read.

An effects dataset says so by its direction, its ``method`` and the settings of its call (`config_json`): the same map
of numbers is another claim when values were restored, brought from another prompt, taken from another layer, estimated,
or taken away. Captions, texts of sections and the methods paragraph are made of these words.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

import xarray as xr

from spiritlens.components import CUT_ATTENTION
from spiritlens.report.numerals import several
from spiritlens.terms import Direction

Act = Literal[
    "causal tracing",
    "activation patching",
    "back-patching",
    "attribution patching",
    "head knock-out",
    "attention knock-out",
]
"""What was done. attribution patching: an estimate from gradients, along one step or several (integrated gradients)."""


@dataclass(frozen=True)
class ActWords:
    """How an act is told: its `heading`; what happens to a cell, by direction (for captions); what its number is (for
    colour bars); and how a cell is read (for texts)."""

    heading: str
    denoising: str
    noising: str
    gain: str
    loss: str
    reading: str

    def captioned(self, direction: Direction) -> str:
        """What happens to a cell, in a caption."""
        return self.denoising if direction == "denoising" else self.noising

    def number(self, direction: Direction) -> str:
        """What the number of a cell is."""
        return self.gain if direction == "denoising" else self.loss


RESTORED = "denoising: restored in the corrupted run"
CORRUPTED = "noising: corrupted in the clean run"
PUT_IN = "Each cell puts one place of one run into another. Red: more of the answer; blue: less."

ACTS: dict[Act, ActWords] = {
    "causal tracing": ActWords(
        "Causal tracing",
        RESTORED,
        CORRUPTED,
        "indirect effect",
        "loss by noising",
        "",
    ),
    "activation patching": ActWords(
        "Activation patching",
        "denoising: put into the corrupted run",
        "noising: put into the clean run",
        "indirect effect",
        "loss by noising",
        PUT_IN,
    ),
    "back-patching": ActWords(
        "Back-patching",
        "denoising: another layer's values put into the corrupted run",
        "noising: another layer's values put into the clean run",
        "indirect effect",
        "loss by noising",
        "Each cell puts the values of one layer, which its panel names, into the layer of its column. Red: more of the "
        "answer; blue: less.",
    ),
    "attribution patching": ActWords(
        "Attribution patching",
        "denoising: estimated from gradients, nothing was patched",
        "noising: estimated from gradients, nothing was patched",
        "estimated indirect effect",
        "estimated loss by noising",
        "Each cell estimates, to first order, what patching it would do; nothing was patched. Red: more of the answer; "
        "blue: less.",
    ),
    "head knock-out": ActWords(
        "Head knock-out",
        "a head's output taken away",
        "a head's output taken away from the clean run",
        "loss by the knock-out",
        "loss by the knock-out",
        "Each cell takes one head's output away at the named place. Red loses the answer, so the head was needed; blue "
        "makes it likelier.",
    ),
    "attention knock-out": ActWords(
        "Attention knock-out",
        "attention cut",
        "attention cut in the clean run",
        "loss by the cut",
        "loss by the cut",
        "Each row is an edge, keys → queries: in the layers around a column the queries cannot look at the keys. Red "
        "loses the answer, so the edge carried something; blue makes it likelier.",
    ),
}
"""The words of each act."""

TRACED = {
    "denoising": "Each cell restores one place of the clean run inside the corrupted one. Red brings the answer back, "
    "blue drives it further away.",
    "noising": "Each cell corrupts one place of the clean run. Red loses the answer, blue makes it likelier.",
}
MARKED = (
    "No colour: nothing changes; full colour is the total effect. Rings: exactly nothing, without a run. Slashes: "
    "screened out, not run. Plain grey: no such place."
)

POOLED = {
    "position": "token by token",
    "last": "the last token of each donor word",
    "mean": "the mean over each donor word",
    "broadcast": "spread over each word in proportion",
    "norm_matched": "the mean over each donor word, at this prompt's norm",
}
"""How a donor's values come to a prompt, by the setting ``pooling``."""
CONTROLS = {
    "other word": "as a control of another word of the donor",
    "other fact": "as a control of the same role in another fact",
    "noise": "as a control Gaussian noise of the donor's norm",
}
STAND_INS = {
    "zero": "put to 0",
    "mean": "replaced by its mean over tokens of the same role in reference prompts",
    "resample": "replaced by its value at a token of the same role in a reference prompt, drawn for each sample",
}
"""What stands in for a head's output, by the setting ``kind``."""


def act_of(effects: xr.Dataset) -> Act:
    """Which act a dataset of effects (or its averages) is of."""
    method = str(effects.attrs.get("method", ""))
    if method.startswith("head knock-out"):
        return "head knock-out"
    if "source_layers" in settings_of(effects):
        return "back-patching"
    if method.startswith(("attribution patching", "integrated gradients")):
        return "attribution patching"
    if method == "activation patching":
        return "activation patching"
    return "attention knock-out" if effects["component"].values.tolist() == [CUT_ATTENTION] else "causal tracing"


def act_words(effects: xr.Dataset) -> ActWords:
    """The words of the act that a dataset is of."""
    return ACTS[act_of(effects)]


def settings_of(dataset: xr.Dataset) -> dict[str, Any]:
    """The settings of the call that made a dataset; none where it wrote none."""
    found = json.loads(str(dataset.attrs.get("config_json") or "{}"))
    return found if isinstance(found, dict) else {}


def reading_words(effects: xr.Dataset) -> str:
    """How a cell of a map is read, and what its marks are."""
    return f"{act_words(effects).reading or TRACED[effects.attrs['direction']]} {MARKED}"


def done_words(effects: xr.Dataset) -> str:
    """What was done, with whose values, as the end of a sentence: ``values of its own clean run were put in …``."""
    act, settings, direction = act_of(effects), settings_of(effects), effects.attrs["direction"]
    if act == "causal tracing":
        run, into = ("clean", "corrupted") if direction == "denoising" else ("corrupted", "clean")
        return f"values of each prompt's own {run} run were put into its {into} run"
    if act == "attribution patching":
        return "effects were estimated from gradients, and nothing was patched"
    if act == "head knock-out":
        count = len(settings.get("reference") or [])
        of_whom = f" ({several(count, 'reference prompt')})" if count else ""
        return f"a head's output was {STAND_INS.get(str(settings.get('kind')), 'taken away')}{of_whom}"
    if act == "attention knock-out":
        edges = ", ".join(map(str, settings.get("edges", [])))
        return f"queries could not look at keys{f' ({edges})' if edges else ''}, the rest of each row renormalised"
    return _put_in(settings, direction)


def _put_in(settings: dict[str, Any], direction: Direction) -> str:
    """Whose values patching put in, how they were pooled, from which layers."""
    donors, control = settings.get("donors"), str(settings.get("control", "none"))
    into = "corrupted" if direction == "denoising" else "clean"
    if donors:
        whose = ", ".join(settings.get("donated") or []) or several(len(set(donors)), "donor prompt")
        pooled = POOLED.get(str(settings.get("pooling")), str(settings.get("pooling")))
        start = f"values of the clean run of another prompt ({whose}; {pooled})"
    else:
        own = "clean" if direction == "denoising" else "corrupted"
        start = f"values of each prompt's own {own} run"
    layers = settings.get("source_layers")
    taken = f", taken from {'layer' if len(layers) == 1 else 'layers'} {_listed(layers)}," if layers else ""
    controlled = f", {CONTROLS[control]}," if control in CONTROLS else ""
    return f"{start}{taken}{controlled} were put into the {into} run".replace(",, ", ", ")


def _listed(layers: list[int]) -> str:
    """Layers by number; runs of three or more by their ends."""
    runs: list[list[int]] = []
    for layer in layers:
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    told = [f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return ", ".join(told)
