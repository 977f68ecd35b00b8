"""How far a map made in another way is the map made before: agreement, total effect, peak and crossing, with intervals.

For each modality and component:

- *agreement*: the correlation of the two population maps (`spiritlens.comparison.agreement`), of the same modality made
  in two ways; 1 where nothing but noise differs. It does not see by how much a map is larger.
- *total*: the mean total effect over facts, with the interval of `spiritlens.effects.intervals`.
- *peak*: the layer at which the curve of the subject is highest; *crossing*: the layer at which the curve of the
  read-out overtakes it (`spiritlens.comparison.map_statistics`). Intervals: bootstrap over subjects; none below
  `FEWEST_CLUSTERS` subjects, and none where more than `MOST_EMPTY_DRAWS` of the draws have no such layer.
- *total_change* and *crossing_change*: the same, less the baseline's, of the facts that both have, fact by fact: what
  all facts share cancels, so a change may be told where the two intervals overlap.

Between two modalities (`gap_of`): their agreement, total effects and crossings (second − first), and how much the
agreement is higher than it was in the baseline, subject by subject (`spiritlens.comparison.jackknife`). Where a gap is
there in every way of making the maps, none of these ways is its cause; where one moves it, the two cannot be told
apart.

Units: those of the metric, layers, correlations. Source: this project's; statistics as named.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spiritlens.comparison.agreement import Agreement, Strength, population_agreement
from spiritlens.comparison.estimates import Estimate
from spiritlens.comparison.jackknife import difference
from spiritlens.comparison.map_statistics import handovers
from spiritlens.comparison.modality_maps import ModalityMaps, paired_maps
from spiritlens.comparison.sampling import Ends, drawn_at_any
from spiritlens.comparison.shifts import peaks
from spiritlens.comparison.statistics import SUBJECT
from spiritlens.effects.bootstrap import bootstrap_weights, weighted_means
from spiritlens.effects.clusters import Array
from spiritlens.effects.intervals import FEWEST_CLUSTERS, cluster_interval
from spiritlens.terms import READOUT

NOTHING_SHARED = "the maps share no cell that was run"
NOTHING = Estimate(float("nan"))


@dataclass(frozen=True)
class Drawing:
    """How intervals are made: the share that they hold, bootstrap draws and their seed."""

    confidence: float = 0.95
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class MapChange:
    """One component in one modality, made in another way; `why` says why there is no agreement, `strength` its word.

    Changes are of the `n_shared` facts that the baseline has too; that of the total is NaN between two metrics.
    """

    n_facts: int
    n_known: int
    n_shared: int
    agreement: Estimate
    strength: Strength
    why: str
    total: Estimate
    peak: Estimate
    crossing: Estimate
    total_change: Estimate
    crossing_change: Estimate


@dataclass(frozen=True, eq=False)
class Gap:
    """What lies between two modalities, second − first, of the `n_facts` that both have, for one component.

    `change` is the agreement less that of the baseline; NaN where either has none. `measured` is the agreement with
    what each subject moves.
    """

    n_facts: int
    agreement: Estimate
    change: Estimate
    why: str
    total: Estimate
    crossing: Estimate
    measured: Agreement | None


def map_change(maps: ModalityMaps, baseline: ModalityMaps, component: str, drawing: Drawing) -> MapChange:
    """One component of a modality beside the baseline's."""
    found, why = _agreement(baseline, maps, component, drawing)
    draws = _draws(maps.subjects, drawing)
    peak = peaks(weighted_means(maps.curve(component, SUBJECT), draws), maps.layers)
    shared = [fact for fact in maps.facts if fact in baseline.facts]
    changes = {"total_change": NOTHING, "crossing_change": NOTHING}
    if shared:
        before, after = (_of_facts(one, shared) for one in (baseline, maps))
        if maps.metric == baseline.metric:
            changes["total_change"] = _mean(after.totals - before.totals, after.subjects, drawing.confidence)
        changes["crossing_change"] = _crossing_difference(before, after, component, drawing)
    return MapChange(
        n_facts=len(maps.facts),
        n_known=int(maps.known.sum()),
        n_shared=len(shared),
        agreement=NOTHING if found is None else Estimate(found.value, found.low, found.high),
        strength="not shown" if found is None else found.strength,
        why=why,
        total=_mean(maps.totals, maps.subjects, drawing.confidence),
        peak=_estimate(peak, maps.subjects, drawing, "percentiles"),
        crossing=_estimate(_crossings(maps, component, draws), maps.subjects, drawing, "mirrored"),
        **changes,
    )


