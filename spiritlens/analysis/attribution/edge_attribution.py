"""Edge attribution patching: every path of `spiritlens.analysis.paths.path_patching`, to first order.

An edge's score is the sender's change times what the metric feels of the receiver's reading,

    score(u → v)  =  Σ over positions of  (u' − u) · ∂ metric / ∂ (stream as read by v),

where u' is the source run's write and the gradient flows through the receiver's norm and weights only. Summed over all
receivers after u, edges give u's own first-order effect. With steps > 1 gradients are means over runs between base
and source along the embeddings, at the nodes of `spiritlens.analysis.attribution.path_integration`.

*Unequal lengths.* Both runs of a pair are made as they are, each at its own length. Where the source has another
length than the base, its values come to the base's positions through the words that the two prompts share
(`spiritlens.analysis.patching.donors`; a token of a longer or shorter word gets the one at the proportional place), and
positions that have none change nothing. Spans are then those of the base's prompt; the embeddings' path ends at the
source's embeddings, brought over in the same way.

Result: `spiritlens.paths/1` with ``patched`` = metric(base) + score; backward edges are absent. What the embedding's
edges to all receivers are off metric(end of the path) − metric(base) is stored as ``completeness_residual [prompt
metric]``; with steps > 1, more than 1 % of that effect is told by a warning. An estimate, cheap enough for whole
models: two forward passes and one backward pass per step, then one product per node.

Source: Syed et al. 2023 (arXiv 2310.10348, edge attribution patching); Hanna et al. 2024 (arXiv 2403.17806, EAP-IG).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from spiritlens.analysis.attribution.attribution_patching import given_smooth_metrics
from spiritlens.analysis.attribution.path_integration import (
    Completeness,
    PathNodes,
    path_nodes,
    starts_singular,
    tell_missed,
)
from spiritlens.analysis.grid.each_prompt import Advance, Work, each_prompt
from spiritlens.analysis.grid.grid import Draws, drawn
from spiritlens.analysis.grid.results import array
from spiritlens.analysis.patching.donors import pooled, pooling_weights
from spiritlens.analysis.paths.changes import sender_change
from spiritlens.analysis.paths.dataset import PathSettings, path_attributes, paths_dataset
from spiritlens.analysis.paths.nodes import Receiver, all_receivers
from spiritlens.analysis.paths.path_values import PathValues, no_path
from spiritlens.analysis.paths.paths import Held, Paths, check_places, given_nodes, given_paths
from spiritlens.arguments import told_keywords, whole
from spiritlens.components import hook_name
from spiritlens.effects.paths import BaseRun
from spiritlens.effects.shards import RunFolder
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.models.precision import widened
from spiritlens.models.protocol import LensModel
from spiritlens.out_of_memory import of_slices
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spans import find_span
from spiritlens.runs.answers import knows
from spiritlens.runs.corruptions.contrasts import Contrast, contrast_embeddings, contrasts_of, given_contrast
from spiritlens.runs.corruptions.corruption import Corruption
from spiritlens.runs.metrics import Metric
from spiritlens.runs.scoring import Scorer, prompt_scorers
from spiritlens.runs.sweep.recorded import RecordedRun, record, replaced_embeddings
from spiritlens.terms import Progress


@told_keywords
@plain_torch
def attribute_edges(
    lens: Lens,
    prompts: Sequence[Prompt],
    contrast: Contrast,
    paths: Paths | None = None,
    metrics: Sequence[str | Metric] = ("logit_difference",),
    *,
    steps: int = 1,
    samples: int | Draws = 1,
    folder: str | Path | RunFolder | None = None,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Score every edge of `paths` (None: between all nodes), the gradient being that of the base run (None: corrupted).

    `contrast`: one counterfactual prompt per prompt, or a corruption. `folder` keeps each finished prompt, and the same
    call goes on where it stopped; without it, Ctrl-C returns what is finished.

    Returns an edges dataset, ``patched [prompt sender_component … receiver_head pos metric]``, with
    ``completeness_residual [prompt metric]``. Raises ValueError for a metric without a gradient, what no gradient knows
    (`receive`, `frozen`, `norms`), a counterfactual of other wording, hooks of your own, a folder of other settings.
    """
    prompts = given_prompts(given_lens(lens), prompts)
    if lens.backend.has_user_hooks():
        raise ValueError(
            "edge attribution differentiates each node by itself, where a hook of your own would not take effect; "
            "remove it (lens.model.reset_hooks()) or use path_patch"
        )
    asked = given_paths(paths, "attribute_edges", unknown=("receive", "frozen", "norms"))
    senders, groups = given_nodes(lens.backend, asked, all_receivers(lens.backend))
    steps, draws, contrast = whole("steps", steps, at_least=1), drawn(samples), given_contrast(lens, prompts, contrast)
    others, base = contrasts_of(prompts, contrast), asked.base or "corrupted"
    check_places([_placed(prompt, other, base) for prompt, other in zip(prompts, others, strict=True)], asked.at)
    prompts, metrics = given_smooth_metrics(lens, prompts, metrics)
    settings = PathSettings(senders, groups, tuple(asked.at), base, Held(), metrics, draws)
    method = "edge attribution" if steps == 1 else f"edge attribution, integrated gradients, {steps} nodes"
    attributes = path_attributes(lens, settings, contrast, method)
    complete: dict[int, Completeness] = {}

    def measure(place: int, advance: Advance) -> xr.Dataset:
        prompt = prompts[place]
        found, complete[place] = _one_prompt(lens, prompt, others[place], settings, steps)
        edges = paths_dataset(lens, prompt, knows(lens, prompt), found, settings, attributes)
        return edges.assign(completeness_residual=(("prompt", "metric"), complete[place].residual[None]))

    work = Work(prompts, measure, attributes, "edges", settings=settings.rules)
    dataset = each_prompt(work, folder=folder, progress=progress)
    measured, names = [prompts[place] for place in complete], [metric.name for metric in metrics]
    tell_missed(list(complete.values()), measured, names, steps, lens.backend.dtype)
    return dataset


