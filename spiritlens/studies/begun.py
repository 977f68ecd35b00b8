"""``study.json``: what decides the numbers of a study's folder, written once, when it is begun."""

import json
from pathlib import Path

from spiritlens.analysis.tracing.grid import trace_grid
from spiritlens.files.atomic import write_whole
from spiritlens.models.lens import Lens
from spiritlens.prompts.knowing import EXACT
from spiritlens.studies.settings import StudySettings
from spiritlens.studies.traces import grid_of

BEFORE = {"knowing": str(EXACT), "ending": "plain", "dose": "equal"}
"""Settings that earlier versions did not write, and what held then."""


def begin(out: Path, lens: Lens, settings: StudySettings) -> None:
    """Before anything is spoken: the model has what is asked for, and the folder was begun with the same settings."""
    grid = trace_grid(lens.backend, grid_of(settings))
    wanted = {
        "model": lens.id,
        "components": list(grid.components),
        "window": grid.window,
        "samples": settings.samples,
        "seed": settings.seed,
        "knowing": str(lens.knowing),
        "ending": "plain" if settings.ending == "plain" else "as spoken",
        "dose": settings.dose,
    }
    path = out / "study.json"
    if path.is_file():
        try:
            found = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{path} cannot be read ({error}): it was changed; delete it, or use another folder"
            ) from error
        differing = [
            f"{name}: {found.get(name, BEFORE.get(name, 'not set'))!r} there, {value!r} here"
            for name, value in wanted.items()
            if found.get(name, BEFORE.get(name)) != value
        ]
        if differing:
            raise ValueError(
                f"{out} was begun with other settings ({'; '.join(differing)}): choose another folder, or repeat the "
                "command with the old settings"
            )
        return  # as it is, also where an earlier version wrote fewer settings: a finished study is only read
    out.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(wanted, indent=1, ensure_ascii=False).encode())
