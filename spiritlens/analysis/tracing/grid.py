"""The grid of a causal trace: a `Grid` for one model, and the program of each cell.

*Window*: a cell of `attn_out` or `mlp_out` at layer l patches ``width`` layers around l, [l − width//2, l − width//2 +
width), cut off at the model's ends; for width 10 these are the five below and, with l itself, the five from l on, as in
the reference code. *Severing*: after the first patched site, every later MLP (or attention) output of the patched
positions is held at the base run's value. *Heads*: z, q by query head and k, v by key-value head, each by itself.

Source: Meng et al. 2022 (arXiv 2202.05262), sections 2.2 and 2.3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from spiritlens.analysis.grid.given import given_names
from spiritlens.analysis.grid.grid import Grid, given_grid
from spiritlens.analysis.grid.windows import given_window, window_around
from spiritlens.components import COMPONENTS, HEAD_COMPONENTS, STAGE, WINDOWED, head_count, patched_by
from spiritlens.models.protocol import LensModel
from spiritlens.runs.sweep.plan import Action, Program

DEFAULTS = ("resid_pre", "mlp_out", "attn_out")
SEVERED = {row.sever: row.name for row in COMPONENTS if row.sever}
TRACED_COMPONENTS = patched_by("sweep")
SERVED = ("at", "spans", "window", "direction", "sever", "corrupted")
"""Fields of a grid that a trace reads."""


@dataclass(frozen=True, kw_only=True)
class TraceGrid(Grid):
    """A grid for a model: components and window are there, and the numbers of layers and heads."""

    components: tuple[str, ...]
    window: int
    n_layers: int
    n_heads: int
    n_kv_heads: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.has_heads and not set(self.components) <= set(HEAD_COMPONENTS):
            raise ValueError(f"components {self.components} mix heads and whole outputs; trace them in two calls")
        cut = [name for name in self.components if SEVERED.get(self.sever) in (name, _inside(name))]
        if cut:
            raise ValueError(
                f"sever={self.sever!r} holds the component that is restored ({cut[0]}): the two contradict each other; "
                "sever the other one"
            )

    @property
    def has_heads(self) -> bool:
        """Whether the grid has a head axis."""
        return any(name in HEAD_COMPONENTS for name in self.components)

    @property
    def head_axis(self) -> tuple[int | None, ...]:
        """Heads of the grid; (None,) where there is no head axis."""
        if not self.has_heads:
            return (None,)
        counts = [head_count(name, self.n_heads, self.n_kv_heads) for name in self.components]
        return tuple(range(max(counts)))

    def has_head(self, component: str, head: int | None) -> bool:
        """Whether the component has this head (keys and values may have fewer)."""
        return head is None or head < head_count(component, self.n_heads, self.n_kv_heads)

    def layers(self, component: str, layer: int) -> range:
        """Layers that a cell patches."""
        if component not in WINDOWED:
            return range(layer, layer + 1)
        return window_around(layer, self.window, self.n_layers)

    def program(self, component: str, layer: int, positions: Sequence[int], head: int | None) -> Program:
        """Actions of one cell."""
        where, patched = tuple(positions), self.layers(component, layer)
        program: dict[int, tuple[Action, ...]] = {at: (Action(component, where, head),) for at in patched}
        held = SEVERED.get(self.sever)
        if held is not None:
            start = patched.start if STAGE[held] > STAGE[component] else patched.start + 1
            for at in range(start, self.n_layers):
                program[at] = (*program.get(at, ()), Action(held, where, None, "base"))
        return program

    def window_layers(self) -> dict[str, dict[str, list[int]]]:
        """Component → layer → [first, last] patched layer."""
        return {
            name: {
                str(layer): [self.layers(name, layer).start, self.layers(name, layer).stop - 1]
                for layer in range(self.n_layers)
            }
            for name in self.components
        }


def trace_grid(model: LensModel, grid: Grid | Sequence[str] | None = None) -> TraceGrid:
    """The grid that a trace of this model is asked for."""
    asked = given_grid(grid, DEFAULTS, SERVED)
    given = {field.name: getattr(asked, field.name) for field in fields(Grid)}
    given["components"] = given_names("components", given["components"], TRACED_COMPONENTS)
    given["window"] = given_window(asked.window, model.n_layers)
    return TraceGrid(**given, n_layers=model.n_layers, n_heads=model.n_heads, n_kv_heads=model.n_kv_heads)


def _inside(component: str) -> str:
    """The output that a head's activation is part of."""
    return "attn_out" if component in HEAD_COMPONENTS else component
