"""Agreement in words: by what the maps were compared with, and no further.

The word *agree* stands only where r is shown, is more than with either map moved by some layers, and is more than
another run's: than that of a floor which has a map of its own, or than untrained twins' (which may have none). Those
are then named. A control corruption that leaves no map has nothing to agree with: it is told as that, and not as a
floor that was passed. Where the word may not be said, one sentence tells why, for all components of which that is the
reason, and where another run would settle it, which.
"""

import numpy as np

from spiritlens.comparison.compared import Compared
from spiritlens.comparison.conditions import and_listed
from spiritlens.comparison.estimates import two_digits
from spiritlens.comparison.reference_points import Reference
from spiritlens.comparison.statistics import ComponentComparison

REMEDY = "compare untrained models of the same shape to tell: twins in sl.comparison.References or StudySettings"


def agreement_sentence(comparison: Compared) -> str:
    """How the two maps of each component agree, and what they were compared with."""
    reasons: dict[str, list[str]] = {}
    for one in comparison.components:
        if one.agreement.moved is not None and not _agrees(one):
            reasons.setdefault(_why_not(one), []).append(one.component)
    told = "; ".join(_of_map(one) for one in comparison.components)
    whose = [and_listed(components) for components in reasons.values()]
    every = len(reasons) == 1 and len(next(iter(reasons.values()))) == len(comparison.components)
    untold = [
        f"{'This' if every else f'For {components} this'} is not called agreement: {why}."
        for components, why in zip(whose, reasons, strict=True)
    ]
    return " ".join([f"By role and layer, {told}.", *untold])


def _agrees(one: ComponentComparison) -> bool:
    return one.beside.strength != "not shown" and one.beside.beyond_floors and bool(one.beside.surpassed)


def _others(one: ComponentComparison) -> list[Reference]:
    """Other runs that the agreement was compared with."""
    return [row for row in one.beside.rows if row.part in ("floor", "twins")]


def _of_map(one: ComponentComparison) -> str:
    if one.agreement.moved is None:
        return f"the maps of {one.component} were not correlated ({one.agreement.why})"
    start = f"the two maps of {one.component} correlate at {one.r}"
    ceilings = [row for row in one.beside.rows if row.part == "ceiling"]
    if not _agrees(one):
        return f"{start}{_numbers([*ceilings, *_others(one)])}"
    agree = {"closely": "agree closely", "in part": "agree in part", "weakly": "agree weakly"}[one.beside.strength]
    within = "" if np.isnan(one.beside.resolution) else f" to within {_n_layers(one.beside.resolution)}"
    than = and_listed([_surpassed(row) for row in one.beside.surpassed])
    unnamed = [row for row in _others(one) if row.relation != "no map" or row not in one.beside.surpassed]
    return f"{start} and {agree}{within}, more than {than}{_numbers([*ceilings, *unnamed])}"


def _numbers(rows: list[Reference]) -> str:
    return f" ({'; '.join(_reference(row) for row in rows)})" if rows else ""


def _surpassed(row: Reference) -> str:
    return row.name if row.relation == "above" else f"{row.name}, none of which has a map"


def _why_not(one: ComponentComparison) -> str:
    others = _others(one)
    if one.beside.strength == "not shown":
        return "the interval of the correlation reaches 0"
    reached = [row.name for row in others if row.relation not in ("above", "no map")]
    if reached:
        return f"the correlation is not shown to be higher than that of {and_listed(reached)}"
    if np.isnan(one.beside.resolution) and any(row.part == "shift" for row in one.beside.rows):
        return "moving one of the maps by two layers does not lower the correlation"
    if not others:
        return f"maps of untrained models correlate too, and none was compared; {REMEDY}"
    has = "leaves no effect" if len(others) == 1 else "leave no effects"
    names = and_listed([row.name for row in others])
    return f"maps of untrained models correlate too, and {names} {has} to make a map of; {REMEDY}"


def _n_layers(layers: float) -> str:
    return "one layer" if layers == 1 else f"{layers:g} layers"


def _reference(row: Reference) -> str:
    if row.relation == "no map":
        return f"{row.name}: no map"
    bound = f", bound {two_digits(row.high)}" if row.part == "twins" and not np.isnan(row.high) else ""
    words = {"reached": ", which is reached", "below": ", which is not reached"}.get(row.relation, "")
    return f"{row.name}: {two_digits(row.value)}{bound}{words}"
