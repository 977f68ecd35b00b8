"""Two run folders side by side on one page: two models, voices or protocols; the averages of both, labelled.

For each component the maps by role of one folder and of the other, on one colour scale; the curves by layer on one
axis; total effects, peaks and accuracy in tables with a column ``run``; the findings of both; and the settings in which
they differ. Both averages are over each folder's own facts; how many facts both have is said. No difference between the
two is tested here: that their intervals overlap, or do not, is no test.
"""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from spiritlens.arguments import listed, told_keywords
from spiritlens.effects.averages import average, average_total, obstacle
from spiritlens.effects.metric_words import words_of
from spiritlens.effects.schema import site_axis
from spiritlens.effects.statistics import fact_names
from spiritlens.files.atomic import given_path
from spiritlens.report.figures.layer_curves import layer_curves
from spiritlens.report.figures.role_maps import role_maps
from spiritlens.report.figures.total_effects import total_effects
from spiritlens.report.methods.sentences import methods_sentences, model_words, settings_table
from spiritlens.report.page.document import Plot, Section, Table, write_page
from spiritlens.report.page.run_folder.reading import RunFolder, read_run_folder
from spiritlens.report.tables import as_frame, peak_table, shown

TESTED = (
    "Both averages are over the facts of their own run, and no difference between the runs was tested: intervals that "
    "do not overlap are no test."
)


@dataclass(frozen=True, eq=False)
class Run:
    """One of the two, with its averages."""

    label: str
    read: RunFolder

    @cached_property
    def effects(self) -> xr.Dataset:
        """The dataset whose averages are shown: the first by role, else the first."""
        every = list(self.read.datasets.values())
        return next((one for one in every if site_axis(one) == "role"), every[0])

    @cached_property
    def averages(self) -> xr.Dataset:
        """Averages by role."""
        return average(self.effects, facts=self.read.kept.facts)

    @cached_property
    def totals(self) -> xr.Dataset:
        """Averages of total effects."""
        return average_total(self.effects, facts=self.read.kept.facts)

    @property
    def facts(self) -> set[str]:
        """The traced facts."""
        return set(fact_names(self.effects).tolist())


@told_keywords
def beside(
    first: str | Path, second: str | Path, out: str | Path | None = None, labels: Sequence[str] | None = None
) -> Path:
    """A page of two run folders side by side, such as of two models, voices or protocols: the averages of both.

    `labels` name the two (None: the names of the folders). `out` is the folder of the page (None: one beside the first
    folder, named after both). Returns the path of its ``index.html``. Raises FileNotFoundError or ValueError for what
    is no run folder or has nothing in common, OSError where it cannot be written.
    """
    folders = [given_path(name, one) for name, one in (("first", first), ("second", second))]
    names = _labels(folders, labels)
    runs = [Run(label, read_run_folder(folder)) for label, folder in zip(names, folders, strict=True)]
    for run in runs:
        why = obstacle(run.effects, run.read.kept.facts)
        if why:
            raise ValueError(f"{run.read.folder} has no averages to set beside others: {why}")
    metric = _shared(runs, "metric")[0]
    place = folders[0].parent / _file_name(names) if out is None else given_path("out", out)
    return write_page(
        place / "index.html",
        title=" beside ".join(names),
        lead=_lead(runs),
        findings=[f"{run.label}: {sentence}" for run in runs for sentence in run.read.kept.findings],
        sections=[
            *(_component_section(runs, component, metric) for component in _shared(runs, "component")),
            _totals_section(runs, metric),
            _accuracy_section(runs),
        ],
        methods=[TESTED, *(f"{run.label}: {sentence}" for run in runs for sentence in _methods(run))],
        settings=Table("Settings that differ", _differing(runs)),
    )


def _labels(folders: Sequence[Path], labels: Sequence[str] | None) -> tuple[str, str]:
    """What the two are called; never the same."""
    if labels is None:
        names = [folder.resolve().name for folder in folders]
        found = tuple(names) if names[0] != names[1] else tuple(str(folder) for folder in folders)
    else:
        found = listed("labels", labels, of=str)
    if len(found) != 2 or found[0] == found[1] or not all(label.strip() for label in found):
        raise ValueError(f"labels={found}: expected two different names, one for each folder; name labels=(…, …)")
    return found[0], found[1]


def _file_name(names: Sequence[str]) -> str:
    return " beside ".join(name.strip("/").replace("/", "-") for name in names)


def _shared(runs: Sequence[Run], axis: str) -> list[str]:
    """Components or metrics that both have, in the order of the first."""
    given = [[str(name) for name in run.averages[axis].values] for run in runs]
    found = [name for name in given[0] if name in given[1]]
    if not found:
        raise ValueError(
            f"{runs[0].read.folder} and {runs[1].read.folder} share no {axis} ({', '.join(given[0])}; "
            f"{', '.join(given[1])}): trace both with one that is the same"
        )
    return found


