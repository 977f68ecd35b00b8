"""Fast screens: attribution patching as a first look at a grid, and the choice of the cells that are run exactly.

First-order estimate of a cell's effect, from one forward and one backward pass of the base run per noise sample,

    estimate = Σ over patched positions, layers, entries of (source − base) · d metric / d activation, at the base run,

averaged over samples, times the metric's sign (noising: minus). The gradient is that of the *base* run (denoising: the
corrupted one); gradients of the clean run rank far worse. An estimate is no measurement: `first_look` prints how it
agrees with exact cells of a sample, and `causal_trace(..., screen=0.1)` runs the cells that it chooses exactly.

Source: Nanda 2023, "Attribution patching"; Kramár et al. 2024 (arXiv 2403.00745) on its failures.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spiritlens.analysis.grid.given import given_scored
from spiritlens.analysis.grid.grid import Draws, Grid
from spiritlens.analysis.tracing.one_prompt import cells_of, trace_prompt
from spiritlens.analysis.tracing.settings import TraceSettings, check_screenable, given_trace_settings
from spiritlens.arguments import told_keywords, whole
from spiritlens.components import hook_name
from spiritlens.effects.quantities import indirect
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.corruption import Corruption
from spiritlens.runs.metrics import Metric
from spiritlens.runs.scoring import Scorer, prompt_scorers
from spiritlens.runs.sweep.full_length import read_names
from spiritlens.runs.sweep.plan import Program
from spiritlens.runs.sweep.recorded import record, replaced_embeddings


@plain_torch
def attribution_patching(lens: Lens, prompt: Prompt, settings: TraceSettings) -> np.ndarray[Any, Any]:
    """Estimated effects ``[component layer site head]`` on the first metric of the settings; NaN where no cell is.

    The head axis has length 1 where there are no heads.
    """
    check_screenable(settings)
    metric = settings.metrics[0]
    cells = cells_of(settings.grid, settings.sites(prompt))
    sign = metric.sign * (1 if settings.grid.direction == "denoising" else -1)
    estimates = np.full(cells.shape, np.nan)
    for index in cells.places:
        estimates[index] = 0.0
    for scorer in prompt_scorers(lens, prompt, [metric]):  # answer and foil may be two continuations, which add up
        terms = _terms(lens, prompt, settings, read_names(cells.programs)["source"], scorer)
        for index, program in zip(cells.places, cells.programs, strict=True):
            estimates[index] += sign * _of_program(program, terms)
    return estimates


def _terms(
    lens: Lens, prompt: Prompt, settings: TraceSettings, names: Sequence[str], scorer: Scorer
) -> dict[str, Tensor]:
    """By hook name, what each position (and head) adds to the metric under one continuation."""
    model = lens.backend
    tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=model.device)
    embeddings = settings.corrupted(lens, prompt, scorer.forced)
    clean = record(model, tokens, None, names, scorer.n_readouts)
    corrupted = record(model, tokens, embeddings, names, scorer.n_readouts)
    base, source = (corrupted, clean) if settings.grid.direction == "denoising" else (clean, corrupted)
    scored = scorer.with_clean(clean.logits)
    with replaced_embeddings(model, base.embeddings):
        gradients = model.gradients(
            tokens.expand(base.n_runs, -1), names, lambda logits: scored(logits[:, -scored.n_readouts :]).sum()
        )
    return {name: _per_position(gradients[name], source.values[name] - base.values[name]) for name in names}


def _of_program(program: Program, terms: Mapping[str, Tensor]) -> float:
    """The terms of all that a cell patches."""
    total = 0.0
    for layer, actions in program.items():
        for action in actions:
            term = terms[hook_name(action.component, layer)][list(action.positions)]
            total += float(term.sum() if action.head is None else term[:, action.head].sum())
    return total


def _per_position(gradient: Tensor, difference: Tensor) -> Tensor:
    """Gradient × difference summed over entries, mean over samples: ``[pos]`` or ``[pos head]``, float32 or better."""
    precise = torch.promote_types(gradient.dtype, torch.float32)
    return (gradient.to(precise) * difference.to(precise)).sum(-1).mean(0)


def chosen_cells(
    lens: Lens, prompts: Sequence[Prompt], settings: TraceSettings
) -> Callable[[Prompt], np.ndarray[Any, Any] | None]:
    """Which cells of a prompt the screen of the settings leaves (None: all); common ones are chosen once, when first
    asked for."""
    screen = settings.screen
    if screen is None:
        return lambda prompt: None
    if screen.keep == "each":
        return lambda prompt: kept_cells(lens, prompt, settings, screen.fraction)
    common = cache(partial(common_cells, lens, prompts, settings, screen.fraction))
    return lambda prompt: common()


def kept_cells(lens: Lens, prompt: Prompt, settings: TraceSettings, fraction: float) -> np.ndarray[Any, Any]:
    """Which cells ``[component layer site head]`` of a prompt to run: the fraction with the largest estimates."""
    return _largest(np.abs(attribution_patching(lens, prompt, settings)), fraction)


def common_cells(
    lens: Lens, prompts: Sequence[Prompt], settings: TraceSettings, fraction: float
) -> np.ndarray[Any, Any]:
    """Which cells of all prompts to run: the fraction whose estimates are largest on average, each prompt's being
    shares of its own largest."""
    sizes = [np.abs(attribution_patching(lens, prompt, settings)) for prompt in prompts]
    if len({size.shape for size in sizes}) > 1:
        found = sorted({size.shape[2] for size in sizes})
        raise ValueError(
            f"Screen(…, keep='common') needs the same sites in all prompts, found {found}: "
            "trace at='role', or at='span' with named spans"
        )
    shares = [size / max(float(np.nanmax(size)), 1e-30) for size in sizes]
    counts = np.sum([~np.isnan(share) for share in shares], axis=0)
    mean = np.where(counts > 0, np.nansum(shares, axis=0) / np.maximum(counts, 1), np.nan)
    return _largest(mean, fraction)


def _largest(size: np.ndarray[Any, Any], fraction: float) -> np.ndarray[Any, Any]:
    """Mark the largest values of those that are numbers."""
    ranked = np.argsort(np.where(np.isnan(size), -1.0, size), axis=None, kind="stable")[::-1]
    marked = np.zeros(size.size, dtype=bool)
    marked[ranked[: int(np.ceil(fraction * np.count_nonzero(~np.isnan(size))))]] = True
    return marked.reshape(size.shape)


@dataclass(frozen=True, eq=False)
class FirstLook:
    """Estimates per prompt, with their agreement with exact cells on a sample of the prompts."""

    estimates: tuple[np.ndarray[Any, Any], ...]
    correlations: tuple[float, ...]
    """Pearson correlation with the exact effects, one per sampled prompt."""
    overlaps: tuple[float, ...]
    """Share of the k largest exact cells among the k largest estimates."""
    top_k: int
    metric: str

    def __repr__(self) -> str:
        def listed(values: Sequence[float]) -> str:
            return ", ".join(f"{value:.2f}" for value in values)

        return (
            f"Attribution patching of {len(self.estimates)} prompt(s), metric {self.metric}: "
            "an estimate, not a measurement.\n"
            f"Against exact cells of {len(self.correlations)} prompt(s): correlation {listed(self.correlations)}; "
            f"top-{self.top_k} overlap {listed(self.overlaps)}."
        )


@told_keywords
@plain_torch
def first_look(
    lens: Lens,
    prompts: Sequence[Prompt],
    grid: Grid | Sequence[str] | None = None,
    corruption: Corruption | None = None,
    metric: str | Metric = "logit",
    *,
    samples: int | Draws = 3,
    n_exact: int = 2,
    top_k: int = 20,
) -> FirstLook:
    """Estimate all prompts' grids, and run `n_exact` of them (drawn by the seed) exactly to judge the estimates.

    Returns the estimates with their agreement. Raises ValueError for a metric without a gradient, and for what
    `causal_trace` would refuse.
    """
    prompts, scored = given_scored(lens, given_prompts(given_lens(lens), prompts), (metric,))
    n_exact, top_k = whole("n_exact", n_exact, at_least=1), whole("top_k", top_k, at_least=1)
    settings = given_trace_settings(lens, prompts, grid, corruption, scored, samples)
    check_screenable(settings)
    estimates = tuple(attribution_patching(lens, prompt, settings) for prompt in prompts)
    some = np.random.default_rng(settings.draws.seed).permutation(len(prompts))[:n_exact]
    pairs = [(_exact(lens, prompts[int(index)], settings), estimates[int(index)]) for index in some]
    return FirstLook(
        estimates,
        tuple(_correlation(exact, estimate) for exact, estimate in pairs),
        tuple(_overlap(exact, estimate, top_k) for exact, estimate in pairs),
        top_k,
        settings.metrics[0].name,
    )


def _exact(lens: Lens, prompt: Prompt, settings: TraceSettings) -> np.ndarray[Any, Any]:
    """Exact effects ``[component layer site head]`` of the first metric."""
    effects = trace_prompt(lens, prompt, settings)
    values: np.ndarray[Any, Any] = indirect(effects).isel(prompt=0, metric=0).values
    return values if settings.grid.has_heads else values[..., None]


def _correlation(exact: np.ndarray[Any, Any], estimate: np.ndarray[Any, Any]) -> float:
    measured = ~np.isnan(exact) & ~np.isnan(estimate)
    if measured.sum() < 2 or exact[measured].std() == 0 or estimate[measured].std() == 0:
        return float("nan")
    return float(np.corrcoef(exact[measured], estimate[measured])[0, 1])


def _overlap(exact: np.ndarray[Any, Any], estimate: np.ndarray[Any, Any], top_k: int) -> float:
    count = min(top_k, int((~np.isnan(exact)).sum()))
    first, second = (_largest_indices(np.abs(values), count) for values in (exact, estimate))
    return len(first & second) / max(count, 1)


def _largest_indices(size: np.ndarray[Any, Any], count: int) -> set[int]:
    return set(np.argsort(np.where(np.isnan(size), -1.0, size), axis=None, kind="stable")[::-1][:count].tolist())
