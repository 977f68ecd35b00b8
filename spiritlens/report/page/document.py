"""The page as a file: what is drawn as packed numbers, figures as JSON, all in one HTML document that opens offline.

A content security policy in the page forbids any request, so that nothing can be fetched even by mistake, and any
script but the page's own.
"""

import functools
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
import plotly.graph_objects as go

from spiritlens.arguments import listed, told_keywords, written
from spiritlens.files.atomic import given_path, write_whole
from spiritlens.report.page.assets import page_script, plotly_block, plotly_script, policy
from spiritlens.report.page.findings import Part
from spiritlens.report.page.packing import deflated, script_json
from spiritlens.report.paper.figure_numbers import figure_numbers

PLOTLY_HEIGHT, PLOTLY_TOP = 450, 100
"""What plotly draws where a figure names no height and no upper margin, in pixels."""


@dataclass(frozen=True, eq=False)
class Plot:
    """A figure on the page; heading and caption come from its title and subtitle, `narrow` is for small screens."""

    key: str
    figure: go.Figure
    narrow: go.Figure | None = None
    caption: str = ""

    @property
    def heading(self) -> str:
        """First line of the figure's title, as plain text."""
        return self._title[0]

    @property
    def subtitle(self) -> str:
        """Second line of the figure's title, or the caption that was given, as plain text."""
        return self.caption or self._title[1]

    @property
    def height(self) -> int:
        """Pixels."""
        return int(_for_page(self.figure).layout.height)

    @property
    def _title(self) -> tuple[str, str]:
        lines = str(self.figure.layout.title.text or "").partition("<br>")[::2]
        heading, rest = (re.sub(r"<[^>]+>", " ", line.replace("<br>", " · ")).strip() for line in lines)
        return html.unescape(heading), html.unescape(rest)

    def numbers(self) -> dict[str, Any] | None:
        """What is drawn as a table, ``{"columns": [...], "rows": [...]}``; None for traces that have no reader."""
        if not all(_is_read(trace) for trace in self.figure.data):
            return None
        frame = figure_numbers(self.figure)
        rows = [[_value(one) for one in row] for row in frame.itertuples(index=False)]
        return {"columns": [str(name) for name in frame], "rows": rows}

    def data(self) -> dict[str, Any]:
        """The figure (and its narrow form) as plain JSON values, without the title, which the page sets as text."""
        forms = {"wide": self.figure, **({"narrow": self.narrow} if self.narrow is not None else {})}
        return {name: json.loads(_for_page(form).to_json()) for name, form in forms.items()}


@dataclass(frozen=True, eq=False)
class Contents:
    """What the interactive part of a page draws: a `header`, the packed `blocks`, and `sounds` in base64."""

    header: dict[str, Any] = field(default_factory=dict)
    blocks: Mapping[str, str] = field(default_factory=dict)
    sounds: str = ""
    files: Sequence[str] = ()
    """Datasets that lie beside the page, as paths from its folder."""
    sound_files: Mapping[str, bytes] = field(default_factory=dict)
    """Sounds that belong beside the page, by their paths from its folder."""


@dataclass(frozen=True, eq=False)
class Table:
    """A table of texts with its caption; a folded one is opened by its reader."""

    caption: str
    frame: pd.DataFrame
    note: str = ""
    folded: bool = False
    marks: Sequence[str] = ()
    """What each row shows (`spiritlens.report.page.row_marks`); none: no finding speaks of it."""

    @property
    def columns(self) -> list[str]:
        """Column headings."""
        return [str(name) for name in self.frame.columns]

    @property
    def rows(self) -> list[list[str]]:
        """Cells as texts, row by row."""
        return [[str(value) for value in row] for row in self.frame.itertuples(index=False)]

    @property
    def marked_rows(self) -> list[tuple[str, list[str]]]:
        """Rows with their marks."""
        return list(zip(self.marks or [""] * len(self.frame), self.rows, strict=True))


@dataclass(frozen=True)
class Command:
    """Lines of Python that would run what was not run, ready to copy: `what` they make, in a sentence."""

    what: str
    code: str


