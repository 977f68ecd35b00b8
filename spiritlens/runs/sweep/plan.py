"""Plan of a sweep: which rows have to be run through which blocks so that every cell of a grid is exact.

A *cell* is one patched run: per layer a few `Action`s (put these positions of this component to the source run's or
back to the base run's values). All cells whose first patched position is p form a *column*: their runs differ from the
base run at positions ≥ p only, so a column is computed on the suffix from p, with the base run's keys and values
before it.

Inside a column, cells that were patched alike so far are one *row*: rows form a trie over the layers.

1. A cell needs no row before its first patched layer: until then it is the base run.
2. If its first patch is `resid_pre`, `q`, `k` or `v`, it joins the rows before that block, as the base run's suffix.
3. If its first patch comes later in the block (`z`, `attn_out`, `resid_mid`, `mlp_out`, `resid_post`), only the patched
   positions differ in that block: they alone pass its MLP, and the row joins after the block.
4. A row forks where two of its cells are patched differently (windows cut off at the first layer part like this).
5. Cells that cannot differ from the base run at a read-out have no row at all.
6. Where base and source are two runs of the model on the same tokens (`two_runs`), a row whose stream gets the source's
   values at all positions from the first changed one to e *is* the source run up to e, from this block on.
   It is computed from e + 1 on, in a column whose keys and values before it are the source run's.

Units: one *token-layer* is one token of one row (and one noise sample) through one whole block. Everything here is
plain Python, so that a grid can be priced without running it. Source: this project (`docs/performance.md`).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from spiritlens.components import COMPONENTS, STAGE

Which = Literal["source", "base"]
"""The run a value is taken from: the source run (patching) or the base run itself (severing)."""

BEFORE_ATTENTION = tuple(row.name for row in COMPONENTS if row.phase == "before attention")
"""First patches that make the whole block run on the suffix (rule 2)."""

OWN_POSITION_ONLY = tuple(row.name for row in COMPONENTS if row.own_position)
"""Components that reach other positions only through a later block's attention."""

LEAST_SAVED = 0.25
"""Share of the positions from the first changed one on that rule 6 must save, to be worth a column of its own."""

AFTER_MLP = tuple(row.name for row in COMPONENTS if row.phase == "after MLP")
"""Patches beside which the block's MLP need not run."""


@dataclass(frozen=True)
class Action:
    """Put `positions` of a component (of one head, or of all) to the values that a run has there."""

    component: str
    positions: tuple[int, ...]
    head: int | None = None
    run: Which = "source"


Program = Mapping[int, tuple[Action, ...]]
"""Layer → actions of a cell in that layer, in the order of the block."""


@dataclass(frozen=True)
class LayerPlan:
    """One block of one column.

    `parents` [row]: the row of the previous block that each whole row continues, −1 for the base run; `actions` [row]:
    what is patched inside this block. `new_rows` [row]: actions of the rows that part from the base run inside this
    block and join after it. Rows after the block are the whole rows, then the new ones.
    """

    parents: tuple[int, ...]
    actions: tuple[tuple[Action, ...], ...]
    new_rows: tuple[tuple[Action, ...], ...]


@dataclass(frozen=True)
class Column:
    """All cells that are computed from position `start` on; `cells` and `rows` pair each cell with its last row.

    `before` is the run that they equal up to there (by rule 6 the source run).
    """

    start: int
    layers: tuple[tuple[int, LayerPlan], ...]
    cells: tuple[int, ...]
    rows: tuple[int, ...]
    before: Which = "base"

    @property
    def most_rows(self) -> int:
        """Largest number of rows alive at once."""
        return max((len(plan.parents) + len(plan.new_rows) for _, plan in self.layers), default=0)


@dataclass(frozen=True)
class Plan:
    """Columns to run; `unmoved`: cells that provably keep the base run's value; `programs`: what cells come to."""

    n_layers: int
    n_positions: int
    columns: tuple[Column, ...]
    unmoved: tuple[int, ...]
    programs: tuple[Program, ...]

    def token_layers(self, samples: int) -> int:
        """Tokens through whole blocks, summed over rows, samples, columns and layers."""
        return samples * sum(
            len(plan.parents) * (self.n_positions - column.start)
            for column in self.columns
            for _, plan in column.layers
        )

    def token_mlps(self, samples: int) -> int:
        """Tokens through an MLP alone (rule 3 above)."""
        return samples * sum(
            len(actions[0].positions)
            for column in self.columns
            for _, plan in column.layers
            for actions in plan.new_rows
            if not any(action.component in AFTER_MLP for action in actions)
        )

    def n_rows(self) -> int:
        """Rows that reach the unembedding, all columns together."""
        return sum(1 + max(column.rows) for column in self.columns if column.rows)


