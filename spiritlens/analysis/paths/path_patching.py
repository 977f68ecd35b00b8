"""Path patching: what one node tells another, everything else held still.

1. The base run and the source run (base="clean": the prompt, and its contrast; base="corrupted": the other way round).
2. One *sender* (the embedding, a head, an MLP; at a span of positions) is set to its source value. The *frozen set*
   between it and the receivers is held at base values: ``heads+mlps``, ``heads`` (MLPs recompute), or ``nothing``.
3. What the *receivers* (query, key or value input of heads, MLP inputs, the logits) read then is recorded, through a
   norm whose scale is ``recomputed`` or ``frozen`` at the base run's.
4. In the base run the receivers get that reading, everything after them runs freely, and the metric is taken.

Result: `spiritlens.paths/1` (`spiritlens.effects.paths`), a dense array over senders × receivers × spans. Status: an
edge that would run backwards, and a node that was not asked for, is *absent* (NaN), never 0; *exact*: provably the
base value.

Signs: change = (metric(patched) − metric(base)) · sign. With base="clean" an edge that carries the fact has a
negative change.

Source: Wang et al. 2022 (arXiv 2211.00593), section 3.1, which freezes heads and recomputes MLPs and norms;
Goldowsky-Dill et al. 2023 (arXiv 2304.05969). The closed form for ``heads+mlps`` needs no forward pass up to the
receiver.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import xarray as xr
from tqdm.auto import tqdm

from spiritlens.analysis.grid.each_prompt import Progress
from spiritlens.analysis.grid.given import given_draws, given_metrics
from spiritlens.analysis.paths.dataset import PathSettings, paths_dataset
from spiritlens.analysis.paths.nodes import Receiver, Sender, all_senders, check_nodes
from spiritlens.analysis.paths.path_values import Group, PathValues, check_groups, path_values, record_pair
from spiritlens.arguments import check_choice, listed, told_keywords
from spiritlens.effects.paths import BaseRun, Frozen, Norms
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spans import EVERY_TOKEN, find_span
from spiritlens.runs.answers import known_prompts
from spiritlens.runs.corruptions.contrasts import (
    Contrast,
    contrast_embeddings,
    contrasts_of,
    given_contrast,
)
from spiritlens.runs.corruptions.corruption import Corruption
from spiritlens.runs.metrics import Metric
from spiritlens.runs.scoring import Scorer, prompt_scorers
from spiritlens.runs.sweep.sweep import resolved_memory_budget

Receive = Literal["each", "together"]
"""each: every receiver is patched alone; together: all receivers are patched at once."""


@told_keywords
@plain_torch
def path_patch(
    lens: Lens,
    prompts: Sequence[Prompt],
    contrast: Contrast,
    *,
    senders: Sequence[Sender] | None = None,
    receivers: Sequence[Receiver] = (Receiver("logits"),),
    receive: Receive = "each",
    at: Sequence[str] = (EVERY_TOKEN,),
    base: BaseRun = "clean",
    frozen: Frozen = "heads+mlps",
    norms: Norms = "recomputed",
    metrics: Sequence[str | Metric] = ("logit_difference", "probability"),
    samples: int = 1,
    seed: int = 0,
    memory_budget: int | None = None,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Patch every path from the senders (None: all) to the receivers, each alone or all receivers together.

    `contrast`: one counterfactual prompt of equal length per prompt, or a corruption; with several noise samples the
    metric is averaged over them. `at` names the spans at which the sender is patched
    (`spiritlens.prompts.spans`).
    """
    chosen = given_prompts(given_lens(lens), prompts)
    model = lens.backend
    nodes = all_senders(model) if senders is None else listed("senders", senders, of=Sender)
    readers = listed("receivers", receivers, of=Receiver)
    check_nodes(model, nodes, readers)
    check_choice("progress", progress, Progress)
    groups, at, metrics = _groups(readers, receive), given_places(chosen, at), given_metrics(lens, chosen, metrics)
    draws, budget = given_draws(samples, seed), resolved_memory_budget(model.device, memory_budget)
    settings = PathSettings(nodes, groups, at, base, frozen, norms, metrics, *draws, budget)
    contrast = given_contrast(lens, chosen, contrast)
    others = contrasts_of(chosen, contrast)
    known = known_prompts(lens, chosen)
    total = len(chosen) * len(settings.at) * len(nodes) * len(groups)
    with tqdm(total=total, desc="paths", unit="edge", disable=progress == "none") as bar:
        found = [_one_prompt(lens, *pair, settings, bar.update) for pair in zip(chosen, others, strict=True)]
    return paths_dataset(lens, chosen, known, found, settings, contrast, "path patching")


def _groups(receivers: Sequence[Receiver], receive: Receive) -> tuple[Group, ...]:
    """The receivers that are patched together."""
    check_choice("receive", receive, Receive)
    groups: tuple[Group, ...] = tuple((receiver,) for receiver in receivers)
    if receive == "together":
        groups = (tuple(receivers),)
    check_groups(groups)
    return groups


def _one_prompt(
    lens: Lens,
    prompt: Prompt,
    contrast: Prompt | Corruption,
    settings: PathSettings,
    advance: Callable[[float], object],
) -> list[PathValues | None]:
    """One result per span (None: the prompt lacks it), summed over continuations and averaged over noise samples."""
    model = lens.backend
    parts = prompt_scorers(lens, prompt, settings.metrics)
    spans = [find_span(prompt, name) for name in settings.at]
    sums: list[PathValues | None] = [None] * len(spans)
    for scorer in parts:
        tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=model.device)
        other = contrast_embeddings(lens, prompt, contrast, settings.samples, settings.seed, scorer.forced)
        scored = _with_clean(lens, tokens, scorer)
        for sample in range(len(other)):
            pair = (None, other[sample : sample + 1])
            runs = pair if settings.base == "clean" else pair[::-1]
            recorded = record_pair(model, tokens, runs[0], runs[1], settings.groups, scorer.n_readouts)
            for index, span in enumerate(spans):
                if span is None:
                    continue
                edges = path_values(
                    model,
                    recorded,
                    settings.senders,
                    settings.groups,
                    span.positions,
                    frozen=settings.frozen,
                    norms=settings.norms,
                    score=scored,
                    memory_budget=settings.memory_budget,
                    advance=_in_shares(advance, len(parts) * len(other)),
                )
                done = sums[index]
                sums[index] = edges.scaled(1 / len(other)) if done is None else done.plus(edges, 1 / len(other))
    return sums


def _in_shares(advance: Callable[[float], object], shares: int) -> Callable[[int], None]:
    """An edge is finished when it was run for every continuation and noise sample."""

    def tell(edges: int) -> None:
        advance(edges / shares)

    return tell


def _with_clean(lens: Lens, tokens: torch.Tensor, scorer: Scorer) -> Scorer:
    with torch.no_grad():
        return scorer.with_clean(lens.backend.forward(tokens)[:, -scorer.n_readouts :])


def given_places(prompts: Sequence[Prompt], at: Sequence[str]) -> tuple[str, ...]:
    """Names of spans, of which every prompt has at least one."""
    names = listed("at", at, of=str)
    for prompt in prompts:
        if all(find_span(prompt, name) is None for name in names):
            raise ValueError(f"prompt {prompt.id} has none of the spans at={names}; give a span that all prompts have")
    return names
