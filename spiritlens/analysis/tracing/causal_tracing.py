"""Causal tracing: which states, put back into a corrupted run, bring the answer back.

1. *Clean run*: the prompt as it is.
2. *Corrupted run*: noise (or another corruption) on the subject's embeddings, once per noise sample.
3. *Restored run*: for each cell (component, layer, site) the corrupted run with that state put back to its clean value;
   `attn_out` and `mlp_out` over a window of layers.
4. Metrics of all three are stored, per noise sample; effects are derived (`spiritlens.effects.statistics`).

    effects = sl.causal_trace(lens, prompts, sl.Grid(("resid_pre", "mlp_out"), at="role"), samples=20)
    settings = sl.tracing.rome(lens, prompts)                # as the reference code does it, by keyword arguments

With direction="noising" the clean run gets the corrupted run's states instead: what is necessary, not what suffices.
Axes: ``prompt component layer pos|span|role [head] sample metric`` (`spiritlens.effects.schema`). Signs: the metric's
sign × (restored − corrupted), or × (clean − noised).

Source: Meng et al. 2022 (arXiv 2202.05262), sections 2 and appendix B.
"""

import hashlib
import json
from collections.abc import Sequence
from math import ceil
from pathlib import Path

import xarray as xr

from spiritlens.analysis.grid.each_prompt import Advance, Work, each_prompt
from spiritlens.analysis.grid.given import given_scored
from spiritlens.analysis.grid.grid import Draws, Grid, Screen
from spiritlens.analysis.grid.results import metric_settings, model_attributes
from spiritlens.analysis.tracing.one_prompt import cells_of, trace_prompt
from spiritlens.analysis.tracing.screen import chosen_cells
from spiritlens.analysis.tracing.settings import DEFAULT_METRICS, TraceSettings, given_trace_settings
from spiritlens.arguments import told_keywords
from spiritlens.effects.schema import ATTRIBUTE_DEFAULTS
from spiritlens.effects.shards import RunFolder
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.answers import knows, other_spacing
from spiritlens.runs.corruptions.corruption import Corruption, corruption_attributes
from spiritlens.runs.metrics import Metric
from spiritlens.runs.side_by_side import processes_of
from spiritlens.terms import BackwardRule, Progress
from spiritlens.warn import warn

NO_NOISE = {name: ATTRIBUTE_DEFAULTS[name] for name in ("noise_scale_text", "noise_scale_speech", "noise_law")}
"""Attributes of a trace without noise; folders compare them."""


@told_keywords
@plain_torch
def causal_trace(
    lens: Lens,
    prompts: Sequence[Prompt],
    grid: Grid | Sequence[str] | None = None,
    corruption: Corruption | None = None,
    metrics: Sequence[str | Metric] = DEFAULT_METRICS,
    *,
    samples: int | Draws = 10,
    screen: float | Screen | BackwardRule | None = None,
    folder: str | Path | RunFolder | None = None,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Trace prompts and return their effects dataset.

    `grid` (a `Grid`, or the names of its components) says which states are put back; its window is max(1, round(0.3 ·
    layers)) where it has none. `corruption` None is `Noise`. `screen` runs only a share of the cells, chosen by a
    gradient, and marks the others screened: a fraction, "relp" (a tenth, chosen by RelP), or a `Screen`. `folder` keeps
    each finished prompt, and the same call goes on where it stopped; without it, Ctrl-C returns what is finished. Facts
    that the model does not know are traced too, and marked (`known`).

    Returns ``[prompt component layer pos|span|role (head) sample metric]``. Raises ValueError for prompts without
    subject or answer, for a grid, corruption or screen that they or the model cannot serve, and for a folder of other
    settings.
    """
    prompts, scored = given_scored(lens, given_prompts(given_lens(lens), prompts), metrics)
    settings = given_trace_settings(lens, prompts, grid, corruption, scored, samples, screen)
    attributes = trace_attributes(lens, settings)
    cells, screen = chosen_cells(lens, prompts, settings), settings.screen

    def measure(place: int, advance: Advance) -> xr.Dataset:
        prompt = prompts[place]
        known, chosen = _known(lens, prompt), cells(prompt)
        return trace_prompt(lens, prompt, settings, chosen=chosen, known=known, attributes=attributes, advance=advance)

    def runs(place: int) -> int:
        whole = len(cells_of(settings.grid, settings.sites(prompts[place])).places)
        return ceil(whole * (1 if screen is None else screen.fraction)) * settings.draws.samples

    together = prompts if screen is not None and screen.keep == "common" else ()
    within = {"samples": settings.draws.samples, "at": settings.grid.at, "direction": settings.grid.direction}
    work = Work(
        *(prompts, measure, attributes, "tracing", "run", runs),
        settings=within,
        together=together,
        processes=processes_of(lens),
        ready=(lambda: cells(prompts[0])) if together else tuple,
    )
    return each_prompt(work, folder=folder, progress=progress)


def trace_attributes(lens: Lens, settings: TraceSettings) -> dict[str, str | int | float]:
    """Global attributes of the result: what was done, with which model, and every setting as JSON."""
    grid, corruption, screen = settings.grid, settings.corruption, settings.screen
    config = {
        "components": list(grid.components),
        "spans": list(grid.spans) if grid.at == "span" else [],
        "sever": grid.sever,
        "corrupted": grid.corrupted,
        "corruption": dict(corruption.settings()),
        **metric_settings(settings.metrics),
        "screen": None if screen is None else screen.fraction,
        "keep": None if screen is None else screen.keep,
        **({} if screen is None or screen.rule == "gradient" else {"screened_by": screen.rule}),
        "text_ids": hashlib.sha256(lens.vocabulary.text_ids.astype("<i8").tobytes()).hexdigest()[:16],
    }
    return {
        **model_attributes(lens, settings.draws.seed, config),
        **NO_NOISE,
        **corruption_attributes(corruption),
        "corruption": f"{corruption.describe()} of the {grid.corrupted}",
        "window": grid.window,
        "window_layers": json.dumps(grid.window_layers()),
    }


def _known(lens: Lens, prompt: Prompt) -> bool:
    """Whether the prompt's answer is known; told where the model prefers it in its other spacing."""
    known = knows(lens, prompt)
    spacing = None if known else other_spacing(lens, prompt)
    if spacing is not None and spacing.other_probability > spacing.asked_probability:
        warn(
            f"prompt {prompt.id}: the model prefers '{spacing.label}' ({spacing.other_probability:.3f}) "
            f"to the form that was asked for ({spacing.asked_probability:.3f}): check the spaces of its family"
        )
    return known
