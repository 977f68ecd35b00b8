"""Do two modalities recall the same facts in the same place? Paired statistics of their effects by role and layer.

1. **Pair.** Only facts known in both modalities count, each with itself (`fact_id`); phrasings and voices of a fact are
   averaged, once each is aligned.
2. **Align.** Roles are compared with roles. Where the answer is read out, the last word of a T2T prompt corresponds to
   the final marker of an S2T prompt: both become the row *read-out* (``last="read-out"``; ``last="by role"`` keeps
   names). Left out are cells that any of the facts lacks in either modality (so that all cells are of the same facts)
   and cells that were run for none of them, since they hold the baseline's value (before the corruption).
3. **Agreement.** Correlation of the mean maps over cells (Pearson, Spearman), beside its *ceiling*: what two noisy
   measurements of one true map would reach, from split halves of the subjects.
4. **Where.** Shift of the peak layer, of the centre of mass, and of the *hand-over* (the layer at which the read-out
   overtakes the subject); share of the effect by role.
5. **Which cells.** Sign-flip max-T test of the paired differences, in units of each modality's mean total effect.

Signs: every difference is second − first (S2T − T2T by default), so a positive shift means *later in speech*. Units:
layers, or shares of the total effect. Intervals: bootstrap over subjects, the same draws for both modalities.

Axes: ``component layer role``. Nothing here says that a fact is kept at a place: effects tell what takes part in
recall.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import xarray as xr

from spiritlens.arguments import check_choice, listed, number, told_keywords, whole
from spiritlens.comparison.result import Comparison
from spiritlens.comparison.statistics import Estimate, MapPair, compare_component
from spiritlens.effects.bootstrap import Array, bootstrap_weights, interval, max_t, weighted_means
from spiritlens.effects.canaries import check_canary
from spiritlens.effects.given import given_traces
from spiritlens.effects.metric_words import sign_of, words_of
from spiritlens.effects.quantities import total
from spiritlens.effects.role_effects import by_role, ordered_roles, role_runs
from spiritlens.effects.statistics import fact_means, fact_names, given_resampling, subject_names
from spiritlens.terms import MODALITIES, READOUT, READOUT_ROLES

Last = Literal["read-out", "by role"]
"""read-out: where the answer is read (final marker, else last word) is one row; by role: names as they are."""

MOST_EMPTY_DRAWS = 0.2
"""Where more than this share of the bootstrap draws has no value (no peak, no hand-over), no interval is given."""


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Paired effects: `values` [modality fact component layer role], `totals` [modality fact], one subject per fact;
    `cells` [component layer role] are those that are compared."""

    values: Array
    cells: np.ndarray[Any, np.dtype[np.bool_]]
    totals: Array
    subjects: np.ndarray[Any, np.dtype[np.str_]]
    roles: tuple[str, ...]
    components: tuple[str, ...]
    layers: tuple[int, ...]
    n_left_out: int


