"""Do two modalities recall the same facts in the same place? Paired statistics of their effects by role and layer.

1. **Pair** facts known in both, over phrasings and voices known in both, with their roles aligned
   (`spiritlens.comparison.pairing`).
2. **Gates.** Too few subjects, a total effect that is not there, or answers that are no recall of the same facts,
   close the comparison: its numbers stand, and no sentence is made of them (`spiritlens.comparison.gates`,
   `spiritlens.comparison.answers`).
3. **Fact identity.** Does a fact's own map, mean removed, fit the same fact's in the other modality better than other
   facts'? Over the maps of all components, in shares of each fact's own total effect
   (`spiritlens.comparison.fact_identity`).
4. **Agreement** of the population maps by component, beside its floors and ceilings: maps shifted by layers always, and
   the `references` (`spiritlens.comparison.reference_points`).
5. **Where.** Shift of the peak layer (none on plateaus), of the signed centre of mass, and of the *hand-over* (the
   layer at which the read-out takes over from the subject, where it does); share of the effect by role.
6. **Which cells.** Sign-flip test of the paired differences of *shares* of each fact's own total effect, max-T or false
   discovery rate. `low` and `high` hold for all cells at once, so also for the one chosen for being largest.
7. **Judge.** Each difference is *different*, *equivalent* within the margin, or *undecided*
   (`spiritlens.comparison.equivalence`), by the `rules`; then all of them together, so that any false difference is
   told in at most alpha of studies (`spiritlens.comparison.families`).

Signs: every difference is second − first (S2T − T2T by default), so a positive shift means *later in speech*. Units:
layers (the middle of a window), or shares of the total effect. Intervals: the skewness-corrected t over clusters, and
for layers that jump or have a kink (peak, hand-over) a bootstrap over clusters with the same draws for both modalities
(`spiritlens.comparison.sampling`).

Axes: ``component layer role``. Nothing here says that a fact is kept at a place: effects tell what takes part in
recall.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from spiritlens.arguments import check_choice, listed, shown, told_keywords, whole
from spiritlens.comparison.answers import no_recall
from spiritlens.comparison.cells import FoundCells, found_cells
from spiritlens.comparison.compared import Headline
from spiritlens.comparison.conditions import conditions, heard, intervention, limited_by
from spiritlens.comparison.covariate import Adjusted, difference_by
from spiritlens.comparison.equivalence import Judged
from spiritlens.comparison.estimates import judged_mean, mean_estimate
from spiritlens.comparison.fact_identity import FactIdentity, fact_identity
from spiritlens.comparison.fact_maps import Names, fact_maps
from spiritlens.comparison.gates import KNOWS, Gated, closed
from spiritlens.comparison.pairing import Last, Pairs, paired, prompt_maps
from spiritlens.comparison.references import References, agreement, beside, clusters_of, reference_agreements
from spiritlens.comparison.result import Comparison
from spiritlens.comparison.rules import Rules
from spiritlens.comparison.same_parts import served_parts
from spiritlens.comparison.sampling import Sampling, samplings
from spiritlens.comparison.settling import settled
from spiritlens.comparison.shares import fact_shares
from spiritlens.comparison.statistics import STATISTICS, ComponentComparison, MapPair, compare_component, estimated
from spiritlens.effects.canaries import canary, check_canary
from spiritlens.effects.given import given_traces
from spiritlens.effects.metric_words import sign_of, words_of
from spiritlens.terms import MODALITIES

SECOND = "logit_difference"
"""The metric in which the headline is repeated, where it was traced."""


@dataclass(frozen=True)
class Draws:
    """How much is drawn: bootstrap draws, flips and permutations, and their seed."""

    resamples: int
    permutations: int
    seed: int


@told_keywords
def compare(
    effects: xr.Dataset,
    *,
    kinds: tuple[str, str] = ("T2T", "S2T"),
    metric: str | None = None,
    last: Last = "read-out",
    rules: Rules = Rules(),  # noqa: B008  a frozen value
    references: References = References(),  # noqa: B008  a frozen value
    resamples: int = 1000,
    permutations: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare two modalities over the facts known in both.

    `effects` may be a map by role (whole roles restored together) or by token or word (averaged within roles).
    `rules` hold the level, the margins and what is clustered (`sl.comparison.Rules`), `references` what agreement is
    told beside (`sl.comparison.References`). Returns a `Comparison`: its `findings` are sentences. Source: see
    `spiritlens.comparison.compare`. Raises ValueError where no fact is known in both, or for a metric, kinds or
    references that the effects do not have.
    """
    effects, kinds = given_traces(effects), given_kinds(kinds)
    check_canary(effects)
    check_choice("last", last, Last)
    _check_values(rules, references)
    draws = Draws(
        whole("resamples", resamples, at_least=1),
        whole("permutations", permutations, at_least=1),
        whole("seed", seed, at_least=0),
    )
    traced = effects["metric"].values.tolist()
    metric = str(traced[0]) if metric is None else metric
    if metric not in traced:
        raise ValueError(f"metric={shown(metric)} was not traced; choose from {', '.join(traced)}")
    names = traced if rules.family == "all metrics" else [name for name in traced if name in (metric, KNOWS, SECOND)]
    pairs = {name: _paired(effects, name, kinds, last) for name in dict.fromkeys([metric, *names])}
    of_answer = {name: "answer" in words_of(effects, name) for name in pairs}
    gates = {name: Gated(pairs[name], of_answer[name]) for name in dict.fromkeys([metric, KNOWS]) if name in pairs}
    family = found_cells(pairs if rules.family == "all metrics" else {metric: pairs[metric]}, rules, draws)
    found = _compared(effects, pairs[metric], kinds, metric, last, (rules, references, draws), family[metric])
    why = closed(gates, clusters_of(pairs[metric], rules.clusters), kinds, rules) or no_recall(effects, kinds)
    found, cells = replace(found, closed=why), None
    if metric != SECOND and SECOND in pairs:
        gate = {SECOND: Gated(pairs[SECOND], True)}
        cells = family[SECOND] if SECOND in family else found_cells({SECOND: pairs[SECOND]}, rules, draws)[SECOND]
        why = closed(gate, clusters_of(pairs[SECOND], rules.clusters), kinds, rules)
        second = _headline(pairs[SECOND], rules, draws, cells, _centred(found))
        found = replace(found, second=replace(second, closed=why, words=words_of(effects, SECOND)))
    return settled(found, family[metric], cells)


