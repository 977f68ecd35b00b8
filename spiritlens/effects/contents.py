"""What the parts of a run directory hold: which prompt lies in which part, and which parts are damaged.

A part holds whole prompts, any number of them. A prompt that several parts hold (two processes made it, or a merge
brought it twice) is read from the first; they are equal.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.effects.joining import join_effects
from spiritlens.effects.netcdf import read_column, read_netcdf
from spiritlens.effects.part_heads import Part, changed
from spiritlens.effects.prompt_table import read_table
from spiritlens.effects.run_directory import RunDirectory
from spiritlens.effects.schema import HEARD_COLUMNS, PROMPT_TEXTS

STORED_AS = {"modality": "kind"}
"""Columns of prompts.parquet that have another name than the coordinate of a result."""


@dataclass(frozen=True)
class Contents:
    """The parts of a folder, sorted by name, and what is wrong with those that are damaged."""

    parts: tuple[Part, ...]
    damaged: Mapping[str, str]

    @property
    def where(self) -> dict[str, str]:
        """The part of each finished prompt, by the prompt's id."""
        found: dict[str, str] = {}
        for part in self.parts:
            for name in part.ids:
                found.setdefault(name, part.name)
        return found


def read_contents(run: RunDirectory, prompts: Collection[str] = (), *, noted: Mapping[str, Part] = {}) -> Contents:
    """Look at the heads of all parts, and check their checksums.

    A part that bears the name of one of these `prompts`, as those of earlier versions do, must hold that one alone.
    Parts that did not change since they were `noted` (`spiritlens.effects.part_heads`) are not read.
    """
    parts: list[Part] = []
    damaged: dict[str, str] = {}
    for name in run.done:
        path = run.part(name)
        try:
            now = changed(path)
            if name in noted and noted[name].changed == now:
                parts.append(noted[name])
                continue
            ids, attributes = read_column(path, "prompt_id")
        except FileNotFoundError:
            continue  # another process put it aside
        except Exception as error:  # whatever the reader of the format raises
            damaged[name] = f"{path} cannot be read as netCDF ({' '.join(str(error).split())}) and is damaged"
            continue
        if name in prompts and ids != [name]:
            damaged[name] = f"{path} holds the prompt {', '.join(ids)}"
            continue
        parts.append(Part(name, tuple(ids), attributes, now))
    return Contents(tuple(parts), damaged)


def joined(run: RunDirectory, ids: Sequence[str], where: Mapping[str, str]) -> xr.Dataset:
    """The dataset of these prompts in this order; `where` names the part of each."""
    place_of = {name: place for place, name in enumerate(ids)}
    parts, places = [], []
    for name in dict.fromkeys(where[prompt] for prompt in ids):
        part = _read(run.part(name))
        held = part["prompt_id"].values.tolist()
        mine = [place_of[prompt] if where.get(prompt) == name and prompt in place_of else -1 for prompt in held]
        parts.append(part)
        places.append(np.array(mine))
    return join_effects(parts, places=places)


def _read(path: Path) -> xr.Dataset:
    """A part as it is stored: it is checked with the others, when they are joined."""
    try:
        return read_netcdf(path)
    except Exception as error:
        raise ValueError(f"{path} cannot be read as netCDF ({error}): run the same command again") from error


def named_as(effects: xr.Dataset, columns: Mapping[str, Sequence[Any]]) -> xr.Dataset:
    """The results under the present names of their prompts: these coordinates, where they differ."""
    changed = {}
    for name in (*PROMPT_TEXTS, *HEARD_COLUMNS):
        if name not in columns or name not in effects.coords:
            continue
        before, named = effects[name].values, columns[name]
        if before.tolist() == (named if isinstance(named, list) else [*named]):
            continue
        text = before.dtype.kind in "UOT"
        now = np.asarray([str(one) for one in named] if text else named, np.str_ if text else float)
        if not np.array_equal(before, now, equal_nan=not text):
            changed[name] = ("prompt", now)
    return effects.assign_coords(changed) if changed else effects


def stored_names(run: RunDirectory, ids: Iterable[str]) -> dict[str, list[Any]]:
    """The present names of prompts, from prompts.parquet, as columns of a result; those that it has for all of them."""
    table = read_table(run.folder / "prompts.parquet")
    if "id" not in table.column_names:
        return {}
    rows = {name: row for row, name in enumerate(table.column("id").to_pylist())}
    wanted = [rows.get(name, -1) for name in ids]
    if -1 in wanted:
        return {}
    found = {}
    for name in (*PROMPT_TEXTS, *HEARD_COLUMNS):
        column = STORED_AS.get(name, name)
        if column in table.column_names and not table.column(column).null_count:
            found[name] = table.column(column).take(wanted).to_pylist()
    return found