def gap_of(
    first: ModalityMaps, second: ModalityMaps, component: str, drawing: Drawing, baseline: Gap | None = None
) -> Gap:
    """What lies between two modalities over the facts of both; `baseline` is what lay there before."""
    shared = [fact for fact in first.facts if fact in second.facts]
    first, second = (_of_facts(one, shared) for one in (first, second))
    found, why = _agreement(first, second, component, drawing)
    change = NOTHING
    before = None if baseline is None else baseline.measured
    if found is not None and before is not None and found.moved is not None and before.moved is not None:
        moved = difference(found.moved, before.moved)
        change = Estimate(moved.value, *moved.interval(drawing.confidence))
    if not shared:
        return Gap(0, NOTHING, change, "no fact was traced in both modalities", NOTHING, NOTHING, None)
    return Gap(
        n_facts=len(shared),
        agreement=NOTHING if found is None else Estimate(found.value, found.low, found.high),
        change=change,
        why=why,
        total=_mean(second.totals - first.totals, first.subjects, drawing.confidence),
        crossing=_crossing_difference(first, second, component, drawing),
        measured=found,
    )


def _crossings(maps: ModalityMaps, component: str, draws: Array) -> Array:
    """The layer at which the read-out overtakes the subject [draw]."""
    subject, readout = (weighted_means(maps.curve(component, role), draws) for role in (SUBJECT, READOUT))
    return _in_layers(handovers(subject, readout), maps)


def _crossing_difference(first: ModalityMaps, second: ModalityMaps, component: str, drawing: Drawing) -> Estimate:
    """Crossing of the second less that of the first, of the same facts in the same order."""
    if component not in first.components or component not in second.components:
        return NOTHING
    draws = _draws(first.subjects, drawing)
    crossings = [_crossings(one, component, draws) for one in (first, second)]
    return _estimate(crossings[1] - crossings[0], first.subjects, drawing, "mirrored")


def _agreement(
    first: ModalityMaps, second: ModalityMaps, component: str, drawing: Drawing
) -> tuple[Agreement | None, str]:
    """The agreement of two maps, or why there is none."""
    if component not in first.components or not first.facts:
        return None, NOTHING_SHARED
    maps = paired_maps(first, second, component)
    if maps is None:
        return None, NOTHING_SHARED
    found = population_agreement(maps, confidence=drawing.confidence)
    return (found, "") if not found.why else (None, found.why)


def _of_facts(maps: ModalityMaps, facts: Sequence[str]) -> ModalityMaps:
    """The maps of some facts, in this order."""
    places = [maps.facts.index(fact) for fact in facts]
    return replace(
        maps,
        values=maps.values[places],
        totals=maps.totals[places],
        known=maps.known[places],
        facts=tuple(facts),
        subjects=tuple(maps.subjects[place] for place in places),
    )


def _draws(subjects: Sequence[str], drawing: Drawing) -> Array:
    """Weights of facts [draw fact]: of the estimate itself, then of each draw."""
    drawn = bootstrap_weights(list(subjects), drawing.resamples, drawing.seed)
    return np.concatenate([np.ones((1, len(subjects))), drawn])


def _in_layers(places: Array, maps: ModalityMaps) -> Array:
    """Places along the layer axis in units of layers; NaN stays."""
    layers = np.asarray(maps.layers, dtype=np.float64)
    return np.asarray(np.interp(places, np.arange(len(layers)), layers))


def _estimate(draws: Array, subjects: Sequence[str], drawing: Drawing, ends_of: Ends) -> Estimate:
    """The first draw with the interval of the others."""
    value, n_subjects = float(draws[0]), len(set(subjects))
    if n_subjects < FEWEST_CLUSTERS:
        return Estimate(value)
    return drawn_at_any(value, draws[1:], n_subjects, ends_of)(drawing.confidence)


def _mean(values: Array, subjects: Sequence[str], confidence: float) -> Estimate:
    """A mean over facts with its interval over subjects."""
    found = cluster_interval(values, list(subjects), confidence=confidence)
    return Estimate(float(found.mean), float(found.low), float(found.high))
