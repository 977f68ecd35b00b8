"""Results in files and folders: saved, loaded, joined, opened, taken up again and rejoined."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from frame import Bench, Odd, error, result
from old_parts import one_prompt_parts

import spiritlens as sl
from spiritlens.effects.joining import join_effects
from spiritlens.effects.netcdf import differences
from spiritlens.effects.run_directory import RunDirectory, open_run

Change = Callable[[xr.Dataset], xr.Dataset]


def with_values(name: str, value: Any, place: int = 0) -> Change:
    """A dataset with one value of a variable replaced."""

    def change(effects: xr.Dataset) -> xr.Dataset:
        values = effects[name].values.copy()
        if isinstance(value, str):
            values = values.astype(object)
        values[(place, *(0,) * (values.ndim - 1))] = value
        variable = (effects[name].dims, values, effects[name].attrs)
        return effects.assign_coords({name: variable}) if name in effects.coords else effects.assign({name: variable})

    return change


WRONG_DATASETS: dict[str, tuple[Change, tuple[str, ...]]] = {
    "no schema": (lambda e: e.drop_attrs(deep=False), ("schema None", "spiritlens.effects/1")),
    "another schema": (lambda e: e.assign_attrs(schema="other/2"), ("other/2",)),
    "a number as the schema": (lambda e: e.assign_attrs(schema=1), ("schema 1",)),
    "a variable missing": (lambda e: e.drop_vars("clean"), ("clean is missing",)),
    "a coordinate missing": (lambda e: e.drop_vars("fact_id"), ("fact_id is missing",)),
    "axes turned": (lambda e: e.transpose(), ("has axes", "transpose")),
    "no site axis": (lambda e: e.isel(role=0), ("site axes", "exactly one")),
    "an attribute missing": (lambda e: e.assign_attrs({}).drop_attrs(deep=False).assign_attrs(schema=e.schema),
                             ("attributes missing",)),
    "a list as attribute": (lambda e: e.assign_attrs(note=[1, 2]), ("attribute note", "JSON")),
    "a bool as attribute": (lambda e: e.assign_attrs(note=True), ("attribute note", "True")),
    "a huge attribute": (lambda e: e.assign_attrs(note=2**80), ("netCDF", "change or drop")),
    "a NUL in an attribute": (lambda e: e.assign_attrs(note="a\0"), ("note", "NUL")),
    "windows are no JSON": (lambda e: e.assign_attrs(window_layers="{"), ("window_layers", "JSON")),
    "the call is a JSON list": (lambda e: e.assign_attrs(config_json="[1]"), ("config_json", "mapping")),
    "an unknown direction": (lambda e: e.assign_attrs(direction="sideways"), ("sideways", "denoising")),
    "an unknown at": (lambda e: e.assign_attrs(at="letter"), ("letter", "token")),
    "at of another axis": (lambda e: e.assign_attrs(at="token"), ("'pos'", "role")),
    "an unknown status": (with_values("status", 9), ("status holds [9]",)),
    "NaN in a measured cell": (with_values("restored", np.nan), ("NaN", "status")),
    "infinity in a measured cell": (with_values("restored", np.inf), ("infinity", "status")),
    "NaN in the clean run": (with_values("clean", np.nan), ("clean has nan", "trace")),
    "infinity in the corrupted run": (with_values("corrupted", -np.inf), ("corrupted has -inf",)),
    "NaN in the noise floor": (with_values("noise_floor", np.nan), ("noise_floor has nan",)),
    "a sign of 0": (with_values("metric_sign", 0), ("metric_sign holds [0]",)),
    "an unknown modality": (with_values("modality", "smell"), ("modality", "smell", "T2T")),
    "known is 2": (with_values("known", 2), ("known holds [2]",)),
    "metrics twice": (lambda e: e.isel(metric=[0, 0]), ("unique",)),
    "a NUL in a label": (with_values("voice", "a\0b"), ("voice[0]", "NUL")),
    "labels are numbers": (lambda e: e.assign_coords(voice=e["prompt"]), ("voice", "text")),
    "numbers are labels": (lambda e: e.assign(clean=e["clean"].astype(str)), ("clean", "number")),
    "complex numbers": (lambda e: e.assign(clean=e["clean"].astype(complex)), ("clean", "complex128")),
    "a coordinate with a blank": (lambda e: e.assign_coords({"my note": ("prompt", [1.0] * e.sizes["prompt"])}),
                                  ("my note", "netCDF")),
}  # fmt: skip

ODD_DATASETS: dict[str, Change] = {
    "labels of objects": lambda e: e.assign_coords(voice=("prompt", e["voice"].values.astype(object))),
    "labels beyond ASCII": with_values("fact_id", "東京/é 🎧 "),
    "an empty label": with_values("subject", ""),
    "one prompt": lambda e: e.isel(prompt=[3]),
    "prompts in another order": lambda e: e.isel(prompt=slice(None, None, -1)),
    "single precision": lambda e: e.astype(np.float32),
    "a coordinate more": lambda e: e.assign_coords(site=("prompt", [2.0] * e.sizes["prompt"])),
    "stale encodings": lambda e: _with_encoding(e),
}


def _with_encoding(effects: xr.Dataset) -> xr.Dataset:
    effects = effects.copy()
    effects["voice"].encoding["dtype"] = np.dtype("<U1")
    effects["clean"].encoding |= {"scale_factor": 0.1, "dtype": "int8", "_FillValue": 0}
    return effects.assign_coords(voice=effects["voice"])


def damaged(content: bytes, kind: str) -> bytes:
    """A file's bytes, damaged."""
    half = len(content) // 2
    flipped = bytearray(content)
    flipped[half] ^= 16
    return {
        "emptied": b"",
        "cut in half": content[:half],
        "its end cut": content[:-100],
        "one bit flipped": bytes(flipped),
        "zeroed at its end": content[:half] + bytes(len(content) - half),
        "a text": b"these are no effects",
        "a web page": b"<!doctype html><html>404</html>",
    }[kind]


