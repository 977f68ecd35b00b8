"""The numbers of a comparison in tables, a row for each thing that its findings speak of."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from spiritlens.comparison.compared import Compared, Headline
from spiritlens.comparison.conditions import KIND_WORDS
from spiritlens.comparison.equivalence import Judged
from spiritlens.comparison.estimates import Estimate, two_digits
from spiritlens.comparison.result import Comparison
from spiritlens.comparison.said import Spot
from spiritlens.comparison.same_parts import ServedParts
from spiritlens.report.numerals import fixed, interval_of
from spiritlens.report.page.document import Table
from spiritlens.report.page.row_marks import row_mark

Row = tuple[Spot | None, Mapping[str, Any]]
"""A row and what it shows (None: nothing that a finding speaks of)."""


def compared_tables(name: str, comparison: Comparison) -> list[Table]:
    """All of them, under the name of the comparison; all but that of the maps are folded."""
    found = [
        _table(f"Agreement and shifts: {name}", _maps(comparison), folded=False),
        _table(f"Share of the effect by role: {name}", _shares(comparison)),
        _table(f"Total effects: {name}", _totals(comparison)),
        _table(f"Facts that were compared: {name}", _facts(comparison)),
        _table(f"Cells that differ: {name}", _cells(comparison)),
        _table(f"Where the effect passes from the subject: {name}", _crossings(comparison)),
        *(
            [_table(f"In the {comparison.second.words}: {name}", _second(comparison.second))]
            if comparison.second
            else []
        ),
        *([served_table(name, comparison.served, folded=True)] if comparison.served else []),
    ]
    return [one for one in found if len(one.frame)]


def served_table(name: str, served: Sequence[ServedParts], *, folded: bool) -> Table:
    """What the parts of one modality do in the other, a row for each number of each direction."""
    return _table(
        f"Parts of one modality in the other: {name}", [row for one in served for row in _served(one)], folded
    )


def _table(caption: str, rows: Sequence[Row], folded: bool = True) -> Table:
    marks = ["" if spot is None else row_mark(spot) for spot, _ in rows]
    return Table(caption, pd.DataFrame([row for _, row in rows]), folded=folded, marks=marks)


def _maps(comparison: Comparison) -> list[Row]:
    return [
        (Spot("map", component=one.component, metric=comparison.metric), row)
        for one, row in zip(comparison.components, comparison.table(), strict=True)
    ]


def _shares(comparison: Compared) -> list[Row]:
    first, second = comparison.kinds
    names = (first, second, f"{second} − {first}")
    return [
        (None, {"component": one.component, "role": role, **_named(names, three)})
        for one in comparison.components
        for role, three in one.shares.items()
    ]


def _named(names: Sequence[str], values: Sequence[Estimate]) -> dict[str, str]:
    return dict(zip(names, map(repr, values), strict=True))


def _totals(comparison: Compared) -> list[Row]:
    kinds = (*comparison.kinds, "difference")
    values = (*comparison.total, comparison.total_difference)
    return [
        (Spot("total effects", kind=kind, metric=comparison.metric), {"of": kind, "total effect": repr(value)})
        for kind, value in zip(kinds, values, strict=True)
    ]


def _facts(comparison: Compared) -> list[Row]:
    counts = {"facts": comparison.n_facts, "subjects": comparison.n_subjects, "facts left out": comparison.n_left_out}
    rows = {name: str(count) for name, count in counts.items()}
    for one, among in zip(comparison.identity, ("all facts", "facts of the same relation"), strict=True):
        rows[f"a fact's own map fits better, among {among}"] = one.why or (
            f"similarity {two_digits(one.same)} to itself, {two_digits(one.others)} to others, p = {fixed(one.p, 3)}"
        )
    return [(Spot("facts"), {"what": what, "value": value}) for what, value in rows.items()]


def _cells(comparison: Compared) -> list[Row]:
    """The cells that differ, largest first."""
    cells = comparison.cells.transpose("component", "layer", "role")
    places = np.argwhere(cells["verdict"].values == "different")
    sizes = [-abs(float(cells["difference"].values[tuple(place)])) for place in places]
    rows: list[Row] = []
    for place in places[np.argsort(sizes, kind="stable")]:
        cell = cells.isel(dict(zip(("component", "layer", "role"), map(int, place), strict=True)))
        at = {name: str(cell[name].values) for name in ("component", "role", "layer")}
        value = interval_of(*(float(cell[name]) for name in ("difference", "low", "high")))
        numbers = {"difference": value, "p": fixed(float(cell["p_value"]), 3), "facts": str(int(cell["n_facts"]))}
        rows.append((Spot("cells", metric=comparison.metric, **at), {**at, **numbers}))
    return rows


def _crossings(comparison: Compared) -> list[Row]:
    return [
        (
            Spot("crossing", kind=kind, component=one.component, metric=comparison.metric),
            {"component": one.component, "of": kind, "to": taken.role, "layer": repr(taken.layer)},
        )
        for one in comparison.components
        for kind, taken in zip(comparison.kinds, one.taken_over, strict=True)
        if taken.role
    ]


def _second(other: Headline) -> list[Row]:
    totals = Spot("total effects", kind="difference", metric=other.metric)
    rows: list[Row] = [(totals, {"what": "difference of total effects", "value": _judged(other.total_difference)})]
    if other.centre is not None:
        centre = Spot("centre", component=other.component, metric=other.metric)
        words = f"centre of {other.component} at the subject, in layers"
        rows.append((centre, {"what": words, "value": _judged(other.centre)}))
    count = f"{other.n_different} of {other.n_tested}"
    return [*rows, (Spot("map", metric=other.metric), {"what": "cells that differ", "value": count})]


def _judged(judged: Judged) -> str:
    return f"{Estimate(judged.value, judged.low, judged.high)} {judged.verdict}".strip()


def _served(one: ServedParts) -> list[Row]:
    where, origin = KIND_WORDS[one.kept], KIND_WORDS[one.found]
    start = {"kept": where, "ranked": origin}
    if one.why:
        return [(Spot("parts", kind=one.kept), {**start, "what": "not tested", "value": one.why})]
    first = f"the first {one.enough} of {one.n_parts} {one.parts}"
    return [
        (
            Spot("parts", kind=one.kept),
            {**start, "what": f"{one.parts} kept", "value": f"{one.enough} of {one.n_parts}"},
        ),
        (Spot("kept", kind=one.kept), {**start, "what": f"recall that {first} keep", "value": repr(one.f)}),
        (
            Spot("beyond random", kind=one.kept),
            {**start, "what": "more than random ones", "value": repr(one.beyond_random)},
        ),
        (
            Spot("below own", kind=one.kept),
            {**start, "what": f"less than those ranked {where}", "value": repr(one.less)},
        ),
    ]
