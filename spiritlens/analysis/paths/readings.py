"""What receivers make of what they read: queries, keys, values and MLP outputs of a changed residual stream.

A receiver reads ``base + change`` through its norm, whose scale is recomputed from what it reads or held at the base
run's. Axes: changes ``[sender position d_model]`` by stage (`spiritlens.analysis.paths.nodes`); readings by hook name,
``[sender pos …]``. Source: Wang et al. 2022 (arXiv 2211.00593), appendix B.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from spiritlens.analysis.paths.changes import stage_value
from spiritlens.analysis.paths.nodes import Receiver
from spiritlens.components import hook_name, scale_hook_name
from spiritlens.effects.paths import Norms
from spiritlens.models.protocol import LensModel
from spiritlens.runs.sweep.recorded import RecordedRun

READ = {"q_input": "q", "k_input": "k", "v_input": "v", "mlp_in": "mlp_out"}
"""The activation that a receiver makes of its input."""


def received(
    model: LensModel,
    base: RecordedRun,
    receivers: Sequence[Receiver],
    positions: Sequence[int],
    changes: Mapping[int, Tensor],
    norms: Norms,
) -> dict[str, Tensor]:
    """What the receivers make of ``base + change``, by hook name, ``[sender pos …]`` (only `positions` are filled)."""
    patches: dict[str, Tensor] = {}
    n_positions = base.tokens.shape[1]
    for layer in sorted({receiver.layer for receiver in receivers}):
        wanted = {READ[receiver.component] for receiver in receivers if receiver.layer == layer}
        if heads := [name for name in "qkv" if name in wanted]:
            before = stage_value(base, 2 * layer, model.n_layers, positions)
            found = dict(zip("qkv", _queries_keys_values(model, layer, before, changes[2 * layer], norms), strict=True))
            patches |= {hook_name(name, layer): _filled(found[name], positions, n_positions) for name in heads}
        if "mlp_out" in wanted:
            before = stage_value(base, 2 * layer + 1, model.n_layers, positions)
            mlp_out = _mlp_out(model, layer, before, changes[2 * layer + 1], norms)
            patches[hook_name("mlp_out", layer)] = _filled(mlp_out, positions, n_positions)
    return patches


def _queries_keys_values(
    model: LensModel, layer: int, before: Tensor, change: Tensor, norms: Norms
) -> tuple[Tensor, Tensor, Tensor]:
    """q, k, v ``[sender position head d_head]`` of ``before + change``; they are linear in the normed stream, but for
    a bias."""
    received = before + change
    q, k, v = model.qkv(layer, received)
    if norms == "recomputed":
        return q, k, v
    ratio = (model.norm_scale(received) / model.norm_scale(before))[..., None].to(q.dtype)
    offsets = model.qkv(layer, torch.zeros_like(before))
    q, k, v = (offset + ratio * (found - offset) for offset, found in zip(offsets, (q, k, v), strict=True))
    return q, k, v


def _mlp_out(model: LensModel, layer: int, before: Tensor, change: Tensor, norms: Norms) -> Tensor:
    if norms == "recomputed":
        return model.mlp(layer, before + change)
    scale = model.norm_scale(before)
    hook = (scale_hook_name("ln2", layer), lambda found: scale.to(found.dtype).expand_as(found).clone())
    with model.hooked([hook]):
        return model.mlp(layer, before + change)


def _filled(values: Tensor, positions: Sequence[int], n_positions: int) -> Tensor:
    result = values.new_zeros(len(values), n_positions, *values.shape[2:])
    result[:, list(positions)] = values
    return result
