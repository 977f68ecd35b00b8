"""The exact sweep: every cell of a grid by recomputing only what its patch can change.

1. `make_plan` sorts the cells into columns and rows (`spiritlens.runs.plan`), with no model at hand.
2. The base and the source run are recorded, once per noise sample.
3. Per column, block by block: rows that carry on or join before the block run on the suffix from the column's start,
   with the base run's keys and values before it; rows that part inside the block run their own positions through its MLP
   alone. The last block computes the read-outs only.
4. The read-outs are unembedded and scored; cells that cannot move get the base run's score.

Nothing is approximated: in float64 the values equal those of one hooked pass per cell to rounding. Rows are
``[row sample suffix d_model]``. A memory budget bounds the rows by splitting noise samples, then cells. While a user's own
hook is live on the model, cells run as whole sequences instead (`spiritlens.runs.full_length`).

Source: this project; the grid is that of Meng et al. 2022 (arXiv 2202.05262), section 2.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spiritlens.models.hooked import LensModel
from spiritlens.runs.full_length import full_length_cells, read_names, reads_source
from spiritlens.runs.plan import Action, Column, LayerPlan, Plan, Program, make_plan, split_column
from spiritlens.runs.sites import HEAD_COMPONENTS, hook_name
from spiritlens.runs.states import RecordedRun, patched, record

Score = Callable[[Tensor], Tensor]
"""Logits ``[row readout d_vocab]`` → metric values ``[row metric]``."""

SUFFIX_COMPONENTS = ("resid_pre", "k", "v")
"""What a column needs of the base run in every layer."""


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


def sweep(
    model: LensModel,
    programs: Sequence[Program],
    *,
    tokens: Tensor,
    base_embeddings: Tensor | None,
    source_embeddings: Tensor | None,
    score: Score,
    n_readouts: int = 1,
    memory_budget: int | None = None,
    advance: Callable[[int], None] = lambda token_layers: None,
) -> SweepResult:
    """Run all cells of a prompt. Embeddings ``[sample pos d_model]`` of a disturbed run, or None for the clean one.

    `memory_budget` is in bytes (default: from the device); `advance` is told the token-layers of each finished piece.
    """
    samples = max(1 if found is None else len(found) for found in (base_embeddings, source_embeddings))
    first_changed = first_difference(model, tokens, base_embeddings, source_embeddings)
    plan = make_plan(
        programs,
        n_layers=model.n_layers,
        n_positions=tokens.shape[1],
        first_changed=first_changed,
        n_readouts=n_readouts,
    )
    names = read_names(programs) if model.has_user_hooks() else _names(plan, model.n_layers)
    base = record(model, tokens, base_embeddings, names["base"], n_readouts)
    source = record(model, tokens, source_embeddings, names["source"], n_readouts)
    base_score, source_score = score(base.logits), score(source.logits)
    values = base_score[base.of_samples(torch.arange(samples, device=base_score.device))]
    values = values[None].repeat(len(programs), 1, 1)
    budget = memory_budget or default_memory_budget(model.device)
    runs = {"base": base, "source": source}
    unmoved = plan.unmoved
    if model.has_user_hooks():
        unmoved = tuple(cell for cell, program in enumerate(programs) if not reads_source(program))
        pieces = full_length_cells(model, programs, unmoved, runs, samples, score, n_readouts, budget)
    else:
        pieces = _swept_cells(_Engine(model, runs, tokens.shape[1], n_readouts), plan, programs, samples, score, budget)
    for cells, of_samples, found, work in pieces:
        values[torch.tensor(cells)[:, None], of_samples[None, :].cpu()] = found.to(values.dtype)
        advance(work)
    return SweepResult(values, base_score, source_score, unmoved, plan)


def first_difference(model: LensModel, tokens: Tensor, first: Tensor | None, second: Tensor | None) -> int:
    """First position at which two runs' embeddings differ in any sample; the number of positions where they never do."""
    plain = model.embed(tokens)
    one, other = (plain if found is None else found for found in (first, second))
    differs = (one != other).any(-1).any(0).nonzero()
    return int(differs[0]) if len(differs) else tokens.shape[1]