def _placed(prompt: Prompt, contrast: Prompt | Corruption, base: BaseRun) -> Prompt:
    """Whose spans are asked for: those of the prompt, or of the base's prompt where the two differ in length."""
    if not isinstance(contrast, Prompt) or len(contrast) == len(prompt):
        return prompt
    both = _sides(prompt, contrast, base)
    _weights(*both)  # refuses prompts of other wording
    return both[0]


def _one_prompt(
    lens: Lens, prompt: Prompt, contrast: Prompt | Corruption, settings: PathSettings, steps: int
) -> tuple[list[PathValues | None], Completeness]:
    """One result per span and how complete the embedding's edges are, summed over continuations and averaged over
    samples."""
    model = lens.backend
    placed = _placed(prompt, contrast, settings.base)
    spans = [find_span(placed, name) for name in settings.at]
    sums: list[PathValues | None] = [None] * len(spans)
    residual, total, size = np.zeros((3, len(settings.metrics)))
    singular = False
    for scorer in prompt_scorers(lens, prompt, settings.metrics):
        pairs = _pairs(lens, prompt, contrast, settings, scorer)
        for pair in pairs:
            changes, readings, scores, embedded = _changes_and_readings(model, pair, settings, scorer, steps)
            residual = residual + array(embedded - (scores[1] - scores[0])) / len(pairs)
            total = total + array(scores[1] - scores[0]) / len(pairs)
            size = np.maximum(size, np.maximum(np.abs(array(scores[0])), np.abs(array(scores[1]))))
            singular = singular or starts_singular(model, pair.base, pair.source)
            for index, span in enumerate(spans):
                if span is not None:
                    edges = _edges(model, changes, readings, scores[0], span.positions, settings)
                    done = sums[index]
                    sums[index] = edges.scaled(1 / len(pairs)) if done is None else done.plus(edges, 1 / len(pairs))
    return sums, Completeness(residual, total, size, singular)


@dataclass(frozen=True, eq=False)
class _Pair:
    """Base and source of one sample: tokens ``[1 pos]`` of the base, and embeddings ``[1 pos d_model]`` of both at the
    base's positions. A source of another length has tokens of its `own`, and `weights` ``[pos own_pos]`` by which its
    values come to the base's positions."""

    tokens: Tensor
    base: Tensor
    source: Tensor
    own: Tensor | None = None
    weights: Tensor | None = None

    def brought(self, values: Tensor, base: Tensor) -> Tensor:
        """Values ``[1 own_pos …]`` of the source at the base's positions; where it has none, the base's own."""
        if self.weights is None:
            return values
        reached = (self.weights.sum(-1) > 0).to(values.device)
        return torch.where(reached.view(-1, *[1] * (values.ndim - 2)), pooled(values, self.weights), base)


def _sides(prompt: Prompt, contrast: Prompt, base: BaseRun) -> tuple[Prompt, Prompt]:
    """The base's and the source's prompt."""
    return (prompt, contrast) if base == "clean" else (contrast, prompt)


def _pairs(
    lens: Lens, prompt: Prompt, contrast: Prompt | Corruption, settings: PathSettings, scorer: Scorer
) -> list[_Pair]:
    """Base and source of each noise sample, with the forced tokens of the answer after the prompt."""
    model, draws = lens.backend, settings.draws
    if isinstance(contrast, Prompt) and len(contrast) != len(prompt):
        both = _sides(prompt, contrast, settings.base)
        here, there = (torch.tensor([[*side.ids, *scorer.forced]], device=model.device) for side in both)
        n_forced = len(scorer.forced)
        weights = torch.nn.functional.pad(_weights(*both), (0, n_forced, 0, n_forced))
        base = model.embed(here)
        plain = _Pair(here, base, base, there, weights)
        return [replace(plain, source=plain.brought(model.embed(there), base))]
    tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=model.device)
    clean = model.embed(tokens)
    others = contrast_embeddings(lens, prompt, contrast, draws.samples, draws.seed, scorer.forced)
    return [
        _Pair(tokens, *((clean, other) if settings.base == "clean" else (other, clean))) for other in others[:, None]
    ]


