"""Patches that move one block at their own positions only, computed beforehand for all positions at once.

A patch of ``q``, ``z``, ``result``, ``pattern``, ``attn_out``, ``resid_mid`` or ``mlp_out`` in one layer of the base
run changes that block's output at the patched positions and nowhere else: keys and values of the block stay, and the
MLP works position by position. So the patch *is* a patch of ``resid_post`` with a value known in closed form,

    z'         = softmax(q' · k) · v             for a query,     pattern' · v     for a pattern,
    resid_mid' = resid_mid + (z' − z) · W_O      for z, by head   (+ attn_out' − attn_out for all heads),
    resid_post' = resid_mid' + MLP(resid_mid'),

and one matrix product per layer gives it for all heads and positions. What a later block makes of it is the sweep's
affair: *variants* (a component and a head) are its samples, sites its cells.

Axes: values ``[run pos …]``, ``run`` counting noise samples (1: shared); of variants ``[variant·run pos d_model]``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from einops import einsum, rearrange, repeat
from torch import Tensor

from spiritlens.analysis.patching.grid import Patch
from spiritlens.components import COMPONENT_NAMED, hook_name
from spiritlens.models.protocol import CachedPrefix, LensModel
from spiritlens.out_of_memory import in_pieces
from spiritlens.runs.sweep.plan import Action, Which
from spiritlens.runs.sweep.recorded import RecordedPair, RecordedRun, Score, n_samples, runs_of
from spiritlens.runs.sweep.sweep import Sweep, plan_sweep, resolved_memory_budget

Variant = tuple[str, int | None]
"""A component and a head (None: all heads together, or no head axis)."""


@dataclass(frozen=True, eq=False)
class VariantRun(RecordedRun):
    """A base run whose noise samples come again for every variant: sample = variant · runs + run."""

    def of_samples(self, samples: Tensor) -> Tensor:
        return samples % self.n_runs


def moves_one_block(patch: Patch) -> bool:
    """Whether the patch is of the kind that this module computes."""
    return len(patch.layers) == 1 and COMPONENT_NAMED[patch.component].base_reads != ()


def block_sweep(
    model: LensModel, patches: Sequence[Patch], n_positions: int, first_changed: int, n_readouts: int
) -> Sweep:
    """The sweep of the blocks' outputs: its cells are the patches' layers and positions."""
    programs = [{layer: (Action("resid_post", positions),)} for layer, positions in _cells(patches)]
    return plan_sweep(model, programs, n_positions, first_changed, n_readouts)


def block_names(sweep: Sweep, patches: Sequence[Patch]) -> dict[Which, list[str]]:
    """Hook names that `block_values` reads of the "base" and of the "source" run."""
    components = dict.fromkeys(patch.component for patch in patches)
    base = dict.fromkeys(name for component in components for name in COMPONENT_NAMED[component].base_reads)
    layers = sorted({patch.layers[0] for patch in patches})
    return {
        "base": [*sweep.names["base"], *(hook_name(name, layer) for layer in layers for name in base)],
        "source": [hook_name(name, layer) for layer in layers for name in components],
    }


def block_values(
    model: LensModel,
    sweep: Sweep,
    runs: RecordedPair,
    patches: Sequence[Patch],
    *,
    n_prompt: int,
    score: Score,
    memory_budget: int | None,
) -> tuple[Tensor, frozenset[int]]:
    """Values ``[patch run metric]`` and the patches that cannot move anything; `n_prompt` positions can be patched."""
    variants = list(dict.fromkeys((patch.component, patch.head) for patch in patches))
    n_runs, budget = n_samples(runs), resolved_memory_budget(model.device, memory_budget)
    of_row = model.n_layers * sweep.plan.n_positions * model.d_model * torch.finfo(model.dtype).bits // 8
    cells = _cells(patches)

    def of_variants(some: Sequence[Variant], left: int) -> Tensor:
        """Values ``[cell variant run metric]``, so many runs at a time as the budget holds."""
        at_once = max(1, left // (len(some) * of_row))
        some_runs = [runs_of(runs, slice(first, first + at_once)) for first in range(0, n_runs, at_once)]
        return torch.cat([_swept(model, sweep, each, cells, some, n_prompt, score, left) for each in some_runs], dim=2)

    found = in_pieces(variants, of_variants, bytes_of_one=n_runs * of_row, budget=budget, least=of_row)
    values = torch.cat(found, dim=1)
    place = {cell: index for index, cell in enumerate(cells)}
    at_cell = [place[patch.layers[0], patch.positions] for patch in patches]
    of_variant = [variants.index((patch.component, patch.head)) for patch in patches]
    still = frozenset(index for index, cell in enumerate(at_cell) if cell in set(sweep.unmoved))
    return values[at_cell, of_variant], still


def _swept(
    model: LensModel,
    sweep: Sweep,
    runs: RecordedPair,
    cells: Sequence[tuple[int, tuple[int, ...]]],
    variants: Sequence[Variant],
    n_prompt: int,
    score: Score,
    budget: int,
) -> Tensor:
    """Values ``[cell variant run metric]`` of some variants and some runs."""
    base, source, n_runs, n_positions = runs["base"], runs["source"], n_samples(runs), sweep.plan.n_positions
    outputs: dict[str, Tensor] = {}
    for layer in sorted({layer for layer, _ in cells}):
        read = n_positions - sweep.n_readouts if layer == model.n_layers - 1 else 0
        positions = range(max(sweep.first_changed, read), n_prompt)
        if positions:
            outputs |= _outputs(model, base, source.values, variants, layer, positions, n_runs)
    rows = torch.zeros(len(variants) * n_runs, 1, 1, dtype=model.dtype, device=model.device)
    put_in = RecordedRun(base.tokens, rows, outputs, source.logits)
    repeated = VariantRun(base.tokens, base.embeddings, base.values, base.logits)
    result = sweep.run(model, {"base": repeated, "source": put_in}, score, memory_budget=budget)
    return rearrange(result.values, "cell (variant run) metric -> cell variant run metric", run=n_runs)


def _cells(patches: Sequence[Patch]) -> list[tuple[int, tuple[int, ...]]]:
    """Layers and positions that patches share: the sweep's cells."""
    return list(dict.fromkeys((patch.layers[0], patch.positions) for patch in patches))


