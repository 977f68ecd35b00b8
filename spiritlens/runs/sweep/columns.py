"""One column of a sweep through the model, block by block.

Rows are ``[row sample suffix d_model]`` with the suffix from the column's start to the end. In the last block only the
read-outs (the last `n_readouts` positions) are computed. `spiritlens.runs.sweep.plan` says which rows there are and
when.

A block takes a few rows at a time, so that what it makes of them stays in the processor's cache, and writes them to one
of two buffers that take turns over the layers: fresh memory costs a page fault per 4 KiB, many times its arithmetic.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spiritlens.components import HEAD_COMPONENTS
from spiritlens.models.protocol import CachedPrefix, LensModel
from spiritlens.runs.sweep.plan import AFTER_MLP, Action, Column
from spiritlens.runs.sweep.recorded import RecordedPair, as_rows, patched

TOKENS_AT_ONCE = 1024
"""Tokens that a block takes at a time on a CPU: many enough for the matrix products, few enough for the cache."""


def rows_at_once(most_rows: int, samples: int, suffix: int, on_cpu: bool) -> int:
    """Rows that a block takes at a time, each of all samples: on a GPU all of them."""
    return max(1, round(TOKENS_AT_ONCE / (samples * suffix))) if on_cpu else most_rows


@dataclass(frozen=True, eq=False)
class ColumnRunner:
    """Runs columns against recorded runs."""

    model: LensModel
    runs: RecordedPair
    n_positions: int
    n_readouts: int

    @torch.no_grad()
    def column(self, column: Column, samples: Tensor) -> Tensor:
        """Residuals at the read-outs after the last block, ``[row sample readout d_model]``."""
        rows: Tensor | None = None
        suffix = range(column.start, self.n_positions)
        at_once = rows_at_once(column.most_rows, len(samples), len(suffix), samples.device.type == "cpu")
        shape = (column.most_rows, len(samples), len(suffix), self.model.d_model)
        buffers = [torch.empty(shape, dtype=self.model.dtype, device=self.model.device) for _ in range(2)]
        for layer, plan in column.layers:
            last = layer == self.model.n_layers - 1
            axis = range(self.n_positions - self.n_readouts, self.n_positions) if last else suffix
            n_whole = len(plan.parents)
            after = buffers[layer % 2][: n_whole + len(plan.new_rows), :, -len(axis) :]
            before = self.runs[column.before]
            for first in range(0, n_whole, at_once):
                chosen = slice(first, min(n_whole, first + at_once))
                entering = self._entering(layer, plan.parents[chosen], rows, suffix, samples)
                prefix = CachedPrefix(before.values, column.start, before.of_samples(samples).repeat(len(entering)))
                self._whole(layer, plan.actions[chosen], entering, prefix, axis, samples, after[chosen])
            if plan.new_rows:
                after[n_whole:] = self._new_rows(layer, plan.new_rows, axis, samples)
            rows = after
        if rows is None:
            raise ValueError("a column without rows cannot run; plan its cells with make_plan")
        return rows.contiguous()  # a view would hold the buffer while the next column runs

    def _whole(
        self,
        layer: int,
        actions: Sequence[tuple[Action, ...]],
        entering: Tensor,
        prefix: CachedPrefix,
        axis: range,
        samples: Tensor,
        after: Tensor,
    ) -> None:
        """Rows through a whole block; outputs for the positions of `axis` only, written to `after`."""
        suffix = range(prefix.start, self.n_positions)

        def put(values: Tensor, component: str) -> Tensor:
            return patched(values, component, layer, actions, axis, self.runs, samples, in_place=True)

        resid = patched(entering, "resid_pre", layer, actions, suffix, self.runs, samples)
        attn_out = put(self._attention(layer, actions, resid, prefix, axis, samples), "attn_out")
        resid_mid = put(attn_out.add_(resid[:, :, axis.start - suffix.start :]), "resid_mid")
        mlp_out = put(self._mlp(layer, resid_mid), "mlp_out")
        put(torch.add(resid_mid, mlp_out, out=after), "resid_post")

    def _entering(
        self, layer: int, parents: Sequence[int], rows: Tensor | None, suffix: range, samples: Tensor
    ) -> Tensor:
        """Rows before the block: continued, forked, or new ones that are still the base run."""
        first = parents[0]
        if rows is not None and first >= 0 and parents == tuple(range(first, first + len(parents))):
            return rows[first : first + len(parents)]
        base = self.runs["base"].at("resid_pre", layer, samples, suffix)
        if rows is None:
            return base[None].expand(len(parents), *base.shape)
        return torch.stack([base if parent < 0 else rows[parent] for parent in parents])

    def _attention(
        self,
        layer: int,
        actions: Sequence[tuple[Action, ...]],
        resid: Tensor,
        prefix: CachedPrefix,
        axis: range,
        samples: Tensor,
    ) -> Tensor:
        """attn_out of the positions of `axis`; step by step only where queries, keys, values or z are patched."""
        suffix = range(prefix.start, self.n_positions)
        queries = None if axis == suffix else torch.arange(axis.start, axis.stop, device=resid.device)
        flat = resid.flatten(0, 1)
        if not any(action.component in HEAD_COMPONENTS for own in actions for action in own):
            return as_rows(self.model.attention(layer, flat, prefix, queries), resid)

        def put(values: Tensor, component: str, positions: range) -> Tensor:
            rows = as_rows(values, resid)
            return patched(rows, component, layer, actions, positions, self.runs, samples).flatten(0, 1)

        q, k, v = (put(values, name, suffix) for name, values in zip("qkv", self.model.qkv(layer, flat), strict=True))
        z = put(self.model.attend(layer, q, k, v, prefix, queries), "z", axis)
        return as_rows(self.model.project(layer, z), resid)

    def _mlp(self, layer: int, resid_mid: Tensor) -> Tensor:
        return as_rows(self.model.mlp(layer, resid_mid.flatten(0, 1)), resid_mid)

    def _new_rows(self, layer: int, new_rows: Sequence[tuple[Action, ...]], axis: range, samples: Tensor) -> Tensor:
        """Rows that part from the base run inside this block: only their own positions change in it."""
        base, last = self.runs["base"], layer == self.model.n_layers - 1
        after = base.at("resid_post", layer, samples, axis) if last else base.at("resid_pre", layer + 1, samples, axis)
        result = after[None].repeat(len(new_rows), 1, 1, 1)
        by_positions: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for row, actions in enumerate(new_rows):
            own = {position for action in actions for position in action.positions if position in axis}
            by_positions[tuple(sorted(own))].append(row)
        for positions, members in by_positions.items():
            changed = self._own_positions(layer, [new_rows[row] for row in members], positions, samples)
            places = [axis.index(position) for position in positions]
            index = (
                torch.tensor(members, device=result.device)[:, None, None],
                torch.arange(len(samples), device=result.device)[None, :, None],
                torch.tensor(places, device=result.device),
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
            attn_out = as_rows(self.model.project(layer, z.flatten(0, 1)), z)
            resid_mid[by_head] = expanded("resid_pre", len(by_head)) + attn_out
        if whole := acting("attn_out"):
            attn_out = put(expanded("attn_out", len(whole)), "attn_out", whole)
            resid_mid[whole] = expanded("resid_pre", len(whole)) + attn_out
        resid_mid = put(resid_mid, "resid_mid", everyone)
        mlp_out = torch.zeros_like(resid_mid)
        if through_mlp := [row for row in everyone if row not in set(acting(*AFTER_MLP))]:
            mlp_out[through_mlp] = self._mlp(layer, resid_mid[through_mlp])
        return put(resid_mid + put(mlp_out, "mlp_out", everyone), "resid_post", everyone)
