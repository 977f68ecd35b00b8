"""Writing a folder's effects.nc anew from its parts, which hold their own labels whole.

Version 0.1 cut the labels of effects.nc to the length of the first part's, so that facts fell together; the parts it
wrote are right. `rejoin` needs no model and traces nothing.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from spiritlens.effects.netcdf import read_netcdf
from spiritlens.effects.store import join_effects, load_effects, save_effects


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


def rejoin(folder: str | Path) -> Rejoined:
    """Join the parts of a run folder into its effects.nc, in the order in which they were asked for."""
    folder = Path(folder)
    path, parts = folder / "effects.nc", sorted((folder / "parts").glob("[!.]*.nc"))
    if not parts:
        raise ValueError(f"{folder} holds no parts: name the folder of a trace, with parts/*.nc inside")
    names = {part.stem: part for part in parts}
    asked = _asked(folder)
    order = [name for name in asked if name in names] or list(names)
    effects = join_effects([load_effects(names[name]) for name in order])
    before = _before(path)
    save_effects(effects, path)
    changed = {} if before is None else _changed(before, effects)
    return Rejoined(path, effects, changed, tuple(name for name in asked if name not in names))


def _asked(folder: Path) -> list[str]:
    """The prompts of the folder in their order, where its configuration tells them."""
    path = folder / "config.json"
    if not path.is_file():
        return []
    try:
        names = json.loads(path.read_text(encoding="utf-8")).get("prompts", [])
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({error}): delete it, and the parts are joined by their names") from error
    return [str(name) for name in names]


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
