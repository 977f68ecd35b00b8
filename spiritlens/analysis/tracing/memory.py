"""What a trace holds in memory at its peak, told before it runs.

===========  ==========================================================================================================
weights      the model's parameters, each memory once; on its device
recorded     activations of the clean run and of the corrupted one, once per noise sample; on its device
rows         rows of the sweep and what is made of them (`spiritlens.runs.sweep.footprint`); on its device
results      raw values of all prompts: their parts and what is joined of them; on the host
sounds       waveforms of the prompts; on the host
page         what a study's page takes while it is made (`spiritlens.studies.cost`); on the host
process      what this process holds already beside weights on the host and sounds: Python, torch and other libraries,
             measured
processes    how many prompts are measured at once (`spiritlens.runs.side_by_side`): each holds recorded runs and rows
===========  ==========================================================================================================

A trace's *peak* is weights + recorded + rows on the device, and process + results + sounds (on a CPU all of it) on the
host. Rows go together as far as the lens's ``memory_budget`` lets them; `fits` is how many would go together at most in
the memory that is free now, and the budget that lets them. Told for the prompt that takes the most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from spiritlens.analysis.tracing.one_prompt import cells_of, planned
from spiritlens.analysis.tracing.settings import TraceSettings
from spiritlens.models.lens import Lens
from spiritlens.models.machine import free_memory, resident, weight_bytes
from spiritlens.models.protocol import LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.side_by_side import processes_of
from spiritlens.runs.sweep.footprint import footprint
from spiritlens.runs.sweep.plan import Which
from spiritlens.runs.sweep.sweep import Sweep, resolved_memory_budget

HELD_TWICE = 2
"""Results are held as parts and as what is joined of them."""
FORKED = 1 << 26
"""Bytes that a forked process copies of what it shares, as Python counts references and torch takes memory again (60
to 70 MB measured)."""


@dataclass(frozen=True)
class Batch:
    """Rows (cells × noise samples) that go together, and the memory budget that lets them."""

    rows: int
    budget: int


@dataclass(frozen=True)
class Memory:
    """Bytes of a trace; see the module's docstring."""

    device: str
    weights: int
    recorded: int
    rows: int
    results: int
    process: int = field(compare=False)  # what differs from moment to moment makes no other cost
    values: int
    """Cells × metrics of all prompts: what a page shows of them."""
    batch: Batch
    """What goes together by the lens's budget."""
    whole: int
    """Rows that would go together if none were split."""
    free: int | None = field(default=None, compare=False)
    """Bytes of the device that are free now; None where nobody says."""
    fits: Batch | None = field(default=None, compare=False)
    """The largest batch that fits into what is free; None where nobody says, or not one row does."""
    sounds: int = 0
    page: int = 0
    processes: int = 1

    @property
    def on_device(self) -> int:
        """The peak on the model's device, where that is no host: weights, recorded runs, rows."""
        return 0 if self.device == "cpu" else self.weights + self.recorded + self.rows

    @property
    def on_host(self) -> int:
        """The peak of the process on the host: everything that is not on a device of its own."""
        each = self.recorded + self.rows + (FORKED if self.processes > 1 else 0)
        swept = self.weights + self.processes * each if self.device == "cpu" else 0
        page = self.weights * (self.device == "cpu") + self.page
        return self.process + self.results + self.sounds + max(swept, page)

    def __repr__(self) -> str:
        parts = {"weights": self.weights, "recorded runs": self.recorded, "rows": self.rows, "results": self.results}
        parts |= {name: size for name, size in {"sounds": self.sounds, "page": self.page}.items() if size}
        parts |= {"this process before": self.process}
        told = ", ".join(f"{_size(value)} {name}" for name, value in parts.items())
        if self.processes > 1:
            told += f"; {self.processes} prompts at once, recorded runs, rows and {_size(FORKED)} for each"
        device = f"{_size(self.on_device)} on {self.device} and " if self.on_device else ""
        lines = [f"memory at its peak: {device}{_size(self.on_host)} on the host ({told})"]
        lines.append(
            f"batch: {self.batch.rows:,} of {self.whole:,} rows go together, by a memory_budget of "
            f"{_size(self.batch.budget)}"
        )
        if self.free is not None:
            fits = "not one row does" if self.fits is None else f"{self.fits.rows:,} rows"
            lines.append(f"largest batch that fits in the {_size(self.free)} that are free now: {fits}")
        return "\n".join(lines)


