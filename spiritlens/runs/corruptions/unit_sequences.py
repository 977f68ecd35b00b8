"""Unit sequences of a given length in which no unit follows itself: time-warped, shuffled, silent.

A deduplicated unit stream never repeats a unit, so a span of n units can only be replaced by n units that keep the rule
among themselves and towards the units before and after the span (`borders`; None where the stream ends).
"""

from collections.abc import Sequence
from itertools import pairwise

import torch

Borders = tuple[int | None, int | None]
TRIES = 200


def fitted_units(units: Sequence[int], length: int, borders: Borders) -> list[int] | None:
    """`length` of the units, in order, as evenly spread as the rule allows; None where there is no such choice.

    Unit k of n wants index (k + ½)·m/n − ½ of the m given; the choice minimises the summed distance to that.
    """
    if len(units) < length:
        return None
    wanted = [(order + 0.5) * len(units) / length - 0.5 for order in range(length)]
    best: list[dict[int, tuple[float, int]]] = []
    for order, target in enumerate(wanted):
        costs: dict[int, tuple[float, int]] = {}
        for index in range(order, len(units) - (length - order - 1)):
            if order == 0:
                before = (0.0, -1) if units[index] != borders[0] else None
            else:
                earlier = [
                    (cost, other)
                    for other, (cost, _) in best[-1].items()
                    if other < index and units[other] != units[index]
                ]
                before = min(earlier, default=None)
            if before is not None and not (order == length - 1 and units[index] == borders[1]):
                costs[index] = (before[0] + abs(index - target), before[1])
        best.append(costs)
    if not best[-1]:
        return None
    index = min(best[-1], key=lambda found: best[-1][found][0])
    chosen = [index]
    for costs in reversed(best[1:]):
        index = costs[index][1]
        chosen.append(index)
    return [units[index] for index in reversed(chosen)]


def shuffled_units(units: Sequence[int], borders: Borders, stream: torch.Generator) -> list[int]:
    """The units in another order that keeps the rule."""
    for _ in range(TRIES):
        order = torch.randperm(len(units), generator=stream).tolist()
        shuffled = [units[index] for index in order]
        if shuffled != list(units) and keeps_rule(shuffled, borders):
            return shuffled
    raise ValueError(
        f"the {len(units)} units {tuple(units)} have no other order in which no unit follows itself; "
        "use another corruption"
    )


def silent_units(length: int, pool: Sequence[int], borders: Borders, stream: torch.Generator) -> list[int]:
    """`length` units of silence, drawn from the pool so that none follows itself."""
    for _ in range(TRIES):
        chosen: list[int] = []
        previous = borders[0]
        for order in range(length):
            banned = {previous, borders[1]} if order == length - 1 else {previous}
            allowed = [unit for unit in pool if unit not in banned]
            if not allowed:
                break
            previous = allowed[int(torch.randint(len(allowed), (1,), generator=stream))]
            chosen.append(previous)
        if len(chosen) == length:
            return chosen
    raise ValueError(
        f"{length} units of silence cannot be made of {tuple(pool)} without one following itself (which would be "
        "deduplicated): give silence= at least three silence units"
    )


def keeps_rule(units: Sequence[int], borders: Borders) -> bool:
    """Whether no unit follows itself, borders included."""
    row = [borders[0], *units, borders[1]]
    return all(one != other for one, other in pairwise(row))
