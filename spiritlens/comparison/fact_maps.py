"""Two maps of each fact, one in each modality, as agreement and fact identity read them.

Axes: ``fact`` (one row a fact, its phrasings, voices and samples averaged), ``cell`` (component, role and layer, or
heads: whatever a map is made of). NaN: the fact has no such cell there. Clusters: what is one draw from the population,
the subject as a rule; facts of one cluster are never taken for two witnesses.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spiritlens.effects.clusters import Array

Names = np.ndarray[Any, np.dtype[np.str_]]


@dataclass(frozen=True, eq=False)
class FactMaps:
    """Maps of the same facts in two modalities: `first` and `second` [fact cell], `clusters` [fact].

    Raises ValueError where their shapes do not fit, or where there is no fact.
    """

    first: Array
    second: Array
    clusters: Names

    def __post_init__(self) -> None:
        shapes = (self.first.shape, self.second.shape)
        if shapes[0] != shapes[1] or self.first.ndim != 2:
            raise ValueError(f"maps of {shapes[0]} and {shapes[1]}: expected two of the same [fact cell]")
        if not len(self.first) or self.clusters.shape != (len(self.first),):
            raise ValueError(
                f"{len(self.first)} facts and clusters of {self.clusters.shape}: expected one cluster for each fact"
            )

    def of_cells(self, cells: Any) -> "FactMaps":
        """The maps over some of the cells, given as places or as a mask."""
        return FactMaps(self.first[:, cells], self.second[:, cells], self.clusters)


def fact_maps(first: Any, second: Any, clusters: Any) -> FactMaps:
    """The maps of two modalities [fact …], with all axes but the first made one; clusters become texts."""
    arrays = (np.asarray(values, dtype=np.float64) for values in (first, second))
    one, other = (values.reshape(len(values), -1) for values in arrays)
    return FactMaps(one, other, np.asarray(clusters).astype(np.str_))


def shifted_maps(first: Array, second: Array, clusters: Any, layers: int) -> FactMaps:
    """The first map beside the second one `layers` later, of maps [fact role layer]; layers without a partner go.

    With layers = 1, layer 3 of the first is compared with layer 4 of the second. Raises ValueError for a shift as long
    as the map.
    """
    depth = first.shape[2]
    if abs(layers) >= depth:
        raise ValueError(f"layers={layers}: maps of {depth} layers can be shifted by at most {depth - 1}")
    early, late = slice(0, depth - abs(layers)), slice(abs(layers), depth)
    here, there = (early, late) if layers >= 0 else (late, early)
    return fact_maps(first[:, :, here], second[:, :, there], clusters)