def told_memory(lens: Lens, prompts: Sequence[Prompt], settings: TraceSettings) -> Memory:
    """The memory of a trace of these prompts, which are checked already."""
    model = lens.backend
    budget, runs = resolved_memory_budget(model.device, lens.memory_budget), _runs(settings)
    sweeps = (planned_sweep(lens, prompt, settings) for prompt in prompts)  # one at a time: there may be thousands
    found = ((footprint(model, sweep, runs, budget), sweep) for sweep in sweeps)
    told, largest = max(found, key=lambda each: each[0].peak)
    weights, free = weight_bytes(lens), free_memory(model.device)
    cells, itemsize = sum(_cells(settings, prompt) for prompt in prompts), torch.finfo(model.dtype).bits // 8
    values = cells * len(settings.metrics)
    results = HELD_TWICE * (values * settings.draws.samples * max(4, itemsize) + cells)
    sounds, held, processes = _sounds(prompts), resident() or 0, processes_of(lens)
    own = results + (FORKED * processes if processes > 1 else 0)
    return Memory(
        device=str(model.device),
        weights=weights,
        recorded=told.recorded,
        rows=max(told.rows, told.recording),
        results=results,
        process=max(0, held - sounds - (weights if model.device.type == "cpu" else 0)),
        values=values,
        batch=Batch(told.largest_batch, budget),
        whole=told.whole_batch,
        free=free,
        fits=None
        if free is None
        else fitting(model, largest, runs, (free - own * (model.device.type == "cpu")) // processes),
        sounds=sounds,
        processes=processes,
    )


def planned_sweep(lens: Lens, prompt: Prompt, settings: TraceSettings) -> Sweep:
    """The sweep of one prompt as it will run, no model asked: runs differ from the first corrupted position on."""
    cells = cells_of(settings.grid, settings.sites(prompt))
    first = min(settings.positions(prompt))
    return planned(lens.backend, prompt, settings, cells, first=first, n_readouts=len(prompt.answer_ids))


def _runs(settings: TraceSettings) -> dict[Which, int]:
    """How often each run is recorded: the corrupted one once per noise sample."""
    samples, denoising = settings.draws.samples, settings.grid.direction == "denoising"
    return {"base": samples if denoising else 1, "source": 1 if denoising else samples}


def _sounds(prompts: Sequence[Prompt]) -> int:
    """Bytes of the prompts' waveforms, one that several share once."""
    samples = [prompt.waveform.samples for prompt in prompts if prompt.waveform is not None]
    return sum({id(one): one.nbytes for one in samples}.values())


def _cells(settings: TraceSettings, prompt: Prompt) -> int:
    """Cells of one prompt, those that it lacks included."""
    grid = settings.grid
    return len(grid.components) * grid.n_layers * len(settings.sites(prompt).spans) * len(grid.head_axis)


def fitting(model: LensModel, sweep: Sweep, runs: Mapping[Which, int], free: int) -> Batch | None:
    """The largest batch whose peak is within so many bytes: all rows together, or what halving the budget leaves; None
    where not one row is."""
    least, budget = sweep.row_bytes(model, max(runs.values()))
    while budget >= least:
        found = footprint(model, sweep, runs, budget)
        if found.peak <= free:
            return Batch(found.largest_batch, budget)
        budget //= 2
    return None


def _size(count: int) -> str:
    return f"{count / 2**30:.3g} GiB"