def given_kinds(kinds: tuple[str, str]) -> tuple[str, str]:
    """Two modalities that differ."""
    found = listed("kinds", kinds, of=str)
    if len(found) != 2 or found[0] == found[1] or not set(found) <= set(MODALITIES):
        raise ValueError(f"kinds={found}: expected two different ones of {', '.join(MODALITIES)}")
    return found[0], found[1]


def _check_values(rules: object, references: object) -> None:
    if not isinstance(rules, Rules):
        raise ValueError(f"rules={shown(rules, 40)}: expected sl.comparison.Rules(alpha=…, margins=…)")
    if not isinstance(references, References):
        raise ValueError(f"references={shown(references, 40)}: expected sl.comparison.References(twins=[…])")


def _paired(effects: xr.Dataset, metric: str, kinds: tuple[str, str], last: Last) -> Pairs:
    """The facts of two modalities of one dataset."""
    for kind in kinds:
        if kind not in effects["modality"].values.tolist():
            found = ", ".join(dict.fromkeys(effects["modality"].values.tolist()))
            raise ValueError(
                f"no {kind} prompt among the modalities {found}: trace the facts in {kinds[0]} and {kinds[1]}"
            )
    maps = prompt_maps(effects, metric, last)
    return paired(maps, maps, kinds)


def _compared(
    effects: xr.Dataset,
    pairs: Pairs,
    kinds: tuple[str, str],
    metric: str,
    last: Last,
    how: tuple[Rules, References, Draws],
    cells: FoundCells,
) -> Comparison:
    """All numbers of one metric."""
    rules, references, draws = how
    ways = clusters_of(pairs, rules.clusters)
    floor = rules.margins.noise_floors * pairs.noise_floor
    totals = [mean_estimate(one, ways, rules, floor) for one in (*pairs.totals, pairs.totals[1] - pairs.totals[0])]
    judged = _judged_total(pairs, ways, rules)
    return Comparison(
        kinds=kinds,
        metric=metric,
        metric_sign=sign_of(effects, metric),
        metric_words=words_of(effects, metric),
        direction=str(effects.attrs["direction"]),
        done=intervention(effects),
        rules=rules,
        n_facts=len(pairs.subjects),
        n_subjects=len(set(pairs.subjects.tolist())),
        n_clusters=min(len(set(way.tolist())) for way in ways),
        n_left_out=pairs.n_left_out,
        closed="",
        total=(totals[0], totals[1]),
        total_difference=totals[2],
        total_judged=judged,
        components=_components(pairs, kinds, metric, last, how),
        cells=cells.cells,
        cell_margin=cells.margin,
        cell_level=rules.alpha,
        everywhere=cells.everywhere,
        identity=_identity(pairs, draws),
        second=None,
        served=served_parts(references.interchange, kinds, rules) if references.interchange is not None else (),
        heard=_heard(effects, kinds, metric, rules),
        limited_by=limited_by(effects, kinds, metric),
        conditions=conditions(effects, pairs, kinds, judged),
        resamples=draws.resamples,
        permutations=draws.permutations,
        seed=draws.seed,
        canary=str(canary(effects)),
    )


