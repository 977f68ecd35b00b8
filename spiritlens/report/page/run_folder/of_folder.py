"""The page of a run folder, made anew from what the folder keeps: without torch, without a model, on any laptop.

    sl.page.of_folder("runs/trace")            # `spiritlens page runs/trace`

It is how `sl.study` makes its page, so that the two are the same page.
"""

from pathlib import Path

from spiritlens.arguments import told_keywords
from spiritlens.files.atomic import given_path
from spiritlens.report.page.dashboard import dashboard
from spiritlens.report.page.document import Texts
from spiritlens.report.page.run_folder.reading import read_run_folder


@told_keywords
def of_folder(folder: str | Path, out: str | Path | None = None) -> Path:
    """Make the page of a run folder anew: of a study (`sl.study`), or of a method that was given ``folder=``.

    `out` is where ``index.html`` is written (None: into the folder itself). Returns its path. Raises FileNotFoundError
    where there is no such folder, ValueError for one that is no run folder, of an earlier version or damaged, OSError
    where the page cannot be written; an earlier page then stays as it was.
    """
    run = read_run_folder(folder)
    return dashboard(
        {**run.datasets, **{maps.heading: maps for maps in run.maps}},
        run.folder if out is None else given_path("out", out),
        prompts=run.prompts,
        accuracy=list(run.kept.accuracy) or None,
        comparison=run.comparison,
        texts=Texts(notes=run.kept.notes, findings=run.kept.findings),
        facts=run.kept.facts,
    )
