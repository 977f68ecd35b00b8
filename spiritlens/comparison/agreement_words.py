"""Agreement in words: by what the maps were compared with, and no further.

The word *agree* stands only where r is shown, is more than with either map shifted by some layers, and is more than
another run's: than that of a floor which has a map of its own, or than untrained twins' (which may have none). Those
are then named. A control corruption that leaves no map has nothing to agree with: it is told as that, and not as a
floor that was passed.
"""

import numpy as np

from spiritlens.comparison.compared import Compared
from spiritlens.comparison.conditions import and_listed
from spiritlens.comparison.reference_points import Reference
from spiritlens.comparison.statistics import ComponentComparison


def agreement_sentence(comparison: Compared) -> str:
    """How the two maps of each component agree, and what they were compared with."""
    parts = [_of_map(one) for one in comparison.components]
    return f"By role and layer, {'; '.join(parts)}."


def _of_map(one: ComponentComparison) -> str:
    if one.agreement.moved is None:
        return f"the maps of {one.component} were not correlated ({one.agreement.why})"
    start = f"the two maps of {one.component} correlate at {one.r}"
    shifts = [row for row in one.beside.rows if row.part == "shift"]
    others = [row for row in one.beside.rows if row.part in ("floor", "twins")]
    ceilings = [row for row in one.beside.rows if row.part == "ceiling"]
    resolved = not np.isnan(one.beside.resolution)
    beside = "; ".join(_reference(row) for row in (*ceilings, *others))
    within = f"to within {_n_layers(one.beside.resolution)}" if shifts and resolved else ""
    numbers = f" ({beside})" if beside else ""
    if one.beside.strength != "not shown" and one.beside.beyond_floors and one.beside.surpassed:
        agree = {"closely": "agree closely", "in part": "agree in part", "weakly": "agree weakly"}
        than = f", more than {and_listed([_surpassed(row) for row in one.beside.surpassed])}"
        return f"{start} and {' '.join(filter(None, (agree[one.beside.strength], within)))}{than}{numbers}"
    return f"{start}{numbers}, which is not told as agreement: {_why_not(one, others, resolved or not shifts)}"


def _surpassed(row: Reference) -> str:
    return row.name if row.relation == "above" else f"{row.name}, of which none has a map"


def _why_not(one: ComponentComparison, others: list[Reference], resolved: bool) -> str:
    if one.beside.strength == "not shown":
        return "the interval reaches 0"
    reached = [row.name for row in others if row.relation not in ("above", "no map")]
    if reached:
        return f"it is not shown to be more than that of {and_listed(reached)}"
    if not resolved:
        return "the maps shifted by two layers correlate no less"
    if not others:
        return f"no untrained model or control was compared, and random weights correlate too{_layers(one)}"
    maps = "has no map" if len(others) == 1 else "have no maps"
    names = and_listed([row.name for row in others])
    return f"{names} {maps} to be compared with, and nothing else was that learnt nothing{_layers(one)}"


def _layers(one: ComponentComparison) -> str:
    if np.isnan(one.beside.resolution):
        return ""
    return f" (it is more than with one map shifted by {_n_layers(one.beside.resolution)})"


def _n_layers(layers: float) -> str:
    return "one layer" if layers == 1 else f"{layers:g} layers"


def _reference(row: Reference) -> str:
    if row.relation == "no map":
        return f"{row.name}: no map"
    bound = f", bound {row.high:.2f}" if row.part == "twins" and not np.isnan(row.high) else ""
    words = {"reached": ", which is reached", "below": ", which is not reached"}.get(row.relation, "")
    return f"{row.name}: {row.value:.2f}{bound}{words}"
