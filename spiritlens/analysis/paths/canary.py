"""The canary of path patching (`spiritlens.effects.canaries`): all senders at once are the source run, and so are all
receivers.

*Senders*: the base run's last stream and the changes of the embedding, of every head and of every MLP add up to the
source run's last stream, whose metric is known. *Receivers*: queries, keys, values and MLP outputs of the source put
into every block of the base run, by the sweep that runs the edges, give the source run. The self canary is a sender
that changes nothing, a row of the edges' own batch (`spiritlens.analysis.paths.path_values`).
"""

from collections.abc import Sequence

import numpy as np
import torch

from spiritlens.analysis.grid.canary import Deviations, canary_programs
from spiritlens.analysis.grid.results import array
from spiritlens.analysis.paths.changes import sender_change
from spiritlens.analysis.paths.nodes import all_senders
from spiritlens.components import hook_name
from spiritlens.models.precision import widened
from spiritlens.models.protocol import LensModel
from spiritlens.runs.sweep.plan import Program
from spiritlens.runs.sweep.recorded import RecordedRun, Score
from spiritlens.runs.sweep.sweep import plan_sweep

RECEIVED = ("q", "k", "v", "mlp_out")
"""What receivers make of what they read."""


def all_received(n_layers: int, n_positions: int) -> Program:
    """The source's embedding and all that receivers make of theirs, at every position of every block."""
    return canary_programs(RECEIVED, n_layers, range(n_positions), "")[1]


@torch.no_grad()
def donor_deviation(
    model: LensModel, base: RecordedRun, source: RecordedRun, n_readouts: int, score: Score, receivers: Sequence[object]
) -> Deviations:
    """How far the source run's metric is missed; without `receivers` but the logits, by the senders alone.

    Beside hooks of the user's own the stream is no sum of what nodes write: then there is no canary.
    """
    if model.has_user_hooks():
        return Deviations()
    donor = score(source.logits)
    n_positions = base.tokens.shape[1]
    where = range(n_positions - n_readouts, n_positions)
    final = base.values[hook_name("resid_post", model.n_layers - 1)][:, where.start :]
    changes = [widened(sender_change(model, base, source, sender, where)) for sender in all_senders(model)]
    summed = widened(final) + torch.stack(changes).sum(0)
    found = [score(model.logits(summed.to(final.dtype))) - donor]
    if receivers:
        sweep = plan_sweep(model, [all_received(model.n_layers, n_positions)], n_positions, 0, n_readouts)
        found.append(sweep.run(model, {"base": base, "source": source}, score).values[0] - donor)
    return Deviations(everywhere=np.max([array(one.abs().amax(0)) for one in found], axis=0))
