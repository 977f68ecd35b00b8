"""Where along the layers an effect lies: its centre of mass, signed; its peak, told only where there is one.

**Centre.** Σ l m_l / Σ m_l over the layers l of a curve m, nothing clipped. Were effects below 0 set to 0, the noise of
empty layers would count as mass everywhere and draw the centre towards the middle of the model, the more the weaker the
effect: two modalities of unequal strength would seem to lie in different layers. Noise of either sign cancels.

**Peak.** The layer of the largest mean. On a plateau that is the arg-max of rounding, so a peak is told only where
every layer that is *as high* lies next to it. A layer is as high where the mean difference from the peak, fact by
fact, is no larger than its standard error (over clusters), or than the smallest effect that is one (`floor`).

**Layers of a window.** Where several neighbouring layers are patched together, a cell stands for the middle of those
that were: a window of even length lies half a layer lower than the layer it is named after, and one that is cut off at
either end of the model lies inside.

Axes: curves [draw layer], ``draw`` a bootstrap draw; values [fact layer]; ``layers`` the layer that each stands for.
NaN: not measured, passed over. Units: layers. Statistics of this project's own.
"""

from typing import Any

import numpy as np
import xarray as xr

from spiritlens.effects.clusters import Array, cluster_codes, cluster_sums
from spiritlens.effects.intervals import cluster_moments
from spiritlens.effects.schema import window_of


def centres(curves: Array, layers: Any) -> Array:
    """Signed centre of mass of each curve [draw], in the units of `layers` [layer]; NaN where no mass is above 0.

    It may lie outside the model where a curve has large parts of either sign.
    """
    mass = np.nan_to_num(curves)
    total = mass.sum(axis=1)
    return np.asarray(mass @ np.asarray(layers, dtype=np.float64) / np.where(total > 0, total, np.nan))


def peaks(curves: Array, layers: Any) -> Array:
    """Layer of the largest value of each curve [draw], in the units of `layers` [layer]; NaN where none is above 0."""
    filled = without_gaps(curves)
    places = filled.argmax(axis=1)
    highest = filled[np.arange(len(filled)), places]
    return np.asarray(np.where(highest > 0, np.asarray(layers, dtype=np.float64)[places], np.nan))


def without_gaps(curves: Array) -> Array:
    """The curves with −∞ where they were not measured: lower than any value."""
    missing = np.isnan(curves)
    return np.where(missing, -np.inf, curves) if missing.any() else curves


def as_high_as_the_peak(values: Array, clusters: Any, floor: float = 0.0) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Layers whose mean cannot be told from the largest mean [layer], of `values` [fact layer].

    That is: the mean of (value at the peak − value there) over facts is at most `floor`, or its standard error.
    """
    codes, n = cluster_codes(clusters)
    means = cluster_sums(values, codes, n).means
    if np.isnan(means).all():
        return np.zeros(values.shape[1], dtype=bool)
    below = cluster_sums(values[:, [int(np.nanargmax(means))]] - values, codes, n)
    reach = np.maximum(np.sqrt(np.nan_to_num(cluster_moments(below).variance)), floor)
    with np.errstate(invalid="ignore"):
        return np.asarray(below.means <= reach)


def has_a_peak(values: Array, clusters: Any, floor: float = 0.0) -> bool:
    """Whether a curve has one peak, above `floor`: the layers as high as the peak are itself and its neighbours.

    `values` [fact layer]; `clusters` labels [fact]. False on a plateau, and where nothing is above the floor.
    """
    means = cluster_sums(values, *cluster_codes(clusters)).means
    if not (np.nan_to_num(means, nan=-np.inf) > floor).any():
        return False
    peak = int(np.nanargmax(means))
    high = np.flatnonzero(as_high_as_the_peak(values, clusters, floor))
    return bool((np.abs(high - peak) <= 1).all())


def window_centres(effects: xr.Dataset, component: str) -> Array:
    """The middle of the layers that were patched together at each traced layer [layer]: whole or half numbers."""
    spans = [window_of(effects, component, int(layer)) for layer in effects["layer"].values]
    return np.asarray([(first + last) / 2 for first, last in spans], dtype=np.float64)
