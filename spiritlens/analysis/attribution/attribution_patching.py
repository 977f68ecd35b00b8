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

Axes: ``prompt component layer pos|span|role [head] sample metric``. Source: Nanda 2023 (attribution patching);
Sundararajan et al. 2017 (integrated gradients); Hanna et al. 2024 (arXiv 2403.17806) for the path along the
embeddings.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from tqdm.auto import tqdm

from spiritlens.analysis.attribution.gradients import Gradients, check_smooth, path_gradients
from spiritlens.analysis.attribution.path_integration import Completeness, starts_singular, tell_missed
from spiritlens.analysis.grid.cells import Along, CellRuns, Cells, Place, effects_of
from spiritlens.analysis.grid.each_prompt import Progress
from spiritlens.analysis.grid.given import given_draws, given_metrics, given_names, given_spans
from spiritlens.analysis.grid.results import array, model_attributes
from spiritlens.analysis.grid.sites import DEFAULT_SPANS, GridSites, grid_sites
from spiritlens.arguments import check_choice, told_keywords, whole
from spiritlens.components import HEAD_COMPONENTS, hook_name, patched_by
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
from spiritlens.runs.scoring import prompt_scorers
from spiritlens.terms import At, Direction


@told_keywords
@plain_torch
def attribution_patch(
    lens: Lens,
    prompts: Sequence[Prompt],
    contrast: Contrast,
    components: Sequence[str] = ("resid_pre", "attn_out", "mlp_out"),
    *,
    at: At = "token",
    spans: Sequence[str] = DEFAULT_SPANS,
    direction: Direction = "denoising",
    steps: int = 1,
    metrics: Sequence[str | Metric] = ("logit_difference",),
    samples: int = 1,
    seed: int = 0,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Estimate every activation patch of the components (whole, or by head: q, k, v, z) from gradients."""
    chosen = given_prompts(given_lens(lens), prompts)
    components = _given_components(components)
    metrics, spans = given_smooth_metrics(lens, chosen, metrics), given_spans(chosen, at, spans)
    steps, (samples, seed) = whole("steps", steps, at_least=1), given_draws(samples, seed)
    check_choice("direction", direction, Direction)
    check_choice("progress", progress, Progress)
    contrast = given_contrast(lens, chosen, contrast)
    others = contrasts_of(chosen, contrast)
    known = known_prompts(lens, chosen)
    config = {
        "components": list(components),
        "metrics": [metric.name for metric in metrics],
        "steps": steps,
        "spans": list(spans),
        "contrast": contrast_settings(contrast),
    }
    attributes = {
        **model_attributes(lens, seed, config),
        **contrast_attributes(contrast),
        "method": "attribution patching" if steps == 1 else f"integrated gradients, {steps} nodes",
    }
    parts: list[xr.Dataset] = []
    complete: list[Completeness] = []
    bar = tqdm(zip(chosen, others, known, strict=True), total=len(chosen), disable=progress == "none")
    for prompt, other, knows in bar:
        sites = grid_sites(prompt, at, spans)
        found = _all_gradients(lens, prompt, other, components, metrics, direction, steps, samples, seed)
        part = _dataset(
            lens.backend, prompt, knows, sites, tuple(components), tuple(metrics), direction, found, attributes
        )
        complete.append(_completeness(lens.backend, found))
        parts.append(part.assign(completeness_residual=(("prompt", "metric"), complete[-1].residual[None])))
    tell_missed(complete, chosen, [metric.name for metric in metrics], steps, lens.backend.dtype)
    return join_effects(parts)


def given_smooth_metrics(lens: Lens, prompts: Sequence[Prompt], metrics: Sequence[str | Metric]) -> tuple[Metric, ...]:
    """Metrics that have a useful gradient and by which every prompt can be scored."""
    return check_smooth(given_metrics(lens, prompts, metrics))


def _given_components(components: Sequence[str]) -> tuple[str, ...]:
    """Whole outputs, or activations by head: never both in one result."""
    names = given_names("components", components, patched_by("attribute"))
    if len({name in HEAD_COMPONENTS for name in names}) > 1:
        raise ValueError(f"components {names} mix heads and whole outputs; ask for them in two calls")
    return names


def _all_gradients(
    lens: Lens,
    prompt: Prompt,
    contrast: Prompt | Corruption,
    components: Sequence[str],
    metrics: Sequence[Metric],
    direction: Direction,
    steps: int,
    samples: int,
    seed: int,
) -> list[list[Gradients]]:
    """Gradients by continuation and noise sample."""
    model = lens.backend
    names = [hook_name(component, layer) for component in components for layer in range(model.n_layers)]
    names = list(dict.fromkeys([*names, hook_name("resid_pre", 0)]))
    found: list[list[Gradients]] = []
    for scorer in prompt_scorers(lens, prompt, metrics):
        tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=model.device)
        clean = model.embed(tokens)
        other = contrast_embeddings(lens, prompt, contrast, samples, seed, scorer.forced)
        rows = []
        for sample in range(len(other)):
            pair = (other[sample : sample + 1], clean)
            base, source = pair if direction == "denoising" else pair[::-1]
            rows.append(path_gradients(model, tokens, base, source, names, scorer, steps))
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
    model: LensModel,
    prompt: Prompt,
    known: bool,
    sites: GridSites,
    components: tuple[str, ...],
    metrics: tuple[Metric, ...],
    direction: Direction,
    found: Sequence[Sequence[Gradients]],
    attributes: dict[str, Any],
) -> xr.Dataset:
    by_head = components[0] in HEAD_COMPONENTS
    base, source = _scores(found)
    places: list[Place] = []
    values: list[np.ndarray[Any, Any]] = []
    for row, layer in np.ndindex(len(components), model.n_layers):
        moved = _attributed(found, hook_name(components[row], layer), len(metrics))
        for column, span in enumerate(sites.spans):
            if span is not None:
                total = moved[:, :, list(span.positions)].sum(2)
                for head in range(total.shape[2]) if by_head else (0,):
                    places.append((row, layer, column, head))
                    values.append(base + (total[:, :, head] if by_head else total))
    shape = (len(components), model.n_layers, len(sites.spans), model.n_heads if by_head else 1)
    clean, corrupted = (source, base) if direction == "denoising" else (base, source)
    runs = CellRuns(clean[:1], corrupted, np.stack(values).astype(np.float64), np.zeros(len(metrics)))
    along = Along(components, range(model.n_layers), metrics, direction, attributes)
    return effects_of(prompt, known, sites, Cells(tuple(places), shape, by_head), runs, along)
