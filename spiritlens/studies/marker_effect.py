"""What the marker at the end of a written prompt does by itself: written prompts with it against the plain ones.

Spoken prompts end with a text marker, at which the answer is read; plain written ones are read at their last word. Maps
of plain writing and of speech therefore differ by the marker as well as by the modality. The study's written prompts
end with the marker; here the same facts without it are set against them, within writing: what differs is the marker's.

1. **Pair.** Facts known both with and without the marker, each with itself.
2. **Align.** Where the answer is read is one row, *read-out*: the final marker, or the last word of a plain prompt.
3. **Test.** Differences of the *shares* of each fact's own total effect, by component, layer and role: sign-flip max-T
   over all cells (`spiritlens.effects.sign_flips`). A cell is told as different where p ≤ α and the mean difference is
   at least the smallest effect of interest (`spiritlens.comparison.margins`).

Signs: with − without. Units: shares of the total effect; total effects in the unit of the metric.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from spiritlens.comparison.estimates import Estimate
from spiritlens.comparison.margins import Margins
from spiritlens.comparison.pairing import Pairs, paired, prompt_maps
from spiritlens.comparison.shares import share_differences
from spiritlens.effects.clusters import Array
from spiritlens.effects.intervals import cluster_interval
from spiritlens.effects.sign_flips import max_t
from spiritlens.effects.statistics import fact_names

ALPHA = 0.05
PERMUTATIONS = 1000


@dataclass(frozen=True, eq=False)
class MarkerEffect:
    """Written prompts with the marker against plain ones; prints itself as a sentence.

    `cells` has ``difference`` (with − without) and ``p_value``, adjusted for all cells, [component layer role], NaN
    where nothing was compared.
    """

    n_facts: int
    total_difference: Estimate
    cells: xr.Dataset
    margin: float
    smallest_p: float
    """The least p that so few subjects allow; above 0.05 nothing could have been found."""

    @property
    def n_tested(self) -> int:
        """Cells that were compared."""
        return int(self.cells["p_value"].notnull().sum())

    @property
    def different(self) -> xr.DataArray:
        """The differences that are told [component layer role]; NaN elsewhere."""
        told = (self.cells["p_value"] <= ALPHA) & (abs(self.cells["difference"]) >= self.margin)
        return self.cells["difference"].where(told)

    def __repr__(self) -> str:
        start = (
            f"Written prompts end with the text marker, as spoken ones do. Over {self.n_facts} facts known with and "
            f"without it, the marker by itself changes the total effect by {self.total_difference}"
        )
        return f"{start}; {self._cells()}."

    def _cells(self) -> str:
        if self.smallest_p > ALPHA:
            return "these are too few subjects to find the cells that it changes"
        test = f"by {self.margin:g} of the total effect or more (max-T over all cells, p ≤ {ALPHA:g})"
        different = self.different
        count = int(different.notnull().sum())
        if not count:
            return f"in none of {self.n_tested} cells was it found to change the map {test}"
        place = np.unravel_index(int(np.nanargmax(np.abs(different.values))), different.shape)
        value = float(different.values[place])
        component, layer, role = (different[name].values[at] for name, at in zip(different.dims, place, strict=True))
        return (
            f"it changes {count} of {self.n_tested} cells {test}, most of all {component} at the {role}, layer {layer} "
            f"({abs(value):.2f} {'more' if value > 0 else 'less'} with it): plain prompts beside speech would show "
            "this as a difference between modalities"
        )


def marker_effect(marked: xr.Dataset, plain: xr.Dataset, *, seed: int = 0) -> MarkerEffect | None:
    """The marker's own effect, of two datasets by role whose T2T prompts are of the same facts.

    Returns None where no fact is known both ways.
    """
    if not _known_written(plain) & _known_written(marked):
        return None
    metric = str(marked["metric"].values[0])
    maps = [prompt_maps(one, metric, "read-out") for one in (plain, marked)]
    pairs = paired(maps[0], maps[1], ("T2T", "T2T"))
    changes = _compared(share_differences(pairs.values, pairs.totals, pairs.smallest))
    tests = max_t(changes, pairs.subjects, permutations=PERMUTATIONS, seed=seed)
    change = cluster_interval(pairs.totals[1] - pairs.totals[0], pairs.subjects)
    return MarkerEffect(
        n_facts=len(pairs.subjects),
        total_difference=Estimate(float(change.mean), float(change.low), float(change.high)),
        cells=_cells(changes, tests.p_value, pairs),
        margin=Margins().of_cells(pairs.noise_floor / max(float(np.abs(pairs.totals).mean()), pairs.smallest)),
        smallest_p=2.0 ** (1 - len(set(pairs.subjects.tolist()))),
    )


def _known_written(effects: xr.Dataset) -> set[str]:
    """Facts that are known in writing."""
    return set(fact_names(effects)[(effects["modality"].values == "T2T") & (effects["known"].values == 1)].tolist())


def _compared(changes: Array) -> Array:
    """The cells that half of the facts have and that changed in any; NaN elsewhere, so where nothing was run."""
    enough = 2 * (~np.isnan(changes)).sum(axis=0) >= len(changes)
    return np.where(enough & (np.nan_to_num(changes) != 0).any(axis=0), changes, np.nan)


def _cells(changes: Array, p_value: Array, pairs: Pairs) -> xr.Dataset:
    """Mean differences and p [component layer role]."""
    counts = (~np.isnan(changes)).sum(axis=0)
    means = np.nansum(changes, axis=0) / np.where(counts > 0, counts, np.nan)
    dims = ("component", "layer", "role")
    coords = {"component": list(pairs.components), "layer": list(pairs.layers), "role": list(pairs.roles)}
    return xr.Dataset({"difference": (dims, means), "p_value": (dims, p_value)}, coords=coords)