KINDS_OF_DAMAGE = (
    *("emptied", "cut in half", "its end cut", "one bit flipped", "zeroed at its end", "a text", "a web page"),
)
NOT_PATHS = (None, 5, "", ["a.nc"], "a\0.nc")


GRID = sl.Grid(("resid_pre",), at="role")


class Traced:
    """A finished run of two planted prompts, copied for each case."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.lens = bench, bench.planted.lens
        self.prompts = [bench.planted.prompts[0], bench.planted.prompts[12]]
        self.effects = self.trace(bench.folder() / "run")
        self.master = bench.folder("master") / "run"
        self.trace(self.master)
        one_prompt_parts(self.master)

    def trace(self, folder: Any, prompts: Any = None, **settings: Any) -> xr.Dataset:
        given = {"grid": GRID, "samples": 1, "progress": "none"} | settings
        return sl.causal_trace(self.lens, self.prompts if prompts is None else prompts, folder=folder, **given)

    def copy(self, change: Callable[[Path], object] = lambda folder: None) -> Path:
        folder = self.bench.folder() / "run"
        shutil.copytree(self.master, folder)
        change(folder)
        return folder

    def part(self, folder: Path, place: int = 0) -> Path:
        return folder / "parts" / f"{self.prompts[place].id}.nc"

    def same(self, found: xr.Dataset) -> bool:
        return not differences(found.assign_attrs(created=""), self.effects.assign_attrs(created=""))


def cases(bench: Bench) -> Iterator[Odd]:
    effects = bench.effects.isel(layer=slice(0, 2))
    yield from saving(bench, effects)
    yield from loading(bench, effects)
    yield from joining(bench, effects)
    yield from opening(bench)
    yield from resuming(Traced(bench))


def saving(bench: Bench, effects: xr.Dataset) -> Iterator[Odd]:
    def saved(dataset: Any, path: Any = None) -> xr.Dataset:
        return sl.effects.load(sl.effects.save(dataset, bench.folder() / "e.nc" if path is None else path))

    for what, (change, words) in WRONG_DATASETS.items():
        yield error("effects.save", what, lambda change=change: saved(change(effects)), *words)
    for what, change in ODD_DATASETS.items():
        changed = change(effects)
        yield result(
            "effects.save",
            what,
            lambda d=changed: saved(d),
            lambda found, d=changed: not differences_of_values(d, found),
        )
    for value in (None, "effects", effects["clean"], {"clean": 1}):
        yield error("effects.save", f"a {type(value).__name__}", lambda value=value: saved(value), "dataset", "trace")
    for value in NOT_PATHS[1:]:
        yield error(
            "effects.save", f"path {value!r}", lambda value=value: sl.effects.save(effects, value), "path=", "path"
        )
    folder = bench.folder()
    yield error("effects.save", "a folder as path", lambda: sl.effects.save(effects, folder), str(folder), "bytes")
    file = bench.file("file", "x")
    yield error(
        "effects.save", "a file as folder", lambda: sl.effects.save(effects, file / "e.nc"), "e.nc", "cannot be written"
    )
    yield error(
        "effects.save", "a very long name", lambda: sl.effects.save(effects, folder / ("n" * 300)), "name another"
    )
    yield result(
        "effects.save",
        "a path of bytes' kin",
        lambda: sl.effects.save(effects, str(folder / "é.nc")).name,
        "é.nc".__eq__,
    )


def differences_of_values(one: xr.Dataset, other: xr.Dataset) -> bool:
    """Whether two datasets differ in more than how their texts are kept."""
    return not one.equals(other) or (
        dict(one.attrs) != dict(other.attrs)
        and bool([k for k in one.attrs if one.attrs[k] == one.attrs[k] and one.attrs[k] != other.attrs.get(k)])
    )


def loading(bench: Bench, effects: xr.Dataset) -> Iterator[Odd]:
    content = sl.effects.save(effects, bench.folder() / "e.nc").read_bytes()
    for kind in KINDS_OF_DAMAGE:
        path = bench.file("e.nc", damaged(content, kind))
        yield error("effects.load", kind, lambda path=path: sl.effects.load(path), str(path), "damaged", "delete it")
    for value in NOT_PATHS:
        yield error("effects.load", f"{value!r}", lambda value=value: sl.effects.load(value), "path=", "expected")
    yield error("effects.load", "a very long name", lambda: sl.effects.load("n" * 300), "path", "name another")
    yield error("effects.load", "a folder", lambda: sl.effects.load(bench.folder()), "no such file", "folder")
    yield error("effects.load", "no file", lambda: sl.effects.load(bench.folder() / "no.nc"), "no.nc", "no such file")
    other = bench.folder() / "other.nc"
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(other, engine="h5netcdf")
    yield error("effects.load", "another dataset", lambda: sl.effects.load(other), "other.nc", "schema None")
    theirs = bench.folder() / "theirs.nc"
    compressed = {"restored": {"zlib": True, "complevel": 4}}
    effects.to_netcdf(theirs, engine="h5netcdf", encoding=compressed)
    yield result("effects.load", "compressed by xarray", lambda: sl.effects.load(theirs), effects.identical)
    scaled = bench.folder() / "scaled.nc"
    effects.isel(prompt=[0]).to_netcdf(scaled, engine="h5netcdf")
    with_note = sl.effects.load(scaled).assign_attrs(note="mine")
    with_note.to_netcdf(scaled, engine="h5netcdf")
    yield result("effects.load", "edited by its user", lambda: sl.effects.load(scaled).attrs["note"], "mine".__eq__)
    longer = bench.file("e.nc", content + b"\n")
    yield result("effects.load", "a newline at its end", lambda: sl.effects.load(longer), effects.identical)


def joining(bench: Bench, effects: xr.Dataset) -> Iterator[Odd]:
    one, two = effects.isel(prompt=[0]), effects.isel(prompt=[1])
    for value, words in (
        (None, ("parts=None", "list")),
        ((), ("no parts", "traced")),
        ([one, None], ("parts[1]", "None")),
        ([one, two["clean"]], ("parts[1]", "DataArray")),
        (["a.nc", "b.nc"], ("parts[0]", "a.nc")),
        ([one, two.assign_attrs(seed=9)], ("seed", "9")),
        ([one, two.assign_attrs(model_hash="other")], ("model_hash", "other")),
        ([one, two.assign_attrs(hooks="hook_embed: f")], ("hooks", "hook_embed")),
        ([one, two.isel(layer=[0])], ("layer",)),
        ([one, two.isel(sample=[0])], ("sample",)),
        ([one, two.isel(component=[1])], ("component",)),
    ):
        yield error(
            "join_effects",
            f"{type(value).__name__}: {', '.join(words)}",
            lambda value=value: join_effects(value),
            *words,
        )
    whole = effects.isel(prompt=[0, 1])
    newer = two.assign_attrs(spiritlens_version="9.9")
    yield result("join_effects", "a generator", lambda: join_effects(p for p in (one, two)), lambda e: e.equals(whole))
    yield result(
        "join_effects",
        "parts of two versions",
        lambda: join_effects([one, newer]).attrs["spiritlens_version"],
        lambda found: found == f"{sl.__version__}; 9.9",
    )
    yield result("effects.average", "parts joined", lambda: sl.effects.average(join_effects([one, two])),
                 lambda found: found.equals(sl.effects.average(whole)))  # fmt: skip


def opening(bench: Bench) -> Iterator[Odd]:
    def opened(config: Any, before: str | bytes | None = None) -> RunDirectory:
        folder = bench.folder()
        if before is not None:
            (folder / "config.json").write_bytes(before if isinstance(before, bytes) else before.encode())
        return open_run(folder, config)

    for before in ("", "{", '{"seed": 0', "[1]", "null", b"\xff\xfe\x00", "seed: 0"):
        yield error(
            "open_run", f"config.json {before!r}", lambda before=before: opened({}, before), "config.json", "damaged"
        )
    for config, words in (
        (None, ("config=None", "mapping")),
        ([1], ("config=[1]", "mapping")),
        ({"a": object()}, ("configuration", "object")),
        ({"a": {1, 2}}, ("configuration", "set")),
        ({"a": "\ud800"}, ("configuration", "JSON")),
        ({(1, 2): 3}, ("configuration", "JSON")),
    ):
        yield error("open_run", f"config {str(config)!r}"[:60], lambda config=config: opened(config), *words)
    for there, here in ((0, 1), (1, 1.0), (1, True), (0, "0"), (None, 0), ([1, 2], [2, 1])):
        before = json.dumps({"seed": there})
        yield error("open_run", f"{there!r} there, {here!r} here", lambda b=before, h=here: opened({"seed": h}, b),
                    "other settings", "seed")  # fmt: skip
    for there, here in (
        ("1", np.int64(1)),
        ("NaN", float("nan")),
        ("0.5", np.float32(0.5)),
        ('{"b": 1, "a": 2}', {"a": 2, "b": 1}),
    ):
        before = f'{{"seed": {there}}}'
        yield result(
            "open_run",
            f"{here!r} again",
            lambda b=before, h=here: opened({"seed": h}, b).done,
            lambda found: found == (),
        )
    yield error(
        "open_run", "a very long name", lambda: open_run(bench.folder() / ("n" * 300), {}), "folder", "name another"
    )
    for value in NOT_PATHS:
        yield error("open_run", f"folder {value!r}", lambda value=value: open_run(value, {}), "folder=", "expected")
    file = bench.file("file", "x")
    yield error("open_run", "a file in its place", lambda: open_run(file, {}), "is a file", "name a folder")
    yield error("open_run", "within a file", lambda: open_run(file / "run", {}), "is a file", "name a folder")
    run = open_run(bench.folder(), {})
    for name in ("", "../a", ".a", "a/b", None, 5):
        yield error("write_part", f"name {name!r}", lambda name=name: run.write_part(name, None), "part name", "plain")
    yield error("read_part", "no such part", lambda: run.read_part("a"), "a.nc", "no such file")


def resuming(traced: Traced) -> Iterator[Odd]:
    copy, trace, first = traced.copy, traced.trace, traced.part
    other_prompts = [traced.bench.planted.prompts[1], *traced.prompts]
    content = traced.part(traced.master).read_bytes()
    for kind in KINDS_OF_DAMAGE:
        folder = copy(lambda f, kind=kind: first(f).write_bytes(damaged(content, kind)))
        yield result("causal_trace", f"a part {kind}", lambda folder=folder: trace(folder), traced.same)
    folder = copy(lambda f: shutil.copy(first(f, 1), first(f, 0)))
    yield result("causal_trace", "a part copied over another", lambda: trace(folder), traced.same)
    for name in ("effects.nc", "environment.json"):
        folder = copy(lambda f, name=name: (f / name).write_bytes(b"damaged"))
        yield result("causal_trace", f"{name} damaged", lambda folder=folder: trace(folder), traced.same)
        folder = copy(lambda f, name=name: (f / name).unlink())
        yield result("causal_trace", f"{name} missing", lambda folder=folder: trace(folder), traced.same)
    for settings, word in (
        ({"samples": sl.Draws(1, seed=1)}, "seed"),
        ({"samples": 2}, "samples"),
        ({"grid": replace(GRID, window=3)}, "window"),
        ({"metrics": ["probability"]}, "metrics"),
        ({"grid": replace(GRID, direction="noising")}, "direction"),
        ({"grid": replace(GRID, at="token")}, "at"),
        ({"grid": replace(GRID, corrupted="control")}, "corrupted"),
    ):
        folder = copy()
        yield error(
            "causal_trace",
            f"resumed with {settings}",
            lambda f=folder, s=settings: trace(f, **s),
            "other settings",
            word,
        )
    folder = copy()
    yield result("causal_trace", "one prompt more", lambda: trace(folder, other_prompts).sizes["prompt"], (3).__eq__)
    fewer = copy()
    yield result(
        "causal_trace",
        "one prompt less",
        lambda: trace(fewer, traced.prompts[1:]).equals(traced.effects.isel(prompt=[1]).assign_coords(prompt=[0])),
        bool,
    )
    foreign = copy()
    traced_otherwise = traced.bench.folder() / "otherwise"
    trace(traced_otherwise, samples=sl.Draws(1, seed=5))
    one_prompt_parts(traced_otherwise)
    shutil.copy(first(traced_otherwise), first(foreign))
    yield error(
        "causal_trace", "a part of another seed", lambda: trace(foreign), "another study", "seed", "take them out"
    )
    unknown = copy(lambda f: (f / "config.json").unlink())
    yield error("causal_trace", "parts without config.json", lambda: trace(unknown), "config.json", "another folder")
    damaged_prompts = copy(lambda f: (f / "prompts.parquet").write_bytes(b"PAR1"))
    yield error(
        "causal_trace", "prompts.parquet damaged", lambda: trace(damaged_prompts), "prompts.parquet", "delete it"
    )
    for value in (5, "", ["run"], "a\0b"):
        yield error("causal_trace", f"folder {value!r}", lambda value=value: trace(value), "folder=", "expected")
    yield error("rejoin", "an empty folder", lambda: sl.effects.rejoin(traced.bench.folder()), "no parts", "parts/*.nc")
    yield error("rejoin", "None", lambda: sl.effects.rejoin(None), "folder=None", "expected")
    broken = copy(lambda f: first(f).write_bytes(content[:500]))
    yield error("rejoin", "a damaged part", lambda: sl.effects.rejoin(broken), traced.prompts[0].id, "damaged")
    yield from sharing(traced, copy)
    lost = copy(lambda f: (f / "effects.nc").unlink())
    yield result("rejoin", "effects.nc lost", lambda: sl.effects.rejoin(lost).effects, traced.same)


def sharing(traced: Traced, copy: Callable[..., Path]) -> Iterator[Odd]:
    """Shards, inspections, merges and checks that are asked for oddly."""
    shard, place = sl.effects.Shard, sl.effects.RunFolder
    for given, words in (((0, 2), ("number=0",)), ((3, 2), ("3", "2")), (("1", 2), ("number",)), ((1, 0), ("of=0",))):
        yield error("Shard", f"{given}", lambda given=given: shard(*given), *words)
    for given, words in (
        ((5,), ("path=5",)),
        (("run", "1/2"), ("shard", "Shard(2, 8)")),
        (("run", shard(), 1), ("True",)),
    ):
        yield error("RunFolder", f"{given}", lambda given=given: place(*given), *words)
    many = place(copy(), shard(3, 3))
    yield error("causal_trace", "more shards than prompts", lambda: traced.trace(many), "shard 3/3", "no more shards")
    empty = traced.bench.folder()
    for value, words in ((None, ("folder=None",)), (empty, ("holds no run",)), ("a\0b", ("folder=",))):
        yield error("inspect", f"{value!r}"[:20], lambda value=value: sl.effects.inspect(value), *words)
        yield error("verify", f"{value!r}"[:20], lambda v=value: sl.tracing.verify(traced.lens, v), *words)
    for settings, word in (({"cells": 0}, "cells=0"), ({"cells": 1.5}, "cells=1.5"), ({"seed": -1}, "seed=-1")):
        yield error("verify", word, lambda s=settings: sl.tracing.verify(traced.lens, traced.master, **s), word)
    out = traced.bench.folder() / "all"
    for value, words in ((None, ("folders",)), ("run", ("folders",)), ([], ("folders",)), ([empty], ("holds no run",))):
        yield error("merge", f"{value!r}"[:20], lambda value=value: sl.effects.merge(value, out), *words)
    whole = copy()
    yield result("inspect", "a finished run", lambda: sl.effects.inspect(whole)[0].finished, (2).__eq__)
    yield result("merge", "a run with itself", lambda: sl.effects.merge([whole, whole], whole)[0].finished, (2).__eq__)
