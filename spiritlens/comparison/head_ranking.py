"""Ranking heads by any measure ``[layer head]``, and how far two rankings agree.

A measure may be an average effect, a direct logit attribution, an attention mass. Rankings go from the largest value
to the smallest (by="magnitude": from the largest absolute value); heads that were not measured (NaN) are left out.

*Overlap at k*: how many of the first k heads of one ranking are among the first k of the other, beside what chance
gives (k² / number of heads) and the probability of at least that many by chance (hypergeometric). *Spearman* compares
all heads.

*Chance* is that of two rankings which have nothing to do with each other. Two modalities in one model are never so: in
models of random weights, which recall nothing, the same heads lead in both (5 of 6 such models have a hypergeometric
p ≤ 0.05). So give *twins*: the two measures of each of several untrained models of the same shape. Their overlap is the
floor, and the p that counts is the share of twins that reach the model's own, itself counted with them (a Monte Carlo
test: Barnard 1963); with k twins it is never below 1 / (k + 1), so 19 are needed for 0.05.
"""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from spiritlens.arguments import check_choice, listed, shown, told_keywords, whole

By = Literal["value", "magnitude"]


@told_keywords
def rank(measure: xr.DataArray, top: int | None = None, by: By = "value") -> pd.DataFrame:
    """A table of heads with columns ``rank layer head name value`` from a measure with the axes ``layer head``.

    Returns it with the largest first, by value or by magnitude; a plain sort, this project's. Raises ValueError for
    other axes.
    """
    table = _flat(measure, "measure")
    check_choice("by", by, By)
    top = None if top is None else whole("top", top, at_least=1)
    order = table["value"] if by == "value" else table["value"].abs()
    table = table.loc[order.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table if top is None else table.head(top)


@told_keywords
def overlap(
    first: xr.DataArray,
    second: xr.DataArray,
    top: int = 10,
    by: By = "value",
    twins: Iterable[tuple[xr.DataArray, xr.DataArray]] = (),
) -> pd.Series:
    """Agreement of two measures ``[layer head]``: shared heads among the first `top`, chance level, p, Spearman.

    `twins` are the two measures of each of several untrained models of the same shape. Returns a series of these
    numbers; ``p`` is that of unrelated rankings (hypergeometric), ``p_twins`` and ``spearman_p_twins`` are shares of
    the ``twins`` that agree as much, NaN without any, beside their means ``shared_twins`` and ``spearman_twins``.
    Source: see `spiritlens.comparison.head_ranking`. Raises ValueError for measures of different heads.
    """
    top = whole("top", top, at_least=1)
    own = _overlap(first, second, top, by)
    others = [
        _overlap(*_given_twin(place, twin), top, by) for place, twin in enumerate(listed("twins", twins, empty=True))
    ]
    strange = [int(one["heads"]) for one in others if one["heads"] != own["heads"]]
    if strange:
        raise ValueError(
            f"a twin has {strange[0]} heads measured, the model {own['heads']}: give twins of the same shape"
        )
    return pd.concat([own, _beside_twins(own, others)])


def _overlap(first: xr.DataArray, second: xr.DataArray, top: int, by: By) -> pd.Series:
    both = _shared(first, second, ("_first", "_second"), by)
    n_heads, size = len(both), min(top, len(both))
    best = [set(both.nsmallest(size, f"rank_{side}")["name"]) for side in ("first", "second")]
    shared = len(best[0] & best[1])
    correlation = stats.spearmanr(both["value_first"], both["value_second"]).statistic
    return pd.Series(
        {
            "top": size,
            "shared": shared,
            "chance": size**2 / n_heads,
            "jaccard": shared / len(best[0] | best[1]),
            "p": float(stats.hypergeom.sf(shared - 1, n_heads, size, size)),
            "spearman": float(correlation),
            "heads": n_heads,
            "names": ", ".join(sorted(best[0] & best[1])),
        }
    )


def _beside_twins(own: pd.Series, twins: list[pd.Series]) -> pd.Series:
    """Means of the twins, and shares of twins and the model itself that agree as much as the model."""
    numbers: dict[str, float] = {"twins": len(twins)}
    for name, p_value in (("shared", "p_twins"), ("spearman", "spearman_p_twins")):
        found = np.array([float(one[name]) for one in twins])
        numbers[f"{name}_twins"] = float(found.mean()) if twins else float("nan")
        reached = int((found >= float(own[name]) - 1e-12).sum())
        numbers[p_value] = (1 + reached) / (1 + len(twins)) if twins else float("nan")
    return pd.Series(numbers, dtype=object)


def _given_twin(place: int, twin: Any) -> tuple[xr.DataArray, xr.DataArray]:
    found = (twin,) if isinstance(twin, xr.DataArray) else listed(f"twins[{place}]", twin)
    if len(found) != 2:
        raise ValueError(
            f"twins[{place}] has {len(found)} measures: expected the two of one untrained model, as [(first, second)]"
        )
    return found[0], found[1]


@told_keywords
def compare_rankings(first: xr.DataArray, second: xr.DataArray, names: tuple[str, str], top: int = 10) -> pd.DataFrame:
    """The first `top` heads of either measure, side by side: value and rank in both (``names`` name the columns).

    Returns a table by head. Raises ValueError where they share fewer than two heads.
    See `spiritlens.comparison.head_ranking` for the statistics.
    """
    top = whole("top", top, at_least=1)
    names = _given_names(names)
    joined = _shared(first, second, (f" {names[0]}", f" {names[1]}"))
    ranks = joined[[f"rank {name}" for name in names]]
    chosen = joined.loc[ranks.min(axis=1) <= top]
    return chosen.sort_values(f"rank {names[0]}").reset_index(drop=True)


def _shared(first: xr.DataArray, second: xr.DataArray, suffixes: tuple[str, str], by: By = "value") -> pd.DataFrame:
    """Both rankings beside each other, over the heads that both measured."""
    for name, measure in (("first", first), ("second", second)):
        _flat(measure, name)
    one, other = rank(first, by=by), rank(second, by=by)
    both = one.merge(other, on=["layer", "head", "name"], suffixes=suffixes)
    if len(both) < 2:
        raise ValueError(f"the two measures share {len(both)} heads; at least 2 are needed to compare them")
    return both


def _given_names(names: tuple[str, str]) -> tuple[str, str]:
    found = listed("names", names, of=str)
    if len(found) != 2 or found[0] == found[1]:
        raise ValueError(f"names={found}: expected two different ones, such as ('T2T', 'S2T')")
    return found[0], found[1]


def _flat(measure: Any, name: str) -> pd.DataFrame:
    """Heads that were measured, one row each."""
    if not isinstance(measure, xr.DataArray):
        remedy = "choose one of its variables, such as dataset['heads'].isel(prompt=0)"
        raise ValueError(
            f"{name}={shown(measure, 40)} ({type(measure).__name__}): expected a DataArray with the axes layer and head"
            + (f"; {remedy}" if isinstance(measure, xr.Dataset) else "")
        )
    if set(measure.dims) != {"layer", "head"}:
        raise ValueError(
            f"a measure has the axes layer and head, found {measure.dims}; select or average the others first"
        )
    numbers = [measure.dtype.kind, *(measure[axis].dtype.kind for axis in ("layer", "head"))]
    if numbers[0] not in "iuf" or not set(numbers[1:]) <= set("iu"):
        raise ValueError(
            f"{name} holds {measure.dtype} over layers {measure['layer'].dtype} and heads {measure['head'].dtype}: "
            "expected numbers over layers and heads that are whole numbers"
        )
    values = measure.transpose("layer", "head")
    rows = [
        {"layer": int(layer), "head": int(head), "name": f"L{int(layer)}H{int(head)}", "value": float(value)}
        for layer, row in zip(values["layer"].values, values.values, strict=True)
        for head, value in zip(values["head"].values, row, strict=True)
        if not np.isnan(value)
    ]
    if not rows:
        raise ValueError("no head was measured: all values are NaN")
    return pd.DataFrame(rows)
