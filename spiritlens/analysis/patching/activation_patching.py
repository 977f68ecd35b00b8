"""Activation patching: put an activation of one run into another and see what it carries.

1. *Clean run*: the prompt; its answer is what every metric scores. *Corrupted run*: its counterfactual (another
   prompt) or a corruption.
2. direction="denoising": the corrupted run gets clean activations (what suffices); "noising": the clean run gets
   corrupted ones (what is necessary).
3. The values may come from yet another prompt, the *donor*: the same fact in the other modality (cross-modal), a
   control. Prompts of different length meet through their words (`spiritlens.analysis.patching.donors`), by a named
   pooling rule.
4. `back_patch` takes them from another layer: a late state put in early tells whether it is read too late.

    effects = sl.activation_patch(lens, prompts, others, sl.Grid(("z",), at="role", heads="each"))
    crossed = sl.activation_patch(lens, spoken, sl.Noise(), donors=sl.Donors(written, pooling="last"))

Components: ``resid_pre resid_mid resid_post attn_out mlp_out`` and, by head, ``q k v z pattern result`` (k, v:
key-value heads; ``result``, a head's output z · W_O, is patched through z, with equal values; ``pattern``: rows of
the site's queries, equal lengths).

Axes: ``prompt component layer pos|span|role [head] sample metric``; sites are those of the run that is patched.
Signs: denoising effect = metric(patched) − metric(corrupted), noising effect = metric(clean) − metric(patched), times
the metric's sign.

Source: Zhang & Nanda 2023 (arXiv 2309.16042); Heimersheim & Nanda 2024 (arXiv 2404.15255).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr

from spiritlens.analysis.grid.each_prompt import Advance, Work, each_prompt
from spiritlens.analysis.grid.given import given_scored, given_spans
from spiritlens.analysis.grid.grid import DEFAULT_COMPONENTS, Draws, Grid, drawn, given_grid
from spiritlens.analysis.grid.results import metric_settings, model_attributes
from spiritlens.analysis.patching.donors import Donors, Transfer, given_donors
from spiritlens.analysis.patching.grid import PatchGrid, PatchSettings, patch_grid
from spiritlens.analysis.patching.one_prompt import PatchTask, patch_prompt
from spiritlens.arguments import told_keywords
from spiritlens.components import hook_name, patched_by
from spiritlens.effects.schema import CANARIES
from spiritlens.effects.shards import RunFolder
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.subject_key import subject_key
from spiritlens.runs.answers import knows
from spiritlens.runs.corruptions.contrasts import (
    Contrast,
    contrast_attributes,
    contrast_settings,
    contrasts_of,
    given_contrast,
)
from spiritlens.runs.metrics import Metric
from spiritlens.runs.side_by_side import processes_of
from spiritlens.terms import Progress

DEFAULT_METRICS = ("probability", "logit_difference")
BACK_SPANS = ("subject", "last token")
"""Where `back_patch` looks when it is not told: a state per source layer and layer is many."""


@told_keywords
@plain_torch
def activation_patch(
    lens: Lens,
    prompts: Sequence[Prompt],
    contrast: Contrast,
    grid: Grid | Sequence[str] | None = None,
    metrics: Sequence[str | Metric] = DEFAULT_METRICS,
    *,
    donors: Donors | Sequence[Prompt] | None = None,
    samples: int | Draws = 1,
    folder: str | Path | RunFolder | None = None,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Patch every component, layer, site (and head) between the clean and the corrupted run of each prompt.

    `contrast`: one counterfactual prompt per prompt, or a corruption. `grid`: a `Grid` (heads together and single
    layers where it says nothing), or the names of its components. `donors`: `Donors`, or one prompt per prompt from
    whose clean run the values are taken (None: the clean prompts, or with direction="noising" the corrupted runs).
    `folder` keeps each finished prompt, and the same call goes on where it stopped.

    Returns an effects dataset ``[prompt component layer site (head) sample metric]``. Raises ValueError for prompts
    without subject or answer, a contrast or donors that do not fit them, and fields of a grid that patching does not
    know.
    """
    asked = patch_grid(given_grid(grid, DEFAULT_COMPONENTS, ("at", "spans", "heads", "window", "direction")))
    chosen = given_prompts(given_lens(lens), prompts)
    found = given_donors(donors)
    if found.layers is not None:
        raise ValueError(f"donors have layers={found.layers}: every layer gets its own values here; use back_patch")
    call = _given(lens, chosen, contrast, asked, metrics, found, samples)
    attributes = _attributes(call)

    def measure(place: int, advance: Advance) -> xr.Dataset:
        known = knows(lens, call.asked[place].prompt)
        return patch_prompt(lens, call.asked[place], call.settings, known=known, attributes=attributes)

    work = Work(call.prompts, measure, attributes, "patching", settings=call.within, processes=processes_of(lens))
    return each_prompt(work, folder=folder, progress=progress)


