"""Whether a comparison is of given effects: what it drew its numbers from is paired again, and must give the same ones.

A comparison keeps no ids, so it is told by what it holds: the settings (metric, direction, modalities), the facts known
in both and their subjects, the axes of its cells, both mean total effects, and the mean difference of every cell.
"""

import numpy as np
import xarray as xr

from spiritlens.comparison.compared import Compared
from spiritlens.comparison.estimates import mean_estimate
from spiritlens.comparison.paired_effects import PairedEffects
from spiritlens.comparison.pairing import Last, Pairs
from spiritlens.comparison.references import clusters_of
from spiritlens.comparison.shares import share_differences
from spiritlens.effects.bootstrap import weighted_means
from spiritlens.terms import READOUT

SAME = 1e-5
"""Numbers that differ by less, in parts of the total effect, are the same: effects may have been kept in 32 bits."""


def other_effects(comparison: Compared, given: PairedEffects) -> str:
    """Why these are not the effects that were compared, as the end of a sentence; "" where they are."""
    why = _other_settings(comparison, given.effects)
    if why:
        return why
    last: Last = "read-out" if READOUT in comparison.cells["role"].values.tolist() else "by role"
    try:
        pairs = given.pairs(comparison.metric, comparison.kinds, last=last)
    except ValueError:
        return "no fact is known in both modalities here"
    counts = len(pairs.subjects), len(set(pairs.subjects.tolist()))
    if counts != (comparison.n_facts, comparison.n_subjects):
        return (
            f"{comparison.n_facts} facts of {comparison.n_subjects} subjects were compared, and here {counts[0]} of "
            f"{counts[1]} are known in both modalities"
        )
    return _other_axes(comparison, pairs) or _other_numbers(comparison, pairs)


def check_compared(comparison: Compared, given: PairedEffects) -> None:
    """ValueError unless the comparison is of these effects."""
    why = other_effects(comparison, given)
    if why:
        raise ValueError(f"the comparison is of other effects ({why}): pass sl.compare(effects) of these effects")


def _other_settings(comparison: Compared, effects: xr.Dataset) -> str:
    if "head" in effects.dims:
        return "whole layers were compared, and these are of heads"
    if comparison.metric not in effects["metric"].values.tolist():
        return f"the {comparison.metric} was compared, which was not traced here"
    if comparison.direction != str(effects.attrs["direction"]):
        return f"{comparison.direction} was compared, and this is {effects.attrs['direction']}"
    missing = [kind for kind in comparison.kinds if kind not in effects["modality"].values.tolist()]
    return f"no {missing[0]} prompt was traced here" if missing else ""


def _other_axes(comparison: Compared, pairs: Pairs) -> str:
    own = {"component": pairs.components, "layer": pairs.layers, "role": pairs.roles}
    for name, values in own.items():
        if comparison.cells[name].values.tolist() != list(values):
            return f"its {name}s are others"
    return ""


def _other_numbers(comparison: Compared, pairs: Pairs) -> str:
    ways = clusters_of(pairs, comparison.rules.clusters)
    totals = [mean_estimate(one, ways, comparison.rules, 0.0).value for one in pairs.totals]
    size = max(map(abs, totals))
    if any(abs(own - one.value) > SAME * size for own, one in zip(totals, comparison.total, strict=True)):
        return "its total effects are others"
    found = share_differences(pairs.values[:, :, pairs.cells], pairs.totals, pairs.smallest)
    own = weighted_means(found, np.ones((1, len(found))))[0]
    cells = comparison.cells["difference"].transpose("component", "layer", "role").values
    kept = cells[pairs.cells]
    if not np.isnan(cells[~pairs.cells]).all() or not np.allclose(own, kept, rtol=0, atol=SAME, equal_nan=True):
        return "the differences of its cells are others"
    return ""
