"""Which cells differ: tests of the differences of shares, cell by cell, and what is said of each and of the map.

The difference of a cell is that of shares of each fact's own total effect. A cell is *different* where its p, adjusted
for the family, is at most alpha (in a comparison, the cells' part of alpha: `told_at`) and its mean reaches the margin;
*equivalent* where its interval at 1 − alpha lies inside the margin (`spiritlens.comparison.equivalence`), or where no
fact differs there by more than rounding; else *undecided*. `low` and `high` hold for all cells at once, so also for the
one that was chosen for being largest. Of two ways of clustering, each number is that which allows less.

Axes: ``component layer role``; NaN where a cell is not compared. Source: `spiritlens.effects.sign_flips`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import xarray as xr

from spiritlens.comparison.equivalence import Verdict, judge_cells, overall
from spiritlens.comparison.fact_maps import Names
from spiritlens.comparison.pairing import Pairs
from spiritlens.comparison.references import clusters_of
from spiritlens.comparison.rules import Rules
from spiritlens.comparison.shares import share_differences
from spiritlens.effects.bootstrap import weighted_means
from spiritlens.effects.clusters import Array
from spiritlens.effects.intervals import FEWEST_CLUSTERS
from spiritlens.effects.sign_flips import (
    CellTests,
    cell_p_values,
    false_discovery,
    max_t_family,
    simultaneous_interval,
)

MOST_FLIPS = 2000
"""More flips than that do not change the ends of an interval for all cells."""


class Drawn(Protocol):
    """How many flips are drawn, and their seed."""

    @property
    def permutations(self) -> int: ...
    @property
    def seed(self) -> int: ...


@dataclass(frozen=True, eq=False)
class FoundCells:
    """`cells`: `difference low high statistic p_value smallest_p n_facts detectable verdict`; the margin, in shares of
    the total effect, and what is said of all cells."""

    cells: xr.Dataset
    margin: float
    everywhere: Verdict


def found_cells(maps: Mapping[str, Pairs], rules: Rules, draws: Drawn) -> dict[str, FoundCells]:
    """The cells of each metric's map; all maps are one family."""
    differences = {
        name: share_differences((side[:, pairs.cells] for side in pairs.values), pairs.totals, pairs.smallest)
        for name, pairs in maps.items()
    }
    tests = _tested(maps, differences, rules, draws)
    return {name: _judged(pairs, differences[name], tests[name], rules, draws) for name, pairs in maps.items()}


def _tested(
    maps: Mapping[str, Pairs], differences: Mapping[str, Array], rules: Rules, draws: Drawn
) -> dict[str, tuple[CellTests, Array]]:
    """The tests of each map, and p adjusted for the family: the largest of all ways of clustering."""
    every: list[list[CellTests]] = []
    adjusted: list[list[Array]] = []
    for way in range(len(clusters_of(next(iter(maps.values())), rules.clusters))):
        given = [(differences[name], clusters_of(pairs, rules.clusters)[way]) for name, pairs in maps.items()]
        if rules.cells == "family-wise":
            tests = list(max_t_family(given, permutations=draws.permutations, seed=draws.seed))
            adjusted.append([one.p_value for one in tests])
        else:
            tests = [cell_p_values(*one, permutations=draws.permutations, seed=draws.seed) for one in given]
            joint = false_discovery(np.concatenate([one.p_value for one in tests]))
            adjusted.append(np.split(joint, np.cumsum([len(one.p_value) for one in tests])[:-1]))
        every.append(tests)
    return {
        name: (max((one[place] for one in every), key=_least_p), np.max([one[place] for one in adjusted], axis=0))
        for place, name in enumerate(maps)
    }


def _least_p(tests: CellTests) -> float:
    return float(np.nan_to_num(tests.smallest_p, nan=0.0).max(initial=0.0))


def _judged(pairs: Pairs, difference: Array, tested: tuple[CellTests, Array], rules: Rules, draws: Drawn) -> FoundCells:
    """What is said of each cell, placed along the axes of the map."""
    tests, p_values = tested
    ways = clusters_of(pairs, rules.clusters)
    total = float(np.abs(pairs.totals).mean())
    noise = pairs.noise_floor / total if total > 0 else 0.0
    margin, floor = rules.margins.of_cells(noise), rules.margins.noise_floors * noise
    second = ways[1] if len(ways) > 1 else None
    judged = judge_cells(difference, ways[0], p_values, margin=margin, second=second, alpha=rules.alpha, floor=floor)
    low, high = _for_all_cells(difference, ways, rules, draws)
    verdict = np.where(_only_rounding(difference, tests, floor), "equivalent", judged.verdict)
    arrays: dict[str, Any] = {
        "difference": weighted_means(difference, np.ones((1, len(difference))))[0],
        "low": low,
        "high": high,
        "statistic": tests.statistic,
        "p_value": p_values,
        "smallest_p": tests.smallest_p,
        "detectable": judged.detectable,
        "n_facts": tests.n_facts,
        "verdict": verdict,
    }
    measured = verdict[tests.n_facts > 0].tolist()
    return FoundCells(_placed(pairs, arrays), margin, overall(measured))


def told_at(found: FoundCells, level: float) -> FoundCells:
    """The cells with those that differ at a level; others that differed are undecided."""
    verdict = found.cells["verdict"].values
    verdict = np.where((verdict == "different") & (found.cells["p_value"].values > level), "undecided", verdict)
    cells = found.cells.assign(verdict=(found.cells["verdict"].dims, verdict))
    return FoundCells(cells, found.margin, overall(verdict[verdict != ""].tolist()))


def _only_rounding(difference: Array, tests: CellTests, floor: float) -> Any:
    """Cells in which no fact differs by more than rounding, over enough clusters [cell]."""
    largest = np.fmax.reduce(np.abs(difference), axis=0, initial=0.0)
    return (largest <= floor) & (tests.n_clusters >= FEWEST_CLUSTERS)


def _for_all_cells(difference: Array, ways: Sequence[Names], rules: Rules, draws: Drawn) -> tuple[Array, Array]:
    """Intervals that hold for all cells at once, by all ways of clustering."""
    flips = min(draws.permutations, MOST_FLIPS)
    found = [
        simultaneous_interval(difference, way, confidence=rules.confidence, permutations=flips, seed=draws.seed)
        for way in ways
    ]
    return np.min([low for low, _ in found], axis=0), np.max([high for _, high in found], axis=0)


def _placed(pairs: Pairs, arrays: Mapping[str, Any]) -> xr.Dataset:
    """Numbers of the compared cells along the axes of the map."""
    dims = ("component", "layer", "role")
    coords = {"component": list(pairs.components), "layer": list(pairs.layers), "role": list(pairs.roles)}
    placed: dict[str, Any] = {}
    for name, array in arrays.items():
        empty = {"n_facts": 0, "verdict": ""}.get(name, np.nan)
        whole = np.full(pairs.cells.shape, empty, dtype=array.dtype)
        whole[pairs.cells] = array
        placed[name] = (dims, whole)
    return xr.Dataset(placed, coords=coords)