def _lead(runs: Sequence[Run]) -> str:
    """Which models, voices and facts."""
    words = []
    for run in runs:
        voices = " and ".join(dict.fromkeys(str(name) for name in run.effects["voice"].values if str(name)))
        spoken = f", spoken by {voices}" if voices else ""
        words.append(f"{run.label}: {model_words(run.effects)}{spoken}, {len(run.facts)} facts")
    shared = len(runs[0].facts & runs[1].facts)
    return f"{'; '.join(words)}. {shared} {'fact is' if shared == 1 else 'facts are'} in both."


def _methods(run: Run) -> list[str]:
    return [*run.read.kept.notes, *methods_sentences(run.read.datasets, run.read.kept.facts)]


# ---- figures ---------------------------------------------------------------------------------------------------------


def _component_section(runs: Sequence[Run], component: str, metric: str) -> Section:
    """Maps and curves of one component, of one run below the other, on the same scales."""
    maps = [role_maps(run.averages, component, metric) for run in runs]
    limit = max(float(figure.layout.coloraxis.cmax) for figure in maps)
    for figure in maps:
        figure.layout.coloraxis.update(cmin=-limit, cmax=limit)
    curves = [layer_curves(run.averages, component=component, metric=metric) for run in runs]
    _same_heights(curves)
    plots = [
        Plot(f"{kind}-{component}-{place}", _headed(figure, run.label))
        for kind, figures in (("maps", maps), ("curves", curves))
        for place, (run, figure) in enumerate(zip(runs, figures, strict=True))
    ]
    return Section(f"component-{component}", component, "Both runs are drawn on the same scales.", plots)


def _totals_section(runs: Sequence[Run], metric: str) -> Section:
    figures = [total_effects(run.totals, metric) for run in runs]
    _same_heights(figures)
    plots = [
        Plot(f"total-{place}", _headed(figure, run.label))
        for place, (run, figure) in enumerate(zip(runs, figures, strict=True))
    ]
    words = words_of(runs[0].effects, metric)
    note = f"Mean effects on the {words} over the facts of each run, with their intervals."
    tables = [
        Table("Total effects in numbers", shown(_rows(runs, lambda run: _totals(run, metric)), floats="number"), note),
        Table(
            "Peaks in numbers",
            shown(_rows(runs, lambda run: peak_table(run.averages, metric)), floats="number"),
            "Largest mean effect of each curve; its interval holds for all layers of the curve at once.",
            folded=True,
        ),
    ]
    return Section("totals", "Total effects and peaks", "", plots, tables)


def _totals(run: Run, metric: str) -> pd.DataFrame:
    chosen = run.totals.sel(metric=metric)
    names = {"modality": "modality", "mean": "total effect", "low": "low", "high": "high", "n_facts": "facts"}
    return pd.DataFrame({words: chosen[name].values for name, words in names.items()})


def _rows(runs: Sequence[Run], table: Callable[[Run], pd.DataFrame]) -> pd.DataFrame:
    """The rows of both under a column of their labels."""
    frames = [table(run) for run in runs]
    for run, frame in zip(runs, frames, strict=True):
        frame.insert(0, "run", run.label)
    return pd.concat(frames, ignore_index=True)


def _accuracy_section(runs: Sequence[Run]) -> Section:
    frame = _rows(runs, lambda run: as_frame(list(run.read.kept.accuracy) or run.effects).copy())
    return Section("accuracy", "Which facts are known", "", tables=[Table("Accuracy", shown(frame))])


def _headed(figure: go.Figure, label: str) -> go.Figure:
    figure.layout.title.text = f"{html.escape(label)}: {figure.layout.title.text}"
    return figure


def _same_heights(figures: Sequence[go.Figure]) -> None:
    """One range upwards for all panels of these figures, which holds their values, bands and bars."""
    ends: list[float] = [0.0]
    for figure in figures:
        for trace in figure.data:
            values = np.asarray(trace.y, dtype=np.float64)
            bar = trace.error_y
            for sign, name in ((1, "array"), (-1, "arrayminus")):
                reach = getattr(bar, name, None)
                ends += (values + (0 if reach is None else sign * np.asarray(reach, dtype=np.float64))).tolist()
    there = [end for end in ends if not np.isnan(end)]
    low, high = min(there), max(there)
    air = 0.05 * (high - low or 1.0)
    for figure in figures:
        figure.update_yaxes(range=[low - air if low < 0 else low, high + air], rangemode="normal")


# ---- settings --------------------------------------------------------------------------------------------------------


def _differing(runs: Sequence[Run]) -> pd.DataFrame:
    """The settings in which the two differ, of the study and of its first dataset, a column each."""
    kept = [{f"study: {name}": _text(value) for name, value in run.read.kept.settings.items()} for run in runs]
    datasets = settings_table({run.label: run.effects for run in runs})
    rows = [[name, *(one.get(name, "") for one in kept)] for name in dict.fromkeys((*kept[0], *kept[1]))]
    rows += datasets.values.tolist()
    unlike = [row for row in rows if row[1] != row[2]]
    return pd.DataFrame(unlike, columns=["setting", *(run.label for run in runs)])


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
