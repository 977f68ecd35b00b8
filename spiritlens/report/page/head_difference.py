"""The difference of the modalities by layer and head: T2T, S2T and S2T − T2T of every head, in each role.

Facts, pairs and cells are those of `spiritlens.comparison.pairing`, head by head: facts known in both modalities, each
with itself. No test was made of heads, so nothing is outlined. Axes of the packed numbers: ``component layer head
row``. What each fact has of a head is read from its map, by `places`; where a fact has several prompts in a modality it
is packed, as in `spiritlens.report.page.difference`.
"""

from typing import Any

import numpy as np
import xarray as xr

from spiritlens.comparison.pairing import Pairs, paired, prompt_maps
from spiritlens.effects.averages import obstacle
from spiritlens.effects.intervals import cluster_interval
from spiritlens.report.page.difference import paired_names, paired_places, paired_shares
from spiritlens.report.page.packing import Described, Packing
from spiritlens.terms import Facts

NUMBERS = ("mean", "low", "high", "n_facts")
BLOCK, FACTS_BLOCK = "heads", "head pairs"


def packed_head_difference(
    effects: xr.Dataset, kinds: tuple[str, str], facts: Facts, packing: Packing
) -> Described | None:
    """Both modalities and their difference of every head, in effect and in share; None where there is nothing to
    pair."""
    if obstacle(effects, facts) or not set(kinds) <= set(effects["modality"].values.tolist()):
        return None
    each = [effects.isel(head=head, drop=True) for head in range(effects.sizes["head"])]
    metrics = {}
    pairs: Pairs | None = None
    places: Any = None
    for name in effects["metric"].values.tolist():
        maps = [prompt_maps(one, name, "read-out") for one in each]
        try:
            found = [paired(one, one, kinds, facts) for one in maps]
        except ValueError:  # no fact in both
            return None
        pairs = found[0]
        places = paired_places(effects, kinds, facts, len(pairs.subjects))
        metrics[name] = {
            **_packed([_summaries(one) for one in found], packing),
            "totals": packing.numbers(BLOCK, pairs.totals),
            "smallest": pairs.smallest,
            "facts": packing.segments(FACTS_BLOCK, [] if places is not None else _of_facts(found)),
        }
    if pairs is None:
        return None
    return {
        "facts": packing.texts(BLOCK, paired_names(effects, kinds, facts, len(pairs.subjects))),
        "places": None if places is None else packing.numbers(BLOCK, places),
        "kinds": list(kinds),
        "components": list(pairs.components),
        "layers": list(pairs.layers),
        "heads": [int(head) for head in effects["head"].values],
        "rows": list(pairs.roles),
        "n_facts": len(pairs.subjects),
        "n_subjects": len(set(pairs.subjects.tolist())),
        "metrics": metrics,
    }


def _summaries(pairs: Pairs) -> Described:
    """Means with intervals of one head [component layer row], by quantity and side."""
    both = {"effect": pairs.values, "share": paired_shares(pairs)}
    return {quantity: _sides(values, pairs) for quantity, values in both.items()}


def _of_facts(found: list[Pairs]) -> list[Any]:
    """What each fact has [component layer head row], all facts of one modality after those of the other."""
    values = np.stack([one.values for one in found], axis=4)
    return [one for side in values for one in side]


def _sides(both: Any, pairs: Pairs) -> Described:
    arrays = {"first": both[0], "second": both[1], "difference": both[1] - both[0]}
    found = {side: cluster_interval(one, pairs.subjects, confidence=0.95) for side, one in arrays.items()}
    return {
        side: {name: np.where(pairs.cells, getattr(one, name), np.nan) for name in NUMBERS}
        for side, one in found.items()
    }


def _packed(heads: list[Described], packing: Packing) -> Described:
    """The numbers of all heads."""
    return {
        quantity: {
            side: {name: packing.numbers(BLOCK, _joined(heads, quantity, side, name)) for name in NUMBERS}
            for side in sides
        }
        for quantity, sides in heads[0].items()
    }


def _joined(heads: list[Described], quantity: str, side: str, name: str) -> Any:
    """A number of all heads [component layer head row]; counts as whole numbers."""
    values = np.stack([one[quantity][side][name] for one in heads], axis=2)
    return np.nan_to_num(values).astype(np.int64) if name == "n_facts" else values