@told_keywords
@plain_torch
def back_patch(
    lens: Lens,
    prompts: Sequence[Prompt],
    contrast: Contrast,
    grid: Grid | Sequence[str] | None = None,
    metrics: Sequence[str | Metric] = DEFAULT_METRICS,
    *,
    donors: Donors | Sequence[Prompt] | None = None,
    samples: int | Draws = 1,
    folder: str | Path | RunFolder | None = None,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Patch values of every source layer into every layer.

    `grid` names the one component that is moved (None: resid_pre); without a `Grid`, it is moved at the subject and at
    the last token. ``donors.layers`` are the source layers (None: all). The rest is as in `activation_patch`.

    Returns an effects dataset ``[prompt component layer site sample metric]`` whose component ``resid_pre from 5``
    holds the cells whose value is layer 5's. Raises ValueError as `activation_patch` does, for more than one component,
    and for one that belongs to its own layer (pattern, result).
    """
    named = given_grid(grid, ("resid_pre",), ("at", "spans", "direction"))
    asked = patch_grid(named if isinstance(grid, Grid) else replace(named, at="span", spans=BACK_SPANS))
    component = _moved_component(asked)
    chosen = given_prompts(given_lens(lens), prompts)
    found = given_donors(donors)
    layers = _source_layers(found, lens.backend.n_layers)
    call = _given(lens, chosen, contrast, asked, metrics, found, samples)
    attributes = _attributes(call, {"source_layers": layers})

    def measure(place: int, advance: Advance) -> xr.Dataset:
        known = knows(lens, call.asked[place].prompt)
        parts = []
        for layer in layers:
            moved = replace(call.settings.transfer, source_hook=hook_name(component, layer))
            settings = replace(call.settings, transfer=moved)
            part = patch_prompt(lens, call.asked[place], settings, known=known, attributes=attributes)
            parts.append(part.assign_coords(component=[f"{component} from {layer}"]))
            advance(1 / len(layers))
        joined = xr.concat(
            parts, dim="component", data_vars="minimal", coords="minimal", compat="override", join="override"
        )
        canaries = {name: np.fmax.reduce([part[name].values for part in parts]) for name in CANARIES}
        return joined.assign({name: (("prompt", "metric"), found) for name, found in canaries.items()})

    work = Work(call.prompts, measure, attributes, "back-patching", settings=call.within, processes=processes_of(lens))
    return each_prompt(work, folder=folder, progress=progress)


@dataclass(frozen=True, eq=False)
class _Call:
    """What a call was given: each prompt with its contrast and its donor, and the settings."""

    lens: Lens
    asked: tuple[PatchTask, ...]
    contrast: Contrast
    settings: PatchSettings

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        return tuple(each.prompt for each in self.asked)

    @property
    def within(self) -> dict[str, str | int]:
        """What decides the numbers beside the attributes that are written for every method."""
        grid = self.settings.grid
        return {"samples": self.settings.draws.samples, "at": grid.at, "direction": grid.direction}


def _given(
    lens: Lens,
    prompts: tuple[Prompt, ...],
    contrast: Contrast,
    grid: PatchGrid,
    metrics: Sequence[str | Metric],
    donors: Donors,
    samples: int | Draws,
) -> _Call:
    """The call with its contrast, donors, spans and metrics checked; the model runs for missing foils only."""
    draws, contrast = drawn(samples), given_contrast(lens, prompts, contrast)
    given = donors.each(lens, prompts)
    patched = contrast if grid.direction == "denoising" and isinstance(contrast, Sequence) else prompts
    given_spans(patched, grid.at, grid.spans)
    prompts, scored = given_scored(lens, prompts, metrics)
    transfer = Transfer(donors.pooling, donors.control, seed=draws.seed)
    asked = map(PatchTask, prompts, contrasts_of(prompts, contrast), given)
    return _Call(lens, tuple(asked), contrast, PatchSettings(grid, scored, draws, transfer))


def _moved_component(grid: PatchGrid) -> str:
    """The one component of a grid, which can stand in another layer."""
    if len(grid.components) != 1:
        raise ValueError(f"components {grid.components}: back-patching moves one component; give it alone")
    (component,) = grid.components
    if component not in patched_by("sweep"):
        raise ValueError(
            f"component={component!r} cannot be moved between layers: a pattern belongs to its layer's keys, and a "
            "result would pass through the W_O of the layer that it is put into; back-patch q, k, v, z, attn_out or "
            "the residual stream"
        )
    return component


def _source_layers(donors: Donors, n_layers: int) -> tuple[int, ...]:
    """The donors' layers, all of the model's where none are named."""
    layers = tuple(range(n_layers)) if donors.layers is None else tuple(donors.layers)
    beyond = [layer for layer in layers if layer >= n_layers]
    if beyond:
        raise ValueError(f"layers {layers}: the model has {n_layers}, of which the last is {n_layers - 1}")
    return layers


def _donated(asked: Sequence[PatchTask]) -> dict[str, list[str]]:
    """Who gave to whom, in words, each once; nothing where values are of the prompt's own runs."""
    pairs = [(each.prompt, each.donor) for each in asked if each.donor is not None]
    told = [
        f"{donor.kind} to {prompt.kind}, of {'the same' if subject_key(donor) == subject_key(prompt) else 'another'} "
        "subject"
        for prompt, donor in pairs
    ]
    return {"donated": list(dict.fromkeys(told))} if told else {}


def _attributes(call: _Call, more: Mapping[str, Sequence[int]] | None = None) -> dict[str, str | int | float]:
    """Global attributes of the result: what was done, with which model, and every setting as JSON."""
    lens, grid, transfer = call.lens, call.settings.grid, call.settings.transfer
    config = {
        "components": grid.components,
        "spans": grid.spans if grid.at == "span" else [],
        "heads": grid.heads,
        "pooling": transfer.pooling,
        "control": transfer.control,
        **metric_settings(call.settings.metrics),
        "contrast": contrast_settings(call.contrast),
        "donors": [each.donor.id for each in call.asked if each.donor is not None] or None,
        **_donated(call.asked),
        **(more or {}),
    }
    return {
        **model_attributes(lens, call.settings.draws.seed, config),
        **contrast_attributes(call.contrast),
        "window": grid.window,
        "window_layers": json.dumps(grid.window_layers(lens.backend.n_layers)),
        "method": "activation patching",
    }
