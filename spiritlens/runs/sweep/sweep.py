"""The exact sweep: every cell of a grid by recomputing only what its patch can change.

1. `plan_sweep` sorts the cells into columns and rows (`spiritlens.runs.sweep.plan`), once, before anything runs.
2. The base and the source run are recorded, once per noise sample, with the activations that the plan reads.
3. Per column, block by block: rows that carry on or join before the block run on the suffix from the column's start,
   with the base run's keys and values before it; rows that part inside the block run their own positions through its
   MLP alone. The last block computes the read-outs only.
4. The read-outs are unembedded and scored; cells that cannot move get the base run's score.

Nothing is approximated: in float64 the values equal those of one hooked pass per cell to rounding. Rows are
``[row sample suffix d_model]``. A memory budget bounds the rows by splitting noise samples, then cells. While a user's
own hook is live on the model, cells run as whole sequences instead (`spiritlens.runs.sweep.full_length`).

Source: this project; the grid is that of Meng et al. 2022 (arXiv 2202.05262), section 2.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spiritlens.arguments import whole
from spiritlens.components import KEY_VALUE_COMPONENTS, hook_name
from spiritlens.models.protocol import LensModel
from spiritlens.out_of_memory import halved, ran_out_of_memory
from spiritlens.runs.sweep.columns import ColumnRunner
from spiritlens.runs.sweep.full_length import full_length_cells, read_names, reads_source, whole_row_bytes
from spiritlens.runs.sweep.plan import Column, Plan, Program, Which, make_plan, split_column
from spiritlens.runs.sweep.recorded import RecordedPair, Score, as_rows, n_samples

LEAST_OF_A_HOST, MOST_OF_A_HOST = 1 << 26, 1 << 30
"""Bounds of the default memory budget, in bytes."""

READ_AT_ONCE = 192
"""Rows that are unembedded and scored at a time: small enough that one piece's logits reuse the memory of the last."""


@dataclass(frozen=True, eq=False)
class SweepResult:
    """Metric values per cell and noise sample, ``[cell sample metric]``; `unmoved` cells hold the base run's."""

    values: Tensor
    base: Tensor
    """Scores of the base run, ``[run metric]`` (one run when all samples share it)."""
    source: Tensor
    """Scores of the source run, ``[run metric]``."""
    unmoved: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Sweep:
    """The cells of a prompt, planned once (`plan_sweep`): record what `names` asks for, then `run` them."""

    programs: tuple[Program, ...]
    plan: Plan
    names: Mapping[Which, tuple[str, ...]]
    """Hook names that are read of each run."""
    first_changed: int
    n_readouts: int
    unmoved: tuple[int, ...]
    """Cells that keep the base run's value."""
    whole_sequences: bool
    """Whether a user's own hooks are live, so that nothing is cut to a suffix."""

    @torch.no_grad()
    def run(
        self,
        model: LensModel,
        runs: RecordedPair,
        score: Score,
        *,
        memory_budget: int | None = None,
        advance: Callable[[int], None] = lambda runs: None,
    ) -> SweepResult:
        """Run all cells between two recorded runs whose patched values agree before `first_changed`.

        The source's values may come from anywhere, as long as they stand at the base run's positions. `memory_budget`
        is in bytes (default: from the device). `advance` is given how many runs (cells × samples) each finished piece
        held.
        """
        base = runs["base"]
        base_score, source_score = score(base.logits), score(runs["source"].logits)
        values = base_score[base.of_samples(torch.arange(n_samples(runs), device=base_score.device))]
        values = values[None].repeat(len(self.programs), 1, 1)
        budget = resolved_memory_budget(model.device, memory_budget)
        least, most = self.row_bytes(model, n_samples(runs))
        done: set[tuple[int, int]] = set()
        while True:
            try:
                for cells, of_samples, found in self._pieces(model, runs, score, budget):
                    where = torch.tensor(cells, device=values.device)
                    values[where, of_samples.start : of_samples.stop] = found.to(values.dtype)
                    finished = {(cell, sample) for cell in cells for sample in of_samples} - done
                    done |= finished
                    advance(len(finished))
                return SweepResult(values, base_score, source_score, self.unmoved)
            except (RuntimeError, MemoryError) as error:
                if not ran_out_of_memory(error) or min(budget, most) // 2 < least:
                    raise
            budget = halved(min(budget, most))  # outside the handler, whose traceback holds what was allocated

    def _pieces(
        self, model: LensModel, runs: RecordedPair, score: Score, budget: int
    ) -> Iterator[tuple[Sequence[int], range, Tensor]]:
        """Cells, noise samples and values ``[cell sample metric]`` of each piece that fits the budget."""
        if self.whole_sequences:
            moved = {cell: program for cell, program in enumerate(self.programs) if cell not in set(self.unmoved)}
            return full_length_cells(model, moved, runs, score, self.n_readouts, budget)
        engine = ColumnRunner(model, runs, self.plan.n_positions, self.n_readouts)
        return _swept_cells(engine, self.plan, score, budget)

    def row_bytes(self, model: LensModel, samples: int) -> tuple[int, int]:
        """Bytes of the smallest row, and of the most rows that go together without a budget."""
        length = self.plan.n_positions
        if self.whole_sequences or not self.plan.columns:
            one = whole_row_bytes(model, length)
            return one, one * samples * max(1, len(self.programs))
        sizes = {
            column.start: bytes_per_row(model, length - column.start, length, self.n_readouts)
            for column in self.plan.columns
        }
        rows = [sizes[column.start] * samples * max(1, column.most_rows) for column in self.plan.columns]
        return min(sizes.values()), max(rows)


