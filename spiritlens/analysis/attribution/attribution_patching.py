"""Attribution patching: every activation patch at once, to first order, from one gradient.

The effect of putting the source run's activation a' into the base run is estimated as

    metric(patched) − metric(base)  ≈  Σ (a' − a) · ∂ metric / ∂ a,

with the gradient of the *base* run (direction="denoising": the corrupted one, towards clean). With steps > 1 the
gradient is the mean over ``steps`` runs whose token embeddings lie between base and source (integrated gradients along
the embeddings), at the nodes of `spiritlens.analysis.attribution.path_integration`. Along that path the embeddings' own
attributions add up to metric(source) − metric(base); what they are off by is stored as ``completeness_residual
[prompt metric]``, and more than 1 % of the total effect is told by a warning. Noise needs about 10 steps for that,
knock-outs 50 to 200. Attributions of later activations need not add up.

Result: an effects dataset whose ``restored`` is metric(base) + attribution, so that every statistic reads it as it
reads exact patching. An estimate: it misses saturation and what only works together. Products are accumulated in
float32 or better.

`relevance_patch` multiplies the same differences with RelP's gradients (`spiritlens.runs.backward`), which are those of
a linear model: norms and patterns are constants, gated products are halved. They are taken at the *clean* run in both
directions, for a corrupted run's patterns and norms are not those that a restored value meets. It costs the same, two
forward passes and one backward, and says nothing of queries and keys.

Axes: ``prompt component layer pos|span|role [head] sample metric``. Source: Nanda 2023 (attribution patching);
Sundararajan et al. 2017 (integrated gradients); Hanna et al. 2024 (arXiv 2403.17806) for the path along the
embeddings; Jafari et al. 2025 (arXiv 2508.21258, relevance patching).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from spiritlens.analysis.attribution.gradients import Gradients, path_gradients
from spiritlens.analysis.attribution.path_integration import Completeness, starts_singular, tell_missed
from spiritlens.analysis.grid.cells import Along, CellRuns, Cells, Place, effects_of
from spiritlens.analysis.grid.each_prompt import Advance, Work, each_prompt
from spiritlens.analysis.grid.given import given_names, given_scored, given_spans
from spiritlens.analysis.grid.grid import DEFAULT_COMPONENTS, Draws, Grid, drawn, given_grid
from spiritlens.analysis.grid.results import array, metric_settings, model_attributes
from spiritlens.analysis.grid.sites import grid_sites
from spiritlens.arguments import told_keywords, whole
from spiritlens.components import HEAD_COMPONENTS, hook_name, patched_by
from spiritlens.effects.shards import RunFolder
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.models.protocol import LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.answers import knows
from spiritlens.runs.backward import check_read
from spiritlens.runs.corruptions.contrasts import (
    Contrast,
    contrast_attributes,
    contrast_embeddings,
    contrast_settings,
    contrasts_of,
    given_contrast,
)
from spiritlens.runs.corruptions.corruption import Corruption
from spiritlens.runs.metrics import METRICS, Metric, given_metrics
from spiritlens.runs.scoring import prompt_scorers
from spiritlens.terms import BackwardRule, Progress

BY_HEAD = tuple(name for name in patched_by("attribute") if name in HEAD_COMPONENTS)


@told_keywords
@plain_torch
def attribution_patch(
    lens: Lens,
    prompts: Sequence[Prompt],
    contrast: Contrast,
    grid: Grid | Sequence[str] | None = None,
    metrics: Sequence[str | Metric] = ("logit_difference",),
    *,
    steps: int = 1,
    samples: int | Draws = 1,
    folder: str | Path | RunFolder | None = None,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Estimate every activation patch of the grid from gradients.

    `contrast`: one counterfactual prompt per prompt, or a corruption. `grid`: a `Grid`, or the names of its components:
    whole outputs, or activations of heads (q, k, v, z), which are told apart unless it says heads="together". `steps`:
    the nodes of the path whose gradients are averaged (1: the base run). `folder` keeps each finished prompt, and the
    same call goes on where it stopped.

    Returns an effects dataset ``[prompt component layer site (head) sample metric]`` with ``completeness_residual
    [prompt metric]``. Raises ValueError for prompts without subject or answer, metrics without a useful gradient, a
    contrast of another length, heads and whole outputs side by side, and fields of a grid that it does not know.
    """
    chosen, scored = given_smooth_metrics(lens, given_prompts(given_lens(lens), prompts), metrics)
    steps, draws = whole("steps", steps, at_least=1), drawn(samples)
    settings = AttributionSettings(attributed_grid(given_grid(grid, DEFAULT_COMPONENTS, GRID)), scored, draws, steps)
    return _estimated(lens, chosen, contrast, settings, folder, progress)


