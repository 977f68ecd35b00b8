"""Checking a finished trace: every checksum, and some cells, drawn at random, traced anew.

Cells are traced by the same settings and noise, by themselves, and compared with what the folder holds: to rounding, as
other rows go together, and to the noise floor that was measured with them. Signs and axes are those of causal tracing
(`spiritlens.analysis.tracing.causal_tracing`). Source: this project.
"""

import json
import zlib
from collections import Counter
from collections.abc import Mapping
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
    n_parts = len(contents.parts)
    try:
        _check_trace(run, contents)
        rows = _some_cells(lens, run, contents, cells, seed)
    except ValueError as error:
        return Verified(run.folder, n_parts, 0, float("nan"), tuple(wrong), str(error))
    wrong += [f"{told} differs by {difference:.2g}" for told, difference, allowed in rows if difference > allowed]
    largest = max((difference for _, difference, _ in rows), default=0.0)
    return Verified(run.folder, n_parts, len(rows), largest, tuple(wrong))


def _damaged_effects(path: Path) -> list[str]:
    if not path.is_file():
        return []
    try:
        load(path)
    except ValueError as error:
        return [str(error)]
    return []


def _check_trace(run: RunDirectory, contents: Contents) -> None:
    """The run has cells that a trace could make anew."""
    if not contents.parts:
        raise ValueError("no part to take cells from")
    if contents.parts[0].attributes.get("schema") != SCHEMA or "trace" not in run.read_config():
        raise ValueError("no trace, so that its cells were not made anew")


Compared = tuple[str, float, float]
"""Of a cell that was traced anew: where it is, by how much it differs, and by how much it may."""


def _some_cells(lens: Lens, run: RunDirectory, contents: Contents, cells: int, seed: int) -> list[Compared]:
    """So many cells of random prompts, none twice; all where there are fewer.

    Prompts are drawn with as many cells each as they come up; what one has too few for, others make up.
    """
    generator, left = np.random.default_rng(seed), sorted(contents.where)
    prompts = {str(row["id"]): row for row in run.read_prompts().to_dict("records")}
    taken: Counter[str] = Counter()
    rows: list[Compared] = []
    while left and len(rows) < cells:
        drawn = Counter(left[place] for place in generator.integers(len(left), size=cells - len(rows)))
        for name in sorted(drawn, key=lambda name: (contents.where[name], name)):
            kept = run.read_part(contents.where[name])
            kept = kept.isel(prompt=[kept["prompt_id"].values.tolist().index(name)])
            prompt = Prompt.from_dict(prompts[name])
            settings, ours = _settings(lens, prompt, kept)
            places = _measured(settings, prompt, kept)
            order = np.random.default_rng([seed, zlib.crc32(name.encode())]).permutation(len(places))
            some = order[taken[name] : taken[name] + drawn[name]]
            rows += _traced_anew(ours, prompt, settings, kept, places[np.sort(some)])
            taken[name] += drawn[name]
            if taken[name] >= len(places):
                left.remove(name)
    return rows


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


def _measured(settings: TraceSettings, prompt: Prompt, kept: xr.Dataset) -> np.ndarray[Any, Any]:
    """Places ``[cell axis]`` (component, layer, site, head) of the cells that were run."""
    status = kept["status"].values[0] if "head" in kept.dims else kept["status"].values[0][..., None]
    shape = cells_of(settings.grid, settings.sites(prompt)).shape
    return np.argwhere(status[:, :, : shape[2]] == Status.MEASURED)


def _traced_anew(
    lens: Lens, prompt: Prompt, settings: TraceSettings, kept: xr.Dataset, places: np.ndarray[Any, Any]
) -> list[Compared]:
    """The cells at these places beside what the folder holds."""
    if not len(places):
        return []
    chosen = np.zeros(cells_of(settings.grid, settings.sites(prompt)).shape, bool)
    chosen[tuple(places.T)] = True
    found = trace_prompt(lens, prompt, settings, chosen=chosen)
    coarse = TOLERANCE * COARSER.get(str(kept.attrs["dtype"]), 1.0)
    floor = kept["noise_floor"].values[0]
    rows = []
    for place in places.tolist():
        index = (0, *(place if "head" in kept.dims else place[:3]))
        before, after = kept["restored"].values[index], found["restored"].values[index]
        excess = np.abs(before - after) - 4 * floor
        allowed = coarse * (1 + np.abs(before))
        worst = np.unravel_index(int(np.argmax(excess / allowed)), before.shape)
        where = f"{settings.grid.components[place[0]]} of layer {place[1]} at {site_axis(kept)} {place[2]}"
        rows.append(
            (
                f"prompt {prompt.id}, {where}",
                float(np.abs(before - after)[worst]),
                float(allowed[worst] + 4 * floor[worst[-1]]),
            )
        )
    return rows
