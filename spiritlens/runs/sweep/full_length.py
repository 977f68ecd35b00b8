"""Cells as whole sequences with hooks: slower than the sweep and equal to it, for models that carry a user's own hooks.

A user's hook sees (and may index) whole sequences, so nothing is cut to a suffix and no cell is taken for granted
except those whose patch names no value of another run. Rows are ``[cell·sample pos d_model]`` of one forward pass per
piece; `resid_mid` is patched through ``hook_attn_out``, which every TransformerLens model honours.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from spiritlens.components import STAGE, hook_name
from spiritlens.models.protocol import HookFunction, LensModel
from spiritlens.runs.sweep.plan import Action, Program, Which
from spiritlens.runs.sweep.recorded import RecordedPair, Score, by_position, n_samples, patched


def full_length_cells(
    model: LensModel,
    programs: Mapping[int, Program],
    runs: RecordedPair,
    score: Score,
    n_readouts: int,
    budget: int,
) -> Iterator[tuple[Sequence[int], range, Tensor]]:
    """Cells, noise samples and values ``[cell sample metric]`` of each piece; `programs` by cell."""
    n_positions, samples = runs["base"].tokens.shape[1], n_samples(runs)
    moved = list(programs)
    per_piece, at_once = whole_rows(model, n_positions, samples, len(moved), budget)
    for first in range(0, len(moved), per_piece):
        cells = moved[first : first + per_piece]
        for start in range(0, samples, at_once):
            held = range(start, min(samples, start + at_once))
            chosen = torch.arange(held.start, held.stop, device=model.device)
            found = score(_logits(model, [programs[cell] for cell in cells], runs, chosen, n_readouts))
            yield cells, held, found.reshape(len(cells), len(held), -1)


def _logits(
    model: LensModel, programs: Sequence[Program], runs: RecordedPair, samples: Tensor, n_readouts: int
) -> Tensor:
    """Logits at the read-outs ``[cell·sample readout d_vocab]``; those of other positions are not kept."""
    base, rows = runs["base"], len(programs) * len(samples)
    hooks = cell_hooks(programs, runs, samples)
    if base.embeddings is not None:
        embeddings = base.embeddings[base.of_samples(samples)].repeat(len(programs), 1, 1)
        hooks.insert(0, (hook_name("embed", 0), _constant(embeddings)))
    with torch.no_grad(), model.hooked(hooks):
        return model.forward(base.tokens.to(model.device).expand(rows, -1))[:, -n_readouts:].clone()


def whole_row_bytes(model: LensModel, n_positions: int) -> int:
    """Working memory of one row as a whole sequence."""
    itemsize = torch.finfo(model.dtype).bits // 8
    return itemsize * n_positions * (10 * model.d_model + 3 * model.d_mlp) + 8 * n_positions * model.d_vocab


def whole_rows(model: LensModel, n_positions: int, samples: int, cells: int, budget: int) -> tuple[int, int]:
    """Cells and samples of each that go together as whole sequences: all samples of some cells where they fit."""
    rows = max(1, budget // whole_row_bytes(model, n_positions))
    return max(1, min(cells, rows // samples)), min(rows, samples)


def cell_hooks(programs: Sequence[Program], runs: RecordedPair, samples: Tensor) -> list[tuple[str, HookFunction]]:
    """Hooks that run several cells at once, rows in the order ``[cell sample]``."""
    hooks: list[tuple[str, HookFunction]] = []
    for layer in sorted({layer for program in programs for layer in program}):
        actions = [program.get(layer, ()) for program in programs]
        found = {action.component for cell_actions in actions for action in cell_actions}
        for component in sorted(found - {"resid_mid"}, key=STAGE.__getitem__):
            hooks.append((hook_name(component, layer), _patch(component, layer, actions, runs, samples)))
        if "resid_mid" in found:
            hooks.extend(through_attn_out(layer, _patch("resid_mid", layer, actions, runs, samples)))
    return hooks


def reads_source(program: Program) -> bool:
    """Whether any action takes a value of the source run."""
    return any(action.run == "source" for actions in program.values() for action in actions)


def read_names(programs: Sequence[Program]) -> dict[Which, list[str]]:
    """Hook names that the programs' actions read of the "base" and of the "source" run."""
    names: dict[Which, dict[str, None]] = {"base": {}, "source": {}}
    for program in programs:
        for layer, actions in program.items():
            for action in actions:
                names[action.run][hook_name(action.component, layer)] = None
    return {run: list(found) for run, found in names.items()}


def _constant(values: Tensor) -> HookFunction:
    return lambda _: values


def _patch(
    component: str, layer: int, actions: Sequence[Sequence[Action]], runs: RecordedPair, samples: Tensor
) -> HookFunction:
    def patch(activation: Tensor) -> Tensor:
        found = by_position(component, activation)
        rows = found.reshape(len(actions), len(samples), *found.shape[1:])
        axis = range(found.shape[1])
        return by_position(component, patched(rows, component, layer, actions, axis, runs, samples).flatten(0, 1))

    return patch


def through_attn_out(layer: int, patch: HookFunction) -> list[tuple[str, HookFunction]]:
    """Hooks that patch the residual between attention and MLP: attn_out' = wanted resid_mid − resid_pre."""
    entered: list[Tensor] = []

    def remember(resid_pre: Tensor) -> Tensor:
        entered[:] = [resid_pre]
        return resid_pre

    def replace(attn_out: Tensor) -> Tensor:
        resid_pre = entered.pop()  # which is not kept for the layers that follow
        before = resid_pre + attn_out
        after = patch(before)
        return torch.where(after == before, attn_out, after - resid_pre)

    return [(hook_name("resid_pre", layer), remember), (hook_name("attn_out", layer), replace)]
