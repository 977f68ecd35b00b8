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
from spiritlens.report.page.run_folder.record import KeptDataset, KeptMaps, PageRecord, write_record
from spiritlens.studies.cells import FourCells, cell_file
from spiritlens.studies.pairs import write_wavs
from spiritlens.studies.recall import StudyRecall, recall_file
from spiritlens.studies.settings import StudySettings

BY_ROLE, PLAIN, BY_TOKEN, SEED = "by role", "plain writing", "by token", "seed protocol"
"""Names of a study's datasets on its page."""

FILES = {BY_ROLE: "effects.nc", PLAIN: "plain/effects.nc", BY_TOKEN: "tokens/effects.nc", SEED: "seed/effects.nc"}
COMPARISON = "comparison.nc"

RECALLED = {
    "exact": "facts recalled exactly",
    "heuristic": "facts answered by a heuristic",
    "guess": "facts guessed rightly",
    "unknown": "facts that are not known",
}
HEADINGS = {
    "both": "facts known in both modalities",
    "text only": "facts known in writing only",
    "speech only": "facts known in speech only",
    "neither": "facts known in neither modality",
}


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
    """The maps of each traced cell; none where all that was traced is of one cell, whose maps the page has already."""
    traced = [cell for cell in cells.cells if cell.averages is not None]
    if len(traced) < 2:
        return ()
    found = []
    for cell in traced:
        counts = " and ".join(f"{count} {kind}" for kind, count in cell.traced.items() if count)
        found.append(KeptMaps(f"{counts} prompts of {HEADINGS[cell.name]}", cell_file(cell.name)))
    return tuple(found)


def kind_maps(recall: StudyRecall) -> tuple[KeptMaps, ...]:
    """The maps of each kind of recall that has them; none where all facts are of one kind."""
    if sum(bool(one.facts) for one in recall.kinds) < 2:
        return ()
    return tuple(
        KeptMaps(f"{len(one.facts)} {RECALLED[one.kind]}", recall_file(one.kind))
        for one in recall.kinds
        if one.averages is not None
    )