def default_memory_budget(device: torch.device) -> int:
    """Bytes that rows may take: half of a GPU's free memory; a quarter of a host's, at most 1 GiB."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0]) // 2
    pages, page_size = os.sysconf("SC_AVPHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return max(1 << 26, min(1 << 30, pages * page_size // 4))


def bytes_per_row(model: LensModel, suffix: int, n_positions: int, n_readouts: int) -> int:
    """Working memory of one row of one sample: residuals, MLP and attention temporaries, logits."""
    itemsize = torch.finfo(model.dtype).bits // 8
    per_token = 8 * model.d_model + 3 * model.d_mlp + 2 * model.n_heads * model.d_head
    prefix = 4 * n_positions * model.n_heads * model.d_head
    return itemsize * (suffix * per_token + prefix) + 12 * n_readouts * model.d_vocab


def _swept_cells(
    engine: "_Engine", plan: Plan, programs: Sequence[Program], samples: int, score: Score, budget: int
) -> Iterator[tuple[Sequence[int], Tensor, Tensor, int]]:
    """Cells, noise samples, values ``[cell sample metric]`` and token-layers of each piece that fits the budget."""
    reduced = plan.programs
    device = engine.model.device
    for column in plan.columns:
        suffix = plan.n_positions - column.start
        most = max(1, budget // bytes_per_row(engine.model, suffix, plan.n_positions, engine.n_readouts))
        per_piece = max(1, min(samples, most // max(1, column.most_rows)))
        for part in split_column(column, reduced, plan.n_layers, most):
            for first in range(0, samples, per_piece):
                chosen = torch.arange(first, min(samples, first + per_piece), device=device)
                final = engine.column(part, chosen)
                found = score(engine.model.logits(final.flatten(0, 1))).unflatten(0, final.shape[:2])
                work = len(chosen) * suffix * sum(len(layer.parents) for _, layer in part.layers)
                yield part.cells, chosen, found[list(part.rows)], work


@dataclass(frozen=True, eq=False)
class _Engine:
    """Runs columns against recorded runs."""

    model: LensModel
    runs: Mapping[str, RecordedRun]
    n_positions: int
    n_readouts: int

    @torch.no_grad()
    def column(self, column: Column, samples: Tensor) -> Tensor:
        """Residuals at the read-outs after the last block, ``[row sample readout d_model]``."""
        rows: Tensor | None = None
        for layer, plan in column.layers:
            last = layer == self.model.n_layers - 1
            axis = range(self.n_positions - self.n_readouts if last else column.start, self.n_positions)
            pieces = []
            if plan.parents:
                pieces.append(self._whole(layer, plan, rows, column.start, axis, samples))
            if plan.born:
                pieces.append(self._born(layer, plan.born, axis, samples))
            rows = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
        if rows is None:
            raise ValueError("a column without rows cannot run; plan its cells with make_plan")
        return rows

    def _whole(
        self, layer: int, plan: LayerPlan, rows: Tensor | None, start: int, axis: range, samples: Tensor
    ) -> Tensor:
        """Rows through a whole block; outputs for the positions of `axis` only."""

        def put(values: Tensor, component: str, positions: range) -> Tensor:
            return patched(values, component, layer, plan.actions, positions, self.runs, samples)

        suffix = range(start, self.n_positions)
        resid = put(self._entering(layer, plan.parents, rows, suffix, samples), "resid_pre", suffix)
        attn_out = put(self._attention(layer, plan, resid, start, axis, samples), "attn_out", axis)
        resid_mid = put(resid[:, :, axis.start - start :] + attn_out, "resid_mid", axis)
        mlp_out = put(self._mlp(layer, resid_mid), "mlp_out", axis)
        return put(resid_mid + mlp_out, "resid_post", axis)

    def _entering(
        self, layer: int, parents: Sequence[int], rows: Tensor | None, suffix: range, samples: Tensor
    ) -> Tensor:
        """Rows before the block: continued, forked, or new ones that are still the base run."""
        if rows is not None and parents == tuple(range(len(rows))):
            return rows
        base = self.runs["base"].at("resid_pre", layer, samples, suffix)
        if rows is None:
            return base[None].expand(len(parents), *base.shape)
        entering = base.new_empty(len(parents), *base.shape)
        for row, parent in enumerate(parents):
            entering[row] = base if parent < 0 else rows[parent]
        return entering

    def _attention(
        self, layer: int, plan: LayerPlan, resid: Tensor, start: int, axis: range, samples: Tensor
    ) -> Tensor:
        """attn_out of the positions of `axis`; step by step only where queries, keys, values or z are patched."""
        base = self.runs["base"]
        sample_of_row = base.of_samples(samples).repeat(len(resid))
        queries = None if axis.start == start else torch.arange(axis.start, axis.stop, device=resid.device)
        flat = resid.flatten(0, 1)
        if not any(action.component in HEAD_COMPONENTS for actions in plan.actions for action in actions):
            attn_out = self.model.attention(layer, flat, base.values, start, sample_of_row, queries)
            return attn_out.unflatten(0, resid.shape[:2])

        def put(values: Tensor, component: str, positions: range) -> Tensor:
            shaped = values.unflatten(0, resid.shape[:2])
            return patched(shaped, component, layer, plan.actions, positions, self.runs, samples).flatten(0, 1)

        suffix = range(start, self.n_positions)
        q, k, v = (put(values, name, suffix) for name, values in zip("qkv", self.model.qkv(layer, flat), strict=True))
        z = put(self.model.attend(layer, q, k, v, base.values, start, sample_of_row, queries), "z", axis)
        return self.model.project(layer, z).unflatten(0, resid.shape[:2])

    def _mlp(self, layer: int, resid_mid: Tensor) -> Tensor:
        return self.model.mlp(layer, resid_mid.flatten(0, 1)).unflatten(0, resid_mid.shape[:2])

    def _born(self, layer: int, born: Sequence[tuple[Action, ...]], axis: range, samples: Tensor) -> Tensor:
        """Rows that part from the base run inside this block: their own positions change, the rest of the suffix does not."""
        base, last = self.runs["base"], layer == self.model.n_layers - 1
        after = base.at("resid_post", layer, samples, axis) if last else base.at("resid_pre", layer + 1, samples, axis)
        result = after[None].repeat(len(born), 1, 1, 1)
        by_positions: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for row, actions in enumerate(born):
            positions = {position for action in actions for position in action.positions if position in axis}
            by_positions[tuple(sorted(positions))].append(row)
        for positions, members in by_positions.items():
            changed = self._own_positions(layer, [born[row] for row in members], positions, samples)
            places = [axis.index(position) for position in positions]
            index = (
                torch.tensor(members)[:, None, None],
                torch.arange(len(samples))[None, :, None],
                torch.tensor(places),
            )
            result[index] = changed
        return result

    def _own_positions(
        self, layer: int, actions: Sequence[tuple[Action, ...]], positions: tuple[int, ...], samples: Tensor
    ) -> Tensor:
        """resid_post ``[row sample position d_model]`` of rows that were the base run up to this block's attention."""
        base = self.runs["base"]

        def put(values: Tensor, component: str, members: Sequence[int]) -> Tensor:
            chosen = [actions[row] for row in members]
            return patched(values, component, layer, chosen, positions, self.runs, samples)

        def acting(*components: str) -> list[int]:
            return [row for row, own in enumerate(actions) if any(action.component in components for action in own)]

        def expanded(component: str, count: int) -> Tensor:
            values = base.at(component, layer, samples, positions)
            return values[None].repeat(count, *(1 for _ in values.shape))

        everyone = range(len(actions))
        resid_mid = expanded("resid_mid", len(actions))
        if by_head := acting("z"):
            z = put(expanded("z", len(by_head)), "z", by_head)
            attn_out = self.model.project(layer, z.flatten(0, 1)).unflatten(0, z.shape[:2])
            resid_mid[by_head] = expanded("resid_pre", len(by_head)) + attn_out
        if whole := acting("attn_out"):
            attn_out = put(expanded("attn_out", len(whole)), "attn_out", whole)
            resid_mid[whole] = expanded("resid_pre", len(whole)) + attn_out
        resid_mid = put(resid_mid, "resid_mid", everyone)
        mlp_out = torch.zeros_like(resid_mid)
        if through_mlp := [row for row in everyone if row not in set(acting("mlp_out", "resid_post"))]:
            mlp_out[through_mlp] = self._mlp(layer, resid_mid[through_mlp])
        return put(resid_mid + put(mlp_out, "mlp_out", everyone), "resid_post", everyone)


def _names(plan: Plan, n_layers: int) -> dict[str, list[str]]:
    """Hook names that the plan reads of the "base" and of the "source" run."""
    names = read_names(plan.programs)
    base = dict.fromkeys(names["base"])
    for column in plan.columns:
        for layer, block in column.layers:
            base.update(dict.fromkeys(hook_name(component, layer) for component in SUFFIX_COMPONENTS))
            if block.born:
                following = ("resid_pre", layer + 1) if layer + 1 < n_layers else ("resid_post", layer)
                reads = [("resid_mid", layer), ("z", layer), ("attn_out", layer), following]
                base.update(dict.fromkeys(hook_name(*read) for read in reads))
    return {"base": list(base), "source": names["source"]}
