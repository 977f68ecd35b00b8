"""Fast screens: attribution patching as a first look at a grid, and the choice of the cells that are run exactly.

First-order estimate of a cell's effect, from one forward and one backward pass of the base run per noise sample and a
forward pass of the other run, so that a sample costs three forward passes at most where a backward one costs as much,

    estimate = Σ over patched positions, layers, entries of (source − base) · d metric / d activation, at the base run,

averaged over samples, times the metric's sign (noising: minus). The gradient is that of the *base* run (denoising: the
corrupted one); gradients of the clean run rank far worse. By the rule "relp" they are those of the model made linear at
the clean run (`spiritlens.runs.backward`). An estimate is no measurement: `first_look` prints how both rules agree with
exact cells of a sample; `causal_trace(..., screen=0.1)`, or ``screen="relp"``, runs the cells that it chooses exactly.

Source: Nanda 2023, "Attribution patching"; Kramár et al. 2024 (arXiv 2403.00745) on its failures; Jafari et al. 2025
(arXiv 2508.21258), RelP.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spiritlens.analysis.grid.grid import Screen
from spiritlens.analysis.tracing.one_prompt import cells_of
from spiritlens.analysis.tracing.settings import TraceSettings, check_screenable
from spiritlens.components import hook_name
from spiritlens.environment import plain_torch
from spiritlens.models.lens import Lens
from spiritlens.own_errors import would_repeat
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.backward import differentiate
from spiritlens.runs.scoring import Scorer, prompt_scorers
from spiritlens.runs.sweep.full_length import read_names
from spiritlens.runs.sweep.plan import Program
from spiritlens.runs.sweep.recorded import record
from spiritlens.terms import BackwardRule
from spiritlens.warn import warn


@plain_torch
def attribution_patching(
    lens: Lens, prompt: Prompt, settings: TraceSettings, rule: BackwardRule = "gradient"
) -> np.ndarray[Any, Any]:
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
        terms = _terms(lens, prompt, settings, read_names(cells.programs)["source"], scorer, rule)
        for index, program in zip(cells.places, cells.programs, strict=True):
            estimates[index] += sign * _of_program(program, terms)
    return estimates


def _terms(
    lens: Lens, prompt: Prompt, settings: TraceSettings, names: Sequence[str], scorer: Scorer, rule: BackwardRule
) -> dict[str, Tensor]:
    """By hook name, what each position (and head) adds to the metric under one continuation."""
    model, noising = lens.backend, settings.grid.direction == "noising"
    tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=model.device)
    embeddings = settings.corrupted(lens, prompt, scorer.forced)
    at_clean = noising or rule == "relp"  # where the gradient is taken; only the other run is recorded beside it
    other = record(model, tokens, embeddings if at_clean else None, names, scorer.n_readouts)

    def metric(logits: Tensor) -> Tensor:
        read = logits[:, -scorer.n_readouts :]
        return scorer.with_clean(read.detach() if at_clean else other.logits)(read).sum()

    found = differentiate(model, tokens, names, metric, rule, None if at_clean else embeddings)
    clean, corrupted = (found.values, other.values) if at_clean else (other.values, found.values)
    base, source = (clean, corrupted) if noising else (corrupted, clean)
    return {name: _per_position(found.gradients[name], source[name] - base[name]) for name in names}


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
    asked for.

    Raises ValueError where common ones are asked for and the prompts differ in their sites.
    """
    screen = settings.screen
    if screen is None:
        return lambda prompt: None
    if screen.keep == "each":
        return lambda prompt: kept_cells(lens, prompt, settings, screen)
    _check_same_sites(prompts, settings)
    common = cache(partial(common_cells, lens, prompts, settings, screen))
    return lambda prompt: common()


def kept_cells(lens: Lens, prompt: Prompt, settings: TraceSettings, screen: Screen) -> np.ndarray[Any, Any]:
    """Which cells ``[component layer site head]`` of a prompt to run: the fraction with the largest estimates."""
    return _largest(np.abs(attribution_patching(lens, prompt, settings, screen.rule)), screen.fraction)


def common_cells(
    lens: Lens, prompts: Sequence[Prompt], settings: TraceSettings, screen: Screen
) -> np.ndarray[Any, Any]:
    """Which cells of all prompts to run: the fraction whose estimates are largest on average, each prompt's being
    shares of its own largest.

    A prompt that cannot be estimated, by an error of its own, has no part in the choice, with a warning; the first
    such error is raised where none can be.
    """
    _check_same_sites(prompts, settings)
    sizes, errors = [], []
    for prompt in prompts:
        try:
            sizes.append(np.abs(attribution_patching(lens, prompt, settings, screen.rule)))
        except Exception as error:
            if not would_repeat(error):
                raise
            errors.append((prompt, error))
    if not sizes:
        raise errors[0][1]
    if errors:
        told = "; ".join(f"{prompt.id} ({error})" for prompt, error in errors[:3])
        warn(f"{len(errors)} prompts have no part in the choice of cells, as they cannot be estimated: {told}")
    shares = [size / max(float(np.nanmax(size)), 1e-30) for size in sizes]
    counts = np.sum([~np.isnan(share) for share in shares], axis=0)
    mean = np.where(counts > 0, np.nansum(shares, axis=0) / np.maximum(counts, 1), np.nan)
    return _largest(mean, screen.fraction)


def _check_same_sites(prompts: Sequence[Prompt], settings: TraceSettings) -> None:
    """All prompts have as many sites."""
    found = sorted({len(settings.sites(prompt).spans) for prompt in prompts})
    if len(found) > 1:
        raise ValueError(
            f"Screen(…, keep='common') needs the same sites in all prompts, found {found}: "
            "trace at='role', or at='span' with named spans"
        )


def _largest(size: np.ndarray[Any, Any], fraction: float) -> np.ndarray[Any, Any]:
    """Mark the largest values of those that are numbers."""
    ranked = np.argsort(np.where(np.isnan(size), -1.0, size), axis=None, kind="stable")[::-1]
    marked = np.zeros(size.size, dtype=bool)
    marked[ranked[: int(np.ceil(fraction * np.count_nonzero(~np.isnan(size))))]] = True
    return marked.reshape(size.shape)
