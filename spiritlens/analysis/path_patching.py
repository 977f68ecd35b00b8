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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
import xarray as xr
from tqdm.auto import tqdm

from spiritlens.analysis.contrasts import (
    Contrast,
    contrast_attributes,
    contrast_embeddings,
    contrasts_of,
    given_contrast,
    plain_contrast,
)
from spiritlens.analysis.given import Progress, given_draws, given_metrics
from spiritlens.analysis.knowledge import known_prompts
from spiritlens.analysis.path_nodes import Receiver, Sender, all_senders, check_nodes
from spiritlens.analysis.path_values import Group, PathValues, check_groups, no_path, path_values, record_pair
from spiritlens.analysis.results import array, model_attributes, prompt_columns
from spiritlens.analysis.tracing_sites import named_span
from spiritlens.arguments import check_choice, listed, told_keywords
from spiritlens.effects.paths import BaseRun, Frozen, Norms, new_paths
from spiritlens.effects.schema import Status
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions import Corruption
from spiritlens.runs.metrics import SIGNS, Scorer, prompt_scorers
from spiritlens.runs.sweep import resolved_memory_budget

if TYPE_CHECKING:
    from spiritlens.models.lens import Lens

ALL_POSITIONS = "all"
"""The span of all positions, as a name for `at`."""
Receive = Literal["each", "together"]
"""each: every receiver is patched alone; together: all receivers are patched at once."""


@dataclass(frozen=True)
class PathSettings:
    """What decides the numbers, prompts apart."""

    senders: tuple[Sender, ...]
    groups: tuple[Group, ...]
    at: tuple[str, ...]
    base: BaseRun
    frozen: Frozen
    norms: Norms
    metrics: tuple[str, ...]
    samples: int
    seed: int
    memory_budget: int | None = None

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("base", self.base, BaseRun),
            ("frozen", self.frozen, Frozen),
            ("norms", self.norms, Norms),
        ):
            check_choice(name, value, allowed)