def plan_sweep(
    model: LensModel,
    programs: Sequence[Program],
    n_positions: int,
    first_changed: int = 0,
    n_readouts: int = 1,
    always: Collection[int] = (),
    two_runs: bool = False,
) -> Sweep:
    """Plan the cells of a prompt of `n_positions` tokens; those in `always` are run although nothing can move them.

    `two_runs`: the source's values are those of another run of the same tokens (`RunPair`).
    """
    plan = make_plan(
        programs,
        n_layers=model.n_layers,
        n_positions=n_positions,
        first_changed=first_changed,
        n_readouts=n_readouts,
        always=always,
        two_runs=two_runs,
    )
    whole_sequences = model.has_user_hooks()
    if whole_sequences:
        names = read_names(programs)
        unmoved = tuple(
            cell for cell, program in enumerate(programs) if not reads_source(program) and cell not in always
        )
    else:
        names, unmoved = _swept_names(plan), plan.unmoved
    both: dict[Which, tuple[str, ...]] = {run: tuple(found) for run, found in names.items()}
    return Sweep(tuple(programs), plan, both, first_changed, n_readouts, unmoved, whole_sequences)


def _swept_names(plan: Plan) -> dict[Which, list[str]]:
    """Hook names that the actions and the columns' engine read."""
    names = read_names(plan.programs)
    base, source = dict.fromkeys(names["base"]), dict.fromkeys(names["source"])
    for column in plan.columns:
        for layer, block in column.layers:
            base[hook_name("resid_pre", layer)] = None
            before = base if column.before == "base" else source
            before.update(dict.fromkeys(hook_name(component, layer) for component in KEY_VALUE_COMPONENTS))
            if block.new_rows:
                following = ("resid_pre", layer + 1) if layer + 1 < plan.n_layers else ("resid_post", layer)
                reads = [("resid_mid", layer), ("z", layer), ("attn_out", layer), following]
                base.update(dict.fromkeys(hook_name(*read) for read in reads))
    return {"base": list(base), "source": list(source)}


def resolved_memory_budget(device: torch.device, given: int | None = None) -> int:
    """Bytes that rows may take: those given, or an eighth of a GPU's memory, a quarter of a host's, at most 1 GiB.

    The default is taken from the machine's whole memory, not from what is free: how rows are split decides the last
    digits of a result.
    """
    if given is not None:
        return whole("memory_budget", given, at_least=1)
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory) // 8
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return MOST_OF_A_HOST  # not every system says
    return max(LEAST_OF_A_HOST, min(MOST_OF_A_HOST, total // 4))


def bytes_per_row(model: LensModel, suffix: int, n_positions: int, n_readouts: int) -> int:
    """Working memory of one row of one sample: residuals, MLP and attention temporaries, logits."""
    itemsize = torch.finfo(model.dtype).bits // 8
    per_token = 8 * model.d_model + 3 * model.d_mlp + 2 * model.n_heads * model.d_head
    prefix = 4 * n_positions * model.n_heads * model.d_head
    return itemsize * (suffix * per_token + prefix) + 12 * n_readouts * model.d_vocab


def _swept_cells(
    engine: ColumnRunner, plan: Plan, score: Score, budget: int
) -> Iterator[tuple[Sequence[int], range, Tensor]]:
    """Cells, noise samples and values ``[cell sample metric]`` of each piece that fits the budget."""
    device, samples = engine.model.device, n_samples(engine.runs)
    for column in plan.columns:
        parts, per_piece = divided(engine.model, plan, column, samples, engine.n_readouts, budget)
        for part in parts:
            for first in range(0, samples, per_piece):
                held = range(first, min(samples, first + per_piece))
                final = engine.column(part, torch.arange(held.start, held.stop, device=device))
                flat = final.flatten(0, 1)
                pieces = flat.tensor_split(-(-len(flat) // READ_AT_ONCE))
                found = as_rows(torch.cat([score(engine.model.logits(piece)) for piece in pieces]), final)
                yield part.cells, held, found[torch.tensor(part.rows, device=found.device)]


def divided(
    model: LensModel, plan: Plan, column: Column, samples: int, n_readouts: int, budget: int
) -> tuple[tuple[Column, ...], int]:
    """A column in parts of which each fits the budget, and the noise samples that go together."""
    suffix = plan.n_positions - column.start
    most = max(1, budget // bytes_per_row(model, suffix, plan.n_positions, n_readouts))
    together = max(1, min(samples, most // max(1, column.most_rows)))
    return split_column(column, plan.programs, plan.n_layers, most), together
