"""Edge attribution patching: every path of `spiritlens.analysis.paths.path_patching`, to first order.

An edge's score is the sender's change times what the metric feels of the receiver's reading,

    score(u → v)  =  Σ over positions of  (u' − u) · ∂ metric / ∂ (stream as read by v),

where u' is the source run's write and the gradient flows through the receiver's norm and weights only. Summed over all
receivers after u, edges give u's own first-order effect. With steps > 1 gradients are means over runs between base
and source along the embeddings, at the nodes of `spiritlens.analysis.attribution.path_integration`.

Result: `spiritlens.paths/1` with ``patched`` = metric(base) + score; backward edges are absent. What the embedding's
edges to all receivers are off metric(source) − metric(base) is stored as ``completeness_residual [prompt metric]``;
with steps > 1, more than 1 % of that effect is told by a warning. An estimate, cheap enough for whole models: two
forward passes and one backward pass per step, then one product per node.

Source: Syed et al. 2023 (arXiv 2310.10348, edge attribution patching); Hanna et al. 2024 (arXiv 2403.17806, EAP-IG).
"""

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from torch import Tensor
from tqdm.auto import tqdm

from spiritlens.analysis.attribution.attribution_patching import given_smooth_metrics
from spiritlens.analysis.attribution.gradients import widened
from spiritlens.analysis.attribution.path_integration import Completeness, path_nodes, starts_singular, tell_missed
from spiritlens.analysis.grid.each_prompt import Progress
from spiritlens.analysis.grid.given import given_draws
from spiritlens.analysis.grid.results import array
from spiritlens.analysis.paths.changes import sender_change
from spiritlens.analysis.paths.dataset import PathSettings, paths_dataset
from spiritlens.analysis.paths.nodes import Receiver, Sender, all_receivers, all_senders, check_nodes
from spiritlens.analysis.paths.path_patching import given_places
from spiritlens.analysis.paths.path_values import PathValues, no_path
from spiritlens.arguments import check_choice, listed, told_keywords, whole
from spiritlens.components import hook_name
from spiritlens.effects.paths import BaseRun
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.models.protocol import LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spans import EVERY_TOKEN, find_span
from spiritlens.runs.answers import known_prompts
from spiritlens.runs.corruptions.contrasts import Contrast, contrast_embeddings, contrasts_of, given_contrast
from spiritlens.runs.corruptions.corruption import Corruption
from spiritlens.runs.metrics import Metric
from spiritlens.runs.scoring import Scorer, prompt_scorers
from spiritlens.runs.sweep.recorded import record, replaced_embeddings


