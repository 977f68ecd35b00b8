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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import permutations as orders
from math import factorial, prod
from typing import Any

import numpy as np
import scipy.stats

from spiritlens.comparison.fact_maps import FactMaps
from spiritlens.effects.clusters import AT_ONCE, Array, cluster_codes, group_means, pieces
from spiritlens.effects.intervals import FEWEST_CLUSTERS

CLOSE = 1e-12
"""Differences of D below this are rounding."""

FLAT = 1e-9
"""A residual map below this share of the largest value of its map is rounding, and has no shape."""


@dataclass(frozen=True)
class FactIdentity:
    """Similarity of facts' residual maps to their own (`same`) and to others' in the other modality (`others`).

    `difference` is same − others; `better` the share of other facts that fit worse than the fact itself (0.5: none
    known from another; ties, to rounding, count half). `p` as in the module, at least `least_p`; `detectable` is the
    difference that would have had p ≤ 0.05 with probability 0.8. `n_units` subjects changed places, `n_left_out` could
    not. All NaN, with the reason in `why`, where no test was made.
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
    sets, n_subjects = _exchangeable(maps, groups, noise_floor)
    n_units = sum(len(one.first) for one in sets)
    if n_units < FEWEST_CLUSTERS:
        return _none(n_units, n_subjects, f"{n_units} subjects can change places, fewer than {FEWEST_CLUSTERS}")
    sizes = [len(one.first) for one in sets]
    n_orders = prod(factorial(size) for size in sizes)
    every_order = n_orders <= permutations
    taken = _all_orders(sizes) if every_order else _drawn_orders(sizes, permutations, seed)
    found = [_compared(one, orders) for one, orders in zip(sets, taken, strict=True)]
    if not any(one.alike for one in found):
        return _none(n_units, n_subjects, "no fact's map differs from the mean map by more than the noise floor")
    observed = sum(one.observed for one in found) / n_units
    if every_order:
        drawn, least_p = reduce(np.add.outer, [one.permuted for one in found]).reshape(-1), 1 / n_orders
    else:
        moved = np.sum([one.permuted for one in found], axis=0)
        drawn, least_p = np.concatenate([[observed * n_units], moved]), 1 / (permutations + 1)
    same = sum(one.same for one in found) / n_units
    return FactIdentity(
        same=same,
        others=same - observed,
        difference=observed,
        better=sum(one.better for one in found) / n_units,
        p=float((drawn / n_units >= observed - CLOSE).mean()),
        least_p=least_p,
        detectable=_detectable(drawn / n_units),
        n_units=n_units,
        n_left_out=n_subjects - n_units,
    )


@dataclass(frozen=True, eq=False)
class _Exchangeable:
    """Subjects that may change places: their residual shapes [subject cell], of several relations side by side."""

    first: Array
    second: Array
    n_relations: int

    @property
    def own(self) -> Array:
        """Similarity of each subject to itself [subject]."""
        return np.asarray(np.einsum("sk,sk->s", self.first, self.second) / self.n_relations)

    def similarity(self, rows: slice) -> Array:
        """Similarity of some subjects in the first to all in the second modality [row subject]."""
        return np.asarray(self.first[rows] @ self.second.T / self.n_relations)


@dataclass(frozen=True, eq=False)
class _Compared:
    """Sums over the subjects of a set: of similarities to themselves, of D as `observed` and as `permuted` [order], of
    `better`; and whether any is `alike` to any."""

    same: float
    observed: float
    permuted: Array
    better: float
    alike: bool


def _exchangeable(maps: FactMaps, groups: Any, noise_floor: float) -> tuple[list[_Exchangeable], int]:
    """The sets of subjects that may change places, and how many subjects there are."""
    subjects = maps.clusters.tolist()
    keys = list(zip(subjects, groups.tolist(), strict=True))
    units = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    codes = np.array([units[key] for key in keys])
    of_group = np.array([group for _, group in units])
    measured, shapes = np.ones(len(units), dtype=bool), []
    for values in (maps.first, maps.second):
        means = values if len(units) == len(keys) else group_means(values, codes, len(units))
        measured &= ~np.isnan(means).all(axis=1)
        shapes.append(_residual_shapes(means, of_group, noise_floor))
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
            found.append(_Exchangeable(_of_units(shapes[0], rows), _of_units(shapes[1], rows), len(kinds)))
    return found, len(set(subjects))


def _of_units(shapes: Array, rows: Any) -> Array:
    """Shapes of some units side by side [subject unit·cell], of `rows` [subject unit]; themselves where it is all."""
    if rows.shape == (len(shapes), 1) and (np.diff(rows[:, 0]) == 1).all():
        return shapes
    return np.asarray(shapes[rows].reshape(len(rows), -1))


def _residual_shapes(values: Array, groups: Any, noise_floor: float) -> Array:
    """Residual maps of units, centred over their cells and of length 1 [unit cell]; 0 where missing or flat."""
    shapes = np.zeros_like(values)
    codes, n_groups = cluster_codes(groups)
    means = group_means(values, codes, n_groups)
    for rows in pieces(*values.shape):
        residual = values[rows] - means[codes[rows]]
        present = ~np.isnan(residual)
        counts = np.maximum(present.sum(axis=1, keepdims=True), 1)
        filled = np.where(present, residual, 0.0)
        centred = np.where(present, filled - filled.sum(axis=1, keepdims=True) / counts, 0.0)
        length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
        largest = np.abs(np.nan_to_num(values[rows])).max(axis=1, keepdims=True)
        shaped = length / np.sqrt(counts) > np.maximum(noise_floor, FLAT * largest)
        np.divide(centred, length, out=shapes[rows], where=np.broadcast_to(shaped, centred.shape))
    return shapes


def _compared(one: _Exchangeable, orders: Any) -> _Compared:
    """One pass over the rows of the table of similarities, which is never held as a whole; `orders` [order subject]."""
    n, own = len(one.first), one.own
    every, alike, permuted = 0.0, False, np.zeros(len(orders))
    worse = np.zeros(n)
    for rows in (slice(first, first + _rows(n)) for first in range(0, n, _rows(n))):
        similar = one.similarity(rows)
        every, alike = every + float(similar.sum()), alike or bool(similar.any())
        permuted += np.take_along_axis(similar, orders[:, rows].T, axis=1).sum(axis=0)
        for against in (similar < own[rows, None] - CLOSE, similar <= own[rows, None] + CLOSE):
            worse[rows] += [np.count_nonzero(row) for row in against]
        for against in (similar < own - CLOSE, similar <= own + CLOSE):
            worse += against.sum(axis=0, dtype=np.uint8)  # no more than 255 rows
    same = float(own.sum())
    return _Compared(
        same=same,
        observed=(n * same - every) / (n - 1),
        permuted=(n * permuted - every) / (n - 1),
        better=float((worse / 2 - 1).sum()) / 2 / (n - 1),
        alike=alike,
    )


def _rows(n: int) -> int:
    """Rows of n similarities that are worked on at once."""
    return min(255, max(1, 2 * AT_ONCE // n))


def _all_orders(sizes: Sequence[int]) -> Iterator[Any]:
    """All permutations within each set [order subject]."""
    return (np.array(list(orders(range(size)))) for size in sizes)


def _drawn_orders(sizes: Sequence[int], permutations: int, seed: int) -> Iterator[Any]:
    """Drawn permutations within each set [order subject], in the smallest whole numbers that hold them."""
    rng = np.random.default_rng(seed)
    for size in sizes:
        taken = np.tile(np.arange(size, dtype=np.min_scalar_type(size)), (permutations, 1))
        rng.permuted(taken, axis=1, out=taken)
        yield taken


def _detectable(drawn: Array) -> float:
    """The difference that would have been found with probability 0.8, if D spreads as under permutation."""
    return float(np.quantile(drawn, 0.95) + scipy.stats.norm.ppf(0.8) * drawn.std())


def _none(n_units: int, n_subjects: int, why: str) -> FactIdentity:
    nan = float("nan")
    return FactIdentity(nan, nan, nan, nan, nan, nan, nan, n_units, n_subjects - n_units, why)
