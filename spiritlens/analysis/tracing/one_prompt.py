"""One prompt's causal trace: its cells through the sweep, and its dataset.

Answer and foil of several tokens may need two teacher-forced continuations; each is swept, and their scores add up
(`spiritlens.runs.metrics`). The last cell given to the sweep patches nothing: how far it is from the base run is the
numerical noise floor.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import xarray as xr

from spiritlens.analysis.grid.results import array, prompt_columns
from spiritlens.analysis.grid.sites import DEFAULT_SPANS, GridSites, batched_coordinates, grid_sites
from spiritlens.analysis.tracing.grid import Grid
from spiritlens.effects.schema import Status, new_effects
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.corruption import Corruption, corrupted_embeddings
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.runs.metrics import SIGNS, Scorer, prompt_scorers
from spiritlens.runs.sweep.plan import Action, Program
from spiritlens.runs.sweep.recorded import RunPair
from spiritlens.runs.sweep.sweep import SweepResult, plan_sweep

CellIndex = tuple[int, int, int, int]
"""Component, layer, site and head of a cell, as indices of the dataset's axes."""


@dataclass(frozen=True)
class TraceSettings:
    """Everything that decides the numbers of a trace, the prompts apart."""

    grid: Grid
    corruption: Corruption = field(default_factory=Noise)
    samples: int = 10
    seed: int = 0
    metrics: tuple[str, ...] = ("probability", "logit")
    spans: tuple[str, ...] = DEFAULT_SPANS
    memory_budget: int | None = None

    def corrupted(
        self, lens: Lens, prompt: Prompt, positions: Sequence[int] | None, forced: Sequence[int]
    ) -> torch.Tensor:
        """Embeddings ``[sample pos d_model]`` of the corrupted run; `positions` None: the subject's."""
        return corrupted_embeddings(
            lens, prompt, self.corruption, positions=positions, samples=self.samples, seed=self.seed, forced=forced
        )


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of one prompt's grid: index and program of each, and the statuses of all."""

    indices: tuple[CellIndex, ...]
    programs: tuple[Program, ...]
    shape: tuple[int, int, int, int]


def cells_of(grid: Grid, sites: GridSites, chosen: np.ndarray[Any, Any] | None = None) -> Cells:
    """All cells whose site and head exist; with `chosen` ``[component layer site head]`` only those marked there."""
    shape = (len(grid.components), grid.n_layers, len(sites.spans), len(grid.head_axis))
    indices: list[CellIndex] = []
    programs: list[Program] = []
    for index in np.ndindex(*shape):
        component, head, span = grid.components[index[0]], grid.head_axis[index[3]], sites.spans[index[2]]
        if span is not None and grid.has_head(component, head) and (chosen is None or chosen[index]):
            indices.append((index[0], index[1], index[2], index[3]))
            programs.append(grid.program(component, index[1], span.positions, head))
    return Cells(tuple(indices), tuple(programs), shape)


def trace_prompt(
    lens: Lens,
    prompt: Prompt,
    settings: TraceSettings,
    *,
    positions: Sequence[int] | None = None,
    chosen: np.ndarray[Any, Any] | None = None,
    known: bool = True,
    attributes: dict[str, str | int | float] | None = None,
    advance: Callable[[int], None] = lambda token_layers: None,
) -> xr.Dataset:
    """Trace one prompt; `positions` are corrupted instead of the subject, cells outside `chosen` are screened out."""
    grid = settings.grid
    sites = grid_sites(prompt, grid.at, settings.spans)
    cells = cells_of(grid, sites, chosen)
    parts = prompt_scorers(lens, prompt, settings.metrics)
    results = [_swept(lens, prompt, settings, cells, scorer, positions, advance) for scorer in parts]
    base, source = (sum(getattr(found, name) for found in results) for name in ("base", "source"))
    values = array(torch.stack([found.values for found in results]).sum(0))
    denoising = grid.direction == "denoising"
    clean, corrupted = (source, base) if denoising else (base, source)
    restored = np.full((*cells.shape, settings.samples, len(settings.metrics)), np.nan, dtype=values.dtype)
    status = np.full(cells.shape, int(Status.ABSENT), dtype=np.int8)
    _mark_screened(status, grid, sites, chosen)
    unmoved = set(results[0].unmoved).intersection(*(found.unmoved for found in results))
    for cell, index in enumerate(cells.indices):
        restored[index] = values[cell]
        status[index] = int(Status.EXACT if cell in unmoved else Status.MEASURED)
    floor = np.abs(values[len(cells.indices)] - array(base)).max(axis=0)
    if not grid.has_heads:
        restored, status = restored[:, :, :, 0], status[..., 0]
    return new_effects(
        clean=array(clean)[:1],
        corrupted=array(corrupted)[None],
        restored=restored[None],
        status=status[None],
        noise_floor=floor[None],
        components=grid.components,
        layers=range(grid.n_layers),
        metrics={name: SIGNS[name] for name in settings.metrics},
        prompts=prompt_columns([prompt], [known]),
        sites=batched_coordinates(sites),
        at=grid.at,
        direction=grid.direction,
        attributes=attributes,
    )


def _swept(
    lens: Lens,
    prompt: Prompt,
    settings: TraceSettings,
    cells: Cells,
    scorer: Scorer,
    positions: Sequence[int] | None,
    advance: Callable[[int], None],
) -> SweepResult:
    """Sweep the cells under one continuation."""
    model = lens.backend
    tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=model.device)
    embeddings = settings.corrupted(lens, prompt, positions, scorer.forced)
    denoising = settings.grid.direction == "denoising"
    corrupted_at = prompt.subject.positions if positions is None else positions
    suffix = tuple(range(min(corrupted_at), len(prompt.ids)))
    nothing: Program = {0: (Action("resid_pre", suffix, None, "base"),)}
    pair = RunPair(tokens, embeddings if denoising else None, None if denoising else embeddings)
    programs, first = [*cells.programs, nothing], pair.first_changed(model)
    sweep = plan_sweep(model, programs, tokens.shape[1], first, scorer.n_readouts, always=(len(cells.programs),))
    runs = pair.record(model, sweep.names, sweep.n_readouts)
    scored = scorer.with_clean(runs["source" if denoising else "base"].logits)
    return sweep.run(model, runs, scored, memory_budget=settings.memory_budget, advance=advance)


def _mark_screened(
    status: np.ndarray[Any, Any], grid: Grid, sites: GridSites, chosen: np.ndarray[Any, Any] | None
) -> None:
    """Cells that exist but were not chosen."""
    if chosen is None:
        return
    for index in cells_of(grid, sites).indices:
        if not chosen[index]:
            status[index] = int(Status.SCREENED)
