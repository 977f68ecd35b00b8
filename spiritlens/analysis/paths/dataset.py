"""The settings of a path study, and its dataset in the schema ``spiritlens.paths/1``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.analysis.grid.canary import largest
from spiritlens.analysis.grid.cells import metric_columns
from spiritlens.analysis.grid.grid import Draws
from spiritlens.analysis.grid.results import array, metric_settings, model_attributes, prompt_columns
from spiritlens.analysis.paths.nodes import Sender
from spiritlens.analysis.paths.path_values import PathValues, no_path
from spiritlens.analysis.paths.paths import Held, ReceiverGroup
from spiritlens.effects.paths import BaseRun, PathArrays, PathAxes, new_paths
from spiritlens.effects.schema import Status
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.contrasts import Contrast, contrast_attributes, contrast_settings
from spiritlens.runs.metrics import Metric


@dataclass(frozen=True)
class PathSettings:
    """What decides the numbers, prompts apart."""

    senders: tuple[Sender, ...]
    groups: tuple[ReceiverGroup, ...]
    at: tuple[str, ...]
    base: BaseRun
    held: Held
    metrics: tuple[Metric, ...]
    draws: Draws

    @property
    def rules(self) -> dict[str, str]:
        """The attributes by which edges of two studies are the same thing."""
        return {"base_run": self.base, "frozen": self.held.frozen, "norms": self.held.norms}


def path_attributes(
    lens: Lens, settings: PathSettings, contrast: Contrast, method: str
) -> dict[str, str | int | float]:
    """Global attributes of the result: what was done, with which model, and every setting as JSON."""
    config = {
        "senders": [str(sender) for sender in settings.senders],
        "receivers": [_group_key(group)[0] if len(group) > 1 else str(group[0]) for group in settings.groups],
        "at": settings.at,
        "samples": settings.draws.samples,
        **metric_settings(settings.metrics),
        "contrast": contrast_settings(contrast),
    }
    return {
        **model_attributes(lens, settings.draws.seed, config),
        **contrast_attributes(contrast),
        "method": method,
    }


def paths_dataset(
    lens: Lens,
    prompt: Prompt,
    known: bool,
    found: Sequence[PathValues | None],
    settings: PathSettings,
    attributes: Mapping[str, str | int | float],
) -> xr.Dataset:
    """Spread one prompt's edges, by span, over the dense axes of `spiritlens.paths/1`."""
    senders = _Axes([(sender.component, sender.layer, sender.head) for sender in settings.senders])
    receivers = _Axes([_group_key(group) for group in settings.groups])
    shape = (1, *senders.shape, *receivers.shape, len(settings.at))
    patched = np.full((*shape, len(settings.metrics)), np.nan)
    status = np.full(shape, int(Status.ABSENT), dtype=np.int8)
    absent = array(no_path(settings.senders, settings.groups, lens.backend.n_layers))
    for column, edges in enumerate(found):
        if edges is None:
            continue
        values, exact = array(edges.values), array(edges.exact)
        for group, sender in np.argwhere(~absent):
            cell = (0, *senders.places[sender], *receivers.places[group], column)
            patched[cell] = values[group, sender]
            status[cell] = int(Status.EXACT if exact[group, sender] else Status.MEASURED)
    canary = largest([edges.canary for edges in found if edges is not None])
    own, everywhere = (None if one is None else one[None] for one in (canary.own, canary.everywhere))
    some = next(edges for edges in found if edges is not None)
    return new_paths(
        PathArrays(array(some.base)[None], patched, status, array(some.noise_floor)[None], own, everywhere),
        PathAxes(
            senders.coordinates,
            receivers.coordinates,
            settings.at,
            metric_columns(settings.metrics),
            prompt_columns([prompt], [known]),
        ),
        base_run=settings.base,
        frozen=settings.held.frozen,
        norms=settings.held.norms,
        attributes=attributes,
    )


def _group_key(group: ReceiverGroup) -> tuple[str, int, int]:
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