@dataclass(frozen=True, eq=False)
class Section:
    """A part of the page: heading, what it shows, figures and tables, and commands for what was not run."""

    key: str
    heading: str
    text: str
    plots: Sequence[Plot] = ()
    tables: Sequence[Table] = ()
    commands: Sequence[Command] = ()


@dataclass(frozen=True)
class Texts:
    """What stands on a dashboard in words: its `title`; `notes`, sentences that precede those on what was run; and
    `findings`, sentences for its top (none: those of the comparison)."""

    title: str = "Where a fact is recalled, in writing and in speech"
    notes: Sequence[str] = ()
    findings: Sequence[str] = ()

    def __post_init__(self) -> None:
        written("title", self.title)
        for name in ("notes", "findings"):
            object.__setattr__(self, name, listed(name, getattr(self, name), of=str, empty=True))


@told_keywords
def write_page(
    path: str | Path,
    *,
    title: str,
    lead: str,
    findings: Sequence[str | Sequence[Part]] = (),
    sections: Sequence[Section],
    methods: Sequence[str],
    settings: Table,
    contents: Contents = Contents(),
    headline: Sequence[Part] = (),
) -> Path:
    """Render the page and write it in one step (a temporary name, then renamed), after its sounds beside it.

    `lead` is a sentence below the title; `findings` and `methods` are sentences (findings may have links); `settings`
    the table at the end; `contents` what its interactive part draws, under the `headline`.

    Returns the path. Raises OSError where it cannot be written.
    """
    plots = [plot for section in sections for plot in section.plots]
    scripts = (page_script(), plotly_script()) if plots else (page_script(),)
    numbers = {plot.key: found for plot in plots if (found := plot.numbers()) is not None}
    page = (
        _environment()
        .get_template("page.html.j2")
        .render(
            title=title,
            lead=lead,
            findings=[[Part(one)] if isinstance(one, str) else one for one in findings],
            headline=headline,
            sections=sections,
            methods=methods,
            settings=settings,
            header=script_json(contents.header),
            blocks=contents.blocks,
            sounds=contents.sounds,
            has_difference=bool(
                contents.header.get("difference") or contents.header.get("deeper", {}).get("difference")
            ),
            figures=script_json({plot.key: plot.data() for plot in plots}),
            script=scripts[0],
            plotly=plotly_block() if plots else "",
            with_numbers=list(numbers),
            figure_numbers=deflated(json.dumps(numbers, ensure_ascii=False).encode()) if plots else "",
            files=contents.files,
            policy=policy(scripts, contents.header.get("sounds", {}).get("where", "in the page")),
        )
    )
    path = given_path("path", path)
    for name, data in contents.sound_files.items():
        write_whole(path.parent / name, data)
    return write_whole(path, page.encode())


def _is_read(trace: Any) -> bool:
    """Whether `figure_numbers` reads a trace; figures of one's own may have any."""
    along = trace.type in ("scatter", "bar") and trace.x is not None and trace.y is not None
    return along or trace.type in ("heatmap", "table")


def _value(cell: Any) -> Any:
    """A cell as JSON: numbers to seven digits, None where there is none."""
    if isinstance(cell, (float, np.floating)):
        return float(f"{cell:.7g}") if np.isfinite(cell) else None
    return int(cell) if isinstance(cell, (int, np.integer)) else str(cell)


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("spiritlens.report"), autoescape=True, undefined=jinja2.StrictUndefined
    )


def _for_page(figure: go.Figure) -> go.Figure:
    """The figure without its title: the page shows it as a heading and caption that wrap and can be read aloud."""
    form = go.Figure(figure)
    margin = form.layout.margin.t
    removed = PLOTLY_TOP if margin is None else int(margin)
    legend = any(getattr(trace, "showlegend", None) and trace.name for trace in form.data)  # tables have none
    top = 84 if legend else 40
    height = int(form.layout.height or PLOTLY_HEIGHT) - removed + top
    form.update_layout(title=None, margin={"t": top, "l": 4, "r": 4}, height=height)
    return form
