"""The traces of a study: the same states restored by role or by token, with the study's noise, samples and seed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import xarray as xr

from spiritlens.analysis.grid.grid import Corrupted, Draws, Grid
from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.analysis.tracing.settings import DEFAULT_METRICS
from spiritlens.effects.shards import RunFolder
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.studies.selection import ChosenFact
from spiritlens.studies.settings import StudySettings
from spiritlens.terms import At

FLOOR_SAMPLES = 3
"""Noise samples of floors, at most: noise within facts does not bias their agreement, which is of different facts."""


def grid_of(settings: StudySettings, at: At = "role", corrupted: Corrupted = "subject") -> Grid:
    """The states that a study restores."""
    return Grid(settings.components, at=at, window=settings.window, corrupted=corrupted)


def trace(
    lens: Lens,
    prompts: Sequence[Prompt],
    settings: StudySettings,
    folder: Path | RunFolder,
    *,
    at: At = "role",
    corrupted: Corrupted = "subject",
    noise: Noise | None = None,
    metrics: Sequence[str] = DEFAULT_METRICS,
) -> xr.Dataset:
    """Effects of the prompts, kept in a run directory of their own."""
    draws = Draws(settings.samples, settings.seed)
    grid = grid_of(settings, at, corrupted)
    return causal_trace(lens, prompts, grid, noise, metrics=metrics, samples=draws, folder=folder)


def floor_settings(settings: StudySettings) -> StudySettings:
    """The settings of floors, which need fewer samples."""
    return replace(settings, samples=min(settings.samples, FLOOR_SAMPLES))


def prompts_of(chosen: Sequence[ChosenFact]) -> list[Prompt]:
    """The T2T and S2T prompts that are traced."""
    return [prompt for each in chosen for prompt in each.prompts]


def plain_prompts(chosen: Sequence[ChosenFact]) -> list[Prompt]:
    """The plain written prompts of the facts that are traced in writing with a marker."""
    return [each.pair.plain for each in chosen if "T2T" in each.kinds and each.pair.plain is not None]
