"""Causal tracing: which states, put back into a corrupted run, bring the answer back.

1. *Clean run*: the prompt as it is.
2. *Corrupted run*: noise (or another corruption) on the subject's embeddings, once per noise sample.
3. *Restored run*: for each cell (component, layer, site) the corrupted run with that state put back to its clean value;
   `attn_out` and `mlp_out` over a window of layers.
4. Metrics of all three are stored, per noise sample; effects are derived (`spiritlens.effects.statistics`).

With direction="noising" the clean run gets the corrupted run's states instead: what is necessary, not what suffices.
Axes: ``prompt component layer pos|span|role [head] sample metric`` (`spiritlens.effects.schema`). Signs: the metric's
sign × (restored − corrupted), or × (clean − noised).

preset="rome" follows the reference code: block outputs (`resid_post`) and windows of 10 MLP or attention outputs, its
noise stream (the same numbers for every prompt of equal shape), 3 × the standard deviation of the prompts' subject rows
(without the BOS row, which that code includes), 10 samples, probability over the full vocabulary, facts that the model
completes. What it lacks, clipping of averages, is left out on purpose.

Source: Meng et al. 2022 (arXiv 2202.05262), sections 2 and appendix B.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from spiritlens.analysis.grid.each_prompt import Progress
from spiritlens.analysis.grid.given import given_draws, given_metrics, given_spans
from spiritlens.analysis.grid.prompt_folder import PromptFolder, open_folder
from spiritlens.analysis.grid.results import model_attributes
from spiritlens.analysis.grid.sites import DEFAULT_SPANS, grid_sites
from spiritlens.analysis.tracing.grid import Sever, make_grid
from spiritlens.analysis.tracing.one_prompt import TraceSettings, cells_of, trace_prompt
from spiritlens.analysis.tracing.screen import Keep, check_screenable, kept_cells
from spiritlens.arguments import check_choice, number, told_keywords
from spiritlens.effects.joining import join_effects
from spiritlens.effects.schema import ATTRIBUTE_DEFAULTS, VERSIONS
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.answers import given_answer, other_spacing
from spiritlens.runs.corruptions.control_span import control_span
from spiritlens.runs.corruptions.corruption import Corruption, corruption_attributes
from spiritlens.runs.corruptions.given import checked_corruption, given_corruption
from spiritlens.runs.corruptions.noise import Noise, noise_scale
from spiritlens.runs.metrics import Metric
from spiritlens.runs.scoring import prompt_scorers
from spiritlens.runs.sweep.sweep import resolved_memory_budget
from spiritlens.terms import At, Direction
from spiritlens.warn import warn

Facts = Literal["all", "known"]
Corrupted = Literal["subject", "control"]
"""subject: the subject's tokens; control: as many tokens that are not the subject (`control_span`)."""
Preset = Literal["none", "rome"]
"""rome: as the reference code of causal tracing does it; none: as the call's other arguments say."""

DEFAULT_COMPONENTS = ("resid_pre", "mlp_out", "attn_out")
DEFAULT_METRICS = ("probability", "log_probability", "logit")
ROME_WINDOW = 10
NO_NOISE = {name: ATTRIBUTE_DEFAULTS[name] for name in ("noise_scale_text", "noise_scale_speech", "noise_law")}
"""Attributes of a trace without noise; folders compare them."""


