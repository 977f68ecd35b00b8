"""The protocol of the seed study, beside our own on the same asked facts.

What is known of it, at second hand (a reader's notes on arXiv 2605.22170): the facts of each modality are
those that the model answers in *that* modality, two subsets and not their intersection; prompts are spoken by one
voice; noise falls on the tokens of the subject; one token at a time is restored in layers, MLP and attention outputs;
the effect is the difference of the answer's *probability* with and without the restored state, averaged over prompts.
Not known are the noise's scale, the window, the number of samples and the rule of "approximately correct": these are
the study's settings.

Our own protocol restores all tokens of a role together, in facts known in both modalities. `beside` sets the two side
by side: for each modality and component the facts, the average total effect (ATE) on the probability, and where the
average indirect effect (AIE) is largest, by role (the subject in its first, middle and last token where tokens were
restored one by one, as in Meng et al. 2022) and layer, with its 95 % interval over facts (none for a single subject).
Cells that less than half of the facts have, such as the middle of a subject of three tokens, are passed over there.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.effects.averages import average, average_total
from spiritlens.effects.role_effects import Split
from spiritlens.files.atomic import write_whole
from spiritlens.studies.pairs import KINDS
from spiritlens.studies.selection import ChosenFact
from spiritlens.text_tables import text_table

METRICS = ("probability",)
SUBSETS = {"T2T": "Known-t2t", "S2T": "Known-s2t"}
"""The seed study's names of its subsets, by modality."""


@dataclass(frozen=True, eq=False)
class SeedStudy:
    """What the seed study's protocol finds: maps by token, the two subsets, and the table beside our own protocol."""

    effects: xr.Dataset
    """[prompt component layer pos sample metric] of both subsets, each in its modality; metric: probability."""
    subsets: Mapping[str, tuple[str, ...]]
    """The traced facts of `Known-t2t` and `Known-s2t`."""
    rows: tuple[dict[str, Any], ...]
    """One row a protocol, modality and component: `protocol modality component facts ATE AIE low high role layer`."""

    def __repr__(self) -> str:
        header = ("protocol", "modality", "component", "facts", "ATE", "largest AIE", "at", "layer")
        lines = [header, *(_shown(row) for row in self.rows)]
        sizes = " and ".join(f"{len(facts)} facts of {name}" for name, facts in self.subsets.items())
        return f"The seed study's protocol on {sizes}, beside our own\n{text_table(lines, right=(3, 4, 7))}"


def subsets_of(chosen: Sequence[ChosenFact]) -> dict[str, tuple[str, ...]]:
    """The facts of each subset, by the seed study's names."""
    return {SUBSETS[kind]: tuple(one.pair.fact.id for one in chosen if kind in one.kinds) for kind in KINDS}


def seed_study(effects: xr.Dataset, own: xr.Dataset, chosen: Sequence[ChosenFact]) -> SeedStudy:
    """The seed protocol's effects (by token) beside our own (by role)."""
    rows = [*beside("seed", effects, "part"), *beside("own", own, "role")]
    return SeedStudy(effects, subsets_of(chosen), tuple(rows))


def write_seed(found: SeedStudy, folder: Path) -> None:
    """``subsets.json`` and ``beside.json`` beside the run directory of the maps."""
    for name, value in (("subsets", dict(found.subsets)), ("beside", list(found.rows))):
        write_whole(folder / f"{name}.json", json.dumps(value, indent=1, ensure_ascii=False).encode())


def beside(protocol: str, effects: xr.Dataset, split: Split) -> list[dict[str, Any]]:
    """The rows of one protocol; none where no traced fact is known."""
    if not effects["known"].values.any():
        return []
    maps = average(effects, split=split).sel(metric=METRICS[0])
    totals = average_total(effects).sel(metric=METRICS[0])
    ate = dict(zip(totals["modality"].values.tolist(), totals["mean"].values.tolist(), strict=True))
    facts = dict(zip(totals["modality"].values.tolist(), totals["n_facts"].values.tolist(), strict=True))
    rows = []
    for group, kind in enumerate(maps["modality"].values.tolist()):
        for component in maps["component"].values.tolist():
            one = maps.sel(component=component).isel(group=group)
            about = {"protocol": protocol, "modality": kind, "component": component}
            rows.append({**about, "facts": int(facts[kind]), "ATE": ate[kind], **_peak(one)})
    return rows


def _peak(maps: xr.Dataset) -> dict[str, Any]:
    """Where a map [layer role] is largest, among the cells that at least half of the facts have."""
    counts = maps["n_facts"].transpose("layer", "role")
    mean = maps["mean"].transpose("layer", "role").where(2 * counts >= counts.max())
    layer, role = np.unravel_index(int(np.nanargmax(mean.values)), mean.shape)
    cell = maps.isel(layer=int(layer), role=int(role))
    numbers = {"AIE": float(cell["mean"]), "low": float(cell["low"]), "high": float(cell["high"])}
    return {**numbers, "role": str(cell["role"].values), "layer": int(cell["layer"])}


def _shown(row: Mapping[str, Any]) -> tuple[str, ...]:
    interval = "" if np.isnan(row["low"]) else f" [{row['low']:.3f}, {row['high']:.3f}]"
    effect = f"{row['AIE']:.3f}{interval}"
    words = (row["protocol"], row["modality"], row["component"], str(row["facts"]), f"{row['ATE']:.3f}", effect)
    return (*words, row["role"], str(row["layer"]))
