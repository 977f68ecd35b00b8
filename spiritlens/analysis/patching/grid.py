"""The grid of activation patches: settings, and the cells that exist for a prompt.

A cell is a component × layer (or window of layers) × site (× head). It is left out, and absent in the result, where
the prompt lacks the site, where the donor has no value for any of its tokens, and where the component has no such head
(k and v have key-value heads only). Tokens of a site that nothing in the donor answers to, such as pauses, are not
patched.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from spiritlens.analysis.grid.cells import Cells, Place
from spiritlens.analysis.grid.sites import GridSites
from spiritlens.analysis.grid.windows import window_around
from spiritlens.analysis.patching.donors import Control, Pooling, Transfer
from spiritlens.arguments import check_choice, listed, whole
from spiritlens.components import HEAD_COMPONENTS, WINDOWED, head_count, hook_name, patched_by
from spiritlens.models.protocol import LensModel
from spiritlens.runs.metrics import Metric
from spiritlens.runs.sweep.plan import Action, Program
from spiritlens.terms import At, Direction

PATCHED_COMPONENTS = patched_by("patch")
"""All that activation patching knows."""
Heads = Literal["together", "each"]


@dataclass(frozen=True)
class PatchSettings:
    """What decides the numbers, prompts apart."""

    components: tuple[str, ...]
    at: At
    spans: tuple[str, ...]
    heads: Heads
    direction: Direction
    window: int
    pooling: Pooling
    control: Control
    metrics: tuple[Metric, ...]
    samples: int
    seed: int
    source_layer: int | None = None
    """The layer that the values of the one component are taken from (back-patching); None: each cell's own."""
    memory_budget: int | None = None

    def __post_init__(self) -> None:
        if self.heads == "each" and not set(self.components) <= set(HEAD_COMPONENTS):
            by_head = ", ".join(name for name in PATCHED_COMPONENTS if name in HEAD_COMPONENTS)
            raise ValueError(f"heads='each' goes with {by_head}; found {self.components}")
        for name, value, allowed in (
            ("heads", self.heads, Heads),
            ("direction", self.direction, Direction),
            ("pooling", self.pooling, Pooling),
            ("control", self.control, Control),
        ):
            check_choice(name, value, allowed)

    @property
    def transfer(self) -> Transfer:
        """How values come from the donor."""
        hook = None if self.source_layer is None else hook_name(self.components[0], self.source_layer)
        return Transfer(self.pooling, self.control, hook, self.seed)

    def layers(self, component: str, layer: int, n_layers: int) -> tuple[int, ...]:
        """Layers that a cell patches: a window around its layer for attn_out and mlp_out, cut off at the ends."""
        width = self.window if component in WINDOWED else 1
        return tuple(window_around(layer, width, n_layers))


def given_source_layers(layers: Iterable[int] | None, n_layers: int) -> tuple[int, ...]:
    """Layers of the model, each once; None: all."""
    if layers is None:
        return tuple(range(n_layers))
    given = listed("source_layers", layers)
    found = tuple(
        whole(f"source_layers[{place}]", layer, at_least=0, at_most=n_layers - 1) for place, layer in enumerate(given)
    )
    if len(set(found)) != len(found):
        raise ValueError(f"source_layers {found} names a layer twice; give each once")
    return found


@dataclass(frozen=True)
class Patch:
    """One cell: a component at positions of some layers, of one head (None: all)."""

    component: str
    layers: tuple[int, ...]
    positions: tuple[int, ...]
    head: int | None = None

    def program(self) -> Program:
        """The cell as the sweep takes it; ``result`` is z through fixed weights, so that patching z patches it."""
        component = "z" if self.component == "result" else self.component
        return {layer: (Action(component, self.positions, self.head),) for layer in self.layers}


@dataclass(frozen=True, eq=False)
class PatchCells(Cells):
    """Cells with the patch of each."""

    patches: tuple[Patch, ...] = ()


def grid_cells(model: LensModel, settings: PatchSettings, sites: GridSites, reached: Sequence[bool]) -> PatchCells:
    """All cells of the grid that exist: the span is there, the source has values for it, the component has the head."""
    n_heads = model.n_heads if settings.heads == "each" else 1
    shape = (len(settings.components), model.n_layers, len(sites.spans), n_heads)
    patches: list[Patch] = []
    places: list[Place] = []
    for place in np.ndindex(*shape):
        component, span = settings.components[place[0]], sites.spans[place[2]]
        positions = () if span is None else tuple(position for position in span if reached[position])
        if not positions:
            continue
        head = place[3] if settings.heads == "each" else None
        if head is not None and head >= head_count(component, model.n_heads, model.n_kv_heads):
            continue
        layers = settings.layers(component, place[1], model.n_layers)
        patches.append(Patch(component, layers, positions, head))
        places.append((place[0], place[1], place[2], place[3]))
    return PatchCells(tuple(places), shape, settings.heads == "each", patches=tuple(patches))