@told_keywords
@plain_torch
def edge_attribution(
    lens: Lens,
    prompts: Sequence[Prompt],
    contrast: Contrast,
    *,
    senders: Sequence[Sender] | None = None,
    receivers: Sequence[Receiver] | None = None,
    at: Sequence[str] = (EVERY_TOKEN,),
    base: BaseRun = "corrupted",
    steps: int = 1,
    metrics: Sequence[str | Metric] = ("logit_difference",),
    samples: int = 1,
    seed: int = 0,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Score every edge from the senders to the receivers (None: all nodes), the gradient being that of the base run."""
    chosen = given_prompts(given_lens(lens), prompts)
    model = lens.backend
    nodes = all_senders(model) if senders is None else listed("senders", senders, of=Sender)
    readers = all_receivers(model) if receivers is None else listed("receivers", receivers, of=Receiver)
    check_nodes(model, nodes, readers)
    at = given_places(chosen, at)
    chosen, metrics = given_smooth_metrics(lens, chosen, metrics)
    steps, (samples, seed) = whole("steps", steps, at_least=1), given_draws(samples, seed)
    check_choice("progress", progress, Progress)
    if model.has_user_hooks():
        raise ValueError(
            "edge attribution differentiates each node by itself, where a hook of your own would not take effect; "
            "remove it (lens.model.reset_hooks()) or use path_patch"
        )
    groups = tuple((reader,) for reader in readers)
    settings = PathSettings(nodes, groups, at, base, "heads+mlps", "recomputed", metrics, samples, seed)
    contrast = given_contrast(lens, chosen, contrast)
    others = contrasts_of(chosen, contrast)
    known = known_prompts(lens, chosen)
    found: list[list[PathValues | None]] = []
    complete: list[Completeness] = []
    for prompt, other in zip(tqdm(chosen, desc="edges", disable=progress == "none"), others, strict=True):
        edges, completeness = _one_prompt(lens, prompt, other, settings, steps)
        found.append(edges)
        complete.append(completeness)
    tell_missed(complete, chosen, [metric.name for metric in metrics], steps, lens.backend.dtype)
    method = "edge attribution" if steps == 1 else f"edge attribution, integrated gradients, {steps} nodes"
    dataset = paths_dataset(lens, chosen, known, found, settings, contrast, method)
    return dataset.assign(
        completeness_residual=(("prompt", "metric"), np.stack([whole.residual for whole in complete]))
    )


def _one_prompt(
    lens: Lens, prompt: Prompt, contrast: Prompt | Corruption, settings: PathSettings, steps: int
) -> tuple[list[PathValues | None], Completeness]:
    """One result per span and how complete the embedding's edges are, summed over continuations and averaged over
    samples."""
    model = lens.backend
    spans = [find_span(prompt, name) for name in settings.at]
    sums: list[PathValues | None] = [None] * len(spans)
    residual, total, size = np.zeros((3, len(settings.metrics)))
    singular = False
    for scorer in prompt_scorers(lens, prompt, settings.metrics):
        tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=model.device)
        clean = model.embed(tokens)
        other = contrast_embeddings(lens, prompt, contrast, settings.samples, settings.seed, scorer.forced)
        for sample in range(len(other)):
            pair = (clean, other[sample : sample + 1])
            base, source = pair if settings.base == "clean" else pair[::-1]
            readers = [group[0] for group in settings.groups]
            changes, readings, scores, embedded = _changes_and_readings(
                model, tokens, base, source, settings.senders, readers, scorer, steps
            )
            residual = residual + array(embedded - (scores[1] - scores[0])) / len(other)
            total = total + array(scores[1] - scores[0]) / len(other)
            size = np.maximum(size, np.maximum(np.abs(array(scores[0])), np.abs(array(scores[1]))))
            singular = singular or starts_singular(model, base, source)
            for index, span in enumerate(spans):
                if span is not None:
                    edges = _edges(model, changes, readings, scores, span.positions, settings)
                    done = sums[index]
                    sums[index] = edges.scaled(1 / len(other)) if done is None else done.plus(edges, 1 / len(other))
    return sums, Completeness(residual, total, size, singular)


def _edges(
    model: LensModel,
    changes: Tensor,
    readings: Tensor,
    scores: tuple[Tensor, Tensor],
    positions: Sequence[int],
    settings: PathSettings,
) -> PathValues:
    """Base score + change · reading over the positions, ``[group sender metric]``."""
    where = list(positions)
    products = torch.einsum("spd,mrpd->rsm", changes[:, where], readings[:, :, where])
    values = scores[0].to(products.dtype) + products
    absent = no_path(settings.senders, settings.groups, model.n_layers)
    values[absent] = torch.nan
    return PathValues(values, torch.zeros_like(absent), scores[0], scores[1], torch.zeros_like(scores[0]))


def _changes_and_readings(
    model: LensModel,
    tokens: Tensor,
    base: Tensor,
    source: Tensor,
    senders: Sequence[Sender],
    receivers: Sequence[Receiver],
    scorer: Scorer,
    steps: int,
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor], Tensor]:
    """Senders' changes ``[sender pos d_model]``, gradients of the receivers' reading ``[metric receiver pos
    d_model]``, scores of base and source, the embedding's whole attribution ``[metric]``; float32 or better."""
    layers = range(model.n_layers)
    writes = [hook_name(component, layer) for layer in layers for component in ("z", "mlp_out")]
    names = [hook_name("resid_pre", 0), *writes]
    ends = [record(model, tokens, embeddings, names, scorer.n_readouts) for embeddings in (base, source)]
    every = range(tokens.shape[1])
    changes = widened(torch.stack([sender_change(model, ends[0], ends[1], sender, every) for sender in senders]))
    nodes = path_nodes(model, base, source, steps)
    batch = tokens.to(model.device).expand(len(nodes.embeddings), -1)
    stream = [hook_name(name, layer) for layer in layers for name in ("resid_pre", "resid_mid")]
    made = [hook_name(name, layer) for layer in layers for name in ("q", "k", "v", "mlp_out")]
    entry, last = hook_name("resid_pre", 0), hook_name("resid_post", model.n_layers - 1)
    moved = widened(ends[1].values[entry]) - widened(ends[0].values[entry])
    readings, embedded = [], []
    with replaced_embeddings(model, nodes.embeddings):
        states = model.cache(batch, stream)
        for metric in range(len(scorer.metrics)):

            def score(logits: Tensor, metric: int = metric) -> Tensor:
                return scorer(logits[:, -scorer.n_readouts :])[:, metric].sum()

            gradients = model.gradients(batch, [*made, entry, last], score)
            rows = [nodes.mean(_reading(model, receiver, states, gradients)) for receiver in receivers]
            readings.append(torch.stack(rows))
            embedded.append((moved[0] * nodes.mean(gradients[entry])).sum())
    scores = (scorer(ends[0].logits)[0], scorer(ends[1].logits)[0])
    return changes, torch.stack(readings), scores, torch.stack(embedded)


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