def _weights(base: Prompt, source: Prompt) -> Tensor:
    """Shares ``[pos source_pos]`` of the source's tokens in the base's; rows of words that it lacks are 0."""
    return pooling_weights(base, source, "broadcast")


def _edges(
    model: LensModel,
    changes: Tensor,
    readings: Tensor,
    base: Tensor,
    positions: Sequence[int],
    settings: PathSettings,
) -> PathValues:
    """Base score + change · reading over the positions, ``[group sender metric]``."""
    where = list(positions)
    products = torch.einsum("spd,mrpd->rsm", changes[:, where], readings[:, :, where])
    values = base.to(products.dtype) + products
    absent = no_path(settings.senders, settings.groups, model.n_layers)
    values[absent] = torch.nan
    return PathValues(values, torch.zeros_like(absent), base, torch.zeros_like(base))


def _recorded(model: LensModel, pair: _Pair, n_readouts: int) -> tuple[RecordedRun, RecordedRun, RecordedRun]:
    """The base, the run at the end of the embeddings' path, and what senders write in the source: the same run, or that
    of a source of another length, brought to the base's positions."""
    entry = hook_name("resid_pre", 0)
    writes = [hook_name(component, layer) for layer in range(model.n_layers) for component in ("z", "mlp_out")]
    base, end = (record(model, pair.tokens, found, [entry, *writes], n_readouts) for found in (pair.base, pair.source))
    if pair.own is None:
        return base, end, end
    own = record(model, pair.own, None, writes, n_readouts).values
    values = {name: pair.brought(own[name], base.values[name]) for name in writes}
    return base, end, replace(end, values={entry: end.values[entry], **values})


def _changes_and_readings(
    model: LensModel, pair: _Pair, settings: PathSettings, scorer: Scorer, steps: int
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor], Tensor]:
    """Senders' changes ``[sender pos d_model]``, gradients of the receivers' reading ``[metric receiver pos
    d_model]``, scores of the base and of the path's end, the embedding's whole attribution ``[metric]``; float32 or
    better."""
    base, end, source = _recorded(model, pair, scorer.n_readouts)
    every = range(pair.tokens.shape[1])
    changes = [sender_change(model, base, source, sender, every) for sender in settings.senders]
    nodes, entry = path_nodes(model, pair.base, pair.source, steps), hook_name("resid_pre", 0)
    parts = of_slices(
        len(nodes.embeddings), lambda rows: _readings(model, pair.tokens, nodes.only(rows), settings, scorer)
    )
    readings, entering = (torch.stack(of_parts).sum(0) for of_parts in zip(*parts, strict=True))
    moved = widened(end.values[entry]) - widened(base.values[entry])
    embedded = (moved * entering).sum((1, 2))
    scores = (scorer(base.logits)[0], scorer(end.logits)[0])
    return widened(torch.stack(changes)), readings, scores, embedded


def _readings(
    model: LensModel, tokens: Tensor, nodes: PathNodes, settings: PathSettings, scorer: Scorer
) -> tuple[Tensor, Tensor]:
    """Weighted sums over nodes of the path: gradients of the receivers' reading ``[metric receiver pos d_model]``, and
    of the embeddings ``[metric pos d_model]``."""
    layers, batch = range(model.n_layers), tokens.to(model.device).expand(len(nodes.embeddings), -1)
    stream = [hook_name(name, layer) for layer in layers for name in ("resid_pre", "resid_mid")]
    made = [hook_name(name, layer) for layer in layers for name in ("q", "k", "v", "mlp_out")]
    entry, last = hook_name("resid_pre", 0), hook_name("resid_post", model.n_layers - 1)
    readings, entering = [], []
    with replaced_embeddings(model, nodes.embeddings):
        states = model.cache(batch, stream)
        for metric in range(len(scorer.metrics)):
            gradients = model.gradients(batch, [*made, entry, last], scorer.total(metric))
            rows = [nodes.mean(_reading(model, group[0], states, gradients)) for group in settings.groups]
            readings.append(torch.stack(rows))
            entering.append(nodes.mean(gradients[entry]))
    return torch.stack(readings), torch.stack(entering)


def _reading(model: LensModel, receiver: Receiver, states: dict[str, Tensor], gradients: dict[str, Tensor]) -> Tensor:
    """∂ metric / ∂ stream through one receiver alone, ``[step pos d_model]``."""
    layer = receiver.layer
    if receiver.component == "logits":
        return gradients[hook_name("resid_post", model.n_layers - 1)]
    part = "resid_mid" if receiver.component == "mlp_in" else "resid_pre"
    stream = states[hook_name(part, layer)].detach().clone().requires_grad_(True)
    with torch.enable_grad():
        if receiver.component == "mlp_in":
            out, felt = model.mlp(layer, stream), gradients[hook_name("mlp_out", layer)]
        else:
            letter = receiver.component[0]
            out = model.qkv(layer, stream)["qkv".index(letter)][:, :, receiver.head]
            felt = gradients[hook_name(letter, layer)][:, :, receiver.head]
        (reading,) = torch.autograd.grad(out, stream, grad_outputs=felt)
    return reading
