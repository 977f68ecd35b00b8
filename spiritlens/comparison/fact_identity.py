"""Fact identity: does a fact's own map in one modality fit the *same* fact's in the other better than other facts' do?

Mean maps agree as soon as all facts are recalled in the same place. The sharper question is whether what is peculiar to
a fact in writing is peculiar to it in speech:

1. A fact's *residual map* is its map minus the mean map of all facts (with `within`: of the facts of its relation).
   Give maps as shares of each fact's own total effect (`shares_of_total`), so that facts with small effects are not
   told by their size alone.
2. Similarity of fact s in the first and fact t in the second modality: Pearson's correlation over cells of their
   residual maps. A missing cell counts as the mean map.
3. Effect: D = mean over facts of (similarity to itself − mean similarity to the others).
4. Null: *which fact is which does not matter in the second modality*, so that facts may change places there. p is the
   share of permutations whose D is at least as large (one-sided): all permutations where there are no more than
   `permutations`, else that many drawn ones, the observed one counted with them (Phipson & Smyth 2010). No p is below
   what the design allows (`least_p`).

**Subjects.** Facts of one subject are averaged and change places together. With `within`, the mean of each relation is
removed and subjects change places only with subjects that have facts in the same relations, each with all its facts, so
that neither the relation nor a subject's share in several of them is taken for the fact. Subjects without such a
partner are left out and counted.

What it does not exclude: anything else that goes with a fact in both modalities, such as the length of its subject.

Sources: the correlation of two similarity structures with permuted items is Mantel's (1967); the identity of single
items from their residual patterns follows Kay et al. (2008) and Finn et al. (2015, "connectome fingerprinting").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations as orders
from math import factorial, prod
from typing import Any

import numpy as np
import scipy.stats

from spiritlens.comparison.fact_maps import FactMaps
from spiritlens.effects.clusters import Array, cluster_codes, cluster_sums
from spiritlens.effects.intervals import FEWEST_CLUSTERS

CLOSE = 1e-12
"""Differences of D below this are rounding."""

FLAT = 1e-9
"""A residual map below this share of the largest value of its map is rounding, and has no shape."""


@dataclass(frozen=True)
class FactIdentity:
    """Similarity of facts' residual maps to their own (`same`) and to others' in the other modality (`others`).

    `difference` is same − others; `better` the share of other facts that fit worse than the fact itself (0.5: none
    known from another). `p` as in the module, at least `least_p`; `detectable` is the difference that would have had
    p ≤ 0.05 with probability 0.8. `n_units` subjects changed places, `n_left_out` could not. All NaN, with the reason
    in `why`, where no test was made.
    """

    same: float
    others: float
    difference: float
    better: float
    p: float
    least_p: float
    detectable: float
    n_units: int
    n_left_out: int
    why: str = ""


def shares_of_total(values: Any, totals: Any, least: float) -> Array:
    """Effects [fact …] as shares of each fact's own total effect [fact]; NaN where that is below `least`."""
    values, totals = np.asarray(values, dtype=np.float64), np.asarray(totals, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        usable = np.where(totals >= least, totals, np.nan)
    return np.asarray(values / usable.reshape(-1, *(1,) * (values.ndim - 1)))


def fact_identity(
    maps: FactMaps, *, within: Any = None, permutations: int = 10_000, seed: int = 0, noise_floor: float = 0.0
) -> FactIdentity:
    """Test of fact identity and its size, over maps [fact cell]; `within` [fact] are groups such as relations.

    Residual maps whose root mean square is at most `noise_floor` have no shape and are similar to nothing. Below
    `FEWEST_CLUSTERS` subjects that can change places, no test is made.
    """
    groups = np.zeros(len(maps.first), dtype=np.int64) if within is None else np.asarray(within)
    if groups.shape != (len(maps.first),):
        raise ValueError(f"within has the shape {groups.shape}: expected one group for each of {len(maps.first)} facts")
    similar, n_subjects = _similarities(maps, groups, noise_floor)
    n_units = sum(len(one) for one in similar)
    if n_units < FEWEST_CLUSTERS:
        return _none(n_units, n_subjects, f"{n_units} subjects can change places, fewer than {FEWEST_CLUSTERS}")
    if not any(one.any() for one in similar):
        return _none(n_units, n_subjects, "no fact's map differs from the mean map by more than the noise floor")
    contrasts = [(len(one) * one - one.sum(axis=1, keepdims=True)) / (len(one) - 1) for one in similar]
    observed = sum(float(np.trace(one)) for one in contrasts) / n_units
    drawn, least_p = _permuted(contrasts, permutations, seed)
    reached = float((drawn / n_units >= observed - CLOSE).mean())
    same = sum(float(np.trace(one)) for one in similar) / n_units
    return FactIdentity(
        same=same,
        others=same - observed,
        difference=observed,
        better=sum(float(_better(one).sum()) for one in similar) / n_units,
        p=reached,
        least_p=least_p,
        detectable=_detectable(drawn / n_units),
        n_units=n_units,
        n_left_out=n_subjects - n_units,
    )


def _similarities(maps: FactMaps, groups: Any, noise_floor: float) -> tuple[list[Array], int]:
    """Similarity [subject subject] of the subjects that may change places, a matrix for each set of them; and how many
    subjects there are."""
    subjects = maps.clusters.tolist()
    keys = list(zip(subjects, groups.tolist(), strict=True))
    units = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    codes = np.array([units[key] for key in keys])
    of_group = np.array([group for _, group in units])
    means = [_means(values, codes) for values in (maps.first, maps.second)]
    first, second = (_residual_shapes(values, of_group, noise_floor) for values in means)
    similarity = first @ second.T
    measured = np.all([~np.isnan(values).all(axis=1) for values in means], axis=0)
    has: dict[Any, dict[Any, int]] = {}
    for (subject, group), place in units.items():
        if measured[place]:
            has.setdefault(subject, {})[group] = place
    sets: dict[frozenset[Any], list[Any]] = {}
    for subject, places in has.items():
        sets.setdefault(frozenset(places), []).append(subject)
    found = []
    for kinds, members in sets.items():
        if len(members) > 1:
            rows = np.array([[has[subject][kind] for kind in sorted(kinds)] for subject in members])
            found.append(np.mean([similarity[np.ix_(row, row)] for row in rows.T], axis=0))
    return found, len(set(subjects))


def _means(values: Array, codes: Any) -> Array:
    """Means of the facts of each unit [unit cell], NaN skipped."""
    return cluster_sums(values, codes, int(codes.max()) + 1).means_by_cluster


def _residual_shapes(values: Array, groups: Any, noise_floor: float) -> Array:
    """Residual maps of units, centred over their cells and of length 1 [unit cell]; 0 where missing or flat."""
    shapes = np.zeros_like(values)
    codes, _ = cluster_codes(groups)
    residual = values - _means(values, codes)[codes]
    present = ~np.isnan(residual)
    counts = np.maximum(present.sum(axis=1, keepdims=True), 1)
    filled = np.where(present, residual, 0.0)
    centred = np.where(present, filled - filled.sum(axis=1, keepdims=True) / counts, 0.0)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    largest = np.abs(np.nan_to_num(values)).max(axis=1, keepdims=True)
    shaped = length / np.sqrt(counts) > np.maximum(noise_floor, FLAT * largest)
    return np.asarray(np.divide(centred, length, out=shapes, where=np.broadcast_to(shaped, centred.shape)))


def _permuted(contrasts: Sequence[Array], permutations: int, seed: int) -> tuple[Array, float]:
    """Sums of the contrast under permutations within each matrix, and the least p that there can be.

    All permutations where they are few enough; else drawn ones, with the observed one first.
    """
    n_orders = prod(factorial(len(one)) for one in contrasts)
    if n_orders <= permutations:
        sums = np.zeros(1)
        for one in contrasts:
            taken = np.array(list(orders(range(len(one)))))
            sums = np.add.outer(sums, one[np.arange(len(one)), taken].sum(axis=1)).reshape(-1)
        return sums, 1 / n_orders
    rng = np.random.default_rng(seed)
    sums = np.zeros(permutations + 1)
    for one in contrasts:
        rows = np.arange(len(one))
        taken = np.tile(rows, (permutations, 1))
        rng.permuted(taken, axis=1, out=taken)
        sums[0] += np.trace(one)
        for row in rows:  # one column at a time: no array of all that was taken
            sums[1:] += one[row].take(taken[:, row])
    return sums, 1 / (permutations + 1)


def _better(similarity: Array) -> Array:
    """Share of the other facts that fit a fact worse than itself, of both modalities [fact]; ties count half."""
    own = np.diag(similarity)
    shares = []
    for against in (similarity, similarity.T):
        worse = (against < own[:, None]).sum(axis=1) + ((against == own[:, None]).sum(axis=1) - 1) / 2
        shares.append(worse / (len(own) - 1))
    return np.asarray(np.mean(shares, axis=0))


def _detectable(drawn: Array) -> float:
    """The difference that would have been found with probability 0.8, if D spreads as under permutation."""
    return float(np.quantile(drawn, 0.95) + scipy.stats.norm.ppf(0.8) * drawn.std())


def _none(n_units: int, n_subjects: int, why: str) -> FactIdentity:
    nan = float("nan")
    return FactIdentity(nan, nan, nan, nan, nan, nan, nan, n_units, n_subjects - n_units, why)
