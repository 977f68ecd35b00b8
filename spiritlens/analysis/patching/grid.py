"""The grid of activation patches: settings, and the cells that exist for a prompt.

A cell is a component × layer (or window of layers) × site (× head). It is left out, and absent in the result, where
the prompt lacks the site, where the donor has no value for any of its tokens, and where the component has no such head
(k and v have key-value heads only). Tokens of a site that nothing in the donor answers to, such as pauses, are not
patched.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from spiritlens.analysis.grid.cells import Cells, Place
from spiritlens.analysis.grid.given import given_names
from spiritlens.analysis.grid.grid import Draws, Grid, Heads
from spiritlens.analysis.grid.sites import GridSites
from spiritlens.analysis.grid.windows import window_around
from spiritlens.analysis.patching.donors import Transfer
from spiritlens.components import HEAD_COMPONENTS, WINDOWED, head_count, patched_by
from spiritlens.models.protocol import LensModel
from spiritlens.runs.metrics import Metric
from spiritlens.runs.sweep.plan import Action, Program

PATCHED_COMPONENTS = patched_by("patch")
"""All that activation patching knows."""


@dataclass(frozen=True, kw_only=True)
class PatchGrid(Grid):
    """A grid as it is patched: components, heads and window are there."""

    components: tuple[str, ...]
    heads: Heads = "together"
    window: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.heads == "each" and not set(self.components) <= set(HEAD_COMPONENTS):
            by_head = ", ".join(name for name in PATCHED_COMPONENTS if name in HEAD_COMPONENTS)
            raise ValueError(f"heads='each' goes with {by_head}; found {self.components}")

    def layers(self, component: str, layer: int, n_layers: int) -> range:
        """Layers that a cell patches: a window around its layer for attn_out and mlp_out, cut off at the ends."""
        return window_around(layer, self.window if component in WINDOWED else 1, n_layers)

    def window_layers(self, n_layers: int) -> dict[str, dict[str, list[int]]]:
        """Component → layer → [first, last] patched layer."""
        return {
            name: {
                str(layer): [(found := self.layers(name, layer, n_layers))[0], found[-1]] for layer in range(n_layers)
            }
            for name in self.components
        }


def patch_grid(asked: Grid) -> PatchGrid:
    """The grid with its components checked; heads together and single layers where nothing is said."""
    given = {field.name: getattr(asked, field.name) for field in fields(Grid)}
    given = {name: value for name, value in given.items() if value is not None}
    return PatchGrid(**{**given, "components": given_names("components", given["components"], PATCHED_COMPONENTS)})


@dataclass(frozen=True)
class PatchSettings:
    """What decides the numbers, prompts apart."""

    grid: PatchGrid
    metrics: tuple[Metric, ...]
    draws: Draws
    transfer: Transfer


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


def grid_cells(model: LensModel, grid: PatchGrid, sites: GridSites, reached: Sequence[bool]) -> PatchCells:
    """All cells of the grid that exist: the span is there, the source has values for it, the component has the head."""
    by_head = grid.heads == "each"
    shape = (len(grid.components), model.n_layers, len(sites.spans), model.n_heads if by_head else 1)
    patches: list[Patch] = []
    places: list[Place] = []
    for place in np.ndindex(*shape):
        component, span = grid.components[place[0]], sites.spans[place[2]]
        positions = () if span is None else tuple(position for position in span if reached[position])
        if not positions:
            continue
        head = place[3] if by_head else None
        if head is not None and head >= head_count(component, model.n_heads, model.n_kv_heads):
            continue
        layers = tuple(grid.layers(component, place[1], model.n_layers))
        patches.append(Patch(component, layers, positions, head))
        places.append((place[0], place[1], place[2], place[3]))
    return PatchCells(tuple(places), shape, by_head, patches=tuple(patches))
