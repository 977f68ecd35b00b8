"""Shares of each fact's own effect: what a cell restores of what the corruption took away, fact by fact.

Facts differ in how much there is to restore. In units of the *mean* total effect a fact of large effect outweighs the
others, and a cell that holds everything in writing and nothing in speech, in every fact, is found in few studies. A
share IE / TE of the fact's own total effect counts every fact the same.

A share of nothing is noise: facts whose total effect is below `smallest_total_effect` in either modality are left out,
and the number of facts is told by cell. The threshold is in the metric's own unit.

Axes: ``fact``, then any cells. Units: shares of the total effect. Statistics of this project's own.
"""

from typing import Any

import numpy as np

from spiritlens.effects.clusters import Array


def fact_shares(values: Any, totals: Any, smallest: float) -> Array:
    """IE / TE of each fact [fact …], of `values` [fact …] and `totals` [fact]; NaN where TE < `smallest`.

    Raises ValueError for a `smallest` that is not above 0, or totals that do not fit.
    """
    values, totals = np.asarray(values, dtype=np.float64), np.asarray(totals, dtype=np.float64)
    if not smallest > 0:
        raise ValueError(f"smallest={smallest:g}: expected a number > 0, in the metric's unit")
    if totals.shape != values.shape[:1]:
        raise ValueError(f"{totals.shape} totals of {values.shape[0]} facts: give one total effect for each fact")
    usable = np.where(totals >= smallest, totals, np.nan)
    return np.asarray(values / usable.reshape(-1, *(1 for _ in values.shape[1:])))


def share_differences(values: Any, totals: Any, smallest: float) -> Array:
    """Second − first modality's shares of each fact [fact …], of `values` [modality fact …], `totals` [modality fact].

    NaN where the fact lacks the cell, or a total effect of `smallest`, in either. Raises ValueError as `fact_shares`.
    """
    first, second = (fact_shares(one, total, smallest) for one, total in zip(values, totals, strict=True))
    second -= first
    return second