@told_keywords
@plain_torch
def relevance_patch(
    lens: Lens,
    prompts: Sequence[Prompt],
    contrast: Contrast,
    grid: Grid | Sequence[str] | None = None,
    metrics: Sequence[str | Metric] = ("logit_difference",),
    *,
    samples: int | Draws = 1,
    folder: str | Path | RunFolder | None = None,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Estimate every activation patch of the grid by RelP: one backward pass of the model made linear at the clean run.

    The arguments are those of `attribution_patch`; there are no steps.

    Returns an effects dataset ``[prompt component layer site (head) sample metric]``. Raises ValueError for what
    `attribution_patch` would refuse, and for queries and keys, which the rule holds constant. Source: arXiv 2508.21258.
    """
    chosen, scored = given_smooth_metrics(lens, given_prompts(given_lens(lens), prompts), metrics)
    asked = attributed_grid(given_grid(grid, DEFAULT_COMPONENTS, GRID))
    check_read("relp", asked.components)
    return _estimated(
        lens, chosen, contrast, AttributionSettings(asked, scored, drawn(samples), 1, "relp"), folder, progress
    )


GRID = ("at", "spans", "heads", "direction")
"""Fields of a grid, besides its components, that attribution reads."""


def _estimated(
    lens: Lens,
    chosen: tuple[Prompt, ...],
    contrast: Contrast,
    settings: "AttributionSettings",
    folder: str | Path | RunFolder | None,
    progress: Progress,
) -> xr.Dataset:
    """The estimates of all prompts, with what the embeddings' attributions miss."""
    asked, scored, draws, steps = settings.grid, settings.metrics, settings.draws, settings.steps
    contrast = given_contrast(lens, chosen, contrast)
    given_spans(chosen, asked.at, asked.spans)
    others = contrasts_of(chosen, contrast)
    attributes = _attributes(lens, contrast, settings)
    told: list[tuple[Prompt, Completeness]] = []

    def measure(place: int, advance: Advance) -> xr.Dataset:
        found = _all_gradients(lens, chosen[place], others[place], settings)
        complete = _completeness(lens.backend, found)
        told.append((chosen[place], complete))
        part = _dataset(lens, chosen[place], settings, found, attributes)
        return part.assign(completeness_residual=(("prompt", "metric"), complete.residual[None]))

    within = {"samples": draws.samples, "at": asked.at, "direction": asked.direction}
    work = Work(chosen, measure, attributes, "attribution", settings=within)
    effects = each_prompt(work, folder=folder, progress=progress)
    names = [metric.name for metric in scored]
    if settings.rule == "gradient":
        tell_missed([each for _, each in told], [prompt for prompt, _ in told], names, steps, lens.backend.dtype)
    return effects


@dataclass(frozen=True)
class AttributedGrid(Grid):
    """A grid of whole outputs, or of heads, which are told apart or summed."""

    components: tuple[str, ...] = DEFAULT_COMPONENTS

    def __post_init__(self) -> None:
        super().__post_init__()
        heads = [name for name in self.components if name in HEAD_COMPONENTS]
        if self.heads == "each" and len(heads) < len(self.components):
            raise ValueError(f"heads='each' goes with {', '.join(BY_HEAD)}; found {self.components}")
        if self.heads is None and 0 < len(heads) < len(self.components):
            raise ValueError(
                f"components {self.components} mix heads and whole outputs; ask for them in two calls, or with "
                "heads='together'"
            )

    @property
    def by_head(self) -> bool:
        """Whether the result has a head axis."""
        return self.heads != "together" and self.components[0] in HEAD_COMPONENTS


def attributed_grid(asked: Grid) -> AttributedGrid:
    """The grid with its components checked."""
    components = given_names("components", asked.components or (), patched_by("attribute"))
    return AttributedGrid(components, at=asked.at, spans=asked.spans, heads=asked.heads, direction=asked.direction)


@dataclass(frozen=True)
class AttributionSettings:
    """What decides the numbers, prompts apart."""

    grid: AttributedGrid
    metrics: tuple[Metric, ...]
    draws: Draws
    steps: int
    rule: BackwardRule = "gradient"


def given_smooth_metrics(
    lens: Lens, prompts: Sequence[Prompt], metrics: Sequence[str | Metric]
) -> tuple[tuple[Prompt, ...], tuple[Metric, ...]]:
    """Prompts, with foils where they need them, and metrics that have a useful gradient and score them all."""
    found = given_metrics(metrics)
    rough = [metric.name for metric in found if not metric.smooth]
    if rough:
        smooth = ", ".join(metric.name for metric in METRICS if metric.smooth)
        raise ValueError(f"metric {rough[0]!r} has no useful gradient; use {smooth}")
    return given_scored(lens, prompts, found)


def _attributes(lens: Lens, contrast: Contrast, settings: AttributionSettings) -> dict[str, str | int | float]:
    """Global attributes of the result: what was done, with which model, and every setting as JSON."""
    grid = settings.grid
    config = {
        "components": list(grid.components),
        **({} if grid.heads is None else {"heads": grid.heads}),
        **metric_settings(settings.metrics),
        "steps": settings.steps,
        **({} if settings.rule == "gradient" else {"rule": settings.rule}),
        "spans": list(grid.spans),
        "contrast": contrast_settings(contrast),
    }
    return {
        **model_attributes(lens, settings.draws.seed, config),
        **contrast_attributes(contrast),
        "method": _method(settings),
    }


def _method(settings: AttributionSettings) -> str:
    if settings.rule == "relp":
        return "relevance patching (RelP)"
    return "attribution patching" if settings.steps == 1 else f"integrated gradients, {settings.steps} nodes"


def _all_gradients(
    lens: Lens, prompt: Prompt, contrast: Prompt | Corruption, settings: AttributionSettings
) -> list[list[Gradients]]:
    """Gradients by continuation and noise sample."""
    model, grid, draws = lens.backend, settings.grid, settings.draws
    names = [hook_name(component, layer) for component in grid.components for layer in range(model.n_layers)]
    names = list(dict.fromkeys([*names, hook_name("resid_pre", 0)]))
    found: list[list[Gradients]] = []
    for scorer in prompt_scorers(lens, prompt, settings.metrics):
        tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=model.device)
        clean = model.embed(tokens)
        other = contrast_embeddings(lens, prompt, contrast, draws.samples, draws.seed, scorer.forced)
        rows = []
        for sample in range(len(other)):
            pair = (other[sample : sample + 1], clean)
            base, source = pair if grid.direction == "denoising" else pair[::-1]
            relp_at = clean if settings.rule == "relp" else None
            rows.append(path_gradients(model, tokens, base, source, names, scorer, settings.steps, relp_at))
        found.append(rows)
    return found


