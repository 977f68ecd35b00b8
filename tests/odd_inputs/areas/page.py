"""The page and every figure."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import xarray as xr
from frame import Bench, Odd, error, result

import spiritlens as sl

NAN = float("nan")


def cases(bench: Bench) -> Iterator[Odd]:
    for part in (
        _pages(bench),
        _datasets(bench),
        _maps(bench),
        _groups(bench),
        _heads_and_paths(bench),
        _others(bench),
    ):
        yield from part


def _pages(bench: Bench) -> Iterator[Odd]:
    effects, prompts = bench.effects, bench.planted.prompts
    page = partial(sl.dashboard, effects, bench.folder())
    for name, call in (
        ("findings", lambda value: page(texts=sl.page.Texts(findings=value))),
        ("notes", lambda value: page(texts=sl.page.Texts(notes=value))),
    ):
        yield error("dashboard", f"{name} a text", partial(call, "They agree."), f"{name}='They agree.'", "several")
        yield error("dashboard", f"{name} numbers", partial(call, [1]), f"{name}[0] is 1", "str")
    yield error("dashboard", "prompts a text", partial(page, prompts="x"), "prompts='x'", "several")
    yield error("dashboard", "one prompt alone", partial(page, prompts=prompts[0]), "prompts=", "several")
    yield error("dashboard", "prompts by id", partial(page, prompts=["a1"]), "prompts[0] is 'a1'", "Prompt")
    for value in ([None], ["a.png"], go.Figure(), "map"):
        yield error("dashboard", f"figures {value!r:.60}", partial(page, figures=value), "figures")
    for value in ("They agree.", 5, effects):
        yield error(
            "dashboard", f"comparison {value!r:.30}", partial(page, comparison=value), "comparison=", "sl.compare"
        )
    for value in ("nowhere", None, True):
        yield error("dashboard", f"sounds {value!r}", partial(page, sounds=value), "sounds=", "in the page, beside it")
    foreign = replace(prompts[0], answer_ids=(5,))
    yield error(
        "dashboard", "a foreign prompt", partial(page, prompts=[foreign]), "prompts[0]", "is not among the prompts"
    )
    yield error("dashboard", "facts misspelt", partial(page, facts="some"), "facts='some'", "known, all")
    for value in (5, None, b"title"):
        yield error("page.Texts", f"title {value!r}", partial(sl.page.Texts, title=value), "title=", "a text")
    for value in ("They agree.", None, ["note"]):
        yield error("dashboard", f"texts {value!r}", partial(page, texts=value), "texts=", "sl.page.Texts(")
    for value in ([], {"share": 1.0}, "table", [5], pd.DataFrame(), 3):
        yield error("dashboard", f"accuracy {value!r}", partial(page, accuracy=value), "accuracy")
    file = bench.file("index.html", "x")
    for value, names in (
        (file, ("is a file",)),
        (file / "deeper", ("is a file",)),
        (None, ("folder=None",)),
        ("", ("folder=''",)),
    ):
        yield error(
            "dashboard",
            f"folder {type(value).__name__} {value and len(str(value))}",
            partial(sl.dashboard, effects, value),
            *names,
        )
    for what, value, names in (
        ("a list", [effects], ("(list)", "by name")),
        ("None", None, ("effects=None", "expected one Dataset", "a page shows")),
        ("a path", "effects.nc", ("effects='effects.nc'", "expected one Dataset", "a page shows")),
        ("nothing", {}, ("no results to show",)),
        ("names that are numbers", {1: effects}, ("names [1]", "texts")),
        ("another kind by name", {"a": None}, ("effects['a']=None", "expected one Dataset")),
        ("no dataset of ours", xr.Dataset(), ("schema 'None'", "a page shows")),
        (
            "sets of parts by name",
            {"sets": xr.Dataset(attrs={"schema": "spiritlens.part_sets/1"})},
            ("effects['sets']", "no figure draws", "interchange"),
        ),
        (
            "averages of an earlier version",
            sl.effects.average(effects).drop_vars("fact_mean"),
            ("without the facts", "pass the effects"),
        ),
        ("no prompt", effects.isel(prompt=[]), ("effects is empty", "no prompt", "a part that has some")),
        ("no layer", effects.isel(layer=[]), ("effects is empty", "no layer")),
        ("no metric", {"a": effects.isel(metric=[])}, ("effects['a'] is empty", "no metric")),
        ("one prompt without its axis", effects.isel(prompt=0), ("axis 'prompt'", "[0]")),
    ):
        yield error("dashboard", f"effects: {what}", partial(sl.dashboard, value, bench.folder()), *names)
    yield result(
        "dashboard",
        "averages and a table by name",
        partial(
            sl.dashboard, {"means": sl.effects.average(effects), "<b>": pd.DataFrame({"a": [-1.5]})}, bench.folder()
        ),
        lambda path: all(words in path.read_text("utf-8") for words in ("averaged: means", "&lt;b&gt;", "−1.5")),
    )
    yield result(
        "dashboard",
        "generators and markup",
        lambda: page(
            prompts=(one for one in prompts if one.id in effects["prompt_id"].values),
            texts=sl.page.Texts("<script>alert(1)</script>", iter(["n"]), (each for each in ["<b>&"])),
        ),
        lambda path: "<script>alert(1)" not in path.read_text(encoding="utf-8"),
    )


def _datasets(bench: Bench) -> Iterator[Odd]:
    """Each figure is given something else than what it draws."""
    effects, lens = bench.effects, bench.planted.lens
    readings = sl.lenses.logit_lens(lens, bench.planted.prompts[:1])
    drawn = {
        "spiritlens.effects/1": (
            *("trace_map", "crossing", "difference_map", "role_maps", "layer_curves", "total_effects", "peak_layers"),
            *("head_map", "head_ranking"),
        ),
        "spiritlens.attention/1": ("attention_mass",),
        "spiritlens.attribution/1": ("logit_attribution",),
        "spiritlens.paths/1": ("path_map", "path_dots"),
        "spiritlens.lens/1": ("lens_map",),
        "spiritlens.doses/1": ("dose_curves",),
        "spiritlens.interchange/1": ("faithfulness_curves",),
    }
    for schema, names in drawn.items():
        for name in names:
            figure = getattr(sl.figures, name)
            other, found = (
                (readings, "spiritlens.lens/1") if schema == "spiritlens.effects/1" else (effects, "effects/1")
            )
            yield error(name, "another method's result", partial(figure, other), found, f"expected '{schema}'")
            yield error(name, "a path", partial(figure, "effects.nc"), "'effects.nc'", "expected one Dataset")
            yield error(name, "a list", partial(figure, [effects]), "(list)", "expected one Dataset")
            yield error(name, "no dataset of ours", partial(figure, xr.Dataset()), "schema None", "pass what")


def _groups(bench: Bench) -> Iterator[Odd]:
    draw, effects = sl.figures.maps_beside, bench.effects
    yield error("maps_beside", "a dataset", partial(draw, effects), "(Dataset)", "by the name of their group")
    yield error("maps_beside", "unnamed groups", partial(draw, {1: effects}), "{1:", "by the name of their group")
    yield error(
        "maps_beside", "nothing traced", partial(draw, {"both": None}), "['both']", "nothing of them was traced"
    )
    yield error("maps_beside", "a group of another kind", partial(draw, {"a": "effects.nc"}), "'effects.nc'", "Dataset")
    call = partial(draw, {"a": effects}, metric="prob")
    yield error("maps_beside", "metric misspelt", call, "metric='prob'", "probability")


def _maps(bench: Bench) -> Iterator[Odd]:
    effects, figures = bench.effects, sl.figures
    for name in (
        "role_maps",
        "layer_curves",
        "trace_map",
        "total_effects",
        "peak_layers",
        "crossing",
        "difference_map",
    ):
        figure = partial(getattr(figures, name), effects)
        yield error(name, "metric misspelt", partial(figure, metric="prob"), "metric='prob'", "probability")
        yield error(name, "metrics as a list", partial(figure, metric=["logit"]), "metric=['logit']", "choose from")
        if name != "total_effects":
            yield error(name, "component misspelt", partial(figure, component="mlp"), "component='mlp'", "mlp_out")
        if name != "trace_map":
            yield error(name, "facts misspelt", partial(figure, facts="x"), "facts='x'", "known, all")
    for name in ("role_maps", "layer_curves", "trace_map", "crossing", "difference_map"):
        call = partial(getattr(figures, name), effects, quantity="x")
        yield error(name, "quantity misspelt", call, "quantity='x'", "indirect, normalised")
    for name in ("role_maps", "layer_curves"):
        figure = partial(getattr(figures, name), effects)
        yield error(
            name, "arrangement misspelt", partial(figure, arrangement="x"), "arrangement='x'", "side by side, stacked"
        )
        draw, one = getattr(figures, name), sl.effects.average(effects)
        every = sl.effects.average(effects, by=())
        yield error(name, "averages without modality", partial(draw, every), "no modality", "by=('modality',)")
        totals = sl.effects.average_total(effects)
        yield error(name, "averages of totals", partial(draw, totals), "total effects", "average(effects)")
        yield error(name, "averages of another quantity", partial(draw, one, quantity="normalised"), "indirect effects")
        yield error(name, "averages of other facts", partial(draw, one, facts="all"), "facts='all'", "leave it out")
        yield error(name, "an empty component", partial(figure, component=""), "component=''", "choose from")
    curves = partial(figures.layer_curves, effects)
    for value in ("subject", ["verb"], [3], ()):
        yield error("layer_curves", f"roles {value!r}", partial(curves, value), "roles")
    for value in ("verb", 3, ["subject"]):
        yield error("peak_layers", f"role {value!r}", partial(figures.peak_layers, effects, value), "role=", "subject")
    compared = partial(figures.difference_map, effects)
    for value in (5, "cells", sl.effects.average(effects)):
        yield error(
            "difference_map",
            f"comparison {type(value).__name__}",
            partial(compared, value),
            "comparison=",
            "sl.compare",
        )
    yield error("difference_map", "arrangement misspelt", partial(compared, arrangement="x"), "side by side, stacked")
    written = effects.isel(prompt=effects["modality"].values == "T2T")
    yield error("difference_map", "one modality", partial(figures.difference_map, written), "no S2T prompt", "T2T")
    trace = partial(figures.trace_map, effects)
    for value in (8, -9, 1.5, True, None, "nowhere"):
        yield error("trace_map", f"prompt {value!r}", partial(trace, value), "prompt")
    for value in (0, 3, "1"):
        yield error("trace_map", f"head {value!r} of none", partial(trace, head=value), "head=", "no heads")
    yield result("trace_map", "numpy's place", partial(trace, np.int64(-1)), lambda figure: len(figure.data) > 0)
    marked = effects.assign_coords(subject=("prompt", ["<img src=x onerror=alert(1)>"] * effects.sizes["prompt"]))
    yield result(
        "trace_map",
        "a subject of markup",
        lambda: figures.trace_map(marked).to_json(),
        lambda text: "<img" not in text and "\\u003cimg" not in text,
    )


def _heads_and_paths(bench: Bench) -> Iterator[Odd]:
    lens, prompts, figures = bench.planted.lens, bench.planted.prompts, sl.figures
    lost = sl.heads.head_knockout(lens, [prompts[0], prompts[12]], "zero", progress="none")
    yield result(
        "head_map", "a knock-out as it comes", partial(figures.head_map, lost), lambda figure: len(figure.data) >= 2
    )
    for value in ("read-out", "verb", 3, ["subject"]):
        yield error(
            "head_map", f"role {value!r}", partial(figures.head_map, lost, value), "role=", "all but the beginning"
        )
    yield error("head_map", "no heads", partial(figures.head_map, bench.effects), "no heads", "'z'", "heads='each'")
    looked = sl.heads.attention_mass(lens, prompts[:1])
    for value in (0, -1, 2.5, None, "all"):
        yield error("head_ranking", f"top {value!r}", partial(figures.head_ranking, lost, top=value), "top=", "≥ 1")
    yield error("head_ranking", "role misspelt", partial(figures.head_ranking, lost, "verb"), "role='verb'", "all but")
    yield error("head_ranking", "no heads", partial(figures.head_ranking, bench.effects), "no heads", "'z'")
    for value in ("verb", 3, ["subject"]):
        yield error(
            "attention_mass", f"query {value!r}", partial(figures.attention_mass, looked, value), "query=", "bos"
        )
    yield error("attention_mass", "over misspelt", partial(figures.attention_mass, looked, over="x"), "mean, largest")
    scored = sl.heads.detectors(lens, prompts[:1])
    queried = partial(figures.attention_mass, scored, "subject")
    yield error("attention_mass", "a query of detectors", queried, "query='subject'", "leave it out")
    for name, value in (("component", "z"), ("metric", "logit"), ("quantity", "indirect"), ("facts", "all")):
        call = partial(figures.head_map, looked, **{name: value})
        yield error("head_map", f"{name} of attention", call, f"{name}='{value}'", "leave it out")
    yield error("role_maps", "heads", partial(figures.role_maps, lost), "has heads", "isel(head=")
    for value in (99, -1, 1.5, "0"):
        yield error("trace_map", f"head {value!r}", partial(figures.trace_map, lost, head=value), "head")
    nodes = sl.paths.Paths([sl.paths.Sender("mlp_out", 2)])
    paths = sl.path_patch(lens, prompts[:1], sl.Noise(), nodes, metrics=("logit_difference",), progress="none")
    for value in (1, -2, 0.5, "all", None):
        yield error("path_map", f"pos {value!r}", partial(figures.path_map, paths, pos=value), "pos=", "whole number")
    for value in (0, -1, 2.5, "all"):
        yield error("path_map", f"top {value!r}", partial(figures.path_map, paths, top=value), "top=", "≥ 1")
    for value in (1, -2, 0.5, "all", None):
        yield error("path_dots", f"pos {value!r}", partial(figures.path_dots, paths, pos=value), "pos=", "whole number")
    for value in (0, -1, 2.5, "all", None):
        yield error("path_dots", f"top {value!r}", partial(figures.path_dots, paths, top=value), "top=", "≥ 1")
    yield error("path_dots", "facts misspelt", partial(figures.path_dots, paths, facts="x"), "facts='x'", "known, all")
    yield error(
        "path_map", "metric misspelt", partial(figures.path_map, paths, "logit"), "metric='logit'", "difference"
    )


def _others(bench: Bench) -> Iterator[Odd]:
    lens, prompts, figures = bench.planted.lens, bench.planted.prompts, sl.figures
    readings = sl.lenses.logit_lens(lens, prompts[:1])
    for value in (1, -2, 0.5, "0", None):
        yield error("lens_map", f"prompt {value!r}", partial(figures.lens_map, readings, value), "prompt=")
    for value in ("foil", None, 1):
        yield error(
            "lens_map", f"rank_of {value!r}", partial(figures.lens_map, readings, rank_of=value), "word, answer"
        )
    doses = sl.tracing.dose_curve(lens, prompts[:2], (1.0,), samples=1)
    for value in (1.5, 0, NAN, "0.5"):
        yield error("dose_curves", f"target {value!r}", partial(figures.dose_curves, doses, value), "target=", "< 1")
    for value in ([], {"facts": 3}, "rows", [5], None):
        yield error("accuracy_table", f"{value!r}", partial(figures.accuracy_table, value), "accuracy")
    rows = ({"modality": kind, "share": 0.5} for kind in ("T2T", "S2T"))
    yield result(
        "accuracy_table", "a generator", partial(figures.accuracy_table, rows), lambda figure: len(figure.data) == 1
    )
    for value in ("france", None, prompts[:1]):
        yield error(
            "speech", f"prompt {type(value).__name__}", partial(figures.speech, value), "prompt=", "expected a Prompt"
        )
    yield error("speech", "a written prompt", partial(figures.speech, prompts[0]), prompts[0].id, "lens.speak")
    shown = partial(figures.speech, prompts[12])
    yield error("speech", "labels misspelt", partial(shown, unit_labels="none"), "unit_labels='none'", "on hovering")