@told_keywords
def compare(
    effects: xr.Dataset,
    *,
    kinds: tuple[str, str] = ("T2T", "S2T"),
    metric: str | None = None,
    last: Last = "read-out",
    confidence: float = 0.95,
    alpha: float = 0.05,
    resamples: int = 1000,
    permutations: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare two modalities over the facts known in both.

    `effects` may be a map by role (whole roles restored together) or by token or word (averaged within roles). Returns
    a `Comparison`: agreement of the maps (rank correlation, layers of the peak), the difference of their total effects,
    each with an interval over facts and a permutation test (statistics of this project's own, built on Spearman's rank
    correlation). Raises ValueError where no fact is known in both, and for a result whose
    canary fails.
    """
    effects, kinds = given_traces(effects), _given_kinds(kinds)
    check_canary(effects)
    check_choice("last", last, Last)
    alpha, permutations = number("alpha", alpha, above=0, below=1), whole("permutations", permutations, at_least=1)
    confidence, resamples, seed = given_resampling(confidence, resamples, seed)
    metric = str(effects["metric"].values[0]) if metric is None else metric
    if metric not in effects["metric"].values.tolist():
        raise ValueError(
            f"metric={metric!r} was not traced; choose from {', '.join(effects['metric'].values.tolist())}"
        )
    pairs = _pair(effects.sel(metric=[metric]), kinds, last)
    weights = np.concatenate([np.ones((1, len(pairs.subjects))), bootstrap_weights(pairs.subjects, resamples, seed)])
    n_subjects = len(set(pairs.subjects.tolist()))
    estimate = partial(_estimate, n_subjects=n_subjects, confidence=confidence)
    totals = [weighted_means(one, weights) for one in pairs.totals]
    components = tuple(
        compare_component(name, _maps(pairs, index, weights, seed), estimate)
        for index, name in enumerate(pairs.components)
    )
    return Comparison(
        kinds=kinds,
        metric=metric,
        metric_sign=sign_of(effects, metric),
        metric_words=words_of(effects, metric),
        direction=str(effects.attrs["direction"]),
        n_facts=len(pairs.subjects),
        n_subjects=n_subjects,
        n_left_out=pairs.n_left_out,
        total=(estimate(totals[0]), estimate(totals[1])),
        total_difference=estimate(totals[1] - totals[0]),
        components=components,
        cells=_test_cells(pairs, permutations, seed),
        confidence=confidence,
        alpha=alpha,
    )


def _given_kinds(kinds: tuple[str, str]) -> tuple[str, str]:
    """Two modalities that differ."""
    found = listed("kinds", kinds, of=str)
    if len(found) != 2 or found[0] == found[1] or not set(found) <= set(MODALITIES):
        raise ValueError(f"kinds={found}: expected two different ones of {', '.join(MODALITIES)}")
    return found[0], found[1]


def _estimate(draws: Array, n_subjects: int, confidence: float) -> Estimate:
    """Estimate from draws whose first row is the estimate itself; the interval is widened to hold it."""
    value = float(draws[0])
    if np.isnan(value) or len(draws) == 1 or np.isnan(draws[1:]).mean() > MOST_EMPTY_DRAWS:
        return Estimate(value)
    low, high = (float(end) for end in interval(draws[1:], n_subjects, confidence))
    return Estimate(value, min(low, value), max(high, value))


def _pair(effects: xr.Dataset, kinds: tuple[str, str], last: Last) -> _Pairs:
    """Facts known in both modalities, in one order, with their roles aligned."""
    if "head" in effects.dims:
        raise ValueError("this dataset has heads; choose one with effects.isel(head=...) first")
    for kind in kinds:
        if kind not in effects["modality"].values.tolist():
            found = ", ".join(dict.fromkeys(effects["modality"].values.tolist()))
            raise ValueError(
                f"no {kind} prompt among the modalities {found}: trace the facts in {kinds[0]} and {kinds[1]}"
            )
    per_fact = fact_means(_aligned(by_role(effects).isel(metric=0), last), by=("modality",))
    totals = fact_means(total(effects), by=("modality",)).isel(metric=0)
    places = [_places(per_fact, kind) for kind in kinds]
    shared = [fact for fact in places[0] if fact in places[1]]
    if not shared:
        raise ValueError(f"no fact is known in both {kinds[0]} and {kinds[1]}: see the accuracy table")
    values = per_fact.transpose("fact", "component", "layer", "role").values
    rows = [[where[fact] for fact in shared] for where in places]
    everyone = {*places[0], *places[1]} | set(fact_names(effects).tolist())
    paired = np.stack([values[row] for row in rows])
    ran = fact_means(_aligned(role_runs(effects), last), by=("modality",))
    ran_there = np.stack([ran.transpose("fact", "component", "layer", "role").values[row] for row in rows])
    return _Pairs(
        values=paired,
        cells=~np.isnan(paired).any(axis=(0, 1)) & (np.nan_to_num(ran_there) > 0).any(axis=(0, 1)),
        totals=np.stack([totals.values[row] for row in rows]),
        subjects=subject_names(per_fact)[rows[0]],
        roles=tuple(per_fact["role"].values.tolist()),
        components=tuple(effects["component"].values.tolist()),
        layers=tuple(int(layer) for layer in effects["layer"].values),
        n_left_out=len(everyone) - len(shared),
    )


def _places(per_fact: xr.DataArray, kind: str) -> dict[str, int]:
    chosen = np.nonzero(per_fact["modality"].values == kind)[0]
    return {str(per_fact["fact_id"].values[place]): int(place) for place in chosen}


def _aligned(effect: xr.DataArray, last: Last) -> xr.DataArray:
    """Effects of each prompt [prompt component layer role] with the `READOUT_ROLES` joined into the read-out row, each
    prompt's own; the last word before a marker keeps a row of its own, which the other modality may lack.
    """
    roles = ordered_roles(effect["role"].values.tolist())
    effect = effect.sel(role=roles).transpose("prompt", "component", "layer", "role")
    if last == "by role" or READOUT_ROLES[-1] not in roles:
        return effect
    columns = {role: effect.values[..., place] for place, role in enumerate(roles)}
    readout = np.full(effect.shape[:-1], np.nan)
    found = np.zeros((len(readout), 1, 1), dtype=bool)  # prompts whose read-out is a later role
    for role in READOUT_ROLES:
        own = columns.pop(role, np.full_like(readout, np.nan))
        readout = np.where(found, readout, own)
        if role != READOUT_ROLES[0]:
            columns[role] = np.where(found, own, np.nan)
        found |= ~np.isnan(own).all(axis=(1, 2), keepdims=True)
    columns[READOUT] = readout
    about: dict[Any, Any] = {name: array for name, array in effect.coords.items() if "role" not in array.dims}
    joined = np.stack(list(columns.values()), axis=-1)
    return xr.DataArray(joined, dims=effect.dims, coords={**about, "role": list(columns)})


def _maps(pairs: _Pairs, index: int, weights: Array, seed: int) -> MapPair:
    """The maps of one component, over facts and under each draw."""
    first, second = pairs.values[:, :, index].swapaxes(2, 3)  # [fact role layer]
    return MapPair(
        maps=(weighted_means(first, weights), weighted_means(second, weights)),
        facts=(first, second),
        cells=pairs.cells[index].T,
        roles=pairs.roles,
        layers=np.asarray(pairs.layers, dtype=np.float64),
        subjects=pairs.subjects,
        seed=seed,
    )


def _test_cells(pairs: _Pairs, permutations: int, seed: int) -> xr.Dataset:
    """Paired differences in units of the mean total effects, and their sign-flip max-T test over all cells at once."""
    scale = np.abs(pairs.totals.mean(axis=1))
    scale = np.where(scale > 0, scale, np.nan)
    difference = pairs.values[1] / scale[1] - pairs.values[0] / scale[0]
    difference = np.where(pairs.cells, difference, np.nan)
    statistic, p_value = max_t(difference, pairs.subjects, permutations=permutations, seed=seed)
    arrays = {
        "difference": weighted_means(difference, np.ones((1, len(difference))))[0],
        "statistic": statistic,
        "p_value": p_value,
    }
    dims = ("component", "layer", "role")
    coords = {"component": list(pairs.components), "layer": list(pairs.layers), "role": list(pairs.roles)}
    return xr.Dataset({name: (dims, array) for name, array in arrays.items()}, coords=coords)