@told_keywords
@plain_torch
def path_patch(
    lens: "Lens",
    prompts: Sequence[Prompt],
    contrast: Contrast,
    *,
    senders: Sequence[Sender] | None = None,
    receivers: Sequence[Receiver] = (Receiver("logits"),),
    receive: Receive = "each",
    at: Sequence[str] = (ALL_POSITIONS,),
    base: BaseRun = "clean",
    frozen: Frozen = "heads+mlps",
    norms: Norms = "recomputed",
    metrics: Sequence[str] = ("logit_difference", "probability"),
    samples: int = 1,
    seed: int = 0,
    memory_budget: int | None = None,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Patch every path from the senders (None: all) to the receivers, each alone or all receivers together.

    `contrast`: one counterfactual prompt of equal length per prompt, or a corruption; with several noise samples the
    metric is averaged over them. `at` names the spans at which the sender is patched (``all``, ``subject``, ``last
    token``, a role, ``position 5`` …).
    """
    chosen = given_prompts(given_lens(lens), prompts)
    model = lens.inside
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
    lens: "Lens",
    prompt: Prompt,
    contrast: Prompt | Corruption,
    settings: PathSettings,
    advance: Callable[[float], object],
) -> list[PathValues | None]:
    """One result per span (None: the prompt lacks it), summed over continuations and averaged over noise samples."""
    model = lens.inside
    parts = prompt_scorers(lens, prompt, settings.metrics)
    spans = [span_positions(prompt, name) for name in settings.at]
    sums: list[PathValues | None] = [None] * len(spans)
    for scorer in parts:
        tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=model.device)
        other = contrast_embeddings(lens, prompt, contrast, settings.samples, settings.seed, scorer.forced)
        scored = _with_clean(lens, tokens, scorer)
        for sample in range(len(other)):
            pair = (None, other[sample : sample + 1])
            runs = pair if settings.base == "clean" else pair[::-1]
            recorded = record_pair(model, tokens, runs[0], runs[1], settings.groups, scorer.n_readouts)
            for index, positions in enumerate(spans):
                if positions is None:
                    continue
                edges = path_values(
                    model,
                    recorded,
                    settings.senders,
                    settings.groups,
                    positions,
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


def _with_clean(lens: "Lens", tokens: torch.Tensor, scorer: Scorer) -> Scorer:
    with torch.no_grad():
        return scorer.with_clean(lens.inside.forward(tokens)[:, -scorer.n_readouts :])


def span_positions(prompt: Prompt, name: str) -> tuple[int, ...] | None:
    """Positions of a span by name, ``all`` being every position; None where the prompt has no such span."""
    if name == ALL_POSITIONS:
        return tuple(range(len(prompt)))
    span = named_span(prompt, name)
    return None if span is None else span.positions


def given_places(prompts: Sequence[Prompt], at: Sequence[str]) -> tuple[str, ...]:
    """Names of spans, of which every prompt has at least one."""
    names = listed("at", at, of=str)
    for prompt in prompts:
        if all(span_positions(prompt, name) is None for name in names):
            raise ValueError(f"prompt {prompt.id} has none of the spans at={names}; give a span that all prompts have")
    return names


def paths_dataset(
    lens: "Lens",
    prompts: Sequence[Prompt],
    known: Sequence[bool],
    found: Sequence[Sequence[PathValues | None]],
    settings: PathSettings,
    contrast: Contrast,
    method: str,
) -> xr.Dataset:
    """Spread the edges over the dense axes of `spiritlens.paths/1`."""
    senders = _Axes([(sender.component, sender.layer, sender.head) for sender in settings.senders])
    receivers = _Axes([_group_key(group) for group in settings.groups])
    shape = (len(prompts), *senders.shape, *receivers.shape, len(settings.at))
    patched = np.full((*shape, len(settings.metrics)), np.nan)
    status = np.full(shape, int(Status.ABSENT), dtype=np.int8)
    absent = array(no_path(settings.senders, settings.groups, lens.inside.n_layers))
    for row, spans in enumerate(found):
        for column, edges in enumerate(spans):
            if edges is None:
                continue
            values, exact = array(edges.values), array(edges.exact)
            for group, sender in np.argwhere(~absent):
                cell = (row, *senders.places[sender], *receivers.places[group], column)
                patched[cell] = values[group, sender]
                status[cell] = int(Status.EXACT if exact[group, sender] else Status.MEASURED)
    some = [next(edges for edges in spans if edges is not None) for spans in found]
    config = {
        "samples": settings.samples,
        "metrics": list(settings.metrics),
        "contrast": plain_contrast(contrast),
        "memory_budget": settings.memory_budget,
    }
    return new_paths(
        base=np.stack([array(edges.base) for edges in some]),
        patched=patched,
        status=status,
        noise_floor=np.stack([array(edges.noise_floor) for edges in some]),
        senders=senders.coordinates,
        receivers=receivers.coordinates,
        positions=settings.at,
        metrics={name: SIGNS[name] for name in settings.metrics},
        prompts=prompt_columns(prompts, known),
        base_run=settings.base,
        frozen=settings.frozen,
        norms=settings.norms,
        attributes={
            **model_attributes(lens, settings.seed, config),
            **contrast_attributes(contrast),
            "method": method,
            "source_metric": float(np.mean([array(edges.source)[0] for edges in some])),
        },
    )


def _group_key(group: Group) -> tuple[str, int, int]:
    if len(group) == 1:
        return group[0].component, group[0].layer, group[0].head
    return " + ".join(str(receiver) for receiver in group), -1, -1


class _Axes:
    """Component, layer and head axes that hold some nodes, and the place of each node on them."""

    def __init__(self, nodes: Sequence[tuple[str, int, int]]) -> None:
        components = list(dict.fromkeys(node[0] for node in nodes))
        layers, heads = sorted({node[1] for node in nodes}), sorted({node[2] for node in nodes})
        self.coordinates: dict[str, Sequence[Any]] = {"component": components, "layer": layers, "head": heads}
        self.shape = (len(components), len(layers), len(heads))
        self.places = [(components.index(name), layers.index(layer), heads.index(head)) for name, layer, head in nodes]
