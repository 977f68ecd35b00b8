"""The table for a paper: a row for each variant, for one component (`spiritlens.report.paper.formats` writes it).

``=`` says that nothing of that modality was changed, ``–`` that there is no number. Numbers in brackets are intervals.
"""

from collections.abc import Sequence

import numpy as np

from spiritlens.comparison.estimates import Estimate
from spiritlens.report.paper.formats import NONE, number_text
from spiritlens.studies.pairs import KINDS
from spiritlens.studies.sensitivity.variant_result import VariantResult

HEADER = (
    *("variant", "facts", "r, T2T", "r, S2T", "total, T2T", "total, S2T", "peak, T2T", "peak, S2T"),
    *("crossing, T2T", "crossing, S2T", "r between", "crossing, S2T − T2T"),
)
SAME = "="


def paper_rows(results: Sequence[VariantResult], component: str) -> list[tuple[str, ...]]:
    """Header and rows of the variants that have the component."""
    there = [one for one in results if any(name == component for _, name in one.changes)]
    return [HEADER, *(_row(one, component) for one in there)]


def _row(one: VariantResult, component: str) -> tuple[str, ...]:
    changes = [one.changes.get((kind, component)) for kind in KINDS]
    cells: list[str] = []
    for name in ("agreement", "total", "peak", "crossing"):
        digits = 1 if name in ("peak", "crossing") else 2
        for kind, change in zip(KINDS, changes, strict=True):
            found = NONE if change is None else _shown(getattr(change, name), digits)
            cells.append(SAME if kind in one.same else found)
    facts = "/".join(str(change.n_facts if change is not None else 0) for change in changes)
    gap = one.gaps.get(component)
    between = (NONE, NONE) if gap is None else (_shown(gap.agreement, 2), _shown(gap.crossing, 1))
    return (one.variant.name, facts, *cells, *between)


def _shown(estimate: Estimate, digits: int) -> str:
    if np.isnan(estimate.value):
        return NONE
    ends = (estimate.value, estimate.low, estimate.high)
    value, low, high = (number_text(one, digits) for one in ends)
    return value if np.isnan(estimate.low) else f"{value} [{low}, {high}]"
