"""Gradients of a metric along the path between two runs, at every component of every layer.

`path_gradients` gives activations and gradients at the nodes of the path (`path_integration`); metrics that are no
smooth function of the logits, such as a rank, have none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from spiritlens.analysis.attribution.path_integration import at_one, path_nodes
from spiritlens.models.precision import widened
from spiritlens.models.protocol import LensModel
from spiritlens.runs.backward import differentiate
from spiritlens.runs.scoring import Scorer
from spiritlens.runs.sweep.recorded import record
from spiritlens.terms import BackwardRule


@dataclass(frozen=True, eq=False)
class Gradients:
    """Of one continuation: activations of base and source ``[1 pos …]`` and, per metric, mean gradients of the path
    between."""

    base: Mapping[str, Tensor]
    source: Mapping[str, Tensor]
    gradients: tuple[Mapping[str, Tensor], ...]
    base_score: Tensor
    source_score: Tensor

    def attribution(self, name: str, metric: int) -> Tensor:
        """(source − base) · gradient, summed over the last axis: ``[pos]`` or, by head, ``[pos head]``."""
        moved = widened(self.source[name][0]) - widened(self.base[name][0])
        return (moved * self.gradients[metric][name]).sum(-1)


def path_gradients(
    model: LensModel,
    tokens: Tensor,
    base: Tensor,
    source: Tensor,
    names: Sequence[str],
    scorer: Scorer,
    steps: int = 1,
    relp_at: Tensor | None = None,
) -> Gradients:
    """Gradients along the path from the base's to the source's embeddings ``[1 pos d_model]``; one step: at the base
    itself. With `relp_at`, embeddings of that shape, RelP's gradients of their run. An end that is differentiated is
    not run once more."""
    nodes = path_nodes(model, base, source, steps) if relp_at is None else at_one(relp_at)
    rule: BackwardRule = "gradient" if relp_at is None else "relp"
    runs = [
        differentiate(model, tokens, names, scorer.total(metric), rule, nodes.embeddings)
        for metric in range(len(scorer.metrics))
    ]
    gradients = [{name: nodes.mean(value) for name, value in run.gradients.items()} for run in runs]
    ends = []
    for embeddings in (base, source):
        if embeddings is nodes.embeddings:  # the run that was differentiated
            ends.append((runs[0].values, runs[0].logits[:, -scorer.n_readouts :]))
        else:
            end = record(model, tokens, embeddings, names, scorer.n_readouts)
            ends.append((end.values, end.logits))
    scores = [scorer(logits)[0] for _, logits in ends]
    return Gradients(ends[0][0], ends[1][0], tuple(gradients), scores[0], scores[1])
