"""The settings of a path study, and its dataset in the schema ``spiritlens.paths/1``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.analysis.grid.cells import metric_columns
from spiritlens.analysis.grid.results import array, model_attributes, prompt_columns
from spiritlens.analysis.paths.nodes import Sender
from spiritlens.analysis.paths.path_values import Group, PathValues, no_path
from spiritlens.arguments import check_choice
from spiritlens.effects.paths import BaseRun, Frozen, Norms, PathArrays, PathAxes, new_paths
from spiritlens.effects.schema import Status
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.contrasts import (
    Contrast,
    contrast_attributes,
    contrast_settings,
)
from spiritlens.runs.metrics import Metric


@dataclass(frozen=True)
class PathSettings:
    """What decides the numbers, prompts apart."""

    senders: tuple[Sender, ...]
    groups: tuple[Group, ...]
    at: tuple[str, ...]
    base: BaseRun
    frozen: Frozen
    norms: Norms
    metrics: tuple[Metric, ...]
    samples: int
    seed: int
    memory_budget: int | None = None

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("base", self.base, BaseRun),
            ("frozen", self.frozen, Frozen),
            ("norms", self.norms, Norms),
        ):
            check_choice(name, value, allowed)


def paths_dataset(
    lens: Lens,
    prompts: Sequence[Prompt],
    known: Sequence[bool],
    found: Sequence[Sequence[PathValues | None]],
    settings: PathSettings,
    contrast: Contrast,
    method: str,
) -> xr.Dataset:
    """Spread the edges over the dense axes of `spiritlens.paths/1`."""
    senders = _Axes([(sender.component, sender.layer, sender.head) for sender in settings.senders])
    receivers = _Axes([_group_key(group) for group in settings.groups])
    shape = (len(prompts), *senders.shape, *receivers.shape, len(settings.at))
    patched = np.full((*shape, len(settings.metrics)), np.nan)
    status = np.full(shape, int(Status.ABSENT), dtype=np.int8)
    absent = array(no_path(settings.senders, settings.groups, lens.backend.n_layers))
    for row, spans in enumerate(found):
        for column, edges in enumerate(spans):
            if edges is None:
                continue
            values, exact = array(edges.values), array(edges.exact)
            for group, sender in np.argwhere(~absent):
                cell = (row, *senders.places[sender], *receivers.places[group], column)
                patched[cell] = values[group, sender]
                status[cell] = int(Status.EXACT if exact[group, sender] else Status.MEASURED)
    some = [next(edges for edges in spans if edges is not None) for spans in found]
    config = {
        "samples": settings.samples,
        "metrics": [metric.name for metric in settings.metrics],
        "contrast": contrast_settings(contrast),
        "memory_budget": settings.memory_budget,
    }
    floors = np.stack([array(edges.noise_floor) for edges in some])
    columns = metric_columns(settings.metrics)
    return new_paths(
        PathArrays(np.stack([array(edges.base) for edges in some]), patched, status, floors),
        PathAxes(senders.coordinates, receivers.coordinates, settings.at, columns, prompt_columns(prompts, known)),
        base_run=settings.base,
        frozen=settings.frozen,
        norms=settings.norms,
        attributes={
            **model_attributes(lens, settings.seed, config),
            **contrast_attributes(contrast),
            "method": method,
            "source_metric": float(np.mean([array(edges.source)[0] for edges in some])),
        },
    )


def _group_key(group: Group) -> tuple[str, int, int]:
    if len(group) == 1:
        return group[0].component, group[0].layer, group[0].head
    return " + ".join(str(receiver) for receiver in group), -1, -1


class _Axes:
    """Component, layer and head axes that hold some nodes, and the place of each node on them."""

    def __init__(self, nodes: Sequence[tuple[str, int, int]]) -> None:
        components = list(dict.fromkeys(node[0] for node in nodes))
        layers, heads = sorted({node[1] for node in nodes}), sorted({node[2] for node in nodes})
        self.coordinates: dict[str, Sequence[Any]] = {"component": components, "layer": layers, "head": heads}
        self.shape = (len(components), len(layers), len(heads))
        self.places = [(components.index(name), layers.index(layer), heads.index(head)) for name, layer, head in nodes]
