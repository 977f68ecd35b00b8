"""What a trace will cost, told before anything runs (`spiritlens trace --dry-run`).

The plan of every prompt's grid is made without running the model, so cells, rows and token-layers are exact counts of
the whole grid. Not counted: the rows of the noise floor and of the canary, the second continuation that a foil of
several tokens needs, and what a screen leaves out.

FLOPs: one multiply-add is two. A token through a block costs ``2 · (attention + MLP parameters)`` and its attention
``4 · heads · d_head · length``; a token through an MLP alone ``6 · d_model · d_mlp``; a read-out ``2 · d_model ·
d_vocab``. *Naive*: one whole pass per cell and sample, as the field's tools do. *Hours* are FLOPs over the given rate;
what share of the machine's best rate is reached is for `benchmarks/causal_tracing.py` to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from spiritlens.analysis.grid.grid import Draws, Grid, drawn
from spiritlens.analysis.tracing.grid import trace_grid
from spiritlens.analysis.tracing.memory import Memory, told_memory
from spiritlens.analysis.tracing.one_prompt import cells_of
from spiritlens.analysis.tracing.settings import DEFAULT_METRICS, TraceSettings
from spiritlens.arguments import number, told_keywords
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.metrics import Metric, given_metrics
from spiritlens.runs.sweep.cost import ModelShape, plan_flops, shape_of
from spiritlens.runs.sweep.plan import Plan, make_plan


@dataclass(frozen=True)
class Cost:
    """Counts and FLOPs of a trace, and the memory that it takes."""

    prompts: int
    cells: int
    exact_cells: int
    """Cells that need no run."""
    token_layers: int
    flops: float
    naive_flops: float
    tflops: float
    memory: Memory

    @property
    def hours(self) -> float:
        """Hours at the given rate."""
        return self.flops / (self.tflops * 1e12) / 3600

    def __repr__(self) -> str:
        return "\n".join(
            [
                f"{self.prompts} prompts, {self.cells:,} cells, of which {self.exact_cells:,} need no run",
                f"{self.token_layers:,} token-layers, {self.flops / 1e12:,.3g} TFLOP "
                f"(a pass per cell would be {self.naive_flops / 1e12:,.3g} TFLOP, "
                f"{self.naive_flops / max(self.flops, 1):.1f} ×)",
                f"{self.hours:.3g} hours at {self.tflops:g} TFLOP/s",
                repr(self.memory),
            ]
        )


@told_keywords
def estimate_cost(
    lens: Lens,
    prompts: Sequence[Prompt],
    grid: Grid | Sequence[str] | None = None,
    *,
    samples: int | Draws = 10,
    metrics: Sequence[str | Metric] = DEFAULT_METRICS,
    tflops: float = 1.0,
) -> Cost:
    """Price a trace by `causal_trace` of the same prompts, grid, samples and metrics; `tflops` is the rate in 10¹² FLOP
    per second that the machine sustains.

    The count is this project's own. Returns cells, token-layers, FLOPs and hours, and the `memory` at its peak
    (`spiritlens.analysis.tracing.memory`): bytes of each kind, and the largest batch that fits.
    Raises ValueError for prompts, grids, metrics or rates that `causal_trace` would refuse.
    """
    prompts = given_prompts(given_lens(lens), prompts)
    settings = TraceSettings(trace_grid(lens.backend, grid), draws=drawn(samples), metrics=given_metrics(metrics))
    tflops = number("tflops", tflops, above=0, below=inf)
    shape = shape_of(lens.backend)
    each = [_counts_of(shape, prompt, settings) for prompt in prompts]
    return Cost(
        prompts=len(prompts),
        cells=sum(counts.cells for counts in each),
        exact_cells=sum(counts.exact_cells for counts in each),
        token_layers=sum(counts.token_layers for counts in each),
        flops=sum(counts.flops for counts in each),
        naive_flops=sum(counts.naive_flops for counts in each),
        tflops=tflops,
        memory=told_memory(lens, prompts, settings),
    )


def plan_of(prompt: Prompt, settings: TraceSettings) -> Plan:
    """The rows that one prompt's grid runs."""
    n_readouts = len(prompt.answer_ids)
    return make_plan(
        cells_of(settings.grid, settings.sites(prompt)).programs,
        n_layers=settings.grid.n_layers,
        n_positions=len(prompt.ids) + n_readouts - 1,
        first_changed=min(settings.positions(prompt)),
        n_readouts=n_readouts,
        two_runs=True,
    )


@dataclass(frozen=True)
class _Counts:
    """What one prompt's grid runs."""

    cells: int
    exact_cells: int
    token_layers: int
    flops: float
    naive_flops: float


def _counts_of(shape: ModelShape, prompt: Prompt, settings: TraceSettings) -> _Counts:
    plan, n_readouts, samples = plan_of(prompt, settings), len(prompt.answer_ids), settings.draws.samples
    n_cells, positions = len(plan.programs), plan.n_positions
    one_pass = positions * shape.n_layers * shape.block_flops((positions + 1) / 2) + n_readouts * shape.readout_flops
    return _Counts(
        cells=n_cells,
        exact_cells=len(plan.unmoved),
        token_layers=plan.token_layers(samples),
        flops=plan_flops(shape, plan, samples, n_readouts) + (1 + samples) * one_pass,
        naive_flops=n_cells * samples * one_pass,
    )
