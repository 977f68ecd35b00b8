"""Effects of single parts, by which they are ranked: restored in the corrupted run, removed from the clean run.

Heads and sites are restored by `spiritlens.analysis.tracing.causal_tracing` and removed as sets of one. An edge is
restored where its reader finds the node's clean value in the corrupted run, and removed where it finds the corrupted
value in the clean run: exactly (`spiritlens.analysis.paths.path_patching`, one run for each), or to first order
(`spiritlens.analysis.attribution.edge_attribution`), where saturated parts may be missed.

Axes: effects ``[prompt part]``, signed: positive where the part carries recall; NaN for a prompt that could not be
measured. Source: see `spiritlens.analysis.interchange.rankings`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import xarray as xr

from spiritlens.analysis.attribution.edge_attribution import attribute_edges
from spiritlens.analysis.grid.grid import Draws, Grid
from spiritlens.analysis.interchange.edge_runs import Edge
from spiritlens.analysis.interchange.measured_sets import Place, spread
from spiritlens.analysis.interchange.parts import EdgeRanking, Part
from spiritlens.analysis.interchange.rankings import Array, PartEffects
from spiritlens.analysis.paths.nodes import all_receivers
from spiritlens.analysis.paths.path_patching import path_patch
from spiritlens.analysis.paths.paths import Paths
from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.effects.paths import BaseRun, path_change
from spiritlens.effects.quantities import indirect, total
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spans import EVERYWHERE
from spiritlens.runs.corruptions.corruption import Corruption
from spiritlens.runs.metrics import Metric

EDGE_STEPS = 5
"""Nodes of the path along which gradients of edges are averaged."""


@dataclass(frozen=True, eq=False)
class Corrupting:
    """How the subject is corrupted, and the metric that tells."""

    corruption: Corruption
    metric: Metric
    draws: Draws


def restored_effects(
    lens: Lens, prompts: Sequence[Prompt], parts: Sequence[Part], how: Corrupting, place: Place
) -> PartEffects:
    """What each head or site at its clean value gives back in the corrupted run."""
    components = tuple(dict.fromkeys(part.component for part in parts))
    by_head = parts[0].head is not None
    grid = Grid(components, at="span", spans=(EVERYWHERE,)) if by_head else Grid(components, at="role", window=1)
    effects = place.finished(
        causal_trace(
            lens,
            prompts,
            grid,
            how.corruption,
            (how.metric,),
            samples=how.draws,
            folder=place.within("parts restored"),
            progress=place.progress,
        ),
        prompts,
    )
    found = indirect(effects).isel(metric=0)
    roles = [] if by_head else effects["role"].values.tolist()
    columns = [
        found.isel(
            component=components.index(part.component),
            layer=part.layer,
            **({"span": 0, "head": part.head} if by_head else {"role": roles.index(part.role)}),
        ).values
        for part in parts
    ]
    totals = total(effects).isel(metric=0).values
    return PartEffects(*(spread(one, effects, prompts) for one in (np.stack(columns, axis=1), totals)))


def removed_effects(sets: xr.Dataset, parts: Sequence[Part], prompts: Sequence[Prompt]) -> PartEffects:
    """What each part costs when it alone is removed, from a dataset of sets of one; NaN where a prompt lacks it."""
    sign = sets.attrs["metric_sign"]
    there = np.array([[bool(part.positions(prompt)) for part in parts] for prompt in prompts])
    lost = spread((sets["clean"].values[:, None] - sets["value"].values) * sign, sets, prompts)
    totals = spread((sets["clean"] - sets["empty"]).values * sign, sets, prompts)
    return PartEffects(np.where(there, lost, np.nan), totals)


def edge_effects(
    lens: Lens, prompts: Sequence[Prompt], edges: Sequence[Edge], by: EdgeRanking, how: Corrupting, place: Place
) -> tuple[PartEffects, PartEffects]:
    """What each edge at its clean value gives back, and what it takes at its corrupted value."""
    found = {base: _edges(lens, prompts, by, how, place, base) for base in ("corrupted", "clean")}
    values = {base: spread(one["base"].isel(metric=0).values, one, prompts) for base, one in found.items()}
    totals = (values["clean"] - values["corrupted"]) * int(found["clean"]["metric_sign"].values[0])
    changes = {base: spread(_of_edges(one, edges), one, prompts) for base, one in found.items()}
    return PartEffects(changes["corrupted"], totals), PartEffects(-changes["clean"], totals)


def _edges(
    lens: Lens, prompts: Sequence[Prompt], by: EdgeRanking, how: Corrupting, place: Place, base: BaseRun
) -> xr.Dataset:
    """All edges of all prompts, in one base run."""
    paths = Paths(receivers=all_receivers(lens.backend), at=(EVERYWHERE,), base=base)
    patched: Callable[..., xr.Dataset] = path_patch if by == "patching" else partial(attribute_edges, steps=EDGE_STEPS)
    folder = place.within(f"edges by {by}, {base} run")
    given = (lens, prompts, how.corruption, paths, (how.metric,))
    return place.finished(patched(*given, samples=how.draws, folder=folder, progress=place.progress), prompts)


def _of_edges(dataset: xr.Dataset, edges: Sequence[Edge]) -> Array:
    """Signed changes ``[prompt edge]`` out of the dense array."""
    places = {
        f"{side}_{name}": [
            dataset[f"{side}_{name}"].values.tolist().index(getattr(getattr(edge, side), name)) for edge in edges
        ]
        for side in ("sender", "receiver")
        for name in ("component", "layer", "head")
    }
    change = path_change(dataset).isel(pos=0, metric=0)
    chosen = change.isel({axis: xr.DataArray(numbers, dims="edge") for axis, numbers in places.items()})
    return np.asarray(chosen.transpose("prompt", "edge").values, dtype=np.float64)
