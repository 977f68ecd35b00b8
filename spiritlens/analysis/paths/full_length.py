"""Path patching as whole sequences: the slow way, for models that carry a user's own hooks.

A user's hook may change any activation and look at absolute positions, so no closed form holds beside it. The four
passes are run as they are written, a row per sender, with the user's hooks live in each:

1. – 2. Base and source run (`spiritlens.analysis.paths.path_values.record_pair`).
3. Base run with the sender at its source value and the frozen nodes at their base values. What the receivers make of
   what they read is recorded at their hook points, after the user's hooks and before anything is frozen there. A norm
   scale that is held belongs to one receiver, so that each norm gets a pass of its own.
4. Base run with these values put in (`spiritlens.runs.sweep.sweep`, which then runs whole sequences as well).

Axes: readings by hook name ``[sender pos …]``, logits ``[sender readout d_vocab]``. Values equal those of
`spiritlens.analysis.paths.path_values` wherever no hook interferes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from spiritlens.analysis.paths.changes import sender_hooks
from spiritlens.analysis.paths.nodes import Receiver, Sender
from spiritlens.analysis.paths.paths import Held
from spiritlens.analysis.paths.readings import READ
from spiritlens.components import hook_name, scale_hook_name
from spiritlens.models.protocol import HookFunction, LensModel
from spiritlens.runs.sweep.recorded import RecordedRun, record, replaced_embeddings

LOGITS = "logits"
"""The name of the read-outs' logits among the readings."""


def hooked_readings(
    model: LensModel,
    base: RecordedRun,
    source: RecordedRun,
    senders: Sequence[Sender],
    positions: Sequence[int],
    receivers: Sequence[Receiver],
    held: Held,
    n_readouts: int,
) -> dict[str, Tensor]:
    """What the receivers make of their input when each sender is patched at `positions`, with the logits under
    `LOGITS`."""
    by_norm: dict[str, list[Receiver]] = {}
    for receiver in receivers:
        by_norm.setdefault(_norm(receiver) if held.norms == "frozen" else "", []).append(receiver)
    scales = record(model, base.tokens, base.embeddings, [name for name in by_norm if name], n_readouts).values
    found: dict[str, Tensor] = {}
    for norm, reading in by_norm.items():
        names = [hook_name(READ[each.component], each.layer) for each in reading if each.component != "logits"]
        hooks: list[tuple[str, HookFunction]] = [(name, _keep(found, name)) for name in dict.fromkeys(names)]
        if norm:
            hooks.append((norm, _held(scales[norm])))
        if held.frozen != "nothing":
            frozen = ("z",) if held.frozen == "heads" else ("z", "mlp_out")
            nodes = [hook_name(component, layer) for layer in range(model.n_layers) for component in frozen]
            hooks += [(name, _held(base.values[name])) for name in nodes]
        hooks += sender_hooks(source, senders, positions)
        embeddings = None if base.embeddings is None else base.embeddings.expand(len(senders), -1, -1)
        with torch.no_grad(), replaced_embeddings(model, embeddings), model.hooked(hooks):
            logits = model.forward(base.tokens.to(model.device).expand(len(senders), -1))
        if any(each.component == "logits" for each in reading):
            found[LOGITS] = logits[:, -n_readouts:]
    return found


def _norm(receiver: Receiver) -> str:
    """Hook name of the norm scale that the receiver reads through."""
    norm = {"logits": "ln_final", "mlp_in": "ln2"}.get(receiver.component, "ln1")
    return scale_hook_name(norm, receiver.layer)


def _keep(found: dict[str, Tensor], name: str) -> HookFunction:
    def keep(activation: Tensor) -> Tensor:
        found[name] = activation.clone()
        return activation

    return keep


def _held(values: Tensor) -> HookFunction:
    return lambda activation: values.to(activation.dtype).expand_as(activation).clone()
