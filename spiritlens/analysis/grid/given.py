"""What methods are given beside a lens and its prompts, checked before the model runs for the first time.

    metrics = scorable_metrics(lens, prompts, metrics)           # metrics that every prompt can be scored by
    spans = given_spans(prompts, at, spans)                     # how sites are cut, and names that the prompts know
    components = given_names("components", components, allowed)
    corruption = given_corruption(lens, corruption, prompts[0])  # resolved; makes the same embeddings twice

Lists are read once, so that generators serve; a single text where several are due is refused, never spelt out as
letters. What only some prompts lack is told with the prompt's id.
"""

from collections.abc import Iterable, Sequence

import torch

from spiritlens.analysis.grid.sites import grid_sites
from spiritlens.arguments import check_choice, listed, shown
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.foils import with_foils
from spiritlens.runs.metrics import Metric, given_metrics
from spiritlens.runs.scoring import scorers
from spiritlens.terms import At


def given_names(name: str, values: Iterable[str], allowed: Sequence[str]) -> tuple[str, ...]:
    """Names out of a closed set, one or more, each once."""
    found = listed(name, values, of=str)
    unknown = [value for value in found if value not in allowed]
    if unknown:
        raise ValueError(f"{name} {found}: no {shown(unknown[0])} here; name one or more of {', '.join(allowed)}")
    twice = [value for place, value in enumerate(found) if value in found[:place]]
    if twice:
        raise ValueError(f"{name} {found}: {twice[0]!r} is given twice; name one or more, each once")
    return found


def scorable_metrics(lens: Lens, prompts: Sequence[Prompt], metrics: Iterable[str | Metric]) -> tuple[Metric, ...]:
    """Metrics by which every prompt can be scored: those that compare with a foil need prompts that have one."""
    found = given_metrics(metrics)
    names = tuple(metric.name for metric in found)
    text = frozenset(lens.vocabulary.text_ids.tolist())
    for prompt in prompts:
        written = [token for token in prompt.answer_ids if token in text]
        try:
            scorers(found, prompt.answer_ids, prompt.foil_ids, written, torch.device("cpu"))
        except ValueError as problem:
            raise ValueError(f"prompt {prompt.id} cannot be scored by metrics {names}: {problem}") from None
    return found


def given_scored(
    lens: Lens, prompts: Sequence[Prompt], metrics: Iterable[str | Metric]
) -> tuple[tuple[Prompt, ...], tuple[Metric, ...]]:
    """Prompts and the metrics that score them all; one that lacks a foil where a metric needs it has the model's
    runner-up (`spiritlens.runs.foils`)."""
    found = given_metrics(metrics)
    chosen = with_foils(lens, prompts, found)
    return chosen, scorable_metrics(lens, chosen, found)


def given_spans(prompts: Sequence[Prompt], at: At, spans: Iterable[str]) -> tuple[str, ...]:
    """Names of spans; with at="span" at least one, and the prompts know what each of them means."""
    check_choice("at", at, At)
    names = listed("spans", spans, of=str, empty=True)
    for prompt in prompts:
        grid_sites(prompt, at, names)
    return names
