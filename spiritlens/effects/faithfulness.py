"""Faithfulness: how much of the recall is left when only the first parts of a ranking are kept, and areas under it.

1. **Curve.** f(k) = (m(C_k) − m(∅)) / (m(N) − m(∅)): m is the metric's mean over facts, N the model, ∅ the model
   without any part, C_k the first k parts of the ranking. f is 0 without any and 1 with all; it may leave this range.
2. **Areas** over k / number of parts, by trapezoids: CPR = area under f (how soon the recall is back; the larger the
   better the ranking), CMD = area under ``|1 − f|`` (how far the kept part of the model is from the whole; the smaller
   the better).
3. **Where the own ranking suffices.** Areas weigh all sizes alike, and two heads of 32 that only one modality has
   hardly show in them: k* is the smallest size at which the ranking of the modality that is tested reaches f ≥ 0.8, and
   f(k*) is told for every ranking.
4. **Beside it** stand the same ranking reversed (its first parts removed: f of the reversed ranking at all − k) and
   orders of chance (the mean of their f, CPR and CMD), and for a ranking that was found in the other modality that
   modality's own: what it misses of it is what the two do not share.
5. **Intervals** are over facts, in clusters by subject (`spiritlens.effects.intervals`). f is a ratio of means, so a
   fact's share in it is its influence (n − f d) / mean(d) + f, with n = m(C_k) − m(∅) and d = m(N) − m(∅) of that fact:
   its mean is f, and its spread that of the ratio. Rankings are taken as they are: the interval does not say how
   another half of facts would have ranked, and k* is taken from the facts that it is told of.
6. **None** where there is no recall to keep: m(N) − m(∅) is not above ten times the noise floor, or its interval holds
   0.

Directions are written ``T2T→S2T``: ranked in writing, kept in speech. Every fact counts once, whatever its prompts.

Source: Hanna et al. 2024 (arXiv 2403.17806), section 3; Mueller et al. 2025, MIB (arXiv 2504.13151), section 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from spiritlens.arguments import number, told_keywords
from spiritlens.effects.clusters import Array
from spiritlens.effects.given import given_dataset
from spiritlens.effects.interchange import FOUND_IN, INTERCHANGE_SCHEMA, RANDOM, REVERSED, check_interchange
from spiritlens.effects.intervals import MeanInterval, cluster_interval
from spiritlens.effects.making import new_attributes, text_array
from spiritlens.effects.measures import FAITHFULNESS_SCHEMA
from spiritlens.effects.statistics import fact_names, subject_names

RANKINGS = ("ranked", "reversed", "random")
ENOUGH = 0.8
"""A ranking that reaches this faithfulness suffices."""
AT_ENOUGH = "f(k*)"
BETTER = {"CPR": 1, "CMD": -1, AT_ENOUGH: 1}
"""+1 where more of a measure is better, −1 where less is: rankings are compared by how much better they are."""
FLOORS = 10
"""A total that is not so many times the noise floor is none."""
NO_RECALL = "no recall to keep"
DIRECTIONS = tuple(f"{found}→{kept}" for found in FOUND_IN for kept in (found, *(k for k in FOUND_IN if k != found)))


@dataclass(frozen=True, eq=False)
class OfFacts:
    """One modality's facts: `gained` ``[fact ranking size]`` and `total` ``[fact]`` above the model without any part,
    signed; their subjects, and why there is no faithfulness ("": there is)."""

    gained: Array
    total: Array
    subjects: Any
    why: str


@told_keywords
def faithfulness(interchanged: xr.Dataset, confidence: float = 0.95) -> xr.Dataset:
    """Faithfulness curves of an interchange, with intervals over facts.

    Returns ``f low high [direction ranking size]`` (schema ``spiritlens.faithfulness/1``), the rankings being
    ``ranked``, ``reversed`` and ``random``; ``why [direction]`` says why there is none. Raises ValueError for what
    `interchange` did not return. Source: see `spiritlens.effects.faithfulness`.
    """
    dataset = _given(interchanged)
    confidence = number("confidence", confidence, above=0, below=1)
    facts = {kind: _of_facts(dataset, kind, confidence) for kind in FOUND_IN}
    names = dataset["ranking"].values.tolist()
    shape = (len(DIRECTIONS), len(RANKINGS), dataset.sizes["size"])
    f, low, high = (np.full(shape, np.nan) for _ in range(3))
    for row, direction in enumerate(DIRECTIONS):
        found, kept = direction.split("→")
        if facts[kept].why:
            continue
        for column, ranking in enumerate(RANKINGS):
            shares = _shares(facts[kept], _chosen(names, found, ranking)).mean(axis=1)
            interval = cluster_interval(shares, facts[kept].subjects, confidence=confidence)
            f[row, column], low[row, column], high[row, column] = shares.mean(axis=0), interval.low, interval.high
    axes = ("direction", "ranking", "size")
    kept_in = [direction.split("→")[1] for direction in DIRECTIONS]
    return xr.Dataset(
        {"f": (axes, f), "low": (axes, low), "high": (axes, high)},
        coords={
            "direction": text_array(DIRECTIONS),
            "ranking": text_array(RANKINGS),
            "size": dataset["size"].values,
            "n_facts": ("direction", np.array([len(facts[kind].total) for kind in kept_in])),
            "why": ("direction", text_array([facts[kind].why for kind in kept_in])),
        },
        attrs=new_attributes(FAITHFULNESS_SCHEMA, {**dataset.attrs, "schema": FAITHFULNESS_SCHEMA}),
    )


@told_keywords
def faithfulness_areas(interchanged: xr.Dataset, confidence: float = 0.95) -> pd.DataFrame:
    """A table of areas, one row for each direction and ranking (``ranked``, ``reversed``, ``random``).

    Returns columns ``direction ranking facts``, ``k*`` (how many parts suffice by the own ranking), then ``CPR``,
    ``CMD`` and ``f(k*)``, each with ``low`` and ``high`` over facts. ``ranked`` rows also tell how much better they are
    than random (``CPR above random``, ``CMD below random``, ``f(k*) above random``) and, where the ranking is the other
    modality's, worse than the own one on the same facts (``CPR below own``, ``CMD above own``, ``f(k*) below own``).
    ``why`` says why there is none. Raises ValueError for what `interchange` did not return. Source: see
    `spiritlens.effects.faithfulness`.
    """
    dataset = _given(interchanged)
    confidence = number("confidence", confidence, above=0, below=1)
    facts = {kind: _of_facts(dataset, kind, confidence) for kind in FOUND_IN}
    names, shares = dataset["ranking"].values.tolist(), dataset["size"].values / dataset.sizes["part"]
    rows = []
    for direction in DIRECTIONS:
        found, kept = direction.split("→")
        of = facts[kept]
        by_own = _shares(of, _chosen(names, kept, "ranked"))
        enough = int(np.argmax(by_own.mean(axis=(0, 1)) >= ENOUGH))  # all parts reach it
        own = _measures(by_own, shares, enough)
        found_by = {which: _measures(_shares(of, _chosen(names, found, which)), shares, enough) for which in RANKINGS}
        for which, values in found_by.items():
            if which == "ranked":
                values = values | _compared(values, found_by["random"], "random")
            if which == "ranked" and found != kept:
                values = values | _compared(own, values, "own")
            row = {"direction": direction, "ranking": which, "facts": len(of.total), "k*": int(dataset["size"][enough])}
            rows.append(row | _with_intervals(values, of, confidence) | {"why": of.why})
    return pd.DataFrame(rows)


def _compared(
    better: Mapping[str, Array], worse: Mapping[str, Array], beside: Literal["random", "own"]
) -> dict[str, Array]:
    """How much better the one is than the other: ``CPR above random``, ``CMD above own`` …, each ≥ 0 if it is."""
    upward = "above" if beside == "random" else "below"
    downward = "below" if beside == "random" else "above"
    return {
        f"{name} {upward if sign > 0 else downward} {beside}": sign * (better[name] - worse[name])
        for name, sign in BETTER.items()
    }


def _with_intervals(values: Mapping[str, Array], of: OfFacts, confidence: float) -> dict[str, float]:
    """Each mean over facts with its interval; NaN where there is no recall."""
    cells: dict[str, float] = {}
    for name, shares in values.items():
        interval: MeanInterval = cluster_interval(shares, of.subjects, confidence=confidence)
        found = (shares.mean(), interval.low, interval.high)
        for column, value in zip((name, f"{name} low", f"{name} high"), found, strict=True):
            cells[column] = np.nan if of.why else float(value)
    return cells


def _given(interchanged: xr.Dataset) -> xr.Dataset:
    return check_interchange(given_dataset(interchanged, INTERCHANGE_SCHEMA, "interchanged"))


def _chosen(names: list[str], found: str, ranking: str) -> list[int]:
    """Numbers of the rankings that are meant: one, or those of chance."""
    if ranking == "random":
        return [number for number, name in enumerate(names) if name.startswith(RANDOM)]
    return [names.index(found + (REVERSED if ranking == "reversed" else ""))]


def _of_facts(dataset: xr.Dataset, kind: str, confidence: float) -> OfFacts:
    """Means over the prompts of each fact, above the model without any part."""
    chosen = dataset.isel(prompt=dataset["modality"].values == kind)
    sign = int(dataset.attrs["metric_sign"])
    names, subjects = fact_names(chosen), subject_names(chosen)
    facts, first = np.unique(names, return_index=True)
    if not len(facts):
        raise ValueError(f"interchanged holds no {kind} prompt: pass it as interchange returned it")
    member = (names == facts[:, None]).astype(float)
    member /= member.sum(axis=1, keepdims=True)
    gained = np.tensordot(member, sign * (chosen["kept"] - chosen["empty"]).values, axes=1)
    total = member @ (sign * (chosen["clean"] - chosen["empty"]).values)
    of_total = cluster_interval(total, subjects[first], confidence=confidence)
    nothing = total.mean() <= FLOORS * float(chosen["noise_floor"].max()) or bool(of_total.low <= 0)
    return OfFacts(gained, total, subjects[first], NO_RECALL if nothing else "")


def _shares(of: OfFacts, rankings: list[int]) -> Array:
    """The share of every fact in f ``[fact ranking size]``; their mean over facts is f."""
    gained, mean = of.gained[:, rankings], of.total.mean()
    f = gained.mean(axis=0) / (mean or 1.0)
    return np.asarray(f + (gained - f * of.total[:, None, None]) / (mean or 1.0))


def _measures(shares: Array, kept: Array, enough: int) -> dict[str, Array]:
    """Every fact's share in CPR, CMD and f(k*) ``[fact]``, means over rankings, of shares in f ``[fact ranking size]``
    at these shares of the parts ``[size]``; k* is the size at place `enough`.

    ``|1 − f|`` bends where f is 1; a fact's share in it goes with the side that f is on.
    """
    f = shares.mean(axis=0)
    away = np.abs(1 - f) - np.sign(1 - f) * (shares - f)
    areas = {
        name: np.trapezoid(values, kept, axis=-1).mean(axis=1) for name, values in (("CPR", shares), ("CMD", away))
    }
    return areas | {AT_ENOUGH: shares[:, :, enough].mean(axis=1)}
