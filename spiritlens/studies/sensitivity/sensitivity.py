"""What changes if? The maps of a study, each thing that it chose made in another way, set beside the baseline.

A gap between writing and speech may be one of the modalities, or one of noise, of an error of the alignment, of the
facts that were selected, of the metric. The table tells them apart as far as can be: each variant changes one thing of
a baseline (`spiritlens.studies.sensitivity.variants`), and its maps are compared with the baseline's and with each
other (`spiritlens.comparison.map_changes`).

1. **Baseline**: facts known in both modalities, drawn by the seed, restored by role under the default noise.
2. **Variants**: each says what it measures; what the baseline's trace has already, as other metrics and selections do,
   costs nothing. One that cannot be made here says why, and the others go on.
3. **Table and page**: ``index.html``, ``table.csv`` (all numbers), ``table.md`` and ``table.tex`` (for a paper).

The folder has ``answers.jsonl``, ``baseline/`` and ``variants/NAME/`` besides. The same call resumes what was
interrupted; `sensitivity_cost` tells before what it takes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spiritlens.analysis.grid.grid import Draws, Grid
from spiritlens.analysis.tracing.cost import Cost, estimate_cost
from spiritlens.analysis.tracing.dose import match_dose
from spiritlens.analysis.tracing.grid import trace_grid
from spiritlens.arguments import listed, number, shown, told_keywords
from spiritlens.effects.shards import WHOLE, RunFolder
from spiritlens.models.given import given_lens
from spiritlens.models.lens import Lens
from spiritlens.prompts.facts.fact import Fact, check_phrasing
from spiritlens.prompts.facts.foils import drawn_foils
from spiritlens.prompts.facts.loading import load_facts
from spiritlens.prompts.knowing import Knowing
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.recognise import recognise
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.runs.side_by_side import by_threads
from spiritlens.speech.engines.process import EngineError
from spiritlens.speech.recognition.heard import Recogniser, given_recogniser
from spiritlens.studies.kept_answers import KeptAnswers
from spiritlens.studies.pairs import KINDS, Asked, AskedForm, LeftOut, PairedPrompts, ask, pair_prompts
from spiritlens.studies.selection import choose
from spiritlens.studies.sensitivity.measuring import made, measured, slug, untraced
from spiritlens.studies.sensitivity.page import write_results
from spiritlens.studies.sensitivity.result import Sensitivity
from spiritlens.studies.sensitivity.variant import Ground, Setup, Variant
from spiritlens.studies.sensitivity.variants import VARIANTS
from spiritlens.studies.settings import SensitivitySettings
from spiritlens.studies.study import study_place

DEFAULTS = SensitivitySettings()


@told_keywords
def sensitivity(
    lens: Lens,
    out: str | Path | RunFolder,
    settings: SensitivitySettings = DEFAULTS,
    facts: Iterable[Fact] | None = None,
    *,
    variants: Iterable[Variant] = VARIANTS,
    recogniser: Recogniser | None = None,
) -> Sensitivity:
    """Make the table of `variants` for `facts` (None: those of the embedded model) and write its folder `out`.

    `recogniser` listens to the baseline's spoken prompts, as `sl.recognise` takes it; None: no fact is selected by what
    was heard. Returns the table, with the baseline's effects and the page. Raises ValueError for settings that cannot
    be, for a folder begun with other settings, and when no fact is known in both modalities.
    """
    facts = load_facts() if facts is None else listed("facts", facts, of=Fact, empty=True)
    settings, variants = given_sensitivity_settings(settings, facts), given_variants(variants)
    place, lens = _whole_place(out), _asking(lens, settings)
    out = place.path
    listener = None if recogniser is None else given_recogniser(recogniser)
    lens.required_encoder()
    trace_grid(lens.backend, _grid(settings))
    facts = _given_facts(facts, settings)
    answers = out / "answers.jsonl"
    asked = _asked(lens, facts, settings, answers)
    ground = ground_of(lens, settings, asked, answers)
    if listener is not None:
        heard = recognise(ground.of("S2T"), listener)
        ground = replace(ground, heard={prompt.id: prompt for prompt in heard})
    result = measured(ground, place, variants)
    return replace(result, page=write_results(result, out))


def _whole_place(out: str | Path | RunFolder) -> RunFolder:
    """The folder of a table, which one process makes."""
    place = study_place(out)
    if place.shard != WHOLE:
        raise ValueError(f"out has the shard {place.shard}: a table is made by one process; leave the shard out")
    return place


@told_keywords
def sensitivity_cost(
    lens: Lens,
    settings: SensitivitySettings = DEFAULTS,
    facts: Iterable[Fact] | None = None,
    *,
    variants: Iterable[Variant] = VARIANTS,
    tflops: float = 1.0,
) -> dict[str, Cost]:
    """What the traces of a table would cost, by variant, those that cost nothing left out; no model is run.

    The first facts stand for the known, and as known by every rule: prompts of facts that only another selection takes
    are not counted (at most twice the baseline's). Returns cells, token-layers, FLOPs, bytes of memory and hours at
    `tflops` TFLOP/s. Raises ValueError for settings that cannot be, and when none of the facts can be spoken.
    """
    facts = load_facts() if facts is None else listed("facts", facts, of=Fact, empty=True)
    settings, variants = given_sensitivity_settings(settings, facts), given_variants(variants)
    tflops, lens = number("tflops", tflops, above=0), _asking(lens, settings)
    asked = _as_known(lens, _given_facts(facts, settings), settings)
    ground = replace(ground_of(lens, settings, asked), asked_by=lambda knowing: asked, matched=Noise)

    def cost(setup: Setup, prompts: Sequence[Prompt]) -> Cost:
        return estimate_cost(lens, prompts, setup.grid, samples=setup.draws, tflops=tflops)

    costs = {"baseline": cost(ground.setup, ground.setup.prompts)}
    there = [prompt.id for prompt in ground.setup.prompts]
    for variant in variants:
        setup = made(variant, ground)
        new = () if isinstance(setup, str) else untraced(setup, ground.setup, there)
        if not isinstance(setup, str) and new:
            costs[variant.name] = cost(setup, new)
    return costs


def ground_of(lens: Lens, settings: SensitivitySettings, asked: Asked, answers: Path | None = None) -> Ground:
    """The baseline of facts that were asked: a seeded sample of those known in both modalities."""
    chosen = choose(asked, settings.n_facts, settings.seed, "both")
    setup = _setup([prompt for each in chosen for prompt in each.prompts], settings)

    def asked_by(knowing: Knowing) -> Asked:
        return _asked_again(replace(lens, knowing=knowing), asked, answers)

    def matched() -> Noise:
        return Noise(match_dose(lens, setup.prompts, samples=setup.draws).scale)

    return Ground(lens, settings, asked, chosen, setup, asked_by, matched)


def given_sensitivity_settings(settings: Any, facts: Iterable[Fact] = ()) -> SensitivitySettings:
    """The settings, checked; other values are refused."""
    if not isinstance(settings, SensitivitySettings):
        raise ValueError(
            f"settings={shown(settings)}: expected SensitivitySettings, such as "
            "sl.studies.SensitivitySettings(n_facts=10)"
        )
    return settings.checked(facts)


def given_variants(variants: Any) -> tuple[Variant, ...]:
    """Variants whose names (and folders) differ."""
    found = listed("variants", variants, of=Variant)
    folders: dict[str, str] = {slug("baseline"): "baseline"}
    for variant in found:
        name = slug(variant.name)
        if name in folders:
            raise ValueError(
                f"variants {folders[name]!r} and {variant.name!r} would share the folder {name!r}: rename one"
            )
        folders[name] = variant.name
    return found


def _asking(lens: Any, settings: SensitivitySettings) -> Lens:
    asked: Lens = by_threads(given_lens(lens))
    return asked if settings.knowing is None else replace(asked, knowing=settings.knowing)


def _given_facts(facts: Iterable[Fact], settings: SensitivitySettings) -> tuple[Fact, ...]:
    """The facts in a seeded random order."""
    found = drawn_foils(facts, settings.seed)
    if settings.phrasing is not None:
        check_phrasing(settings.phrasing, found)
    order = np.random.default_rng([settings.seed, len(found)]).permutation(len(found))
    return tuple(found[place] for place in order)


def _setup(prompts: Sequence[Prompt], settings: SensitivitySettings) -> Setup:
    return Setup(tuple(prompts), _grid(settings), Draws(settings.samples, settings.seed))


def _grid(settings: SensitivitySettings) -> Grid:
    return Grid(settings.components, at="role", window=settings.window)


def _asked(lens: Lens, facts: tuple[Fact, ...], settings: SensitivitySettings, answers: Path) -> Asked:
    """As many facts as it takes for enough to be known in both modalities."""
    return ask(
        lens,
        facts,
        voice=settings.voice,
        phrasing=settings.phrasing,
        enough=settings.n_facts,
        answers=answers,
    )


def _asked_again(lens: Lens, asked: Asked, answers: Path | None) -> Asked:
    """The same prompts, asked by another rule of knowing."""
    kept = KeptAnswers(lens, answers)
    kept.ask([prompt for pair in asked.pairs for prompt in pair.prompts])
    pairs = (
        replace(pair, known={kind: kept.known(prompt) for kind, prompt in zip(KINDS, pair.prompts, strict=True)})
        for pair in asked.pairs
    )
    return replace(asked, pairs=tuple(pairs))


def _as_known(lens: Lens, facts: tuple[Fact, ...], settings: SensitivitySettings) -> Asked:
    """The first facts that can be spoken, as if the model knew them."""
    pairs: list[PairedPrompts] = []
    left_out: list[LeftOut] = []
    for fact in facts:
        if len(pairs) == settings.n_facts:
            break
        try:
            formed = pair_prompts(lens, fact, AskedForm(settings.voice, settings.phrasing))
            pairs.append(PairedPrompts(fact, *formed.prompts, dict.fromkeys(KINDS, True), formed.plain))
        except (ValueError, EngineError) as error:
            left_out.append(LeftOut(fact, str(error)))
    if not pairs:
        raise ValueError(f"none of the {len(facts)} facts can be spoken; the first: {left_out[0]}")
    return Asked(facts, tuple(pairs), tuple(left_out))
