"""What a sender's other value changes in the residual stream, layer by layer, with the frozen set held.

Changes are differences ``[sample pos d_model]`` between the run with the sender patched and the base run; heads (and,
where nothing but them is frozen, MLPs) between sender and receiver keep their base values or are computed anew.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from spiritlens.analysis.paths.nodes import Sender
from spiritlens.components import hook_name
from spiritlens.effects.paths import Frozen
from spiritlens.models.protocol import HookFunction, LensModel
from spiritlens.runs.sweep.recorded import RecordedRun, replaced_embeddings


def sender_change(
    model: LensModel, base: RecordedRun, source: RecordedRun, sender: Sender, positions: Sequence[int]
) -> Tensor:
    """What the sender writes in the source run minus what it writes in the base run, ``[position d_model]``."""
    return sender_changes(model, base, source, [sender], positions)[0]


def sender_changes(
    model: LensModel, base: RecordedRun, source: RecordedRun, senders: Sequence[Sender], positions: Sequence[int]
) -> Tensor:
    """The same of several senders, ``[sender position d_model]``; what all heads of a layer wrote is read once."""
    where = list(positions)
    moved: dict[str, Tensor] = {}
    weights: dict[str, Tensor] = {}
    found: list[Tensor] = []
    for sender in senders:
        component, layer = ("resid_pre", 0) if sender.component == "embed" else (sender.component, sender.layer)
        name = hook_name(component, layer)
        if name not in moved:
            moved[name] = source.values[name][0, where] - base.values[name][0, where]
            weights[name] = model.w_o(layer)
        whole = sender.component != "z"
        found.append(moved[name] if whole else moved[name][:, sender.head] @ weights[name][sender.head])
    return torch.stack(found)


def residual_changes(
    model: LensModel,
    base: RecordedRun,
    source: RecordedRun,
    senders: Sequence[Sender],
    positions: Sequence[int],
    stages: Sequence[int],
    frozen: Frozen,
) -> tuple[tuple[int, ...], dict[int, Tensor]]:
    """Positions that can change, and per stage the change ``[sender position d_model]`` there (0 before a sender's
    write)."""
    if frozen == "nothing":
        return _recomputed(model, base, source, senders, positions, stages)
    own = sender_changes(model, base, source, senders, positions)
    written = torch.tensor([sender.stage for sender in senders], device=own.device)
    if frozen == "heads+mlps":
        found = {stage: own * (written < stage)[:, None, None] for stage in stages}
    else:
        found = _through_mlps(model, base, own, written, positions, stages)
    return tuple(positions), found


def _through_mlps(
    model: LensModel, base: RecordedRun, own: Tensor, written: Tensor, positions: Sequence[int], stages: Sequence[int]
) -> dict[int, Tensor]:
    """Changes with heads frozen: each position's change passes through the MLPs at that position."""
    where, wanted = list(positions), set(stages)
    change = own * (written < 0)[:, None, None]
    found: dict[int, Tensor] = {}
    for stage in range(2 * model.n_layers + 1):
        if stage in wanted:
            found[stage] = change
        if len(found) == len(wanted):
            break
        layer = stage // 2
        if stage % 2:
            moved = (written < stage).nonzero()[:, 0]
            if len(moved):
                resid_mid = base.values[hook_name("resid_mid", layer)][:, where]
                mlp_out = base.values[hook_name("mlp_out", layer)][:, where]
                change = change.clone()
                change[moved] += model.mlp(layer, resid_mid + change[moved]) - mlp_out
        change = change + own * (written == stage)[:, None, None]
    return found


def _recomputed(
    model: LensModel,
    base: RecordedRun,
    source: RecordedRun,
    senders: Sequence[Sender],
    positions: Sequence[int],
    stages: Sequence[int],
) -> tuple[tuple[int, ...], dict[int, Tensor]]:
    """Changes with nothing frozen: one full pass with a row per sender."""
    n_positions = base.tokens.shape[1]
    suffix = tuple(range(min(positions), n_positions))
    names = {stage: _stage_hook(stage, model.n_layers) for stage in stages}
    tokens = base.tokens.to(model.device).expand(len(senders), -1)
    embeddings = None if base.embeddings is None else base.embeddings[:1].expand(len(senders), -1, -1)
    hooks = sender_hooks(source, senders, positions)
    with torch.no_grad(), replaced_embeddings(model, embeddings), model.hooked(hooks):
        rows = model.cache(tokens, list(names.values()))
    first = suffix[0]
    return suffix, {stage: rows[name][:, first:] - base.values[name][:, first:] for stage, name in names.items()}


def _stage_hook(stage: int, n_layers: int) -> str:
    if stage == 2 * n_layers:
        return hook_name("resid_post", n_layers - 1)
    return hook_name("resid_mid" if stage % 2 else "resid_pre", stage // 2)


def stage_value(base: RecordedRun, stage: int, n_layers: int, positions: Sequence[int]) -> Tensor:
    """The base run's residual stream at a stage, ``[1 position d_model]``."""
    return base.values[_stage_hook(stage, n_layers)][:, list(positions)]


def sender_hooks(
    source: RecordedRun, senders: Sequence[Sender], positions: Sequence[int]
) -> list[tuple[str, HookFunction]]:
    """Hooks that set row i's sender i to its source value."""
    rows_of: dict[str, list[tuple[int, int]]] = {}
    for row, sender in enumerate(senders):
        component, layer = ("resid_pre", 0) if sender.component == "embed" else (sender.component, sender.layer)
        rows_of.setdefault(hook_name(component, layer), []).append((row, sender.head))
    where = torch.tensor(list(positions))

    def setter(values: Tensor, rows: Sequence[tuple[int, int]]) -> HookFunction:
        def put(activation: Tensor) -> Tensor:
            result = activation.clone()
            for row, head in rows:
                if head < 0:
                    result[row, where] = values[0, where]
                else:
                    result[row, where, head] = values[0, where, head]
            return result

        return put

    return [(name, setter(source.values[name], rows)) for name, rows in rows_of.items()]
