"""Do two modalities recall the same facts in the same place? Paired statistics of their effects by role and layer.

1. **Pair.** Only facts known in both modalities count, each with itself (`fact_id`); phrasings and voices of a fact are
   averaged, once each is aligned.
2. **Align.** Roles are compared with roles. Where the answer is read out, the last word of a T2T prompt corresponds to
   the final marker of an S2T prompt: both become the row *read-out* (``last="read-out"``; ``last="by role"`` keeps
   names). A cell is compared over the facts that have it in both modalities. Left out are cells that fewer than half of
   the facts have, and cells that were run for none, since they hold the baseline's value (before the corruption).
3. **Agreement.** Correlation of the mean maps over cells (Pearson, Spearman), beside its *ceiling*: what two noisy
   measurements of one true map would reach, from split halves of the subjects.
4. **Where.** Shift of the peak layer (none on plateaus), of the signed centre of mass, and of the *hand-over* (the
   layer at which the read-out overtakes the subject); share of the effect by role.
5. **Which cells.** Sign-flip max-T test of the paired differences of *shares*: of each fact's own total effect, where
   that is a number. `low` and `high` hold for all cells at once, so also for the one chosen for being largest.

Signs: every difference is second − first (S2T − T2T by default), so a positive shift means *later in speech*. Units:
layers (the middle of a window), or shares of the total effect. Intervals: the
skewness-corrected t over subjects, and for layers that jump (peak, hand-over) a bootstrap over subjects with the same
draws for both modalities; none below six subjects.

Axes: ``component layer role``. Nothing here says that a fact is kept at a place: effects tell what takes part in
recall.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import xarray as xr

from spiritlens.arguments import check_choice, listed, number, told_keywords, whole
from spiritlens.comparison.result import Comparison
from spiritlens.comparison.shares import share_differences
from spiritlens.comparison.shifts import window_centres
from spiritlens.comparison.statistics import Estimate, MapPair, Rows, compare_component
from spiritlens.effects.bootstrap import bootstrap_weights, interval, weighted_means
from spiritlens.effects.clusters import Array
from spiritlens.effects.given import given_traces
from spiritlens.effects.intervals import cluster_interval, jackknife_interval, left_out_weights
from spiritlens.effects.metric_words import sign_of, words_of
from spiritlens.effects.quantities import smallest_total_effect, total
from spiritlens.effects.role_effects import by_role, ordered_roles, role_runs
from spiritlens.effects.sign_flips import max_t, simultaneous_interval
from spiritlens.effects.statistics import fact_means, fact_names, given_resampling, subject_names
from spiritlens.terms import MODALITIES, READOUT, READOUT_ROLES

Last = Literal["read-out", "by role"]
"""read-out: where the answer is read (final marker, else last word) is one row; by role: names as they are."""

FEWEST_FACTS = 0.5
"""Cells that fewer than this share of the facts have in both modalities are not compared."""
MOST_FLIPS = 2000
"""More flips than that do not change the ends of an interval for all cells."""
FLOORS = 10
"""Effects of no more than so many times the noise floor are rounding."""
MOST_EMPTY_DRAWS = 0.2
"""Where more than this share of the bootstrap draws has no value (no peak, no hand-over), no interval is given."""


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Paired effects: `values` [modality fact component layer role], NaN where the fact lacks the cell in either;
    `totals` [modality fact], one subject per fact; `cells` [component layer role] are those that are compared;
    `centres` [component layer] what each layer stands for; effects within `floor`, and total effects below `smallest`,
    are none."""

    values: Array
    cells: np.ndarray[Any, np.dtype[np.bool_]]
    totals: Array
    subjects: np.ndarray[Any, np.dtype[np.str_]]
    roles: tuple[str, ...]
    components: tuple[str, ...]
    layers: tuple[int, ...]
    centres: Array
    floor: float
    smallest: float
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
    correlation). Raises ValueError where no fact is known in both.
    """
    effects, kinds = given_traces(effects), _given_kinds(kinds)
    check_choice("last", last, Last)
    alpha, permutations = number("alpha", alpha, above=0, below=1), whole("permutations", permutations, at_least=1)
    confidence, resamples, seed = given_resampling(confidence, resamples, seed)
    metric = str(effects["metric"].values[0]) if metric is None else metric
    if metric not in effects["metric"].values.tolist():
        raise ValueError(
            f"metric={metric!r} was not traced; choose from {', '.join(effects['metric'].values.tolist())}"
        )
    pairs = _pair(effects.sel(metric=[metric]), kinds, last)
    draws = np.concatenate([np.ones((1, len(pairs.subjects))), bootstrap_weights(pairs.subjects, resamples, seed)])
    left_out, sizes = left_out_weights(pairs.subjects)
    rows: dict[Rows, Array] = {"left out": left_out, "draws": draws}
    estimates: dict[Rows, Callable[[Array], Estimate]] = {
        "left out": partial(_left_out, sizes=sizes, confidence=confidence),
        "draws": partial(_drawn, n_subjects=len(sizes), confidence=confidence),
    }
    totals = [_mean(one, pairs, confidence) for one in (*pairs.totals, pairs.totals[1] - pairs.totals[0])]
    components = tuple(
        compare_component(name, {kind: _maps(pairs, index, rows[kind], seed) for kind in rows}, estimates)
        for index, name in enumerate(pairs.components)
    )
    return Comparison(
        kinds=kinds,
        metric=metric,
        metric_sign=sign_of(effects, metric),
        metric_words=words_of(effects, metric),
        direction=str(effects.attrs["direction"]),
        n_facts=len(pairs.subjects),
        n_subjects=len(sizes),
        n_left_out=pairs.n_left_out,
        total=(totals[0], totals[1]),
        total_difference=totals[2],
        components=components,
        cells=_test_cells(pairs, confidence, permutations, seed),
        confidence=confidence,
        alpha=alpha,
    )


def _given_kinds(kinds: tuple[str, str]) -> tuple[str, str]:
    """Two modalities that differ."""
    found = listed("kinds", kinds, of=str)
    if len(found) != 2 or found[0] == found[1] or not set(found) <= set(MODALITIES):
        raise ValueError(f"kinds={found}: expected two different ones of {', '.join(MODALITIES)}")
    return found[0], found[1]


def _left_out(values: Array, sizes: Array, confidence: float) -> Estimate:
    """Estimate from values whose first is of all facts, the others without each cluster."""
    if len(values) == 1 or np.isnan(values).any():
        return Estimate(float(values[0]))
    low, high = jackknife_interval(values, sizes, confidence)
    return Estimate(float(values[0]), float(low), float(high))


def _drawn(draws: Array, n_subjects: int, confidence: float) -> Estimate:
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
    paired = np.where(np.isnan(paired).any(axis=0), np.nan, paired)
    metric = str(effects["metric"].values[0])
    ran = fact_means(_aligned(role_runs(effects), last), by=("modality",))
    ran_there = np.stack([ran.transpose("fact", "component", "layer", "role").values[row] for row in rows])
    return _Pairs(
        values=paired,
        cells=((~np.isnan(paired[0])).mean(axis=0) >= FEWEST_FACTS) & (np.nan_to_num(ran_there) > 0).any(axis=(0, 1)),
        totals=np.stack([totals.values[row] for row in rows]),
        subjects=subject_names(per_fact)[rows[0]],
        roles=tuple(per_fact["role"].values.tolist()),
        components=tuple(effects["component"].values.tolist()),
        layers=tuple(int(layer) for layer in effects["layer"].values),
        centres=np.stack([window_centres(effects, name) for name in effects["component"].values.tolist()]),
        floor=FLOORS * float(np.nan_to_num(effects["noise_floor"]).max()),
        smallest=smallest_total_effect(effects, metric),
        n_left_out=len(everyone) - len(shared),
    )


def _places(per_fact: xr.DataArray, kind: str) -> dict[str, int]:
    chosen = np.nonzero(per_fact["modality"].values == kind)[0]
    return {str(fact): int(place) for fact, place in zip(per_fact["fact_id"].values[chosen], chosen, strict=True)}


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
    about: dict[Any, Any] = {name: one for name, one in effect.coords.variables.items() if "role" not in one.dims}
    joined = np.stack(list(columns.values()), axis=-1)
    return xr.DataArray(joined, dims=effect.dims, coords={**about, "role": list(columns)})


def _mean(values: Array, pairs: _Pairs, confidence: float) -> Estimate:
    """Mean over facts, with its interval over subjects [fact]."""
    found = cluster_interval(values, pairs.subjects, confidence=confidence, floor=pairs.floor)
    return Estimate(float(found.mean), float(found.low), float(found.high))


def _maps(pairs: _Pairs, index: int, weights: Array, seed: int) -> MapPair:
    """The maps of one component, over facts and under each draw."""
    first, second = pairs.values[:, :, index].swapaxes(2, 3)  # [fact role layer]
    return MapPair(
        facts=(first, second),
        weights=weights,
        cells=pairs.cells[index].T,
        roles=pairs.roles,
        layers=pairs.centres[index],
        subjects=pairs.subjects,
        seed=seed,
        floor=pairs.floor,
    )


def _test_cells(pairs: _Pairs, confidence: float, permutations: int, seed: int) -> xr.Dataset:
    """Paired differences of shares, their sign-flip max-T test over all cells, and intervals that hold for all."""
    difference = share_differences(pairs.values[:, :, pairs.cells], pairs.totals, pairs.smallest)
    found = max_t(difference, pairs.subjects, permutations=permutations, seed=seed)
    flips = min(permutations, MOST_FLIPS)
    low, high = simultaneous_interval(difference, pairs.subjects, confidence=confidence, permutations=flips, seed=seed)
    arrays = {
        "difference": weighted_means(difference, np.ones((1, len(difference))))[0],
        "low": low,
        "high": high,
        "statistic": found.statistic,
        "p_value": found.p_value,
        "smallest_p": found.smallest_p,
    }
    dims = ("component", "layer", "role")
    coords = {"component": list(pairs.components), "layer": list(pairs.layers), "role": list(pairs.roles)}
    placed: dict[str, Any] = {"n_facts": (dims, np.zeros(pairs.cells.shape, dtype=np.int64))}
    placed["n_facts"][1][pairs.cells] = found.n_facts
    for name, array in arrays.items():
        placed[name] = (dims, np.full(pairs.cells.shape, np.nan))
        placed[name][1][pairs.cells] = array
    return xr.Dataset(placed, coords=coords)