def _scores(found: Sequence[Sequence[Gradients]]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Scores ``[sample metric]`` of the base and of the source run, summed over continuations."""
    base = [[array(row.base_score) for row in rows] for rows in found]
    source = [[array(row.source_score) for row in rows] for rows in found]
    return np.sum(base, axis=0), np.sum(source, axis=0)


def _attributed(found: Sequence[Sequence[Gradients]], name: str, n_metrics: int) -> np.ndarray[Any, Any]:
    """Attributions ``[sample metric pos (head)]`` of one activation, summed over continuations."""
    each = [
        [
            np.sum([array(rows[sample].attribution(name, metric)) for rows in found], axis=0)
            for metric in range(n_metrics)
        ]
        for sample in range(len(found[0]))
    ]
    return np.array(each)


def _completeness(model: LensModel, found: Sequence[Sequence[Gradients]]) -> Completeness:
    """How the embeddings' attributions compare with the total effect, averaged over samples."""
    entry, (base, source) = hook_name("resid_pre", 0), _scores(found)
    embedded = np.zeros_like(base, dtype=np.float64)
    for rows in found:
        for sample, metric in np.ndindex(*base.shape):
            embedded[sample, metric] += float(rows[sample].attribution(entry, metric).sum())
    singular = any(starts_singular(model, row.base[entry], row.source[entry]) for rows in found for row in rows)
    total, size = (source - base).mean(0), np.maximum(np.abs(source), np.abs(base)).max(0)
    return Completeness((embedded - (source - base)).mean(0), total, size, singular)


def _dataset(
    lens: Lens,
    prompt: Prompt,
    settings: AttributionSettings,
    found: Sequence[Sequence[Gradients]],
    attributes: Mapping[str, str | int | float],
) -> xr.Dataset:
    """The prompt's effects: base score plus attribution in every cell."""
    grid, metrics, layers = settings.grid, settings.metrics, range(lens.backend.n_layers)
    sites = grid_sites(prompt, grid.at, grid.spans)
    base, source = _scores(found)
    places: list[Place] = []
    values: list[np.ndarray[Any, Any]] = []
    for row, layer in np.ndindex(len(grid.components), len(layers)):
        moved = _by_head(_attributed(found, hook_name(grid.components[row], layer), len(metrics)), grid)
        for column, span in enumerate(sites.spans):
            if span is not None:
                total = moved[:, :, list(span.positions)].sum(2)
                for head in range(total.shape[2]):
                    places.append((row, layer, column, head))
                    values.append(base + total[:, :, head])
    shape = (len(grid.components), len(layers), len(sites.spans), lens.backend.n_heads if grid.by_head else 1)
    clean, corrupted = (source, base) if grid.direction == "denoising" else (base, source)
    runs = CellRuns(clean[:1], corrupted, np.stack(values).astype(np.float64), np.zeros(len(metrics)))
    along = Along(grid.components, layers, metrics, grid.direction, attributes)
    known = knows(lens, prompt)
    return effects_of(prompt, known, sites, Cells(tuple(places), shape, grid.by_head), runs, along)


def _by_head(moved: np.ndarray[Any, Any], grid: AttributedGrid) -> np.ndarray[Any, Any]:
    """Attributions ``[sample metric pos head]``, with one head where the grid has none; heads together are summed."""
    if grid.by_head:
        return moved
    return (moved.sum(3) if moved.ndim > 3 else moved)[..., None]