def _outputs(
    model: LensModel,
    base: RecordedRun,
    source: Mapping[str, Tensor],
    variants: Sequence[Variant],
    layer: int,
    positions: range,
    n_runs: int,
) -> dict[str, Tensor]:
    """The layer's output with each variant taken from the source run, ``[variant·run pos d_model]``, under the name of
    the stream that follows; only `positions` are filled."""
    heads: dict[str, list[int | None]] = {}
    for component, head in variants:
        heads.setdefault(component, []).append(head)
    parts = [
        _of_component(model, base, source, component, of_component, layer, positions, n_runs)
        for component, of_component in heads.items()
    ]
    values = rearrange(torch.cat(parts), "variant run pos d_model -> (variant run) pos d_model")
    filled = values.new_zeros(len(values), base.tokens.shape[1], model.d_model)
    filled[:, positions.start : positions.stop] = values
    last = layer == model.n_layers - 1
    return {hook_name("resid_post", layer) if last else hook_name("resid_pre", layer + 1): filled}


def _of_component(
    model: LensModel,
    base: RecordedRun,
    source: Mapping[str, Tensor],
    component: str,
    heads: Sequence[int | None],
    layer: int,
    positions: range,
    n_runs: int,
) -> Tensor:
    """resid_post ``[head run pos d_model]`` with the component (of each head) taken from the source run."""
    where = slice(positions.start, positions.stop)

    def held(name: str) -> Tensor:
        values = base.values[hook_name(name, layer)]
        return values.expand(n_runs, *values.shape[1:])

    put_in = source[hook_name(component, layer)]
    put_in = put_in.expand(n_runs, *put_in.shape[1:])
    if component == "mlp_out":
        return (held("resid_mid") + put_in)[None, :, where]
    if component == "resid_mid":
        resid_mid = put_in[None, :, where]
    elif component == "attn_out":
        resid_mid = (held("resid_mid") + (put_in - held("attn_out")))[None, :, where]
    else:
        z = _new_z(model, layer, component, put_in, held)
        change, w_o = (z - held("z"))[:, where], model.w_o(layer)
        by_head = [
            einsum(change, w_o, "run pos head d_head, head d_head d_model -> run pos d_model")
            if head is None
            else change[:, :, head] @ w_o[head]
            for head in heads
        ]
        resid_mid = held("resid_mid")[:, where] + torch.stack(by_head)
    flat = rearrange(resid_mid, "head run pos d_model -> (head run) pos d_model")
    return resid_mid + model.mlp(layer, flat).reshape(resid_mid.shape)


def _new_z(model: LensModel, layer: int, component: str, put_in: Tensor, held: Callable[[str], Tensor]) -> Tensor:
    """z ``[run pos head d_head]`` of other queries or patterns before the base run's keys and values."""
    if component == "q":
        k, v = held("k"), held("v")
        run = {hook_name("k", layer): k, hook_name("v", layer): v}
        return model.attend(layer, put_in, k, v, CachedPrefix(run, 0, torch.arange(len(k), device=k.device)))
    if component == "pattern":
        group = model.n_heads // model.n_kv_heads
        v = repeat(held("v"), "run key kv d_head -> run key (kv group) d_head", group=group)
        return einsum(put_in.to(v.dtype), v, "run head query key, run key head d_head -> run query head d_head")
    return put_in