@told_keywords
@plain_torch
def causal_trace(
    lens: Lens,
    prompts: Sequence[Prompt],
    components: Sequence[str] = DEFAULT_COMPONENTS,
    *,
    at: At = "token",
    window: int | None = None,
    samples: int = 10,
    seed: int = 0,
    metrics: Sequence[str | Metric] = DEFAULT_METRICS,
    facts: Facts = "all",
    progress: Progress = "bar",
    direction: Direction = "denoising",
    sever: Sever = "none",
    corruption: Corruption | None = None,
    corrupted: Corrupted = "subject",
    spans: Sequence[str] = DEFAULT_SPANS,
    screen: float | None = None,
    keep: Keep = "each",
    preset: Preset = "none",
    memory_budget: int | None = None,
    folder: str | Path | None = None,
) -> xr.Dataset:
    """Trace prompts and return their effects dataset.

    `window` None is max(1, round(0.3 · layers)). facts="known" refuses prompts whose answer the model does not give.
    `screen` runs only that fraction of the cells, chosen by attribution patching, and marks the others screened; with
    keep="common" the same cells for all prompts, which averages need. `folder` keeps each finished prompt, and the same
    call goes on where it stopped; without it, Ctrl-C returns what is finished. A preset sets components, window,
    samples, metrics and corruption, is refused beside any of them, and wants facts that are known.
    """
    prompts = given_prompts(given_lens(lens), prompts)
    for name, value, choices in (
        ("corrupted", corrupted, Corrupted),
        ("keep", keep, Keep),
        ("preset", preset, Preset),
        ("facts", facts, Facts),
        ("progress", progress, Progress),
    ):
        check_choice(name, value, choices)
    noise = Noise() if corruption is None else checked_corruption(corruption)
    if preset == "rome":
        _refuse_replaced(components, window, samples, metrics, corruption)
        components = ("resid_post",) if sever != "none" else ("resid_post", "mlp_out", "attn_out")
        window, samples, metrics = ROME_WINDOW, 10, ("probability",)
        noise = Noise(noise_scale(lens, prompts), stream="rome")
    grid = make_grid(lens.backend, components, window, at, direction, sever)
    samples, seed = given_draws(samples, seed)
    metrics, spans = given_metrics(lens, prompts, metrics), given_spans(prompts, at, spans)
    spans_of = {p: control_span(p, seed).positions if corrupted == "control" else None for p in prompts}
    noise = given_corruption(lens, noise, prompts[0], spans_of[prompts[0]])
    budget = resolved_memory_budget(lens.backend.device, memory_budget)
    settings = TraceSettings(grid, noise, samples, seed, metrics, spans, budget)
    if screen is not None:
        screen = number("screen", screen, above=0, at_most=1)
        check_screenable(settings)
    attributes = trace_attributes(lens, settings, corrupted=corrupted, screen=screen, keep=keep, preset=preset)
    facts = "known" if preset == "rome" else facts
    for prompt in prompts:  # what a prompt cannot serve is refused here, before any of them is run
        grid_sites(prompt, grid.at, settings.spans)
        prompt_scorers(lens, prompt, settings.metrics)
    traced, waiting = None, prompts
    if folder is not None:  # opened and checked before the model runs
        common = prompts if screen is not None and keep == "common" else ()
        config = _folder_config(settings, attributes, common)
        traced = open_folder(folder, prompts, config)
        waiting = traced.waiting
        if not waiting:
            return traced.finish()
    known = _known(lens, waiting, facts, "full" if preset == "rome" else "text")
    chosen: dict[Prompt, np.ndarray[Any, Any] | None] = dict.fromkeys(waiting)
    if screen is not None:
        screened = prompts if keep == "common" else waiting
        spans_there = [spans_of[prompt] for prompt in screened]
        chosen = dict(zip(screened, kept_cells(lens, screened, settings, screen, keep, spans_there), strict=True))
    cells, positions = [chosen[prompt] for prompt in waiting], [spans_of[prompt] for prompt in waiting]
    each = _Each(lens, waiting, settings, known, cells, positions, attributes, progress)
    return each.in_memory() if traced is None else each.in_folder(traced)


def _refuse_replaced(
    components: Sequence[str],
    window: int | None,
    samples: int,
    metrics: Sequence[str | Metric],
    corruption: Corruption | None,
) -> None:
    """A preset sets these itself, and replaces none that was given."""
    given = {
        "components": tuple(components) != DEFAULT_COMPONENTS,
        "window": window is not None,
        "samples": samples != 10,
        "metrics": tuple(metrics) != DEFAULT_METRICS,
        "corruption": corruption is not None,
    }
    replaced = [name for name, unlike in given.items() if unlike]
    if replaced:
        raise ValueError(
            f"preset='rome' sets {', '.join(given)} itself, and {', '.join(replaced)} was given too: leave it out, or "
            "leave the preset out"
        )


def _folder_config(settings: TraceSettings, attributes: Mapping[str, Any], common: Sequence[Prompt]) -> dict[str, Any]:
    """What decides the numbers of a folder; prompts only where the cells of one depend on the others."""
    grid = settings.grid
    trace = {name: value for name, value in attributes.items() if name not in VERSIONS}
    trace |= {"samples": settings.samples, "at": grid.at, "direction": grid.direction}
    return {"trace": trace, **({"screened together": [prompt.id for prompt in common]} if common else {})}


