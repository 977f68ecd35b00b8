"""Dose: how much a corruption takes away at each noise scale, and scales at which writing and speech lose equally much.

A spoken subject has ten times the tokens of a written one and other embeddings, so noise of equal scale is not an equal
dose; maps of restored runs are only comparable at equal total effects. Normalised total effect of a prompt:

    nTE = (probability(clean) − mean over samples probability(corrupted)) / probability(clean)

averaged over prompts of one modality (the subject's: text or speech). `dose_curve` measures it over a row of multiples
of each modality's default scale; `match_dose` finds, by bisection with the same noise at every scale, the scales at
which both reach a common target. Axes: ``modality multiple prompt``.

Source: this project; the confound is named in `docs/methods.md`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import inf

import numpy as np
import torch
import xarray as xr

from spiritlens.analysis.grid.grid import Draws, drawn
from spiritlens.analysis.grid.results import heard_columns
from spiritlens.arguments import check_choice, listed, number, told_keywords
from spiritlens.effects.measures import DOSES_SCHEMA
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.changed_logits import PlainRun, plain_run
from spiritlens.runs.corruptions.corruption import corrupted_embeddings
from spiritlens.runs.corruptions.noise import Law, Noise, NoiseScale, default_scale
from spiritlens.runs.scoring import Scorer, prompt_scorers

DEFAULT_MULTIPLES = (0.25, 0.5, 1.0, 2.0, 4.0)
LARGEST_MULTIPLE = 64.0
STEPS = 12
KEPT_BYTES = 1 << 28
"""Of plain runs that are kept while many scales are tried on the same prompts; those beyond are run again."""


@dataclass(frozen=True, eq=False)
class DoseMatch:
    """Scales that give each modality the same normalised total effect, and what they measured."""

    scale: NoiseScale
    target: float
    reached: dict[str, float]
    """Mean normalised total effect of each modality at its scale."""
    multiples: dict[str, float]
    """Each modality's scale in units of its default."""

    def __repr__(self) -> str:
        lines = [f"Dose matched at a normalised total effect of {self.target:.3f}"]
        for modality, reached in self.reached.items():
            lines.append(
                f"  {modality:<7} scale {self.scale.of(modality):.4g} "
                f"({self.multiples[modality]:.3g} × default): {reached:.3f}"
            )
        return "\n".join(lines)


@told_keywords
@plain_torch
def dose_curve(
    lens: Lens,
    prompts: Sequence[Prompt],
    multiples: Iterable[float] = DEFAULT_MULTIPLES,
    *,
    samples: int | Draws = 10,
    law: Law = "gaussian",
) -> xr.Dataset:
    """Normalised total effect of every prompt at multiples of its modality's default noise scale.

    Variables: ``normalised_total_effect [multiple prompt]``, ``scale [modality multiple]``; coordinates along
    ``prompt``: ``subject_modality``, ``prompt_id``, and what tells facts apart (``fact_id relation subject answer``).
    Returns the dataset. Raises ValueError for prompts without subject or answer and multiples that are no numbers ≥ 0.
    """
    prompts = given_prompts(given_lens(lens), prompts)
    given = listed("multiples", multiples)
    multiples = [number(f"multiples[{place}]", value, at_least=0, below=inf) for place, value in enumerate(given)]
    draws = drawn(samples)
    check_choice("law", law, Law)
    default, losses = default_scale(lens), _Losses(lens, draws)
    values = [
        [losses.of(prompt, Noise(_scaled(default, multiple), law)) for prompt in prompts] for multiple in multiples
    ]
    scales = [[default.of(modality) * multiple for multiple in multiples] for modality in ("text", "speech")]
    return xr.Dataset(
        {
            "normalised_total_effect": (("multiple", "prompt"), np.array(values)),
            "scale": (("modality", "multiple"), np.array(scales)),
        },
        coords={
            "multiple": multiples,
            "modality": ["text", "speech"],
            "prompt_id": ("prompt", [prompt.id for prompt in prompts]),
            **{name: ("prompt", [getattr(prompt, name) for prompt in prompts]) for name in ("fact_id", "relation")},
            "subject": ("prompt", [prompt.subject.name for prompt in prompts]),
            "answer": ("prompt", [prompt.answer for prompt in prompts]),
            **heard_columns(prompts),
            "subject_modality": ("prompt", [subject_modality(prompt) for prompt in prompts]),
        },
        attrs={
            "schema": DOSES_SCHEMA,
            "samples": draws.samples,
            "seed": draws.seed,
            "noise_law": law,
            "model_hash": lens.id,
        },
    )


