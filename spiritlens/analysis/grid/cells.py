"""Cells of one prompt's grid, and the effects dataset that their values make.

A method knows each cell's place (component, layer, site, head) and runs it; `Cells` spreads the values over the grid,
and `effects_of` gives them their statuses, signs, axes and columns.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.analysis.grid.canary import NO_CANARY, Deviations
from spiritlens.analysis.grid.results import prompt_columns
from spiritlens.analysis.grid.sites import GridSites, batched_coordinates
from spiritlens.effects.making import EffectAxes, EffectValues, MetricColumn, new_effects
from spiritlens.effects.schema import Status
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.metrics import Metric
from spiritlens.terms import Direction

Place = tuple[int, int, int, int]
"""Component, layer, site and head of a cell, as indices of the dataset's axes."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Places of the cells that are run, within a grid of this shape ``(component, layer, site, head)``.

    Without `by_head` the dataset has no head axis, and the shape ends with 1. `screened` are cells that exist and were
    not chosen; all others are absent.
    """

    places: tuple[Place, ...]
    shape: Place
    by_head: bool
    screened: tuple[Place, ...] = ()

    def filled(
        self, values: np.ndarray[Any, Any], exact: Collection[int]
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Values ``[component layer site (head) sample metric]`` and statuses of all cells, from ``[cell sample
        metric]``; NaN where a cell was not run. `exact` are the cells that change nothing."""
        restored = np.full((*self.shape, *values.shape[1:]), np.nan, dtype=values.dtype)
        status = np.full(self.shape, int(Status.ABSENT), dtype=np.int8)
        for place in self.screened:
            status[place] = int(Status.SCREENED)
        for cell, place in enumerate(self.places):
            restored[place] = values[cell]
            status[place] = int(Status.EXACT if cell in exact else Status.MEASURED)
        return (restored, status) if self.by_head else (restored[:, :, :, 0], status[..., 0])


@dataclass(frozen=True, eq=False)
class CellRuns:
    """Raw metric values of one prompt's runs: `clean` ``[1 metric]``, `corrupted` ``[sample metric]``, `cells` ``[cell
    sample metric]``, `noise_floor` ``[metric]``; `exact` are the cells that provably change nothing, `canary` those
    whose outcome is known."""

    clean: np.ndarray[Any, Any]
    corrupted: np.ndarray[Any, Any]
    cells: np.ndarray[Any, Any]
    noise_floor: np.ndarray[Any, Any]
    exact: Collection[int] = ()
    canary: Deviations = NO_CANARY


@dataclass(frozen=True, eq=False)
class Along:
    """What stands along the axes of every prompt's dataset, and how it was made."""

    components: Sequence[str]
    layers: Sequence[int]
    metrics: Sequence[Metric]
    direction: Direction
    attributes: Mapping[str, str | int | float]


def metric_columns(metrics: Sequence[Metric]) -> tuple[MetricColumn, ...]:
    """What the dataset says of each metric."""
    return tuple(MetricColumn(metric.name, metric.sign, metric.unit, metric.words) for metric in metrics)


def effects_of(prompt: Prompt, known: bool, sites: GridSites, cells: Cells, runs: CellRuns, along: Along) -> xr.Dataset:
    """The effects dataset of one prompt."""
    restored, status = cells.filled(runs.cells, runs.exact)
    own, everywhere = (None if found is None else found[None] for found in (runs.canary.own, runs.canary.everywhere))
    baselines = runs.clean, runs.corrupted[None], restored[None], status[None], runs.noise_floor[None]
    values = EffectValues(*baselines, canary_self=own, canary_all=everywhere)
    axes = EffectAxes(
        along.components,
        along.layers,
        metric_columns(along.metrics),
        prompt_columns([prompt], [known]),
        batched_coordinates(sites),
        sites.at,
    )
    return new_effects(values, axes, direction=along.direction, attributes=along.attributes)
