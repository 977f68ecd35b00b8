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
from dataclasses import replace
from pathlib import Path

import torch
import xarray as xr

from spiritlens.analysis.grid.canary import largest
from spiritlens.analysis.grid.each_prompt import Advance, Work, each_prompt
from spiritlens.analysis.grid.given import given_scored
from spiritlens.analysis.grid.grid import Draws, drawn
from spiritlens.analysis.paths.canary import donor_deviation
from spiritlens.analysis.paths.dataset import PathSettings, path_attributes, paths_dataset
from spiritlens.analysis.paths.nodes import Receiver
from spiritlens.analysis.paths.path_values import PathValues, path_values
from spiritlens.analysis.paths.paths import Held, Paths, check_places, given_nodes, given_paths
from spiritlens.analysis.paths.recording import record_pair
from spiritlens.arguments import told_keywords
from spiritlens.effects.shards import RunFolder
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spans import find_span
from spiritlens.runs.answers import knows
from spiritlens.runs.corruptions.contrasts import (
    Contrast,
    check_length,
    contrast_embeddings,
    contrasts_of,
    given_contrast,
)
from spiritlens.runs.corruptions.corruption import Corruption
from spiritlens.runs.metrics import Metric
from spiritlens.runs.scoring import Scorer, prompt_scorers
from spiritlens.runs.side_by_side import processes_of
from spiritlens.terms import Progress

DEFAULT_METRICS = ("logit_difference", "probability")


@told_keywords
@plain_torch
def path_patch(
    lens: Lens,
    prompts: Sequence[Prompt],
    contrast: Contrast,
    paths: Paths | None = None,
    metrics: Sequence[str | Metric] = DEFAULT_METRICS,
    *,
    samples: int | Draws = 1,
    folder: str | Path | RunFolder | None = None,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Patch every path of `paths` (None: from every sender straight to the logits, in the clean run).

    `contrast`: one counterfactual prompt of equal length per prompt, or a corruption; with several noise samples the
    metric is averaged over them. `folder` keeps each finished prompt, and the same call goes on where it stopped;
    without it, Ctrl-C returns what is finished.

    Returns an edges dataset, ``patched [prompt sender_component … receiver_head pos metric]``. Raises ValueError for
    nodes that the model lacks, spans that no prompt knows, a counterfactual of another length, and a folder of other
    settings.
    """
    prompts = given_prompts(given_lens(lens), prompts)
    asked = given_paths(paths, "path_patch")
    senders, groups = given_nodes(lens.backend, asked, (Receiver("logits"),))
    check_places(prompts, asked.at)
    draws, contrast = drawn(samples), given_contrast(lens, prompts, contrast)
    others = contrasts_of(prompts, contrast)
    for prompt, other in zip(prompts, others, strict=True):
        check_length(prompt, other)
    prompts, metrics = given_scored(lens, prompts, metrics)
    held = Held(asked.frozen, asked.norms)
    settings = PathSettings(senders, groups, tuple(asked.at), asked.base or "clean", held, metrics, draws)
    attributes = path_attributes(lens, settings, contrast, "path patching")

    def measure(place: int, advance: Advance) -> xr.Dataset:
        prompt = prompts[place]
        found = _one_prompt(lens, prompt, others[place], settings, advance)
        return paths_dataset(lens, prompt, knows(lens, prompt), found, settings, attributes)

    def edges(place: int) -> int:
        return len(senders) * len(groups) * sum(find_span(prompts[place], name) is not None for name in settings.at)

    work = Work(prompts, measure, attributes, "paths", "edge", edges, settings.rules, processes=processes_of(lens))
    return each_prompt(work, folder=folder, progress=progress)


def _one_prompt(
    lens: Lens, prompt: Prompt, contrast: Prompt | Corruption, settings: PathSettings, advance: Advance
) -> list[PathValues | None]:
    """One result per span (None: the prompt lacks it), summed over continuations and averaged over noise samples."""
    model, draws = lens.backend, settings.draws
    parts = prompt_scorers(lens, prompt, settings.metrics)
    spans = [find_span(prompt, name) for name in settings.at]
    sums: list[PathValues | None] = [None] * len(spans)
    for scorer in parts:
        tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=model.device)
        other = contrast_embeddings(lens, prompt, contrast, draws.samples, draws.seed, scorer.forced)
        scored = _with_clean(lens, tokens, scorer)
        for sample in range(len(other)):
            pair = (None, other[sample : sample + 1])
            runs = pair if settings.base == "clean" else pair[::-1]
            recorded = record_pair(model, tokens, runs[0], runs[1], settings.groups, scorer.n_readouts)
            inner = [group for group in settings.groups if group[0].component != "logits"]
            missed = donor_deviation(model, recorded.base, recorded.source, scorer.n_readouts, scored, inner)
            for index, span in enumerate(spans):
                if span is None:
                    continue
                edges = path_values(
                    recorded,
                    settings.senders,
                    settings.groups,
                    span.positions,
                    held=settings.held,
                    score=scored,
                    memory_budget=lens.memory_budget,
                    advance=_in_shares(advance, len(parts) * len(other)),
                )
                edges = replace(edges, canary=largest([edges.canary, missed]))
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
