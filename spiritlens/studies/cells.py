"""The four cells of knowing: facts known in both modalities, in writing only, in speech only, in neither; and the maps
of each.

Two maps that differ may do so because other facts went into them. The table says which facts are in which cell, how
many of them were traced in each modality, and holds their average effects: those of *all* traced facts of the cell,
known or not, since what a cell is made of is what is known of it. A cell of which nothing was traced says so.

    cells = result.cells                       # of a study
    cells["text only"].averages                # as `sl.effects.average` gives them, by modality; None if not traced
    sl.studies.FourCells.read("runs/trace")    # from its folder

A study's folder has ``cells.json``, and the averages of each traced cell in ``cells/``.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from spiritlens.effects.averages import average
from spiritlens.effects.store import load, save
from spiritlens.files.atomic import write_whole
from spiritlens.prompts.knowing import Knowing
from spiritlens.studies.pairs import KINDS, PairedPrompts
from spiritlens.text_tables import text_table

Cell = Literal["both", "text only", "speech only", "neither"]
CELLS: tuple[Cell, ...] = get_args(Cell)
NAMES_SHOWN = 3


@dataclass(frozen=True, eq=False)
class KnownCell:
    """The facts of one cell, the share of those asked, how many were traced by modality, and the maps of these."""

    name: Cell
    facts: tuple[str, ...]
    share: float
    traced: Mapping[str, int]
    averages: xr.Dataset | None
    """Indirect effects [group component layer role metric] of the traced facts by modality; None: none was traced."""


@dataclass(frozen=True, eq=False)
class FourCells:
    """What the model knows of the facts that it was asked; prints itself as a table."""

    cells: tuple[KnownCell, ...]
    knowing: Knowing

    def __getitem__(self, name: str) -> KnownCell:
        for cell in self.cells:
            if cell.name == name:
                return cell
        raise KeyError(f"no cell {name!r}; there are {', '.join(CELLS)}")

    @property
    def n_facts(self) -> int:
        """Facts that were asked."""
        return sum(len(cell.facts) for cell in self.cells)

    @property
    def accuracy(self) -> dict[str, float]:
        """Share of the asked facts that are known in each modality."""
        return {
            "T2T": self["both"].share + self["text only"].share,
            "S2T": self["both"].share + self["speech only"].share,
        }

    def rows(self) -> list[dict[str, Any]]:
        """One row a cell: its name, facts, share, and how many were traced in each modality."""
        return [
            {"known in": cell.name, "facts": len(cell.facts), "share": cell.share}
            | {f"{kind} traced": cell.traced[kind] for kind in KINDS}
            for cell in self.cells
        ]

    def __repr__(self) -> str:
        rows = [("known in", "facts", "share", *(f"{kind} traced" for kind in KINDS), "")]
        for cell in self.cells:
            traced = (str(cell.traced[kind] or "not traced") for kind in KINDS)
            rows.append((cell.name, str(len(cell.facts)), f"{100 * cell.share:.0f} %", *traced, _names(cell.facts)))
        known = " and ".join(f"{100 * share:.0f} % in {kind}" for kind, share in self.accuracy.items())
        title = f"Of {self.n_facts} facts asked, {known} are known. A fact is known when {self.knowing.words}."
        return f"{title}\n{text_table(rows, right=(1, 2, 3, 4))}"

    def write(self, folder: Path) -> None:
        """Write ``cells.json`` and the averages of the traced cells; those of an earlier call are replaced."""
        for cell in self.cells:
            path = folder / cell_file(cell.name)
            if cell.averages is None:
                path.unlink(missing_ok=True)
            else:
                save(cell.averages, path)
        record = {
            "knowing": str(self.knowing),
            "cells": {cell.name: {"facts": cell.facts, "traced": dict(cell.traced)} for cell in self.cells},
        }
        write_whole(folder / "cells.json", json.dumps(record, indent=1, ensure_ascii=False).encode())

    @classmethod
    def read(cls, folder: str | Path) -> "FourCells":
        """The cells that a study wrote into its folder.

        Returns them with their maps. Raises FileNotFoundError where there are none, ValueError for a changed file.
        """
        path = Path(folder) / "cells.json"
        if not path.is_file():
            raise FileNotFoundError(f"no cells at {path}: give the folder of a study by this version")
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            knowing, cells = Knowing.read(record["knowing"]), record["cells"]
            given = {name: (tuple(cells[name]["facts"]), dict(cells[name]["traced"])) for name in CELLS}
            all_traced = {name: sum(int(traced[kind]) for kind in KINDS) for name, (_, traced) in given.items()}
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path} cannot be read ({error}): it was changed; run the study again") from error
        count = sum(len(facts) for facts, _ in given.values())
        return cls(
            tuple(
                KnownCell(
                    name,
                    given[name][0],
                    _share(len(given[name][0]), count),
                    given[name][1],
                    load(Path(folder) / cell_file(name)) if all_traced[name] else None,
                )
                for name in CELLS
            ),
            knowing,
        )


def cell_of(pair: PairedPrompts) -> Cell:
    """The cell of a fact that was asked."""
    if pair.known_in_both:
        return "both"
    return "text only" if pair.known["T2T"] else "speech only" if pair.known["S2T"] else "neither"


def four_cells(pairs: Sequence[PairedPrompts], effects: xr.Dataset, knowing: Knowing) -> FourCells:
    """The cells of the facts that were asked, with the maps of those that were traced (`effects`)."""
    found: dict[Cell, list[str]] = {name: [] for name in CELLS}
    for pair in pairs:
        found[cell_of(pair)].append(pair.fact.id)
    return FourCells(tuple(_cell(name, found[name], len(pairs), effects) for name in CELLS), knowing)


def _cell(name: Cell, facts: Sequence[str], n_asked: int, effects: xr.Dataset) -> KnownCell:
    inside = np.isin(effects["fact_id"].values, list(facts))
    kinds = effects["modality"].values
    traced = {kind: int((inside & (kinds == kind)).sum()) for kind in KINDS}
    maps = average(effects.isel(prompt=np.flatnonzero(inside)), facts="all") if inside.any() else None
    return KnownCell(name, tuple(facts), _share(len(facts), n_asked), traced, maps)


def _share(count: int, of: int) -> float:
    return count / of if of else 0.0


def cell_file(cell: Cell) -> str:
    """The averages of a cell, as a file in a study's folder."""
    return f"cells/{cell.replace(' ', '_')}.nc"


def _names(facts: Iterable[str]) -> str:
    names = tuple(facts)
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"{', '.join(names[:NAMES_SHOWN])}{more}"