@told_keywords
@plain_torch
def match_dose(
    lens: Lens,
    prompts: Sequence[Prompt],
    target: float | None = None,
    *,
    samples: int | Draws = 10,
    law: Law = "gaussian",
    tolerance: float = 0.005,
) -> DoseMatch:
    """Scales at which both modalities lose the same share of their probability.

    `target` None is the smaller of the modalities' effects at their default scales, so that no modality is disturbed
    more than by default. Returns the scale, what it reaches and the multiples. Raises ValueError for prompts without
    subject or answer, and where no scale reaches the target.
    """
    prompts = given_prompts(given_lens(lens), prompts)
    draws = drawn(samples)
    check_choice("law", law, Law)
    tolerance = number("tolerance", tolerance, above=0, below=inf)
    if target is not None:
        target = number("target", target, above=0, below=1)
    by_modality = {name: [p for p in prompts if subject_modality(p) == name] for name in ("text", "speech")}
    lacking = [name for name, found in by_modality.items() if not found]
    if lacking:
        raise ValueError(f"no prompt has its subject in {lacking[0]}: doses are matched between text and speech")
    default, losses = default_scale(lens), _Losses(lens, draws)

    @cache
    def mean_effect(modality: str, multiple: float) -> float:
        noise = Noise(_scaled(default, multiple), law)
        return float(np.mean([losses.of(prompt, noise) for prompt in by_modality[modality]]))

    if target is None:
        target = min(mean_effect(modality, 1.0) for modality in by_modality)
        if not 0 < target < 1:
            raise ValueError(
                f"the default noise takes away {target:.3g} of the probability, which is no share between 0 and 1 to "
                "match: give target=…"
            )
    multiples = {name: _solved(partial(mean_effect, name), target, tolerance, name) for name in by_modality}
    scale = NoiseScale(default.text * multiples["text"], default.speech * multiples["speech"])
    reached = {name: mean_effect(name, multiple) for name, multiple in multiples.items()}
    return DoseMatch(scale, target, reached, multiples)


@plain_torch
def dose_of(lens: Lens, prompt: Prompt, noise: Noise, draws: Draws) -> float:
    """(probability(clean) − mean probability(corrupted)) / probability(clean) of one prompt."""
    return _Losses(lens, draws).of(prompt, noise)


class _Losses:
    """What noise takes away from prompts, whose plain runs are kept from one scale to the next while they fit."""

    def __init__(self, lens: Lens, draws: Draws) -> None:
        self.lens, self.draws = lens, draws
        self.kept: dict[str, tuple[Scorer, PlainRun]] = {}
        self.room = KEPT_BYTES

    def of(self, prompt: Prompt, noise: Noise) -> float:
        scorer, plain = self.kept.get(prompt.id) or self._run(prompt)
        samples, seed = self.draws.samples, self.draws.seed
        embeddings = corrupted_embeddings(self.lens, prompt, noise, samples=samples, seed=seed, forced=scorer.forced)
        changed = plain.changed(self.lens.backend, embeddings)
        clean, corrupted = float(scorer(plain.logits)), float(scorer(changed).mean())
        return (clean - corrupted) / clean

    def _run(self, prompt: Prompt) -> tuple[Scorer, PlainRun]:
        """The prompt's scorer and plain run, kept where there is room."""
        scorer = prompt_scorers(self.lens, prompt, ["probability"])[0]
        tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=self.lens.backend.device)
        plain = plain_run(self.lens.backend, tokens, scorer.n_readouts)
        if plain.n_bytes <= self.room:
            self.room -= plain.n_bytes
            self.kept[prompt.id] = scorer, plain
        return scorer, plain


def subject_modality(prompt: Prompt) -> str:
    """Modality of the subject's first token."""
    return prompt.modalities[prompt.subject.positions[0]]


def _scaled(scale: NoiseScale, multiple: float) -> NoiseScale:
    return NoiseScale(scale.text * multiple, scale.speech * multiple)


def _solved(effect: Callable[[float], float], target: float, tolerance: float, modality: str) -> float:
    """The multiple at which the effect is the target: doubled until it is passed, then bisected."""
    low, high = 0.0, 1.0
    while effect(high) < target:
        low, high = high, 2 * high
        if high > LARGEST_MULTIPLE:
            raise ValueError(
                f"noise on {modality} subjects never takes away {target:.3f} of the probability (tried up to "
                f"{LARGEST_MULTIPLE:g} × the default scale): give a smaller target"
            )
    for _ in range(STEPS):
        middle = (low + high) / 2
        found = effect(middle)
        if abs(found - target) <= tolerance:
            return middle
        low, high = (middle, high) if found < target else (low, middle)
    return (low + high) / 2
