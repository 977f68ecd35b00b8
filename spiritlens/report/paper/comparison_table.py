"""A comparison as a table: total effects, agreement, layers, shares by role and the cells that differ, with n.

A row is one number: in the first modality, in the second, and between them (a difference, second − first, or the
correlation r of two maps), each with its interval; n, the facts that it is of; and what is said of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from spiritlens.comparison.estimates import Estimate
from spiritlens.comparison.result import Comparison
from spiritlens.comparison.statistics import STATISTICS, ComponentComparison
from spiritlens.report.paper.formats import interval_text

NO_NUMBER = Estimate(float("nan"))


@dataclass(frozen=True)
class NumberRow:
    """One number of a comparison; NaN in the modalities where only something between them is told."""

    component: str
    number: str
    first: Estimate
    second: Estimate
    between: Estimate
    n_facts: int
    said: str = ""


def comparison_frame(comparison: Comparison) -> pd.DataFrame:
    """Every number: columns `component number`, value, `low` and `high` of either modality and between, `n_facts said`.

    All compared cells are in it, not only those that differ.
    """
    sides = (*comparison.kinds, "between")
    rows: list[dict[str, str | float]] = []
    for row in (*_rows(comparison), *_cells(comparison, every=True)):
        numbers: dict[str, float] = {}
        for side, one in zip(sides, (row.first, row.second, row.between), strict=True):
            numbers |= {side: one.value, f"{side} low": one.low, f"{side} high": one.high}
        about = {"component": row.component, "number": row.number}
        rows.append({**about, **numbers, "n_facts": row.n_facts, "said": row.said})
    return pd.DataFrame(rows)


def comparison_rows(comparison: Comparison, digits: int) -> list[tuple[str, ...]]:
    """Header and rows; of the cells those that differ."""
    first, second = comparison.kinds
    header = ("component", "number", first, second, "between", "n", "said")
    rows: list[tuple[str, ...]] = [header]
    for row in (*_rows(comparison), *_cells(comparison, every=False)):
        numbers = (interval_text(one.value, one.low, one.high, digits) for one in (row.first, row.second, row.between))
        rows.append((row.component, row.number, *numbers, str(row.n_facts), row.said))
    return rows


def _rows(comparison: Comparison) -> Iterator[NumberRow]:
    """All numbers but those of the cells."""
    said, n = comparison.total_judged.verdict, comparison.n_facts
    words = f"total effect on the {comparison.metric_words}"
    yield NumberRow("all", words, *comparison.total, comparison.total_difference, n, said)
    for one in comparison.components:
        agreement = one.agreement
        yield NumberRow(
            one.component, "agreement (r)", NO_NUMBER, NO_NUMBER, one.r, agreement.n_facts, agreement.strength
        )
        yield from _layers(one, n)
        for role, (first, second, between) in one.shares.items():
            yield NumberRow(one.component, f"share at {role}", first, second, between, n)


def _layers(one: ComponentComparison, n_facts: int) -> Iterator[NumberRow]:
    for each in STATISTICS:
        if each.words:
            said = one.judged[each.name].verdict if each.name in one.judged else ""
            unit = f" ({each.unit})" if each.unit else ""
            estimate = one.estimates[each.name]
            yield NumberRow(one.component, f"{each.words}{unit}", NO_NUMBER, NO_NUMBER, estimate, n_facts, said)
    roles = " or ".join(dict.fromkeys(taken.role for taken in one.taken_over if taken.role))
    if roles:
        first, second = (taken.layer for taken in one.taken_over)
        yield NumberRow(one.component, f"layer of the hand-over to {roles}", first, second, NO_NUMBER, n_facts)


def _cells(comparison: Comparison, *, every: bool) -> Iterator[NumberRow]:
    """Differences of shares of the total effect, with the interval that holds for all cells at once."""
    cells = comparison.cells
    verdicts = cells["verdict"].values
    wanted = verdicts != "" if every else verdicts == "different"
    for place in zip(*np.nonzero(wanted), strict=True):
        cell = cells.isel(dict(zip(cells["verdict"].dims, (int(at) for at in place), strict=True)))
        value, low, high, p = (float(cell[name]) for name in ("difference", "low", "high", "p_value"))
        name = f"share of the cell {cell['role'].values}, layer {cell['layer'].values}"
        said = f"{cell['verdict'].values} (p = {p:.2g})"
        component = str(cell["component"].values)
        yield NumberRow(component, name, NO_NUMBER, NO_NUMBER, Estimate(value, low, high), int(cell["n_facts"]), said)