def make_plan(
    programs: Sequence[Program],
    *,
    n_layers: int,
    n_positions: int,
    first_changed: int,
    n_readouts: int = 1,
    always: Collection[int] = (),
    two_runs: bool = False,
) -> Plan:
    """Plan the cells' programs over a prompt of `n_positions` tokens whose runs agree before `first_changed`.

    Cells in `always` are run as they are, although nothing can move them: they show the numerical noise floor.
    `two_runs`: the source's values are those of another run of the same tokens, and do not come from anywhere else.
    """
    reduced = [_reduce(program, n_layers, first_changed) for program in programs]
    first_readout = n_positions - n_readouts
    unmoved = {
        cell
        for cell, program in enumerate(reduced)
        if not program or (cell not in always and _keeps_base(program, n_layers, first_readout))
    }
    by_start: dict[tuple[int, Which], list[int]] = defaultdict(list)
    for cell, program in enumerate(reduced):
        if cell not in unmoved:
            start: tuple[int, Which] = min(_start(program), first_readout), "base"
            if two_runs and cell not in always:
                until = _source_until(program, first_changed)
                if first_changed + LEAST_SAVED * (n_positions - first_changed) <= until <= first_readout:
                    start = until, "source"
            by_start[start].append(cell)
    columns = tuple(
        make_column(start, cells, reduced, n_layers, before) for (start, before), cells in sorted(by_start.items())
    )
    return Plan(n_layers, n_positions, columns, tuple(sorted(unmoved)), tuple(reduced))


def make_column(
    start: int, cells: Sequence[int], programs: Sequence[Program], n_layers: int, before: Which = "base"
) -> Column:
    """Build the trie of rows of the cells that start at the same position."""
    row_of_cell = dict.fromkeys(cells, -1)
    layers: list[tuple[int, LayerPlan]] = []
    for layer in range(min(min(programs[cell]) for cell in cells), n_layers):
        whole: dict[tuple[int, tuple[Action, ...]], int] = {}
        new_rows: dict[tuple[Action, ...], int] = {}
        for cell in cells:
            actions = programs[cell].get(layer, ())
            if row_of_cell[cell] >= 0 or (actions and actions[0].component in BEFORE_ATTENTION):
                row_of_cell[cell] = whole.setdefault((row_of_cell[cell], actions), len(whole))
            elif actions:
                new_rows.setdefault(actions, len(new_rows))
        for cell in cells:
            if row_of_cell[cell] < 0 and programs[cell].get(layer, ()):
                row_of_cell[cell] = len(whole) + new_rows[programs[cell][layer]]
        parents = tuple(parent for parent, _ in whole)
        layers.append((layer, LayerPlan(parents, tuple(actions for _, actions in whole), tuple(new_rows))))
    return Column(start, tuple(layers), tuple(cells), tuple(row_of_cell[cell] for cell in cells), before)


def split_column(column: Column, programs: Sequence[Program], n_layers: int, most_rows: int) -> tuple[Column, ...]:
    """Cut a column into ones that keep at most `most_rows` rows alive (one cell at least)."""
    if column.most_rows <= most_rows or len(column.cells) == 1:
        return (column,)
    pieces = -(-column.most_rows // max(1, most_rows))
    size = max(1, -(-len(column.cells) // pieces))
    return tuple(
        make_column(column.start, column.cells[first : first + size], programs, n_layers, column.before)
        for first in range(0, len(column.cells), size)
    )


def _reduce(program: Program, n_layers: int, first_changed: int) -> dict[int, tuple[Action, ...]]:
    """Drop positions where both runs agree, and write `resid_post` of block l as `resid_pre` of block l+1."""
    moved: dict[int, list[Action]] = defaultdict(list)
    for layer, actions in program.items():
        for action in actions:
            positions = tuple(position for position in action.positions if position >= first_changed)
            if positions and action.component == "resid_post" and layer + 1 < n_layers:
                moved[layer + 1].append(Action("resid_pre", positions, None, action.run))
            elif positions:
                moved[layer].append(Action(action.component, positions, action.head, action.run))
    return {layer: tuple(sorted(actions, key=_stage)) for layer, actions in sorted(moved.items())}


def _stage(action: Action) -> tuple[int, int]:
    return STAGE[action.component], -1 if action.head is None else action.head


def _start(program: Program) -> int:
    return min(min(action.positions) for actions in program.values() for action in actions)


def _source_until(program: Program, first_changed: int) -> int:
    """The position before which the cell is the source run (rule 6); −1 where that is not known of it."""
    actions = [action for in_layer in program.values() for action in in_layer]
    if len(actions) > 1 or (actions[0].component, actions[0].run) != ("resid_pre", "source"):
        return -1
    until = first_changed
    while until in actions[0].positions:
        until += 1
    return until if max(actions[0].positions) < until else -1


def _keeps_base(program: Program, n_layers: int, first_readout: int) -> bool:
    """True where no action puts in another run's value, or none of them can reach a read-out."""
    sources = [(layer, action) for layer, actions in program.items() for action in actions if action.run == "source"]
    return all(
        layer == n_layers - 1 and action.component in OWN_POSITION_ONLY and max(action.positions) < first_readout
        for layer, action in sources
    )
