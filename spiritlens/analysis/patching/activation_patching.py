"""Activation patching: put an activation of one run into another and see what it carries.

1. *Clean run*: the prompt; its answer is what every metric scores. *Corrupted run*: its counterfactual (another
   prompt) or a corruption.
2. direction="denoising": the corrupted run gets clean activations (what suffices); "noising": the clean run gets
   corrupted ones (what is necessary).
3. The values may come from yet another prompt, the *donor*: the same fact in the other modality (cross-modal), a
   control. Prompts of different length meet through their words (`spiritlens.analysis.patching.donors`), by a named
   pooling rule.
4. `back_patch` takes them from another layer: a late state put in early tells whether it is read too late.

Components: ``resid_pre resid_mid resid_post attn_out mlp_out`` and, by head, ``q k v z pattern result`` (k, v:
key-value heads; ``result``, a head's output z · W_O, is patched through z, with equal values; ``pattern``: rows of
the site's queries, equal lengths).

Axes: ``prompt component layer pos|span|role [head] sample metric``; sites are those of the run that is patched.
Signs: denoising effect = metric(patched) − metric(corrupted), noising effect = metric(clean) − metric(patched), times
the metric's sign.

Source: Zhang & Nanda 2023 (arXiv 2309.16042); Heimersheim & Nanda 2024 (arXiv 2404.15255).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from tqdm.auto import tqdm

from spiritlens.analysis.grid.cells import Along, CellRuns, effects_of
from spiritlens.analysis.grid.each_prompt import Progress
from spiritlens.analysis.grid.given import given_donors, given_draws, given_metrics, given_names, given_spans
from spiritlens.analysis.grid.results import array, model_attributes
from spiritlens.analysis.grid.sites import DEFAULT_SPANS, GridSites, grid_sites
from spiritlens.analysis.patching.donors import Control, Pooling, other_facts
from spiritlens.analysis.patching.grid import (
    PATCHED_COMPONENTS,
    Heads,
    PatchCells,
    PatchSettings,
    given_source_layers,
    grid_cells,
)
from spiritlens.analysis.patching.patch_values import PatchValues, RunSpec, alignable, patch_values
from spiritlens.arguments import check_choice, listed, told_keywords, whole
from spiritlens.components import patched_by
from spiritlens.effects.joining import join_effects
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.models.protocol import LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.answers import known_prompts
from spiritlens.runs.corruptions.contrasts import (
    Contrast,
    contrast_attributes,
    contrast_embeddings,
    contrast_settings,
    contrasts_of,
    given_contrast,
)
from spiritlens.runs.corruptions.corruption import Corruption
from spiritlens.runs.metrics import Metric
from spiritlens.runs.scoring import Scorer, prompt_scorers
from spiritlens.runs.sweep.recorded import record
from spiritlens.runs.sweep.sweep import resolved_memory_budget
from spiritlens.terms import At, Direction


@told_keywords
@plain_torch
def activation_patch(
    lens: Lens,
    prompts: Sequence[Prompt],
    contrast: Contrast,
    components: Sequence[str] = ("resid_pre", "attn_out", "mlp_out"),
    *,
    donors: Sequence[Prompt] | None = None,
    at: At = "token",
    spans: Sequence[str] = DEFAULT_SPANS,
    heads: Heads = "together",
    direction: Direction = "denoising",
    window: int = 1,
    pooling: Pooling = "position",
    control: Control = "none",
    metrics: Sequence[str | Metric] = ("probability", "logit_difference"),
    samples: int = 1,
    seed: int = 0,
    memory_budget: int | None = None,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Patch every component, layer, site (and head) between the clean and the corrupted run of each prompt.

    `contrast`: one counterfactual prompt per prompt, or a corruption. `donors` (None: the clean prompts, or with
    direction="noising" the corrupted runs): one prompt per prompt from whose clean run the values are taken.
    """
    chosen = given_prompts(given_lens(lens), prompts)
    settings = PatchSettings(
        given_names("components", components, PATCHED_COMPONENTS),
        at,
        listed("spans", spans, of=str, empty=True),
        heads,
        direction,
        whole("window", window, at_least=1),
        pooling,
        control,
        given_metrics(lens, chosen, metrics),
        *given_draws(samples, seed),
        memory_budget=resolved_memory_budget(lens.backend.device, memory_budget),
    )
    return _patched(_given(lens, chosen, contrast, donors, settings), progress)


