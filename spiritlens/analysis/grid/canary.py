"""The rows of a prompt's canary: cells whose outcome is known before they run (`spiritlens.effects.canaries`).

One row is *self*: in one block, every component of the grid at every position from the base run. The others are *all*:

- the donor's stream into block 0 and, in every block, its value of each component that is no residual stream: each of
  these adds to the stream what the donor added, so that a value of another block or position stays until the read-out;
- where the grid patches residual streams, the donor's in one block alone: a later one would hide what an earlier did.

Whose turn it is, block and stream, follows from the prompt's id, so that the prompts of a study go through all of them.
They run in the batch of the cells: one row beside hundreds.
"""

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spiritlens.components import COMPONENT_NAMED, patched_by
from spiritlens.runs.sweep.plan import Action, Program

RESIDUAL = tuple(name for name in COMPONENT_NAMED if name.startswith("resid"))


@dataclass(frozen=True, eq=False)
class Deviations:
    """The largest deviations ``[metric]`` of a prompt's canaries; None where there is no such patch."""

    own: np.ndarray[Any, Any] | None = None
    everywhere: np.ndarray[Any, Any] | None = None


NO_CANARY = Deviations()


def deviations(
    values: np.ndarray[Any, Any], base: np.ndarray[Any, Any], donor: np.ndarray[Any, Any] | None
) -> Deviations:
    """From the values ``[canary sample metric]`` of `canary_programs`, and scores ``[run metric]`` of the base and of
    the donor (None: there is no such run)."""
    own = np.abs(values[0] - base).max(axis=0)
    return Deviations(own, None if donor is None else np.abs(values[1:] - donor).max(axis=(0, 1)))


def largest(parts: Sequence[Deviations]) -> Deviations:
    """The largest deviations of several runs."""
    own = [part.own for part in parts if part.own is not None]
    everywhere = [part.everywhere for part in parts if part.everywhere is not None]
    return Deviations(*(np.max(found, axis=0) if found else None for found in (own, everywhere)))


def turn_of(prompt_id: str) -> int:
    """A number by which a prompt's turn is found."""
    return zlib.crc32(prompt_id.encode())


def canary_programs(
    components: Collection[str], n_layers: int, positions: Sequence[int], prompt_id: str
) -> list[Program]:
    """The canary of a grid's components, self first; `positions` are all from the first at which the runs differ."""
    where, turn = tuple(positions), turn_of(prompt_id)
    swept = [name for name in patched_by("sweep") if name in {_swept(component) for component in components}]
    block = turn % n_layers
    own = {block: tuple(Action(name, where, None, "base") for name in swept)}
    inner = [name for name in swept if name not in RESIDUAL]
    everywhere = {
        layer: (
            *([Action("resid_pre", where)] if layer == 0 else ()),
            *(Action(name, where) for name in inner),
        )
        for layer in range(n_layers)
    }
    programs: list[Program] = [own, {layer: actions for layer, actions in everywhere.items() if actions}]
    streams = [name for name in swept if name in RESIDUAL]
    if streams:
        programs.append({block: (Action(streams[(turn // n_layers) % len(streams)], where),)})
    return programs


def _swept(component: str) -> str:
    """The component through which the sweep patches another: results of heads through z, patterns too."""
    return "z" if component in ("result", "pattern") else component
