"""One prompt's activation patches: its runs, its cells through the engine, and its dataset.

Answer and foil of several tokens may need two teacher-forced continuations; each is patched, and their scores add up
(`spiritlens.runs.scoring`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import xarray as xr

from spiritlens.analysis.grid.canary import largest
from spiritlens.analysis.grid.cells import Along, CellRuns, effects_of
from spiritlens.analysis.grid.results import array
from spiritlens.analysis.grid.sites import grid_sites
from spiritlens.analysis.patching.grid import PatchCells, PatchSettings, grid_cells
from spiritlens.analysis.patching.patch_values import PatchValues, RunSpec, alignable, patch_values
from spiritlens.models.lens import Lens
from spiritlens.models.protocol import LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.contrasts import contrast_embeddings
from spiritlens.runs.corruptions.corruption import Corruption
from spiritlens.runs.scoring import Scorer, prompt_scorers
from spiritlens.runs.sweep.recorded import record
from spiritlens.terms import Direction


@dataclass(frozen=True, eq=False)
class PatchTask:
    """A prompt with what it is compared with, and whose values it gets (`donor` None: those of the other run)."""

    prompt: Prompt
    contrast: Prompt | Corruption
    donor: Prompt | None = None

    def patched(self, direction: Direction) -> Prompt:
        """The prompt of the run that is patched: sites are its."""
        return self._run_of("corrupted" if direction == "denoising" else "clean")

    def giving(self, direction: Direction) -> Prompt:
        """The prompt of the run that values are taken from."""
        return self.donor or self._run_of("clean" if direction == "denoising" else "corrupted")

    def _run_of(self, which: Literal["clean", "corrupted"]) -> Prompt:
        return self.contrast if which == "corrupted" and isinstance(self.contrast, Prompt) else self.prompt


@dataclass(frozen=True, eq=False)
class Continuation:
    """What one continuation gave: the cells, and scores ``[run metric]`` of the clean and of the corrupted run."""

    cells: PatchValues
    clean: torch.Tensor
    corrupted: torch.Tensor


def patch_prompt(
    lens: Lens,
    asked: PatchTask,
    settings: PatchSettings,
    *,
    known: bool,
    attributes: Mapping[str, str | int | float],
) -> xr.Dataset:
    """Patch one prompt; continuations of answer and foil are added up."""
    grid, model = settings.grid, lens.backend
    patched, giving = asked.patched(grid.direction), asked.giving(grid.direction)
    sites = grid_sites(patched, grid.at, grid.spans)
    cells = grid_cells(model, grid, sites, alignable(patched, giving, settings.transfer))
    scorers = prompt_scorers(lens, asked.prompt, settings.metrics)
    found = [_continuation(lens, asked, settings, cells, scorer) for scorer in scorers]
    values = _added([each.cells.values for each in found])
    corrupted = _added([each.corrupted for each in found])
    samples = max(values.shape[1], len(corrupted))  # a donor's one value in the clean run stands in every sample
    runs = CellRuns(
        _added([each.clean for each in found])[:1],
        np.broadcast_to(corrupted, (samples, corrupted.shape[-1])),
        np.broadcast_to(values, (len(values), samples, values.shape[-1])),
        _added([each.cells.noise_floor for each in found]),
        canary=largest([each.cells.canary for each in found]),
        exact=frozenset.intersection(*(each.cells.unmoved for each in found)),
    )
    along = Along(grid.components, range(model.n_layers), settings.metrics, grid.direction, attributes)
    return effects_of(asked.prompt, known, sites, cells, runs, along)


def _continuation(
    lens: Lens, asked: PatchTask, settings: PatchSettings, cells: PatchCells, scorer: Scorer
) -> Continuation:
    """The cells under one continuation; the clean run is one of the two where it can be, else it is run by itself."""
    model, denoising = lens.backend, settings.grid.direction == "denoising"
    clean, corrupted = _specs(lens, asked, settings, scorer)
    base, source = (corrupted, clean) if denoising else (clean, corrupted)
    source = source if asked.donor is None else RunSpec(asked.donor)
    named: Literal["base", "source"] = "base" if base is clean else "source"
    found = patch_values(
        model,
        base,
        source,
        cells.patches,
        scorer,
        clean=named if clean in (base, source) else _logits(model, clean, scorer),
        transfer=settings.transfer,
        memory_budget=lens.memory_budget,
    )
    if denoising:
        return Continuation(found, found.clean, found.base)
    if asked.donor is None:
        return Continuation(found, found.clean, found.source)
    scored = scorer.with_clean(_logits(model, clean, scorer))
    return Continuation(found, found.clean, scored(_logits(model, corrupted, scorer)))


def _specs(lens: Lens, asked: PatchTask, settings: PatchSettings, scorer: Scorer) -> tuple[RunSpec, RunSpec]:
    """The clean and the corrupted run."""
    if isinstance(asked.contrast, Prompt):
        return RunSpec(asked.prompt), RunSpec(asked.contrast)
    draws = settings.draws
    embeddings = contrast_embeddings(lens, asked.prompt, asked.contrast, draws.samples, draws.seed, scorer.forced)
    return RunSpec(asked.prompt), RunSpec(asked.prompt, embeddings)


@torch.no_grad()
def _logits(model: LensModel, spec: RunSpec, scorer: Scorer) -> torch.Tensor:
    """Logits ``[sample readout d_vocab]`` of a run as it is."""
    return record(model, spec.tokens(scorer.forced, model.device), spec.embeddings, [], scorer.n_readouts).logits


def _added(parts: Sequence[torch.Tensor]) -> np.ndarray:
    """What the continuations add up to."""
    return array(sum(parts[1:], parts[0]))
