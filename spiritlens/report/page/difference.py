"""The comparison of two modalities for the page: both maps, their difference with its interval, and which cells differ.

Facts, pairs and cells are those of `sl.compare`: facts known in both modalities, each with itself, by the phrasings
known in both; the cells that at least half of them have. Shown for every metric, in effect and in share of the fact's
own total effect. Which cells *differ* (the max-T test) is the comparison's own and holds for its metric, in share.

Axes of the packed numbers: ``component layer row``; `status` says how a cell came by its value (`paired_status`). What
each fact has in a cell is read from its map: `places` [modality fact] say whose prompt's (in the maps of this dataset).
Where a fact has several prompts in a modality, or roles are means over tokens, it is packed: one segment of ``component
layer row`` for each modality and fact.
"""

from typing import Any

import numpy as np
import xarray as xr

from spiritlens.comparison.compared import Compared
from spiritlens.comparison.paired_effects import PairedEffects
from spiritlens.comparison.pairing import Pairs
from spiritlens.comparison.shares import fact_shares
from spiritlens.effects.averages import obstacle
from spiritlens.effects.intervals import cluster_interval
from spiritlens.effects.schema import Status
from spiritlens.effects.statistics import fact_names
from spiritlens.report.figures.paired_status import paired_status
from spiritlens.report.page.packing import Described, Packing
from spiritlens.terms import Facts

KINDS = ("T2T", "S2T")


def packed_difference(
    given: PairedEffects, comparison: Compared | None, facts: Facts, packing: Packing
) -> Described | None:
    """Both modalities and their difference for every metric; None where there is nothing to pair."""
    effects = given.effects
    kinds = KINDS if comparison is None else comparison.kinds
    if "head" in effects.dims or obstacle(effects, facts):
        return None
    if not set(kinds) <= set(effects["modality"].values.tolist()):
        return None
    metrics = {}
    pairs: Pairs | None = None
    status: Any = None
    for name in effects["metric"].values.tolist():
        try:
            pairs = given.pairs(name, kinds, facts)
        except ValueError:
            return None
        places = paired_places(effects, kinds, facts, len(pairs.subjects))
        status = paired_status(effects, pairs, facts) if status is None else status
        metrics[name] = _metric(pairs, status, packing, packs_facts=places is None)
    if pairs is None:
        return None
    return {
        "places": None if places is None else packing.numbers("difference", places),
        "kinds": list(kinds),
        "rows": list(pairs.roles),
        "components": list(pairs.components),
        "layers": list(pairs.layers),
        "facts": packing.texts("difference", paired_names(effects, kinds, facts, len(pairs.subjects))),
        "n_facts": len(pairs.subjects),
        "n_subjects": len(set(pairs.subjects.tolist())),
        "status": packing.numbers("difference", status.astype(np.int64)),
        "metrics": metrics,
        "tested": _tested(comparison, pairs, packing) if comparison is not None else None,
    }


def paired_places(effects: xr.Dataset, kinds: tuple[str, str], facts: Facts, count: int) -> Any:
    """The one prompt of each paired fact in each modality [modality fact]; None where there are several."""
    if effects.attrs["at"] != "role":
        return None
    names, modality = fact_names(effects), effects["modality"].values
    usable = _usable(effects, facts)
    own = [np.flatnonzero(usable & (modality == kind)) for kind in kinds]
    tables = [dict(zip(names[places].tolist(), places.tolist(), strict=True)) for places in own]
    shared = [name for name in tables[0] if name in tables[1]]
    if len(shared) != count or any(len(table) != len(places) for table, places in zip(tables, own, strict=True)):
        return None
    return np.asarray([[table[name] for name in shared] for table in tables], dtype=np.int64)


def _usable(effects: xr.Dataset, facts: Facts) -> Any:
    return effects["known"].values == 1 if facts == "known" else np.ones(effects.sizes["prompt"], dtype=bool)


def paired_names(effects: xr.Dataset, kinds: tuple[str, str], facts: Facts, count: int) -> list[str]:
    """The paired facts, in the order in which `paired` has them."""
    chosen = _usable(effects, facts)
    names, modality = fact_names(effects), effects["modality"].values
    first, second = ([*dict.fromkeys(names[chosen & (modality == kind)].tolist())] for kind in kinds)
    shared = [name for name in first if name in set(second)]
    return shared if len(shared) == count else [""] * count


def _metric(pairs: Pairs, status: Any, packing: Packing, *, packs_facts: bool) -> Described:
    """Means and intervals of both modalities and of the difference, in effect and in share, and each fact's own."""
    found: Described = {}
    for quantity, both in (("effect", pairs.values), ("share", paired_shares(pairs))):
        arrays = {"first": both[0], "second": both[1], "difference": both[1] - both[0]}
        found[quantity] = {name: _summary(array, status, pairs, packing) for name, array in arrays.items()}
    own = [one for side in pairs.values for one in side] if packs_facts else []
    three = (*pairs.totals, pairs.totals[1] - pairs.totals[0])
    found_totals = [cluster_interval(one, pairs.subjects, confidence=0.95) for one in three]
    total = [
        [float(end) if np.isfinite(end) else None for end in (one.mean, one.low, one.high)] for one in found_totals
    ]
    totals = packing.numbers("difference", pairs.totals)
    return {
        **found,
        "totals": totals,
        "total": total,
        "smallest": pairs.smallest,
        "floor": float(pairs.noise_floor),
        "facts": packing.segments("pairs", own),
    }


def paired_shares(pairs: Pairs) -> Any:
    """Values in shares of the fact's total effect; NaN where that is small in either modality: it would be noise."""
    small = (pairs.totals < pairs.smallest).any(axis=0)
    shares = np.stack([fact_shares(one, t, pairs.smallest) for one, t in zip(pairs.values, pairs.totals, strict=True)])
    shares[:, small] = np.nan
    return shares


def _summary(values: Any, status: Any, pairs: Pairs, packing: Packing) -> Described:
    drawn = status < Status.SCREENED
    found = cluster_interval(values, pairs.subjects, confidence=0.95)
    arrays = {"mean": found.mean, "low": found.low, "high": found.high}
    packed = {name: packing.numbers("difference", np.where(drawn, one, np.nan)) for name, one in arrays.items()}
    return {
        **packed,
        "n_facts": packing.numbers("difference", np.where(drawn, found.n_facts, 0).astype(np.int64)),
    }


def _tested(comparison: Compared, pairs: Pairs, packing: Packing) -> Described:
    """What the comparison's test says of each cell, along the axes of the pairs."""
    wanted = {"component": list(pairs.components), "layer": list(pairs.layers), "role": list(pairs.roles)}
    cells = comparison.cells.reindex(wanted, fill_value={"verdict": "", "n_facts": 0})
    cells = cells.transpose("component", "layer", "role")
    verdicts = ["", "different", "equivalent", "undecided"]
    codes = np.vectorize(lambda verdict: verdicts.index(str(verdict)), otypes=[np.int64])(cells["verdict"].values)
    return {
        "metric": comparison.metric,
        "margin": comparison.cell_margin,
        "alpha": comparison.alpha,
        "verdicts": verdicts,
        "verdict": packing.numbers("difference", codes),
        **{name: packing.numbers("difference", cells[name].values) for name in ("low", "high", "p_value")},
        "n_tested": comparison.n_tested,
        "n_different": comparison.n_different,
    }
