"""What a study keeps in its folder for its page (`spiritlens.report.page.run_folder`), so that it can be made anew.

Beside what is there already (datasets, prompts, wavs, averages of the cells): ``comparison.nc`` and ``page.json``,
which names them all and holds findings, accuracy, notes and settings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from spiritlens.comparison.result import Comparison
from spiritlens.comparison.saving import save
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.page.run_folder.record import KeptDataset, KeptMap, KeptMaps, PageRecord, write_record
from spiritlens.studies.cells import FourCells, cell_file
from spiritlens.studies.pairs import write_wavs
from spiritlens.studies.recall import StudyRecall, recall_file
from spiritlens.studies.settings import StudySettings

BY_ROLE, PLAIN, BY_TOKEN, SEED = "by role", "plain writing", "by token", "seed protocol"
"""Names of a study's datasets on its page."""

FILES = {BY_ROLE: "effects.nc", PLAIN: "plain/effects.nc", BY_TOKEN: "tokens/effects.nc", SEED: "seed/effects.nc"}
COMPARISON = "comparison.nc"

KNOWN = {"both": "known in both", "text only": "text only", "speech only": "speech only", "neither": "known in neither"}
"""Headings of the cells' columns."""
CELLS_TEXT = (
    "Each column averages the traced facts of one cell of knowing. Columns are of different facts: that two of them "
    "differ is no test of what knowing does."
)
RECALL_TEXT = (
    "Each column averages the traced facts of one kind of recall, as their tags say. Columns are of different facts: "
    "that two of them differ is no test of what recall does."
)


@dataclass(frozen=True, eq=False)
class OnPage:
    """What a study found, as far as its page shows it."""

    traced: Mapping[str, xr.Dataset]
    prompts: Sequence[Prompt]
    accuracy: Sequence[dict[str, Any]]
    findings: Sequence[str]
    notes: Sequence[str]
    cells: FourCells
    comparison: Comparison | None
    recall: StudyRecall | None = None


def write_page_record(folder: Path, found: OnPage, settings: StudySettings, about: Mapping[str, str]) -> Path:
    """Write wavs, ``comparison.nc`` and ``page.json``; `about` says what settings do not (model, protocol, rule)."""
    sounds = write_wavs(found.prompts, folder / "wavs")
    comparison = folder / COMPARISON
    if found.comparison is None:
        comparison.unlink(missing_ok=True)
    else:
        save(found.comparison, comparison)
    record = PageRecord(
        datasets=tuple(
            KeptDataset(name, FILES[name], tuple(one["prompt_id"].values.tolist()), _given(one))
            for name, one in found.traced.items()
        ),
        prompts=tuple(prompt.id for prompt in found.prompts),
        sounds={prompt: f"wavs/{path.name}" for prompt, path in sounds.items()},
        accuracy=tuple(found.accuracy),
        findings=tuple(found.findings),
        notes=tuple(found.notes),
        facts="all" if settings.selection == "all" else "known",
        maps=(*cell_maps(found.cells), *(() if found.recall is None else kind_maps(found.recall))),
        comparison="" if found.comparison is None else COMPARISON,
        settings={**asdict(settings), **about},
    )
    return write_record(folder, record)


def _given(effects: xr.Dataset) -> dict[str, str]:
    """Attributes that the study gives a dataset beyond those in its file."""
    return {"dose": str(effects.attrs["dose"])} if "dose" in effects.attrs else {}


def cell_maps(cells: FourCells) -> tuple[KeptMaps, ...]:
    """The maps of the cells; none where all that was traced is of one cell, whose maps the page has already."""
    if sum(cell.averages is not None for cell in cells.cells) < 2:
        return ()
    maps = tuple(
        KeptMap(KNOWN[cell.name], "" if cell.averages is None else cell_file(cell.name)) for cell in cells.cells
    )
    return (KeptMaps("By what is known", CELLS_TEXT, maps),)


def kind_maps(recall: StudyRecall) -> tuple[KeptMaps, ...]:
    """The maps of the kinds of recall; none where all facts are of one kind, or no kind has a map."""
    kinds = [one for one in recall.kinds if one.facts]
    if len(kinds) < 2 or all(one.averages is None for one in kinds):
        return ()
    maps = tuple(KeptMap(one.kind, "" if one.averages is None else recall_file(one.kind)) for one in kinds)
    return (KeptMaps("By kind of recall", RECALL_TEXT, maps),)
