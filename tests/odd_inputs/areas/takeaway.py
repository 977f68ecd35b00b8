"""What is taken away: tables, figures for a paper, saved comparisons, pages of run folders."""

import re
from collections.abc import Iterator
from functools import partial

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from frame import Bench, Odd, error, result

import spiritlens as sl


def cases(bench: Bench) -> Iterator[Odd]:
    for part in (_tables(bench), _figures(bench), _comparisons(bench), _pages(bench)):
        yield from part


def _tables(bench: Bench) -> Iterator[Odd]:
    averages = sl.effects.average(bench.effects)
    for name in ("latex", "markdown", "csv", "frame"):
        write = getattr(sl.tables, name)
        for what, value in (("None", None), ("effects", bench.effects), ("a path", "a.nc"), ("a list", [averages])):
            yield error(f"tables.{name}", what, partial(write, value), "numbers=", "sl.compare(effects)")
        yield error(f"tables.{name}", "no dataset of ours", partial(write, xr.Dataset()), "sl.effects.average")
    for name in ("latex", "markdown"):
        write = partial(getattr(sl.tables, name), averages)
        for value in ("prob", ["logit"], 3):
            yield error(f"tables.{name}", f"metric {value!r}", partial(write, value), "metric=", "choose from")
        for value in (-1, 1.5, "2", True, 13):
            yield error(f"tables.{name}", f"digits {value!r}", partial(write, digits=value), "digits=", "whole number")
        yield result(f"tables.{name}", "numpy's digits", partial(write, digits=np.int64(1)), has_one_digit)
    for value in (None, "map", {}, [go.Figure()], bench.effects):
        yield error("tables.figure_numbers", f"{value!r:.30}", partial(sl.tables.figure_numbers, value), "figure=")
    yield result("tables.figure_numbers", "an empty figure", partial(sl.tables.figure_numbers, go.Figure()), len_is_0)


def has_one_digit(text: str) -> bool:
    return bool(re.search(r"\d\.\d & |\d\.\d [|\[]", text))


def len_is_0(found: object) -> bool:
    return len(found) == 0  # type: ignore[arg-type]


def _figures(bench: Bench) -> Iterator[Odd]:
    path = bench.folder() / "a.pdf"
    for value in (None, "map", {}, [go.Figure()]):
        yield error("figures.paper", f"{value!r}", partial(sl.figures.paper, value, path), "figure=", "plotly figure")
    for value in ("wide", None, 3.35, ""):
        yield error("figures.paper", f"width {value!r}", partial(sl.figures.paper, go.Figure(), path, value), "column")
    for value in ("a.eps", "a", "pdf", "a.pdf.gz"):
        yield error("figures.paper", f"path {value!r}", partial(sl.figures.paper, go.Figure(), value), ".pdf")
    for value in (None, 3, "", b""):
        yield error("figures.paper", f"path {value!r}", partial(sl.figures.paper, go.Figure(), value), "path=")


def _comparisons(bench: Bench) -> Iterator[Odd]:
    path = bench.folder() / "comparison.nc"
    for value in (None, "comparison", bench.effects, {}):
        call = partial(sl.comparison.save, value, path)
        yield error("comparison.save", f"{type(value).__name__}", call, "comparison=", "sl.compare(effects)")
    for value in (None, 3, "", "a\0b"):
        yield error("comparison.load", f"path {value!r}", partial(sl.comparison.load, value), "path=")
    yield error("comparison.load", "a folder", partial(sl.comparison.load, bench.folder()), "is a folder")
    yield error("comparison.load", "no file", partial(sl.comparison.load, "none.nc"), "none.nc is not there")
    for what, content in (("empty", b""), ("text", "x" * 100), ("a pickle", b"\x80\x04N.")):
        file = bench.file("comparison.nc", content)
        yield error("comparison.load", what, partial(sl.comparison.load, file), "cannot be read", "damaged")
    other = sl.effects.save(bench.effects, bench.folder() / "effects.nc")
    yield error("comparison.load", "effects", partial(sl.comparison.load, other), "spiritlens.comparison/1")


def _pages(bench: Bench) -> Iterator[Odd]:
    for name, call in (
        ("page.of_folder", sl.page.of_folder),
        ("page.beside", lambda folder: sl.page.beside(folder, folder, labels=("a", "b"))),
    ):
        for value in (None, 3, "", "a\0b"):
            yield error(name, f"folder {value!r}", partial(call, value), "expected the path")
        yield error(name, "no folder", partial(call, "nowhere"), "folder=nowhere is not there", "spiritlens trace")
        yield error(name, "a file", partial(call, bench.file("effects.nc", "x")), "is a file")
        yield error(name, "an empty folder", partial(call, bench.folder()), "is no run folder")
        older = bench.file("study.json", "{}").parent
        yield error(name, "an earlier version's", partial(call, older), "page.json", "same command again")
        for what, content in (("no JSON", "{"), ("a list", "[]"), ("another version", '{"schema": "x/9"}')):
            yield error(
                name, f"a record that is {what}", partial(call, bench.file("page.json", content).parent), "again"
            )
        damaged = bench.file("effects.nc", b"x").parent
        yield error(name, "damaged effects", partial(call, damaged), "effects.nc", "damaged")
    for value in ("ab", ("a",), ("a", "a"), ("a", ""), (1, 2), 3):
        call = partial(sl.page.beside, bench.folder(), bench.folder(), labels=value)
        yield error("page.beside", f"labels {value!r}", call, "labels")
