"""Checking a finished trace: every checksum, and some cells, drawn at random, traced anew.

Cells are traced by the same settings and noise, by themselves, and compared with what the folder holds: to rounding, as
other rows go together, and to the noise floor that was measured with them. Signs and axes are those of causal tracing
(`spiritlens.analysis.tracing.causal_tracing`). Source: this project.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.analysis.grid.grid import Draws, Grid
from spiritlens.analysis.tracing.one_prompt import cells_of, trace_prompt
from spiritlens.analysis.tracing.settings import TraceSettings, given_trace_settings
from spiritlens.arguments import told_keywords, whole
from spiritlens.effects.contents import Contents, read_contents
from spiritlens.effects.inspecting import runs_within
from spiritlens.effects.prompt_table import read_ids
from spiritlens.effects.run_directory import RunDirectory
from spiritlens.effects.schema import SCHEMA, Status, site_axis
from spiritlens.effects.store import load
from spiritlens.models.given import given_lens
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.corruption import Corruption
from spiritlens.runs.corruptions.knock_out import KnockOut
from spiritlens.runs.corruptions.noise import Noise, NoiseScale
from spiritlens.runs.metrics import given_metrics

TOLERANCE = 1e-5
"""By how much a cell that is traced anew may differ, beside the noise floor, of one plus its size; of float32. Half
precision is allowed as many more as its numbers are coarser."""
COARSER = {"float64": 1e-4, "float32": 1.0, "bfloat16": 3e3, "float16": 1e3}


@dataclass(frozen=True)
class Verified:
    """What was checked of one run directory, and what is wrong."""

    folder: Path
    parts: int
    cells: int
    largest: float
    """The largest difference of a cell that was traced anew."""
    wrong: tuple[str, ...]
    """Damaged parts, and cells that came out otherwise."""
    unchecked: str = ""
    """Why no cell was traced anew; empty where some were."""

    def __repr__(self) -> str:
        cells = f"{self.cells} cells traced anew, differing by {self.largest:.2g} at most"
        told = self.unchecked or cells
        verdict = "; ".join(self.wrong[:3]) or "nothing is wrong"
        return f"{self.folder}: {self.parts} parts have the checksums of their content; {told}; {verdict}"


@told_keywords
def verify(lens: Lens, folder: str | Path, *, cells: int = 20, seed: int = 0) -> tuple[Verified, ...]:
    """Check the run directories in a folder: all checksums, and `cells` random cells of each trace of this model.

    Returns what was found of each run. Runs of other methods, models, corruptions and metrics than those of this
    package have their checksums checked alone, which is said. Raises ValueError where the folder holds no run.
    """
    lens, cells, seed = given_lens(lens), whole("cells", cells, at_least=1), whole("seed", seed, at_least=0)
    return tuple(_verified(lens, RunDirectory(path), cells, seed) for path in runs_within(folder))


def _verified(lens: Lens, run: RunDirectory, cells: int, seed: int) -> Verified:
    contents = read_contents(run, frozenset(read_ids(run.folder / "prompts.parquet")))
    wrong = [*contents.damaged.values(), *_damaged_effects(run.folder / "effects.nc")]
    n_parts, where = len(contents.parts), contents.where
    try:
        asked = _drawn(run, contents, cells, seed)
    except ValueError as error:
        return Verified(run.folder, n_parts, 0, float("nan"), tuple(wrong), str(error))
    rows = {str(row["id"]): row for row in run.read_prompts().to_dict("records")}
    largest, count, unlike = 0.0, 0, list[str]()
    for name, part_name in sorted({(name, where[name]) for name, _ in asked}):
        kept = run.read_part(part_name)
        kept = kept.isel(prompt=[kept["prompt_id"].values.tolist().index(name)])
        prompt = Prompt.from_dict(rows[name])
        try:
            settings, ours = _settings(lens, prompt, kept)
        except ValueError as error:
            return Verified(run.folder, n_parts, 0, float("nan"), tuple(wrong), str(error))
        draws = [lot for other, lot in asked if other == name]
        for told, difference, allowed in _traced_anew(ours, prompt, settings, kept, draws):
            largest, count = max(largest, difference), count + 1
            if difference > allowed:
                unlike.append(f"prompt {name}, {told} differs by {difference:.2g}")
    return Verified(run.folder, n_parts, count, largest, (*wrong, *unlike))


def _damaged_effects(path: Path) -> list[str]:
    if not path.is_file():
        return []
    try:
        load(path)
    except ValueError as error:
        return [str(error)]
    return []


def _drawn(run: RunDirectory, contents: Contents, cells: int, seed: int) -> list[tuple[str, float]]:
    """Random prompts, each with a lot between 0 and 1 that chooses its cell."""
    if not contents.parts:
        raise ValueError("no part to take cells from")
    if contents.parts[0].attributes.get("schema") != SCHEMA or "trace" not in run.read_config():
        raise ValueError("no trace, so that its cells were not made anew")
    generator, names = np.random.default_rng(seed), sorted(contents.where)
    return [(names[int(generator.integers(len(names)))], float(generator.random())) for _ in range(cells)]


def _settings(lens: Lens, prompt: Prompt, kept: xr.Dataset) -> tuple[TraceSettings, Lens]:
    """The settings of a kept trace, and the lens with its budget; ValueError where they cannot be had here."""
    attributes: Mapping[str, Any] = kept.attrs
    config = json.loads(attributes["config_json"])
    if attributes["model_hash"] != lens.id:
        raise ValueError(f"a run of another model ({attributes['model_name']}), so that its cells were not traced anew")
    if "own_metrics" in config or not {"components", "corrupted", "sever"} <= config.keys():
        raise ValueError("a run of another method or of own metrics, so that its cells were not traced anew")
    grid = Grid(
        config["components"],
        at=attributes["at"],
        window=int(attributes["window"]),
        direction=attributes["direction"],
        sever=config["sever"],
        corrupted=config["corrupted"],
        **({"spans": config["spans"]} if attributes["at"] == "span" else {}),
    )
    draws = Draws(int(attributes["samples"]), int(attributes["seed"]))
    metrics = given_metrics(config["metrics"])
    ours = replace(lens, memory_budget=config["memory_budget"])
    return given_trace_settings(ours, [prompt], grid, _corruption(config["corruption"]), metrics, draws), ours


def _corruption(settings: Mapping[str, Any]) -> Corruption:
    if set(settings) == {"knock_out"}:
        return KnockOut(settings["knock_out"])
    if set(settings) == {"noise", "law", "mode", "stream"} and isinstance(settings["noise"], list):
        text, speech = settings["noise"]
        return Noise(NoiseScale(text, speech), settings["law"], settings["mode"], settings["stream"])
    raise ValueError("a run with a corruption of donors or of your own, so that its cells were not traced anew")


def _traced_anew(
    lens: Lens, prompt: Prompt, settings: TraceSettings, kept: xr.Dataset, lots: Sequence[float]
) -> list[tuple[str, float, float]]:
    """Per cell: where it is, by how much it differs, and by how much it may."""
    by_head = "head" in kept.dims
    status = kept["status"].values[0] if by_head else kept["status"].values[0][..., None]
    shape = cells_of(settings.grid, settings.sites(prompt)).shape
    places = np.argwhere(status[:, :, : shape[2]] == Status.MEASURED)
    if not len(places):
        return []
    chosen = np.zeros(shape, bool)
    picked = {tuple(places[int(lot * len(places))].tolist()) for lot in lots}
    for place in picked:
        chosen[place] = True
    found = trace_prompt(lens, prompt, settings, chosen=chosen)
    coarse = TOLERANCE * COARSER.get(str(kept.attrs["dtype"]), 1.0)
    floor = kept["noise_floor"].values[0]
    rows = []
    for place in sorted(picked):
        index = (0, *(place if by_head else place[:3]))
        before, after = kept["restored"].values[index], found["restored"].values[index]
        excess = np.abs(before - after) - 4 * floor
        allowed = coarse * (1 + np.abs(before))
        worst = np.unravel_index(int(np.argmax(excess / allowed)), before.shape)
        told = f"{settings.grid.components[place[0]]} of layer {place[1]} at {site_axis(kept)} {place[2]}"
        rows.append((told, float(np.abs(before - after)[worst]), float(allowed[worst] + 4 * floor[worst[-1]])))
    return rows