@told_keywords
@plain_torch
def back_patch(
    lens: Lens,
    prompts: Sequence[Prompt],
    contrast: Contrast,
    component: str = "resid_pre",
    *,
    donors: Sequence[Prompt] | None = None,
    source_layers: Sequence[int] | None = None,
    at: At = "span",
    spans: Sequence[str] = ("subject", "last token"),
    direction: Direction = "denoising",
    pooling: Pooling = "position",
    metrics: Sequence[str | Metric] = ("probability", "logit_difference"),
    samples: int = 1,
    seed: int = 0,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Patch values of every source layer into every layer: component ``resid_pre from 5`` holds the cells whose value
    is layer 5's."""
    chosen = given_prompts(given_lens(lens), prompts)
    layers = given_source_layers(source_layers, lens.backend.n_layers)
    (component,) = given_names("component", [component], PATCHED_COMPONENTS)
    if component not in patched_by("sweep"):
        raise ValueError(
            f"component={component!r} cannot be moved between layers: a pattern belongs to its layer's keys, and a "
            "result would pass through the W_O of the layer that it is put into; back-patch q, k, v, z, attn_out or "
            "the residual stream"
        )
    names = given_metrics(lens, chosen, metrics), listed("spans", spans, of=str, empty=True)
    settings = PatchSettings(
        (component,),
        at,
        names[1],
        "together",
        direction,
        1,
        pooling,
        "none",
        names[0],
        *given_draws(samples, seed),
        memory_budget=resolved_memory_budget(lens.backend.device),
    )
    given = _given(lens, chosen, contrast, donors, settings)
    parts = []
    for layer in layers:
        part = _patched(replace(given, settings=replace(settings, source_layer=layer)), progress)
        parts.append(part.assign_coords(component=[f"{component} from {layer}"]))
    joined = xr.concat(
        parts, dim="component", data_vars="minimal", coords="minimal", compat="override", join="override"
    )
    return joined.assign_attrs(
        config_json=json.dumps(json.loads(parts[0].attrs["config_json"]) | {"source_layers": layers})
    )


@dataclass(frozen=True, eq=False)
class _Given:
    """What a call was given: each prompt with its contrast and its donor, and the settings."""

    lens: Lens
    prompts: tuple[Prompt, ...]
    contrast: Contrast
    donors: tuple[Prompt | None, ...]
    settings: PatchSettings


def _given(
    lens: Lens,
    prompts: tuple[Prompt, ...],
    contrast: Contrast,
    donors: Iterable[Prompt] | None,
    settings: PatchSettings,
) -> _Given:
    """The call with its contrast and donors checked; nothing is run."""
    contrast = given_contrast(lens, prompts, contrast)
    found = given_donors(lens, prompts, donors)
    if settings.control == "other fact":
        found = other_facts([donor or prompt for donor, prompt in zip(found, prompts, strict=True)])
    patched = contrast if settings.direction == "denoising" and isinstance(contrast, Sequence) else prompts
    given_spans(patched, settings.at, settings.spans)
    return _Given(lens, prompts, contrast, found, settings)


def _patched(given: _Given, progress: Progress) -> xr.Dataset:
    check_choice("progress", progress, Progress)
    lens, chosen, settings = given.lens, given.prompts, given.settings
    known = known_prompts(lens, chosen)
    attributes = _attributes(lens, settings, given.contrast, given.donors)
    others = contrasts_of(chosen, given.contrast)
    parts = []
    with tqdm(total=len(chosen), desc="patching", unit="prompt", disable=progress == "none") as bar:
        for prompt, other, donor, knows in zip(chosen, others, given.donors, known, strict=True):
            parts.append(_one_prompt(lens, prompt, other, donor, settings, knows, attributes))
            bar.update(1)
    return join_effects(parts)


def _one_prompt(
    lens: Lens,
    prompt: Prompt,
    contrast: Prompt | Corruption,
    donor: Prompt | None,
    settings: PatchSettings,
    known: bool,
    attributes: dict[str, str | int | float],
) -> xr.Dataset:
    model = lens.backend
    patched_prompt = contrast if settings.direction == "denoising" and isinstance(contrast, Prompt) else prompt
    sites = grid_sites(patched_prompt, settings.at, settings.spans)
    parts = prompt_scorers(lens, prompt, settings.metrics)
    cells: PatchCells | None = None
    totals: list[PatchValues] = []
    both: list[tuple[torch.Tensor, torch.Tensor]] = []
    for scorer in parts:
        clean, corrupted = _specs(lens, prompt, contrast, settings, scorer)
        base, source = (corrupted, clean) if settings.direction == "denoising" else (clean, corrupted)
        source = source if donor is None else RunSpec(donor)
        if cells is None:
            reached = alignable(base, source, settings.transfer)
            cells = grid_cells(model, settings, sites, reached)
        found = _values(model, base, source, clean, cells, scorer, settings)
        totals.append(found)
        if settings.direction == "denoising":
            both.append((found.clean, found.base))
        elif donor is None:
            both.append((found.clean, found.source))
        else:
            scored = scorer.with_clean(_logits(model, clean, scorer))
            both.append((found.clean, scored(_logits(model, corrupted, scorer))))
    if cells is None:
        raise ValueError(f"prompt {prompt.id} has nothing to score")
    return _dataset(prompt, known, sites, settings, cells, totals, both, attributes)


def _specs(
    lens: Lens, prompt: Prompt, contrast: Prompt | Corruption, settings: PatchSettings, scorer: Scorer
) -> tuple[RunSpec, RunSpec]:
    """The clean and the corrupted run."""
    if isinstance(contrast, Prompt):
        return RunSpec(prompt), RunSpec(contrast)
    embeddings = contrast_embeddings(lens, prompt, contrast, settings.samples, settings.seed, scorer.forced)
    return RunSpec(prompt), RunSpec(prompt, embeddings)


def _values(
    model: LensModel,
    base: RunSpec,
    source: RunSpec,
    clean: RunSpec,
    cells: PatchCells,
    scorer: Scorer,
    settings: PatchSettings,
) -> PatchValues:
    """The cells' values; the clean run is one of the two where it can be, else it is run by itself."""
    named: Literal["base", "source"] = "base" if base is clean else "source"
    return patch_values(
        model,
        base,
        source,
        cells.patches,
        scorer,
        clean=named if clean in (base, source) else _logits(model, clean, scorer),
        transfer=settings.transfer,
        memory_budget=settings.memory_budget,
    )


@torch.no_grad()
def _logits(model: LensModel, spec: RunSpec, scorer: Scorer) -> torch.Tensor:
    """Logits ``[sample readout d_vocab]`` of a run as it is."""
    return record(model, spec.tokens(scorer.forced, model.device), spec.embeddings, [], scorer.n_readouts).logits


def _dataset(
    prompt: Prompt,
    known: bool,
    sites: GridSites,
    settings: PatchSettings,
    cells: PatchCells,
    totals: Sequence[PatchValues],
    both: Sequence[tuple[torch.Tensor, torch.Tensor]],
    attributes: dict[str, str | int | float],
) -> xr.Dataset:
    """The prompt's effects, continuations of answer and foil added up."""
    values = array(sum((total.values for total in totals[1:]), totals[0].values))
    clean, corrupted = (array(sum((pair[side] for pair in both[1:]), both[0][side])) for side in (0, 1))
    samples = max(values.shape[1], len(corrupted))  # a donor's one value in the clean run stands in every sample
    runs = CellRuns(
        clean[:1],
        np.broadcast_to(corrupted, (samples, corrupted.shape[-1])),
        np.broadcast_to(values, (len(values), samples, values.shape[-1])),
        array(sum((total.noise_floor for total in totals[1:]), totals[0].noise_floor)),
        exact=frozenset.intersection(*(total.unmoved for total in totals)),
    )
    along = Along(settings.components, range(cells.shape[1]), settings.metrics, settings.direction, attributes)
    return effects_of(prompt, known, sites, cells, runs, along)


def _attributes(
    lens: Lens, settings: PatchSettings, contrast: Contrast, donors: Sequence[Prompt | None]
) -> dict[str, Any]:
    n_layers = lens.backend.n_layers
    windows = {
        name: {
            str(layer): [settings.layers(name, layer, n_layers)[0], settings.layers(name, layer, n_layers)[-1]]
            for layer in range(n_layers)
        }
        for name in settings.components
    }
    config = {
        "components": settings.components,
        "spans": settings.spans if settings.at == "span" else [],
        "heads": settings.heads,
        "pooling": settings.pooling,
        "control": settings.control,
        "metrics": [metric.name for metric in settings.metrics],
        "contrast": contrast_settings(contrast),
        "donors": [donor.id for donor in donors if donor is not None] or None,
        "memory_budget": settings.memory_budget,
    }
    return {
        **model_attributes(lens, settings.seed, config),
        **contrast_attributes(contrast),
        "window": settings.window,
        "window_layers": json.dumps(windows),
        "method": "activation patching",
    }
