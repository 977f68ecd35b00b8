"""The two runs that paths are made of: the base run that is patched, and the source run that values are taken from.

Both are rows of one pass. Beside a user's own hooks, which may look at the batch, each is a pass of its own. The runs
agree before the first position at which their embeddings differ: a sender patched there changes nothing, and no path
leads from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spiritlens.analysis.paths.paths import ReceiverGroup
from spiritlens.components import hook_name
from spiritlens.models.protocol import LensModel
from spiritlens.runs.sweep.recorded import RecordedRun, first_difference, record

READ_OF_SENDERS = ("resid_pre", "resid_mid", "z", "mlp_out")
"""What is kept of every block; `READ_OF_RECEIVERS` is kept as well where receivers are inside the model."""

READ_OF_RECEIVERS = ("q", "k", "v", "attn_out")


@dataclass(frozen=True, eq=False)
class Recorded:
    """The base and the source run of a prompt by a model, with what paths read of them."""

    model: LensModel
    base: RecordedRun
    source: RecordedRun
    n_readouts: int
    first_changed: int
    """First position at which the runs can differ; 0 beside a user's own hooks, where nothing is taken for granted."""


def record_pair(
    model: LensModel,
    tokens: Tensor,
    base: Tensor | None,
    source: Tensor | None,
    groups: Sequence[ReceiverGroup],
    n_readouts: int,
) -> Recorded:
    """Record both runs, of tokens ``[1 pos]`` with embeddings ``[1 pos d_model]`` (None: the tokens' own)."""
    inside = any(receiver.component != "logits" for group in groups for receiver in group)
    kept = (*READ_OF_SENDERS, *READ_OF_RECEIVERS) if inside else READ_OF_SENDERS
    names = [hook_name(component, layer) for layer in range(model.n_layers) for component in kept]
    if model.has_user_hooks():
        runs = [record(model, tokens, embeddings, names, n_readouts) for embeddings in (base, source)]
        return Recorded(model, runs[0], runs[1], n_readouts, 0)
    plain = model.embed(tokens)
    entering = [plain if embeddings is None else embeddings for embeddings in (base, source)]
    both = record(model, tokens, torch.cat(entering), names, n_readouts)
    runs = [
        RecordedRun(
            tokens,
            embeddings,
            {name: found[row : row + 1] for name, found in both.values.items()},
            both.logits[row : row + 1],
        )
        for row, embeddings in enumerate((base, source))
    ]
    return Recorded(model, runs[0], runs[1], n_readouts, first_difference(plain, entering[0], entering[1]))