class _Each:
    """Traces prompt by prompt, in memory or into a folder."""

    def __init__(
        self,
        lens: Lens,
        prompts: Sequence[Prompt],
        settings: TraceSettings,
        known: Sequence[bool],
        chosen: Sequence[np.ndarray[Any, Any] | None],
        corrupted: Sequence[Sequence[int] | None],
        attributes: dict[str, str | int | float],
        progress: str,
    ) -> None:
        self.lens, self.prompts, self.settings, self.known = lens, prompts, settings, known
        self.chosen, self.corrupted, self.attributes, self.progress = chosen, corrupted, attributes, progress

    def in_memory(self) -> xr.Dataset:
        """All prompts; on Ctrl-C those that are finished, with a warning."""
        parts: list[xr.Dataset] = []
        with self._bar(range(len(self.prompts))) as bar:
            try:
                for index in range(len(self.prompts)):
                    parts.append(self._one(index, bar.update))
            except KeyboardInterrupt:
                if not parts:
                    raise
                warn(f"interrupted: the result holds the {len(parts)} finished of {len(self.prompts)} prompts")
        return join_effects(parts)

    def in_folder(self, traced: PromptFolder) -> xr.Dataset:
        """All prompts, one part each: first those that no other process is at, then what those left."""
        with self._bar(range(len(self.prompts))) as bar:
            for wait in (False, True):
                for index, prompt in enumerate(self.prompts):
                    if prompt.id in traced.parts:
                        continue
                    with traced.claimed(prompt, wait=wait) as ours:
                        if ours:
                            traced.add(prompt, self._one(index, bar.update))
        return traced.finish()

    def _one(self, index: int, advance: Callable[[int], object]) -> xr.Dataset:
        prompt = self.prompts[index]
        done, total = 0, self._runs(index)

        def count(runs: int) -> None:
            nonlocal done
            step = min(runs, total - done)  # the noise floor, and a second continuation, are not counted
            done += step
            advance(step)

        effects = trace_prompt(
            self.lens,
            prompt,
            self.settings,
            positions=self.corrupted[index],
            chosen=self.chosen[index],
            known=self.known[index],
            attributes=self.attributes,
            advance=count,
        )
        advance(total - done)
        return effects

    def _runs(self, index: int) -> int:
        sites = grid_sites(self.prompts[index], self.settings.grid.at, self.settings.spans)
        return len(cells_of(self.settings.grid, sites, self.chosen[index]).places) * self.settings.samples

    def _bar(self, indices: Sequence[int]) -> Any:
        total = sum(self._runs(index) for index in indices)
        return tqdm(total=total, desc="tracing", unit="run", unit_scale=True, disable=self.progress == "none")


def trace_attributes(
    lens: Lens,
    settings: TraceSettings,
    *,
    corrupted: str = "subject",
    screen: float | None = None,
    keep: Keep = "each",
    preset: str = "none",
) -> dict[str, str | int | float]:
    """Global attributes of the result: what was done, with which model, and every setting as JSON."""
    grid, corruption = settings.grid, settings.corruption
    config = {
        "components": list(grid.components),
        "spans": list(settings.spans) if grid.at == "span" else [],
        "sever": grid.sever,
        "corrupted": corrupted,
        "corruption": dict(corruption.settings()),
        "metrics": [metric.name for metric in settings.metrics],
        "screen": screen,
        "keep": None if screen is None else keep,
        "preset": preset,
        "memory_budget": settings.memory_budget,
        "text_ids": hashlib.sha256(lens.vocabulary.text_ids.astype("<i8").tobytes()).hexdigest()[:16],
    }
    return {
        **model_attributes(lens, settings.seed, config),
        **NO_NOISE,
        **corruption_attributes(corruption),
        "corruption": f"{corruption.describe()} of the {corrupted}",
        "window": grid.window,
        "window_layers": json.dumps(grid.window_layers()),
    }


def _known(lens: Lens, prompts: Sequence[Prompt], facts: Facts, over: Literal["text", "full"]) -> tuple[bool, ...]:
    """Whether each prompt's answer is given; with facts="known" the first that is not is an error."""
    found = [given_answer(lens, prompt, over) for prompt in prompts]
    for prompt, given in zip(prompts, found, strict=True):
        if facts == "known" and not given.known:
            raise ValueError(
                f"the model does not know prompt {prompt.id} ({prompt.kind}): it answers '{given.answer}', not "
                f"'{prompt.answer}'; leave it out (spiritlens.runs.answers tells which) or pass facts='all'"
            )
        spacing = None if given.known else other_spacing(lens, prompt)
        if spacing is not None and spacing.other_probability > spacing.asked_probability:
            warn(
                f"prompt {prompt.id}: the model prefers '{spacing.label}' ({spacing.other_probability:.3f}) "
                f"to the form that was asked for ({spacing.asked_probability:.3f}): check the spaces of its family"
            )
    return tuple(given.known for given in found)
