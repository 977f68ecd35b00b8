"""Writing a folder's effects.nc anew from its parts, which hold their own labels whole.

Version 0.1 cut the labels of effects.nc to the length of the first part's, so that facts fell together; the parts it
wrote are right. `rejoin` needs no model and traces nothing.
"""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from spiritlens.arguments import told_keywords
from spiritlens.effects.contents import joined, named_as, read_contents, stored_names
from spiritlens.effects.netcdf import read_netcdf
from spiritlens.effects.part_heads import keep_heads, read_heads
from spiritlens.effects.prompt_table import read_ids
from spiritlens.effects.run_directory import RunDirectory
from spiritlens.effects.store import save
from spiritlens.files.atomic import given_path


@dataclass(frozen=True, eq=False)
class Rejoined:
    """A folder's results, joined anew from its parts."""

    path: Path
    effects: xr.Dataset
    changed: dict[str, int]
    """Labels and numbers that the file held otherwise before, by the name of their variable."""
    missing: tuple[str, ...] = ()
    """Prompts of the folder that are not traced yet."""

    def __repr__(self) -> str:
        n_prompts = self.effects.sizes["prompt"]
        counts = ", ".join(f"{count} of {name}" for name, count in self.changed.items())
        said = f"{self.path}: {n_prompts} prompts joined; {sum(self.changed.values())} values changed"
        waiting = f"; {len(self.missing)} prompts are not traced yet" if self.missing else ""
        return said + (f" ({counts})" if counts else "") + waiting


@told_keywords
def rejoin(folder: str | Path) -> Rejoined:
    """Join the parts of a run folder into its effects.nc, in the order in which they were asked for.

    Returns how many prompts were joined and values changed. Raises ValueError where the folder holds no parts, or parts
    of several studies.
    """
    run = RunDirectory(given_path("folder", folder))
    path, asked = run.folder / "effects.nc", _asked(run)
    contents = read_contents(run, asked)
    if contents.damaged:
        raise ValueError(
            f"{'; '.join([*contents.damaged.values()][:3])}: delete the file and run the same command again"
        )
    if not contents.parts:
        raise ValueError(f"{run.folder} holds no parts: name the folder of a trace, with parts/*.nc inside")
    where = contents.where
    order = [name for name in asked if name in where] or list(where)
    effects = named_as(joined(run, order, where), stored_names(run, order))
    before = _before(path)
    changed = {} if before is None else _changed(before, effects)
    if before is None or changed or before.attrs != effects.attrs:  # else the file may lie where nothing can be written
        save(effects, path)
    if contents.parts != tuple(read_heads(run.folder).values()):
        keep_heads(run.folder, contents.parts)  # all were just read, so that a resume need not
    return Rejoined(path, effects, changed, tuple(name for name in asked if name not in where))


def _asked(run: RunDirectory) -> list[str]:
    """The prompts of the folder in their order: version 0.1 kept it in the configuration."""
    with contextlib.suppress(OSError, ValueError):
        config = json.loads((run.folder / "config.json").read_text(encoding="utf-8"))
        if isinstance(config, dict) and isinstance(config.get("prompts"), list):
            return [str(name) for name in config["prompts"]]
    return list(read_ids(run.folder / "prompts.parquet"))


def _before(path: Path) -> xr.Dataset | None:
    """The file as it is, where it can be read."""
    try:
        return read_netcdf(path)
    except Exception:  # whatever is wrong with it, it is about to be replaced
        return None


def _changed(before: xr.Dataset, after: xr.Dataset) -> dict[str, int]:
    """How many values of each variable differ; all of a variable whose shape does."""
    counts = {}
    for name, variable in after.variables.items():
        new, old = variable.values, before[name].values if name in before.variables else np.empty(0)
        unlike = np.ones(new.shape, bool) if new.shape != old.shape else (new != old) & ~((new != new) & (old != old))
        if unlike.any():
            counts[str(name)] = int(unlike.sum())
    return counts
