"""A first look at a grid: estimates of all cells from gradients, judged by exact cells of a sample of the prompts.

Both rules of `spiritlens.runs.backward` are judged, component by component, whichever one the estimates are of: by the
correlation with the exact effects, and by how many of the k largest exact cells are among the k largest estimates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from spiritlens.analysis.grid.given import given_scored
from spiritlens.analysis.grid.grid import Draws, Grid
from spiritlens.analysis.tracing.one_prompt import trace_prompt
from spiritlens.analysis.tracing.screen import attribution_patching
from spiritlens.analysis.tracing.settings import TraceSettings, check_screenable, given_trace_settings
from spiritlens.arguments import check_choice, told_keywords, whole
from spiritlens.effects.quantities import indirect
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.backward import UNREAD_BY_RELP, check_read
from spiritlens.runs.corruptions.corruption import Corruption
from spiritlens.runs.metrics import Metric
from spiritlens.terms import BackwardRule


@dataclass(frozen=True)
class Judged:
    """How one rule's estimates of one component agree with the exact cells, one value a sampled prompt."""

    rule: BackwardRule
    component: str
    correlations: tuple[float, ...]
    overlaps: tuple[float, ...]

    def __str__(self) -> str:
        correlation, overlap = (
            float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
            for values in (np.array(self.correlations), np.array(self.overlaps))
        )
        return f"{RULE_WORDS[self.rule]}, {self.component}: {correlation:.2f}, {overlap:.2f}"


RULE_WORDS: dict[BackwardRule, str] = {"gradient": "attribution patching", "relp": "RelP"}


@dataclass(frozen=True, eq=False)
class FirstLook:
    """Estimates per prompt, with their agreement with exact cells on a sample of the prompts."""

    estimates: tuple[np.ndarray[Any, Any], ...]
    """``[component layer site head]``."""
    correlations: tuple[float, ...]
    """Pearson correlation with the exact effects, one per sampled prompt."""
    overlaps: tuple[float, ...]
    """Share of the k largest exact cells among the k largest estimates."""
    top_k: int
    metric: str
    rule: BackwardRule = "gradient"
    judged: tuple[Judged, ...] = ()
    """Both rules, component by component."""

    def __repr__(self) -> str:
        def listed(values: Sequence[float]) -> str:
            return ", ".join(f"{value:.2f}" for value in values)

        name = RULE_WORDS[self.rule]
        lines = [
            f"{name[0].upper()}{name[1:]} of {len(self.estimates)} prompt(s), metric {self.metric}: "
            "an estimate, not a measurement.",
            f"Against exact cells of {len(self.correlations)} prompt(s): correlation {listed(self.correlations)}; "
            f"top-{self.top_k} overlap {listed(self.overlaps)}.",
            f"By component, mean correlation and top-{self.top_k} overlap:",
        ]
        return "\n".join([*lines, *(f"  {each}" for each in self.judged)])


@told_keywords
@plain_torch
def first_look(
    lens: Lens,
    prompts: Sequence[Prompt],
    grid: Grid | Sequence[str] | None = None,
    corruption: Corruption | None = None,
    metric: str | Metric = "logit",
    *,
    rule: BackwardRule = "gradient",
    samples: int | Draws = 3,
    n_exact: int = 2,
    top_k: int = 20,
) -> FirstLook:
    """Estimate all prompts' grids by a rule, and run `n_exact` of them (drawn by the seed) exactly to judge both rules.

    `rule`: "gradient" is attribution patching, "relp" relevance patching. Returns the estimates with their agreement.
    Raises ValueError for a metric without a gradient, queries or keys by RelP, and for what `causal_trace` would
    refuse. Source: Nanda 2023, "Attribution patching"; arXiv 2508.21258, RelP.
    """
    prompts, scored = given_scored(lens, given_prompts(given_lens(lens), prompts), (metric,))
    n_exact, top_k = whole("n_exact", n_exact, at_least=1), whole("top_k", top_k, at_least=1)
    check_choice("rule", rule, BackwardRule)
    settings = given_trace_settings(lens, prompts, grid, corruption, scored, samples)
    check_screenable(settings)
    check_read(rule, settings.grid.components)
    estimates = tuple(attribution_patching(lens, prompt, settings, rule) for prompt in prompts)
    places = np.random.default_rng(settings.draws.seed).permutation(len(prompts))[:n_exact].tolist()
    exact = [_exact(lens, prompts[place], settings) for place in places]
    some = [estimates[place] for place in places]
    judged: list[Judged] = []
    for each in get_args(BackwardRule):
        own = some if each == rule else [attribution_patching(lens, prompts[place], settings, each) for place in places]
        judged += _judged(each, exact, own, settings, top_k)
    correlations = tuple(_correlation(*pair) for pair in zip(exact, some, strict=True))
    overlaps = tuple(_overlap(*pair, top_k) for pair in zip(exact, some, strict=True))
    return FirstLook(estimates, correlations, overlaps, top_k, settings.metrics[0].name, rule, tuple(judged))


def _judged(
    rule: BackwardRule,
    exact: Sequence[np.ndarray[Any, Any]],
    estimates: Sequence[np.ndarray[Any, Any]],
    settings: TraceSettings,
    top_k: int,
) -> list[Judged]:
    """One rule by component; what it says nothing of is left out."""
    found = []
    for place, component in enumerate(settings.grid.components):
        if rule == "relp" and component in UNREAD_BY_RELP:
            continue
        pairs = [(one[place], other[place]) for one, other in zip(exact, estimates, strict=True)]
        correlations = tuple(_correlation(*pair) for pair in pairs)
        found.append(Judged(rule, component, correlations, tuple(_overlap(*pair, top_k) for pair in pairs)))
    return found


def _exact(lens: Lens, prompt: Prompt, settings: TraceSettings) -> np.ndarray[Any, Any]:
    """Exact effects ``[component layer site head]`` of the first metric."""
    effects = trace_prompt(lens, prompt, settings)
    values: np.ndarray[Any, Any] = indirect(effects).isel(prompt=0, metric=0).values
    return values if settings.grid.has_heads else values[..., None]


def _correlation(exact: np.ndarray[Any, Any], estimate: np.ndarray[Any, Any]) -> float:
    measured = ~np.isnan(exact) & ~np.isnan(estimate)
    if measured.sum() < 2 or exact[measured].std() == 0 or estimate[measured].std() == 0:
        return float("nan")
    return float(np.corrcoef(exact[measured], estimate[measured])[0, 1])


def _overlap(exact: np.ndarray[Any, Any], estimate: np.ndarray[Any, Any], top_k: int) -> float:
    count = min(top_k, int((~np.isnan(exact)).sum()))
    first, second = (_largest_indices(np.abs(values), count) for values in (exact, estimate))
    return len(first & second) / max(count, 1)


def _largest_indices(size: np.ndarray[Any, Any], count: int) -> set[int]:
    return set(np.argsort(np.where(np.isnan(size), -1.0, size), axis=None, kind="stable")[::-1][:count].tolist())
