"""Reading a run folder for its page: datasets, prompts with their sound, findings and all that `record` names.

Two kinds of folders are read: that of a study (``page.json``), and that of one method (``effects.nc`` without it),
which has no findings. Nothing needs torch or a model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spiritlens.comparison.result import Comparison
from spiritlens.comparison.saving import load as load_comparison
from spiritlens.effects.run_directory import RunDirectory
from spiritlens.effects.store import load
from spiritlens.files.atomic import given_path
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.page.run_folder.record import FILE, KeptDataset, KeptMaps, PageRecord, read_record
from spiritlens.report.page.sections.beside import BesideSection
from spiritlens.speech.audio.waveform import read_waveform
from spiritlens.warn import warn

EFFECTS, STUDY = "effects.nc", "study.json"
GIVE = "give the --out of `spiritlens trace`, or the folder= of a method"


@dataclass(frozen=True, eq=False)
class RunFolder:
    """A run folder as it was read: `datasets` by name, `prompts` with sound, `maps` of groups, the rest as kept."""

    folder: Path
    datasets: Mapping[str, xr.Dataset]
    prompts: tuple[Prompt, ...]
    maps: tuple[BesideSection, ...]
    comparison: Comparison | None
    kept: PageRecord


def read_run_folder(folder: str | Path) -> RunFolder:
    """The folder of a study or of a method, read whole; one sentence for what is none, old, or damaged."""
    path = given_path("folder", folder)
    if not path.is_dir():
        what = "is a file" if path.exists() else "is not there"
        raise FileNotFoundError(f"folder={path} {what}: {GIVE}")
    kept = read_record(path) if (path / FILE).is_file() else _of_method(path)
    return RunFolder(
        folder=path,
        datasets={one.name: _dataset(path, one) for one in kept.datasets},
        prompts=_prompts(path, kept),
        maps=tuple(_maps(path, one) for one in kept.maps),
        comparison=load_comparison(path / kept.comparison) if kept.comparison else None,
        kept=kept,
    )


def _maps(folder: Path, kept: KeptMaps) -> BesideSection:
    groups = {one.name: load(folder / one.file) if one.file else None for one in kept.groups}
    return BesideSection(kept.heading, kept.text, groups)


def _of_method(folder: Path) -> PageRecord:
    """What stands for the record of a folder that one method filled."""
    if (folder / STUDY).is_file():
        raise ValueError(
            f"{folder} holds a study that is not finished, or is of a version that kept no {FILE} for its page: run "
            "the same command again, which goes on and writes it"
        )
    if not (folder / EFFECTS).is_file():
        raise ValueError(f"{folder} is no run folder (it has neither {FILE} nor {EFFECTS}): {GIVE}")
    effects, rows = load(folder / EFFECTS), RunDirectory(folder).read_prompts()
    finished = set(effects["prompt_id"].values.tolist()) if "prompt_id" in effects.variables else set()
    names = tuple(str(name) for name in rows["id"] if str(name) in finished) if len(rows) else ()
    return PageRecord((KeptDataset("effects", EFFECTS, ()),), names)


def _dataset(folder: Path, kept: KeptDataset) -> xr.Dataset:
    """The dataset with the prompts that the page is of, in their order (none named: as it is)."""
    found = load(folder / kept.file).assign_attrs(kept.attributes)
    there = [str(name) for name in found["prompt_id"].values] if "prompt_id" in found.variables else []
    if not kept.prompts or list(kept.prompts) == there:
        return found
    missing = [name for name in kept.prompts if name not in there]
    if missing:
        raise ValueError(
            f"{folder / kept.file} lacks {len(missing)} of the {len(kept.prompts)} prompts of the page "
            f"({missing[0]} …): run the same command again"
        )
    return found.isel(prompt=[there.index(name) for name in kept.prompts])


def _prompts(folder: Path, kept: PageRecord) -> tuple[Prompt, ...]:
    """The prompts of the page with their sound, where it is there."""
    rows = {str(row["id"]): _plain(row) for row in RunDirectory(folder).read_prompts().to_dict("records")}
    missing = [name for name in kept.prompts if name not in rows]
    if missing:
        raise ValueError(
            f"{folder / 'prompts.parquet'} lacks {len(missing)} of the {len(kept.prompts)} prompts of the page "
            f"({missing[0]} …): run the same command again"
        )
    silent = [name for name in kept.prompts if name in kept.sounds and not (folder / kept.sounds[name]).is_file()]
    if silent:
        warn(
            f"{len(silent)} of {len(kept.sounds)} sounds are not in {folder} ({kept.sounds[silent[0]]} …): the page is "
            "made without them"
        )
    return tuple(_with_sound(folder, Prompt.from_dict(rows[name]), kept, silent) for name in kept.prompts)


def _with_sound(folder: Path, prompt: Prompt, kept: PageRecord, silent: Sequence[str]) -> Prompt:
    if prompt.id not in kept.sounds or prompt.id in silent:
        return prompt
    return replace(prompt, waveform=read_waveform(folder / kept.sounds[prompt.id]))


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value.tolist() if isinstance(value, np.ndarray) else value for name, value in row.items()}
