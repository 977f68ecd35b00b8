"""Measuring variants: each is traced as far as the baseline's trace does not have it, and set beside the baseline.

The folder has ``baseline/``, the run directory of the baseline's trace (with the facts that only another selection
takes), and ``variants/NAME/`` for what a variant changed. What is finished is never traced again, so that the same call
goes on where it stopped.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.comparison.map_changes import Drawing, Gap, gap_of, map_change
from spiritlens.comparison.modality_maps import ModalityMaps, modality_maps
from spiritlens.effects.joining import join_effects
from spiritlens.effects.shards import RunFolder, given_run_folder
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.speech.engines.process import EngineError
from spiritlens.studies.pairs import KINDS
from spiritlens.studies.selection import choose
from spiritlens.studies.sensitivity.result import Sensitivity
from spiritlens.studies.sensitivity.variant import METRICS, Ground, Setup, Variant
from spiritlens.studies.sensitivity.variant_result import VariantResult

BASELINE = Variant("baseline", "nothing", lambda ground: ground.setup)


@dataclass(frozen=True, eq=False)
class _Base:
    """The baseline as it was traced, with its maps by modality and what lies between them."""

    setup: Setup
    effects: xr.Dataset
    maps: dict[str, ModalityMaps]
    gaps: dict[str, Gap]
    drawing: Drawing


def measured(ground: Ground, out: Path | RunFolder, variants: Sequence[Variant]) -> Sensitivity:
    """All variants beside the baseline; ValueError where `out` was begun with other settings or another model."""
    out = given_run_folder(out)
    effects = traced(ground.lens, ground.setup, shared_prompts(ground), out.within("baseline"))
    own = _of_prompts(effects, ground.setup.prompts)
    drawing = Drawing(seed=ground.settings.seed)
    maps = {kind: modality_maps(own, kind, ground.setup.metric) for kind in KINDS}
    components = tuple(effects["component"].values.tolist())
    gaps = {name: gap_of(maps["T2T"], maps["S2T"], name, drawing) for name in components}
    base = _Base(ground.setup, effects, maps, gaps, drawing)
    results = []
    with tqdm(variants, desc="variants", unit="variant") as bar:
        for variant in bar:
            bar.set_postfix_str(variant.name)
            results.append(_measured(ground, variant, base, out.within(f"variants/{slug(variant.name)}")))
    return Sensitivity(_beside(BASELINE, ground.setup, own, base), tuple(results), effects, drawing.confidence)


def shared_prompts(ground: Ground) -> tuple[Prompt, ...]:
    """The baseline's prompts, then those of facts that another selection of the same answers takes."""
    settings = ground.settings
    others = [choose(ground.asked, settings.n_facts, settings.seed, rule) for rule in ("each", "all")]
    prompts = [*ground.setup.prompts, *(prompt for some in others for each in some for prompt in each.prompts)]
    return tuple(
        {prompt.id: prompt for prompt in reversed(prompts)}[name] for name in dict.fromkeys(p.id for p in prompts)
    )


def made(variant: Variant, ground: Ground) -> Setup | str:
    """The variant's setup, or why it cannot be made here."""
    try:
        setup = variant.setup(ground)
        if not isinstance(setup, Setup):
            raise ValueError(f"its function gave a {type(setup).__name__}: expected a Setup")
    except (ValueError, EngineError) as error:
        return " ".join(str(error).split())
    return setup


def traced(lens: Lens, setup: Setup, prompts: Sequence[Prompt], folder: RunFolder) -> xr.Dataset:
    """The effects of prompts under a setup's grid, corruption and noise."""
    grid, corruption = setup.grid, setup.corruption
    return causal_trace(lens, prompts, grid, corruption, METRICS, samples=setup.draws, folder=folder)


def untraced(setup: Setup, base: Setup, there: Sequence[str]) -> tuple[Prompt, ...]:
    """The prompts that a setup needs traced, given the ids of those that are `there` under the baseline's setup."""
    if not setup.measured_as(base):
        return setup.prompts
    return tuple(prompt for prompt in setup.prompts if prompt.id not in there)


def slug(name: str) -> str:
    """A variant's name as that of a folder."""
    words = name.replace("−", " minus ").replace("+", " plus ")
    return re.sub(r"[^\w]+", "_", words).strip("_").lower() or "variant"


def _measured(ground: Ground, variant: Variant, base: _Base, folder: RunFolder) -> VariantResult:
    setup = made(variant, ground)
    if isinstance(setup, str):
        return VariantResult(variant, None, why=setup)
    there = [str(name) for name in base.effects["prompt_id"].values]
    new = untraced(setup, base.setup, there)
    parts = [traced(ground.lens, setup, new, folder)] if new else []
    if len(new) < len(setup.prompts):
        parts.append(_of_prompts(base.effects, [prompt for prompt in setup.prompts if prompt not in new]))
    return _beside(variant, setup, _of_prompts(join_effects(parts), setup.prompts), base)


def _beside(variant: Variant, setup: Setup, effects: xr.Dataset, base: _Base) -> VariantResult:
    """The rows of a setup that was traced."""
    kinds = [kind for kind in KINDS if kind in effects["modality"].values]
    maps = {kind: modality_maps(effects, kind, setup.metric) for kind in kinds}
    components = effects["component"].values.tolist()
    changes = {
        (kind, name): map_change(maps[kind], base.maps[kind], name, base.drawing)
        for kind in kinds
        for name in components
    }
    gaps = {}
    if len(kinds) == len(KINDS):
        gaps = {name: gap_of(maps["T2T"], maps["S2T"], name, base.drawing, base.gaps.get(name)) for name in components}
    same = frozenset(kind for kind in kinds if variant is not BASELINE and setup.same_in(base.setup, kind))
    return VariantResult(variant, setup, changes, gaps, same)


def _of_prompts(effects: xr.Dataset, prompts: Sequence[Prompt]) -> xr.Dataset:
    """The effects of some prompts, in their order."""
    places = {str(name): place for place, name in enumerate(effects["prompt_id"].values)}
    return effects.isel(prompt=np.array([places[prompt.id] for prompt in prompts]))
