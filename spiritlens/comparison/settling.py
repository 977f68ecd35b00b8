"""What a comparison tells of all its differences together: verdicts at the level that its families leave each other.

Each difference was judged alone, at alpha. Here those that are told as different are held against what all of them
together allow (`spiritlens.comparison.families`); what does not pass is *undecided*, with its p. What is equivalent
stays so.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from spiritlens.comparison.cells import FoundCells, told_at
from spiritlens.comparison.compared import Compared, Headline
from spiritlens.comparison.equivalence import Judged
from spiritlens.comparison.families import NEVER_ALL, holm, shared_level
from spiritlens.comparison.statistics import ComponentComparison

OfComparison = TypeVar("OfComparison", bound=Compared)


def settled(found: OfComparison, cells: FoundCells, second_cells: FoundCells | None) -> OfComparison:
    """The comparison with the verdicts that hold together; `cells` are its own, and those of its second metric."""
    second = found.second if found.second is not None and not found.second.closed else None
    totals = [found.total_judged, *([second.total_difference] if second else [])]
    layers = [judged for one in found.components for judged in one.judged.values()]
    layers += [second.centre] if second and second.centre else []
    maps = [NEVER_ALL] if found.n_tested else []
    level = shared_level([[one.p for one in totals], [one.p for one in layers], *maps], found.alpha)
    cell_level = level / 2 if second and found.rules.family == "metric" else level
    own = told_at(cells, cell_level)
    total, layer = _settled(totals, level), _settled(layers, level)
    found = replace(
        found,
        total_judged=next(total),
        components=tuple(_component(one, layer) for one in found.components),
        cells=own.cells,
        everywhere=own.everywhere,
        cell_level=cell_level,
    )
    if second is None or second_cells is None:
        return found
    return replace(found, second=_second(second, next(total), layer, told_at(second_cells, cell_level)))


def _settled(family: list[Judged], level: float) -> Iterator[Judged]:
    """The differences of a family as they are told at a level, in their order."""
    for judged, passes in zip(family, holm([one.p for one in family], level), strict=True):
        fails = judged.verdict == "different" and not passes
        why = f"p = {judged.p:.2g}, which is too large where several differences are tested"
        yield replace(judged, verdict="undecided", why=why) if fails else judged


def _component(one: ComponentComparison, layer: Iterator[Judged]) -> ComponentComparison:
    return replace(one, judged={name: next(layer) for name in one.judged})


def _second(second: Headline, total: Judged, layer: Iterator[Judged], cells: FoundCells) -> Headline:
    centre = next(layer) if second.centre else None
    different = int((cells.cells["verdict"] == "different").sum())
    return replace(second, total_difference=total, centre=centre, n_different=different)
