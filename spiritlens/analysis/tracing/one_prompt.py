"""One prompt's causal trace: its cells through the sweep, and its dataset.

Answer and foil of several tokens may need two teacher-forced continuations; each is swept, and their scores add up
(`spiritlens.runs.metrics`). After the cells, the sweep is given one that patches nothing, whose distance from the base
run is the numerical noise floor, and those of the canary (`spiritlens.analysis.grid.canary`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr

from spiritlens.analysis.grid.canary import canary_programs, deviations
from spiritlens.analysis.grid.cells import Along, CellRuns, Cells, Place, effects_of
from spiritlens.analysis.grid.each_prompt import Advance
from spiritlens.analysis.grid.results import array
from spiritlens.analysis.grid.sites import GridSites
from spiritlens.analysis.tracing.grid import TraceGrid
from spiritlens.analysis.tracing.settings import TraceSettings
from spiritlens.models.lens import Lens
from spiritlens.models.protocol import LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.scoring import Scorer, prompt_scorers
from spiritlens.runs.sweep.plan import Action, Program
from spiritlens.runs.sweep.recorded import RunPair
from spiritlens.runs.sweep.sweep import Sweep, SweepResult, plan_sweep


@dataclass(frozen=True, eq=False)
class TraceCells(Cells):
    """The cells of one prompt's grid, with the program of each."""

    programs: tuple[Program, ...] = ()


def cells_of(grid: TraceGrid, sites: GridSites, chosen: np.ndarray[Any, Any] | None = None) -> TraceCells:
    """All cells whose site and head exist; with `chosen` ``[component layer site head]`` only those marked there."""
    shape = (len(grid.components), grid.n_layers, len(sites.spans), len(grid.head_axis))
    run: list[Place] = []
    screened: list[Place] = []
    programs: list[Program] = []
    for component, layer, site, head in np.ndindex(*shape):
        place, name, number, span = (
            (component, layer, site, head),
            grid.components[component],
            grid.head_axis[head],
            sites.spans[site],
        )
        if span is None or not grid.has_head(name, number):
            continue
        if chosen is not None and not chosen[place]:
            screened.append(place)
            continue
        run.append(place)
        programs.append(grid.program(name, layer, span.positions, number))
    return TraceCells(tuple(run), shape, grid.has_heads, tuple(screened), tuple(programs))


def trace_prompt(
    lens: Lens,
    prompt: Prompt,
    settings: TraceSettings,
    *,
    chosen: np.ndarray[Any, Any] | None = None,
    known: bool = True,
    attributes: dict[str, str | int | float] | None = None,
    advance: Advance = lambda runs: None,
) -> xr.Dataset:
    """Trace one prompt; cells outside `chosen` are screened out."""
    grid, sites = settings.grid, settings.sites(prompt)
    cells = cells_of(grid, sites, chosen)
    parts = prompt_scorers(lens, prompt, settings.metrics)
    results = [_swept(lens, prompt, settings, cells, scorer, advance) for scorer in parts]
    base, source = (sum(getattr(found, name) for found in results) for name in ("base", "source"))
    values = array(torch.stack([found.values for found in results]).sum(0))
    denoising = grid.direction == "denoising"
    clean, corrupted = (source, base) if denoising else (base, source)
    last = len(cells.places)
    runs = CellRuns(
        array(clean)[:1],
        array(corrupted),
        values[:last],
        np.abs(values[last] - array(base)).max(axis=0),
        canary=deviations(values[last + 1 :], array(base), array(source)),
        exact=set(results[0].unmoved).intersection(*(found.unmoved for found in results)),
    )
    along = Along(grid.components, range(grid.n_layers), settings.metrics, grid.direction, attributes or {})
    return effects_of(prompt, known, sites, cells, runs, along)


def _swept(
    lens: Lens, prompt: Prompt, settings: TraceSettings, cells: TraceCells, scorer: Scorer, advance: Advance
) -> SweepResult:
    """Sweep the cells under one continuation."""
    model = lens.backend
    tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=model.device)
    embeddings = settings.corrupted(lens, prompt, scorer.forced)
    denoising = settings.grid.direction == "denoising"
    pair = RunPair(tokens, embeddings if denoising else None, None if denoising else embeddings)
    sweep = planned(model, prompt, settings, cells, first=pair.first_changed(model), n_readouts=scorer.n_readouts)
    runs = pair.record(model, sweep.names, sweep.n_readouts, sweep.first_changed)
    scored = scorer.with_clean(runs["source" if denoising else "base"].logits)
    return sweep.run(model, runs, scored, memory_budget=lens.memory_budget, advance=advance)


def planned(
    model: LensModel, prompt: Prompt, settings: TraceSettings, cells: TraceCells, *, first: int, n_readouts: int
) -> Sweep:
    """The sweep of the cells, of one that patches nothing, and of the canary; runs differ from position `first` on."""
    n_positions, whole = len(prompt.ids) + n_readouts - 1, len(cells.programs)
    suffix = tuple(range(min(settings.positions(prompt)), len(prompt.ids)))
    nothing: Program = {0: (Action("resid_pre", suffix, None, "base"),)}
    canary = canary_programs(settings.grid.components, model.n_layers, range(first, n_positions), prompt.id)
    programs = [*cells.programs, nothing, *canary]
    always = range(whole, len(programs))
    return plan_sweep(model, programs, n_positions, first, n_readouts, always=always, two_runs=True)