def _judged_total(pairs: Pairs, ways: Sequence[Names], rules: Rules) -> Judged:
    """The difference of the total effects against its margin."""
    size = float(np.abs(pairs.totals.mean(axis=1)).mean())
    margin = rules.margins.of_totals(size, pairs.noise_floor)
    floor = rules.margins.noise_floors * pairs.noise_floor
    return judged_mean(pairs.totals[1] - pairs.totals[0], ways, rules, margin=margin, floor=floor)


def _components(
    pairs: Pairs, kinds: tuple[str, str], metric: str, last: Last, how: tuple[Rules, References, Draws]
) -> tuple[ComponentComparison, ...]:
    rules, references, draws = how
    ways = clusters_of(pairs, rules.clusters)
    sampled = [
        one
        for way in ways
        for one in samplings(way, confidence=rules.confidence, resamples=draws.resamples, seed=draws.seed)
    ]
    others = reference_agreements(references, kinds, metric, last, rules)
    found = []
    for name in pairs.components:
        own = agreement(pairs, name, ways, rules)
        table = beside(own, pairs, name, others, rules)
        found.append(compare_component(name, [_maps(pairs, name, one, rules) for one in sampled], rules, own, table))
    return tuple(found)


def _maps(pairs: Pairs, component: str, sampling: Sampling, rules: Rules) -> MapPair:
    """The maps of one component, and how their facts are drawn."""
    place = pairs.components.index(component)
    first, second = pairs.values[:, :, place].swapaxes(2, 3)  # [fact role layer]
    means = pairs.totals.mean(axis=1)
    return MapPair(
        facts=(first, second),
        sampling=sampling,
        cells=pairs.cells[place].T,
        roles=pairs.roles,
        layers=pairs.centres[place],
        totals=(float(means[0]), float(means[1])),
        share=rules.margins.share,
        floor=rules.margins.noise_floors * pairs.noise_floor,
    )


def _identity(pairs: Pairs, draws: Draws) -> tuple[FactIdentity, FactIdentity]:
    """Fact identity among all facts and within relations, over the compared cells of all components."""
    first, second = (
        fact_shares(one[:, pairs.cells], total, pairs.smallest)
        for one, total in zip(pairs.values, pairs.totals, strict=True)
    )
    maps = fact_maps(first, second, pairs.subjects)
    floor = pairs.noise_floor / pairs.smallest
    overall, within = (
        fact_identity(maps, within=groups, permutations=draws.permutations, seed=draws.seed, noise_floor=floor)
        for groups in (None, pairs.relations)
    )
    return overall, within


def _heard(effects: xr.Dataset, kinds: tuple[str, str], metric: str, rules: Rules) -> Adjusted | None:
    if not heard(effects, kinds[1]):
        return None
    return difference_by(effects, kinds=kinds, metric=metric, confidence=rules.confidence)


def _centred(found: Comparison) -> str:
    """The component whose centre at the subject is told."""
    named = [one.component for one in found.components if not np.isnan(one.centre_shift.value)]
    return "mlp_out" if "mlp_out" in named else named[0] if named else ""


def _headline(pairs: Pairs, rules: Rules, draws: Draws, cells: FoundCells, component: str) -> Headline:
    """What another metric says of total effects, of the centre at the subject of a component, and of cells."""
    ways = clusters_of(pairs, rules.clusters)
    centre: Judged | None = None
    if component:
        sampled = [samplings(way, confidence=rules.confidence, resamples=1, seed=draws.seed)[0] for way in ways]
        statistic = next(each for each in STATISTICS if each.name == "centre_shift")
        centre = estimated(statistic, [_maps(pairs, component, one, rules) for one in sampled], rules)[1]
    return Headline(
        metric=SECOND,
        words="",
        closed="",
        total_difference=_judged_total(pairs, ways, rules),
        component=component,
        centre=centre,
        n_different=int((cells.cells["verdict"] == "different").sum()),
        n_tested=int(cells.cells["p_value"].notnull().sum()),
    )
