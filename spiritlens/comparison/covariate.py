"""Is the difference between two modalities one of what was heard? Total effects beside a covariate of the prompts.

For each fact, d is its total effect in the second modality minus that in the first (S2T − T2T), and x a number that a
recogniser gave its spoken prompts (``word_error``, ``subject_word_error``, ``subject_units_changed``), averaged over
phrasings and voices. Over facts, least squares fit

    d = at zero + slope · x

*slope* is the difference that goes with one unit more of x (one error per word), *at zero* the difference adjusted to x
= 0, as if every prompt were heard right. It is an adjustment by a straight line over facts that differ in other ways as
well, no effect of hearing; where no fact has x = 0 it is an extrapolation, and `least` says how far.

Units: those of the metric. Intervals: by leaving out one subject at a time, corrected for skewness as those of means
(`spiritlens.effects.intervals`); none where the slope rests on one subject, or of fewer than six. Percentiles of a
bootstrap held 86 to 97 % of simulated slopes and differences at zero, these 90 to 99 %. Source: ordinary least squares
with clusters (Cameron, Gelbach & Miller 2008, Review of Economics and Statistics 90(3)).
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from spiritlens.arguments import check_choice, listed, number, shown, told_keywords
from spiritlens.comparison.estimates import Estimate
from spiritlens.effects.clusters import Array, Whole, cluster_codes
from spiritlens.effects.given import given_traces
from spiritlens.effects.intervals import jackknife_interval, left_out_means
from spiritlens.effects.quantities import total
from spiritlens.effects.statistics import fact_means, subject_names
from spiritlens.terms import MODALITIES

Covariate = Literal["word_error", "subject_word_error", "subject_units_changed", "subject_share_changed"]
"""What a recogniser measures of a spoken prompt: errors per word of all and of the subject, units of the subject that
its word times would change, and their share."""


@dataclass(frozen=True)
class Adjusted:
    """A mean difference over facts, its slope on a covariate, and the difference adjusted to a covariate of 0.

    `difference` is of the same `n_facts` facts, those whose covariate was measured; `least` is the smallest covariate
    among them. Where all have one value there is no slope, and `at_zero` is the difference if that value is 0.
    """

    difference: Estimate
    slope: Estimate
    at_zero: Estimate
    least: float
    n_facts: int
    n_subjects: int
    n_unmeasured: int


def adjusted_difference(
    differences: Any,
    covariate: Any,
    subjects: Any,
    *,
    confidence: float = 0.95,
) -> Adjusted:
    """Fit differences [fact] on a covariate [fact] by least squares; facts without either number are left out.

    `subjects` [fact] names what is left out together. Returns the estimates with their intervals. Raises ValueError
    where no fact has both numbers, or the three differ in length.
    """
    y, x = np.asarray(differences, dtype=np.float64), np.asarray(covariate, dtype=np.float64)
    names = np.asarray(subjects)
    if not y.shape == x.shape == names.shape or y.ndim != 1:
        raise ValueError(
            f"shapes {y.shape}, {x.shape} and {names.shape}: give one difference, number and subject a fact"
        )
    there = np.isfinite(y) & np.isfinite(x)
    if not there.any():
        raise ValueError(
            f"none of {len(y)} facts has a difference and a covariate: let recognise(...) measure it first"
        )
    y, x, names = y[there], x[there], names[there]
    codes, n_subjects = cluster_codes(names)
    sizes = np.bincount(codes, minlength=n_subjects).astype(np.float64)
    found = np.stack(_fits(y, x, codes, n_subjects), axis=1)  # [all, then without each subject; estimate]
    low, high = jackknife_interval(found, sizes, confidence)
    mean, slope, zero = (Estimate(*each) for each in np.stack([found[0], low, high], axis=1).tolist())
    return Adjusted(mean, slope, zero, float(x.min()), len(y), len(sizes), int((~there).sum()))


@told_keywords
def difference_by(
    effects: xr.Dataset,
    covariate: Covariate = "word_error",
    *,
    kinds: tuple[str, str] = ("T2T", "S2T"),
    metric: str | None = None,
    confidence: float = 0.95,
) -> Adjusted:
    """The difference of total effects, second − first modality, by what a recogniser heard of the second's prompts.

    Facts are those known in both modalities. Returns slope, adjusted difference and their intervals (a statistic of
    this project's own). Raises ValueError where no fact is known in both or none was recognised.
    """
    effects = given_traces(effects)
    check_choice("covariate", covariate, Covariate)
    kinds = _given_kinds(kinds)
    confidence = number("confidence", confidence, above=0, below=1)
    metrics = effects["metric"].values.tolist()
    metric = metrics[0] if metric is None else metric
    if metric not in metrics:
        raise ValueError(f"metric={shown(metric)} was not traced; choose from {', '.join(metrics)}")
    if covariate not in effects.coords:
        raise ValueError(f"these effects have no {covariate}: trace prompts of recognise(...), which measures it")
    totals = fact_means(total(effects).sel(metric=metric), by=("modality",))
    measured = fact_means(effects[covariate].reset_coords(drop=True).assign_coords(_about(effects)), by=("modality",))
    places = [_places(totals, kind) for kind in kinds]
    shared = [fact for fact in places[0] if fact in places[1]]
    if not shared:
        raise ValueError(f"no fact is known in both {kinds[0]} and {kinds[1]}: see the accuracy table")
    first, second = ([where[fact] for fact in shared] for where in places)
    return adjusted_difference(
        totals.values[second] - totals.values[first],
        measured.values[second],
        subject_names(totals)[second],
        confidence=confidence,
    )


def _about(effects: xr.Dataset) -> dict[str, xr.DataArray]:
    """Coordinates of prompts."""
    return {str(name): array for name, array in effects.coords.items() if array.dims == ("prompt",)}


def _given_kinds(kinds: tuple[str, str]) -> tuple[str, str]:
    found = listed("kinds", kinds, of=str)
    if len(found) != 2 or found[0] == found[1] or not set(found) <= set(MODALITIES):
        raise ValueError(f"kinds={found}: expected two different ones of {', '.join(MODALITIES)}")
    return found[0], found[1]


def _places(per_fact: xr.DataArray, kind: str) -> dict[str, int]:
    chosen = np.nonzero(per_fact["modality"].values == kind)[0]
    return {str(per_fact["fact_id"].values[place]): int(place) for place in chosen}


def _fits(y: Array, x: Array, codes: Whole, n_subjects: int) -> tuple[Array, Array, Array]:
    """Mean of y, slope and value at x = 0, of all facts and without each subject [row]; NaN where x does not vary."""
    centre_y, centre_x = y.mean(), x.mean()
    apart_y, apart_x = y - centre_y, x - centre_x
    moments = np.stack([apart_y, apart_x, apart_x**2, apart_x * apart_y], axis=1)
    mean_y, mean_x, squares, products = left_out_means(moments, codes, n_subjects).T
    spread, shared = squares - mean_x**2, products - mean_x * mean_y
    varies = spread > 1e-12 * max(1.0, float(np.square(x).max()))
    slopes = np.where(varies, shared / np.where(varies, spread, 1.0), np.nan)
    mean_y, mean_x = mean_y + centre_y, mean_x + centre_x
    zeros = np.where(varies, mean_y - slopes * mean_x, np.where(np.abs(mean_x) < 1e-12, mean_y, np.nan))
    return mean_y, slopes, zeros
