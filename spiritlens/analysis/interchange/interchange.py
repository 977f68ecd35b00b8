"""Functional interchange: do the parts that carry a fact in writing carry it in speech, and the other way round?

1. **Halves.** Facts are split in two, by subject, balanced by relation (`spiritlens.analysis.interchange.halves`).
2. **Rank.** On each half and in each modality, every part (head, site or edge) is restored in the run whose subject is
   corrupted, and removed from the clean run; the larger share of the total effect ranks it
   (`spiritlens.analysis.interchange.rankings`, where it is said why a backup head does not fool this).
3. **Keep.** On the *other* half and in both modalities, only the first k parts of each ranking are kept, all others
   removed at once, for k from none to all; so are the first of the reversed ranking (all but the first removed) and of
   orders of chance.
4. **Cross over.** The halves change places: every fact is tested once, by rankings that never saw its subject.

A fact of which a prompt cannot be measured, in any stage, is left out with both of its modalities.

Result: `spiritlens.effects.interchange`; `spiritlens.effects.faithfulness` reads it: faithfulness f = (m(C) − m(∅)) /
(m(N) − m(∅)) of the kept set C, m being the metric, N the model and ∅ the model without any part; areas under f and
``|1 − f|``; with intervals over subjects.

Four directions stand side by side: T2T→T2T and S2T→S2T (a modality by its own ranking: the ceiling), T2T→S2T and
S2T→T2T (by the other's). Removing takes a part's stand-in (`Parts.removed`), restoring its value in the clean run.
Rankings are exact; those of edges may be taken to first order (`Parts.edges_by`).

Source: faithfulness of Wang et al. 2022 (arXiv 2211.00593) and Hanna et al. 2024 (arXiv 2403.17806), areas CPR and CMD
of Mueller et al. 2025, MIB (arXiv 2504.13151); the exchange of rankings between modalities is this project's.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr

from spiritlens.analysis.grid.given import given_scored
from spiritlens.analysis.grid.grid import Draws, drawn
from spiritlens.analysis.grid.results import metric_settings, model_attributes
from spiritlens.analysis.interchange.edge_runs import EDGE_COMPONENTS, Edge, EdgeSets, edges_of
from spiritlens.analysis.interchange.halves import check_same_facts, fact_name, halves, of_whole_facts
from spiritlens.analysis.interchange.measured_sets import Place, measure_sets
from spiritlens.analysis.interchange.part_effects import Corrupting, edge_effects, removed_effects, restored_effects
from spiritlens.analysis.interchange.parts import Part, PartKind, Parts, parts_of
from spiritlens.analysis.interchange.rankings import (
    Array,
    PartEffects,
    Whole,
    default_sizes,
    part_scores,
    random_order,
    ranked,
)
from spiritlens.analysis.interchange.set_runs import SetRuns, StandIns, SweptSets, serving
from spiritlens.arguments import check_choice, shown, told_keywords
from spiritlens.effects.interchange import FOUND_IN, RANDOM, REVERSED, Rankings, new_interchange
from spiritlens.effects.shards import WHOLE, RunFolder, given_run_folder
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.subject_key import subject_key
from spiritlens.runs.corruptions.corruption import Corruption
from spiritlens.runs.corruptions.given import given_corruption
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.runs.metrics import Metric
from spiritlens.terms import Progress


@dataclass(frozen=True, eq=False)
class _Study:
    """What decides the numbers, checked: the prompts of both modalities, their halves, the parts and the sizes."""

    lens: Lens
    prompts: tuple[Prompt, ...]
    folds: tuple[int, ...]
    asked: Parts
    parts: tuple[Part, ...] | tuple[Edge, ...]
    sizes: tuple[int, ...]
    how: Corrupting
    runs: SetRuns


@told_keywords
@plain_torch
def interchange(
    lens: Lens,
    written: Sequence[Prompt],
    spoken: Sequence[Prompt],
    parts: Parts | PartKind = "heads",
    corruption: Corruption | None = None,
    metric: str | Metric = "logit_difference",
    *,
    samples: int | Draws = 1,
    folder: str | Path | RunFolder | None = None,
    progress: Progress = "bar",
) -> xr.Dataset:
    """Rank parts in each modality on half of the facts, and keep the first ones in both modalities on the other half.

    `written` and `spoken` ask the same facts (T2T, S2T); give facts that the model knows in both, and written prompts
    that end as the spoken ones do (``marker="final"``). `parts` is a `Parts`, or its kind alone: heads, sites, edges.
    `corruption` (None: `Noise`) is that of the subject, for the ranking. `samples` are those of noise and resampling;
    the seed of a `Draws` also draws the halves and the orders of chance. `folder` keeps each finished prompt of each
    stage, and the same call goes on where it stopped.

    Returns ``kept [prompt ranking size]`` with ``order`` and ``score`` (`spiritlens.effects.interchange`), to be read
    by `faithfulness`. Raises ValueError for facts that one modality lacks or that are about fewer than four subjects,
    sizes beyond the number of parts, edges beside hooks of your own, and a folder of other settings.
    """
    study = _given(lens, written, spoken, parts, corruption, metric, drawn(samples))
    kept = None if folder is None else given_run_folder(folder)
    if kept is not None and kept.shard != WHOLE:
        raise ValueError(f"folder has the shard {kept.shard}: rankings are made of all prompts, so give the whole one")
    place = Place(kept, progress)
    names = [part.name for part in study.parts]
    study, found, left_out = _measured(study, _effects(study, names, place))
    scores = _scores(study, found)
    orders = _orders(study, scores)
    sets, folds = _kept(study, orders, left_out, place)
    return new_interchange(sets, Rankings(names, orders, scores), study.sizes, folds)


def _given(
    lens: Lens,
    written: Sequence[Prompt],
    spoken: Sequence[Prompt],
    parts: Parts | PartKind,
    corruption: Corruption | None,
    metric: str | Metric,
    draws: Draws,
) -> _Study:
    """The study, checked before the model runs."""
    both = given_prompts(given_lens(lens), written, "written"), given_prompts(lens, spoken, "spoken")
    check_same_facts(*both)
    if not isinstance(parts, Parts):
        check_choice("parts", parts, PartKind)
    asked = parts if isinstance(parts, Parts) else Parts(parts)
    if not isinstance(metric, (str, Metric)):
        raise ValueError(
            f"metric={shown(metric)} ({type(metric).__name__}): expected the name of one metric, or a Metric"
        )
    prompts, metrics = given_scored(lens, (*both[0], *both[1]), (metric,))
    half = halves(prompts, draws.seed)
    noise = given_corruption(lens, Noise() if corruption is None else corruption, prompts[0])
    how = Corrupting(noise, metrics[0], draws)
    chosen = edges_of(lens.backend) if asked.kind == "edges" else parts_of(lens.backend, asked, prompts)
    folds = tuple(half[subject_key(prompt)] for prompt in prompts)
    return _Study(
        lens, prompts, folds, asked, chosen, _sizes(asked, len(chosen)), how, _runs(lens, prompts, asked, how, chosen)
    )


def _sizes(asked: Parts, n_parts: int) -> tuple[int, ...]:
    sizes = default_sizes(n_parts) if asked.sizes is None else tuple(sorted({0, *asked.sizes, n_parts}))
    if sizes[-1] > n_parts:
        raise ValueError(f"sizes={asked.sizes}: the model has {n_parts} {asked.kind}; keep at most so many")
    return sizes


def _runs(
    lens: Lens, prompts: tuple[Prompt, ...], asked: Parts, how: Corrupting, parts: Sequence[Part | Edge]
) -> SetRuns:
    """What removes sets of these parts; its stand-ins are there for every token, and come from the prompts that the
    model can run: the others are recorded as failures by every stage."""
    edges = tuple(part for part in parts if isinstance(part, Edge))
    swept = tuple(part for part in parts if isinstance(part, Part))
    if edges and lens.backend.has_user_hooks():
        raise ValueError("edges are removed step by step, where a hook of your own would not take effect: remove it")
    components = EDGE_COMPONENTS if edges else tuple(dict.fromkeys(part.component for part in swept))
    stand_ins = StandIns(lens, serving(lens, prompts, asked.removed), asked.removed, components, how.draws)
    stand_ins.check()
    return EdgeSets(stand_ins, edges, how.metric) if edges else SweptSets(stand_ins, swept, how.metric)


def _effects(study: _Study, names: Sequence[str], place: Place) -> tuple[PartEffects, PartEffects]:
    """What every part gives back, restored, and takes away, removed."""
    edges = tuple(part for part in study.parts if isinstance(part, Edge))
    if edges:
        return edge_effects(study.lens, study.prompts, edges, study.asked.edges_by, study.how, place)
    parts = tuple(part for part in study.parts if isinstance(part, Part))
    restored = restored_effects(study.lens, study.prompts, parts, study.how, place)
    alone = [(number,) for number in range(len(parts))]
    attributes = _attributes(study, "parts removed", {"parts": names})
    sets = measure_sets(study.lens, study.prompts, study.runs, lambda prompt: alone, names, attributes, place)
    return restored, removed_effects(sets, parts, study.prompts)


def _measured(
    study: _Study, found: tuple[PartEffects, PartEffects]
) -> tuple[_Study, tuple[PartEffects, PartEffects], int]:
    """The study of the facts that were measured in both modalities, and how many were not: a ranking digests those that
    it was made of, so that another call, which measures the others, begins a folder of its own."""
    there = [not np.isnan([one.totals[place] for one in found]).any() for place in range(len(study.prompts))]
    kept = of_whole_facts(study.prompts, there)
    if len(kept) == len(study.prompts):
        return study, found, 0
    prompts = tuple(study.prompts[place] for place in kept)
    facts = [{fact_name(prompt) for prompt in some} for some in (study.prompts, prompts)]
    restored, removed = (PartEffects(one.effects[kept], one.totals[kept]) for one in found)
    fewer = replace(study, prompts=prompts, folds=tuple(study.folds[place] for place in kept))
    if len(set(fewer.folds)) < 2:
        raise ValueError("the facts that could be measured are all in one half: see the reasons in the warning")
    return fewer, (restored, removed), len(facts[0]) - len(facts[1])


def _scores(study: _Study, found: tuple[PartEffects, PartEffects]) -> Array:
    """Scores ``[found_in fold part]`` that serve each fold: they were found on the facts of the other one."""
    kinds, folds = np.array([prompt.kind for prompt in study.prompts]), np.array(study.folds)
    score = partial(part_scores, *found)
    return np.stack([[score((kinds == kind) & (folds != fold)) for fold in (0, 1)] for kind in FOUND_IN])


def _orders(study: _Study, scores: np.ndarray) -> dict[str, Whole]:
    """Every ranking, ``[fold part]``: of each modality, reversed, and of chance."""
    orders: dict[str, Whole] = {}
    for kind, of_kind in zip(FOUND_IN, scores, strict=True):
        orders[kind] = np.stack([ranked(of_fold) for of_fold in of_kind])
        orders[f"{kind}{REVERSED}"] = orders[kind][:, ::-1]
    for number in range(study.asked.random_rankings):
        order = random_order(len(study.parts), number, study.how.draws.seed)
        orders[f"{RANDOM}{number}"] = np.stack([order, order])
    return orders


def _kept(
    study: _Study, orders: Mapping[str, Whole], left_out: int, place: Place
) -> tuple[xr.Dataset, tuple[int, ...]]:
    """Values ``[prompt set]`` with the first parts of every ranking kept, and the fold of each prompt."""
    digest = hashlib.sha256(np.stack(list(orders.values())).tobytes()).hexdigest()[:16]
    places = {prompt.id: fold for prompt, fold in zip(study.prompts, study.folds, strict=True)}

    def removed(prompt: Prompt) -> list[list[int]]:
        return [order[places[prompt.id]][size:].tolist() for order in orders.values() for size in study.sizes]

    sets = measure_sets(
        study.lens,
        study.prompts,
        study.runs,
        removed,
        [f"{name}, {size} kept" for name in orders for size in study.sizes],
        _attributes(study, "parts kept", {"sizes": study.sizes, "rankings": digest}),
        place,
        f"parts kept, {left_out} facts left out, {digest}" if left_out else "",
    )
    ids = sets["prompt_id"].values.tolist()
    whole = of_whole_facts(study.prompts, [prompt.id in ids for prompt in study.prompts])
    chosen = sets.isel(prompt=[ids.index(study.prompts[at].id) for at in whole])
    return chosen.assign_coords(prompt=range(len(whole))), tuple(study.folds[at] for at in whole)


def _attributes(study: _Study, method: str, more: Mapping[str, object]) -> dict[str, str | int | float]:
    """Global attributes: what was done, with which model, and every setting as JSON."""
    how, asked = study.how, study.asked
    config = {
        **metric_settings([how.metric]),
        "samples": how.draws.samples,
        "components": list(asked.components) if asked.kind == "sites" else [],
        "reference": [] if asked.removed == "zero" else [prompt.id for prompt in study.runs.stand_ins.prompts],
        "corruption of the ranking": dict(how.corruption.settings()),
        **more,
    }
    return {
        **model_attributes(study.lens, how.draws.seed, config),
        "method": method,
        "corruption": how.corruption.describe(),
        "metric": how.metric.name,
        "metric_sign": how.metric.sign,
        "metric_unit": how.metric.unit,
        "metric_words": how.metric.words,
        "parts": asked.kind,
        "removed": asked.removed,
    }
