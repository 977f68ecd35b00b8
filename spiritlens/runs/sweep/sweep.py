"""The exact sweep: every cell of a grid by recomputing only what its patch can change.

1. `make_plan` sorts the cells into columns and rows (`spiritlens.runs.sweep.plan`), with no model at hand.
2. The base and the source run are recorded, once per noise sample.
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
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from spiritlens.arguments import whole
from spiritlens.components import KEY_VALUE_COMPONENTS, hook_name
from spiritlens.environment import plain_torch
from spiritlens.models.protocol import LensModel
from spiritlens.runs.sweep.columns import Engine
from spiritlens.runs.sweep.full_length import full_length_cells, read_names, reads_source
from spiritlens.runs.sweep.plan import Plan, Program, make_plan, split_column
from spiritlens.runs.sweep.recorded import RecordedRun, as_rows, record
from spiritlens.shapes import checked

Score = Callable[[Tensor], Tensor]
"""Logits ``[row readout d_vocab]`` → metric values ``[row metric]``."""

SUFFIX_COMPONENTS = ("resid_pre", *KEY_VALUE_COMPONENTS)
"""What a column needs of the base run in every layer."""

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
    plan: Plan


@plain_torch
def sweep(
    model: LensModel,
    programs: Sequence[Program],
    *,
    tokens: Int[Tensor, "1 pos"],
    base_embeddings: Float[Tensor, "sample pos d_model"] | None,
    source_embeddings: Float[Tensor, "sample pos d_model"] | None,
    score: Score,
    clean_score: Callable[[Tensor], Score] | None = None,
    n_readouts: int = 1,
    always: Collection[int] = (),
    memory_budget: int | None = None,
    advance: Callable[[int], None] = lambda runs: None,
) -> SweepResult:
    """Run all cells of a prompt. Embeddings ``[sample pos d_model]`` of a disturbed run, or None for the clean one.

    `clean_score` makes the score out of the clean run's logits, for metrics that compare with it; the other settings
    are those of `sweep_runs`.
    """
    for embeddings in (base_embeddings, source_embeddings):
        if embeddings is not None:
            check_embeddings(tokens, embeddings)
    first_changed = first_difference(model, tokens, base_embeddings, source_embeddings)
    names = names_to_record(model, programs, tokens.shape[1], first_changed, n_readouts, always)
    base = record(model, tokens, base_embeddings, names["base"], n_readouts)
    source = record(model, tokens, source_embeddings, names["source"], n_readouts)
    return sweep_runs(
        model,
        programs,
        base=base,
        source=source,
        first_changed=first_changed,
        score=score if clean_score is None else clean_score((base if base_embeddings is None else source).logits),
        n_readouts=n_readouts,
        always=always,
        memory_budget=memory_budget,
        advance=advance,
    )


def sweep_runs(
    model: LensModel,
    programs: Sequence[Program],
    *,
    base: RecordedRun,
    source: RecordedRun,
    first_changed: int,
    score: Score,
    n_readouts: int = 1,
    always: Collection[int] = (),
    memory_budget: int | None = None,
    advance: Callable[[int], None] = lambda runs: None,
) -> SweepResult:
    """Run all cells between two recorded runs whose patched values agree before `first_changed`.

    The source's values may come from anywhere, as long as they stand at the base run's positions. `always` names cells
    to run although nothing can move them. `memory_budget` is in bytes (default: from the device). `advance` is told
    how many runs (cells × samples) each finished piece held.
    """
    samples, n_positions = max(base.n_runs, source.n_runs), base.tokens.shape[1]
    plan = _plan(model, programs, n_positions, first_changed, n_readouts, always)
    base_score, source_score = score(base.logits), score(source.logits)
    values = base_score[base.of_samples(torch.arange(samples, device=base_score.device))]
    values = values[None].repeat(len(programs), 1, 1)
    budget = resolved_memory_budget(model.device, memory_budget)
    runs = {"base": base, "source": source}
    unmoved = plan.unmoved
    if model.has_user_hooks():
        unmoved = tuple(
            cell for cell, program in enumerate(programs) if not reads_source(program) and cell not in always
        )
        pieces = full_length_cells(model, programs, unmoved, runs, samples, score, n_readouts, budget)
    else:
        pieces = _swept_cells(Engine(model, runs, n_positions, n_readouts), plan, samples, score, budget)
    for cells, of_samples, found in pieces:
        values[torch.tensor(cells)[:, None], of_samples[None, :].cpu()] = found.to(values.dtype)
        advance(len(cells) * len(of_samples))
    return SweepResult(values, base_score, source_score, unmoved, plan)


def names_to_record(
    model: LensModel,
    programs: Sequence[Program],
    n_positions: int,
    first_changed: int = 0,
    n_readouts: int = 1,
    always: Collection[int] = (),
) -> dict[str, list[str]]:
    """Hook names that `sweep_runs` reads of the "base" and of the "source" run."""
    if model.has_user_hooks():
        return read_names(programs)
    plan = _plan(model, programs, n_positions, first_changed, n_readouts, always)
    names = read_names(plan.programs)
    base = dict.fromkeys(names["base"])
    for column in plan.columns:
        for layer, block in column.layers:
            base.update(dict.fromkeys(hook_name(component, layer) for component in SUFFIX_COMPONENTS))
            if block.born:
                following = ("resid_pre", layer + 1) if layer + 1 < model.n_layers else ("resid_post", layer)
                reads = [("resid_mid", layer), ("z", layer), ("attn_out", layer), following]
                base.update(dict.fromkeys(hook_name(*read) for read in reads))
    return {"base": list(base), "source": names["source"]}


@checked
def check_embeddings(tokens: Int[Tensor, "1 pos"], embeddings: Float[Tensor, "sample pos d_model"]) -> None:
    """Refuse embeddings that are not of these tokens; once per run, so that nothing inside needs checks."""


def first_difference(model: LensModel, tokens: Tensor, first: Tensor | None, second: Tensor | None) -> int:
    """First position at which two runs' embeddings differ in any sample; the number of positions if they never do."""
    plain = model.embed(tokens)
    one, other = (plain if found is None else found for found in (first, second))
    differs = (one != other).any(-1).any(0).nonzero()
    return int(differs[0]) if len(differs) else tokens.shape[1]


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
        return MOST_OF_A_HOST  # not told on every system
    return max(LEAST_OF_A_HOST, min(MOST_OF_A_HOST, total // 4))


def bytes_per_row(model: LensModel, suffix: int, n_positions: int, n_readouts: int) -> int:
    """Working memory of one row of one sample: residuals, MLP and attention temporaries, logits."""
    itemsize = torch.finfo(model.dtype).bits // 8
    per_token = 8 * model.d_model + 3 * model.d_mlp + 2 * model.n_heads * model.d_head
    prefix = 4 * n_positions * model.n_heads * model.d_head
    return itemsize * (suffix * per_token + prefix) + 12 * n_readouts * model.d_vocab


def _swept_cells(
    engine: Engine, plan: Plan, samples: int, score: Score, budget: int
) -> Iterator[tuple[Sequence[int], Tensor, Tensor]]:
    """Cells, noise samples and values ``[cell sample metric]`` of each piece that fits the budget."""
    device = engine.model.device
    for column in plan.columns:
        suffix = plan.n_positions - column.start
        most = max(1, budget // bytes_per_row(engine.model, suffix, plan.n_positions, engine.n_readouts))
        per_piece = max(1, min(samples, most // max(1, column.most_rows)))
        for part in split_column(column, plan.programs, plan.n_layers, most):
            for first in range(0, samples, per_piece):
                chosen = torch.arange(first, min(samples, first + per_piece), device=device)
                final = engine.column(part, chosen)
                flat = final.flatten(0, 1)
                pieces = flat.tensor_split(-(-len(flat) // READ_AT_ONCE))
                found = as_rows(torch.cat([score(engine.model.logits(piece)) for piece in pieces]), final)
                yield part.cells, chosen, found[list(part.rows)]


def _plan(
    model: LensModel,
    programs: Sequence[Program],
    n_positions: int,
    first_changed: int,
    n_readouts: int,
    always: Collection[int],
) -> Plan:
    return make_plan(
        programs,
        n_layers=model.n_layers,
        n_positions=n_positions,
        first_changed=first_changed,
        n_readouts=n_readouts,
        always=always,
    )
