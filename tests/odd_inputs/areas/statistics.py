"""Effects, averages, comparisons and rankings of heads."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from frame import Bench, Odd, error, result

import spiritlens as sl

NAN, INF = float("nan"), float("inf")
OF_EFFECTS = (
    *("total", "limits", "indirect", "normalised_indirect", "normalised_total", "by_role", "average", "average_total"),
    "compare",
)


def cases(bench: Bench) -> Iterator[Odd]:
    effects = bench.effects
    mass = sl.heads.attention_mass(bench.planted.lens, bench.planted.prompts[:1])
    yield from _given(effects, mass)
    for part in (_shares, _limits, _averages, _comparisons):
        yield from part(effects)
    yield from _ranks(mass)


def _function(name: str) -> Any:
    return sl.compare if name == "compare" else getattr(sl.effects, name)


def _given(effects: Any, mass: Any) -> Iterator[Odd]:
    for name in OF_EFFECTS:
        function = _function(name)
        yield error(name, "a path", partial(function, "effects.nc"), "effects='effects.nc'", "effects.load")
        yield error(name, "a list", partial(function, [effects]), "(list)", "expected one Dataset")
        yield error(name, "another method's result", partial(function, mass), "spiritlens.attention/1", "effects/1")
        yield error(name, "a bare Dataset", partial(function, xr.Dataset()), "schema None", "spiritlens.effects/1")
        if name not in ("total", "limits"):
            damaged = effects.drop_vars("restored")
            yield error(name, "a variable lost", partial(function, damaged), "lacks restored", "as its method returned")
    for name in ("by_role", "average", "compare"):
        one = effects.isel(prompt=0)
        yield error(name, "an axis lost", partial(_function(name), one), "axis 'prompt'", "isel(prompt=[0])")
    yield error("indirect", "None", partial(sl.effects.indirect, None), "effects=None", "expected one Dataset")
    plain = effects.assign_attrs()
    del plain.attrs["direction"]
    yield error("indirect", "no direction", partial(sl.effects.indirect, plain), "attribute direction")
    yield result(
        "total",
        "one prompt",
        lambda: sl.effects.total(effects.isel(prompt=0)),
        lambda found: found.equals(sl.effects.total(effects).isel(prompt=0)),
    )


def _shares(effects: Any) -> Iterator[Odd]:
    for value in (0, -0.1, NAN, "0.05", True, 1j, [0.05]):
        call = partial(sl.effects.normalised_indirect, effects, value)
        yield error("normalised_indirect", f"threshold {value!r}", call, "threshold=", "number > 0")
    logits = effects.sel(metric=["logit"])
    yield error("normalised_total", "no probability", partial(sl.effects.normalised_total, logits), "logit", "trace")
    for value in ("ratio", None, 1):
        call = partial(sl.effects.by_role, effects, quantity=value)
        yield error("by_role", f"quantity {value!r}", call, "quantity=", "indirect, normalised")
    yield error("by_role", "split misspelt", partial(sl.effects.by_role, effects, split="x"), "split='x'", "role, part")
    yield error("by_role", "parts of roles", partial(sl.effects.by_role, effects, split="part"), "at='token'")
    yield result(
        "normalised_indirect",
        "numpy's threshold",
        lambda: sl.effects.normalised_indirect(effects, np.float32(0.5)),
        lambda found: found.attrs["threshold"] == 0.5,
    )


def _limits(effects: Any) -> Iterator[Odd]:
    call = partial(sl.effects.limits, effects)
    for value in ("written", None, 1, ["T2T"]):
        yield error("limits", f"modality {value!r}", partial(call, value), "modality=", "T2T, S2T, mixed")
    yield error("limits", "a metric not traced", partial(call, metric="bits"), "metric='bits'", "probability")
    yield error("limits", "facts misspelt", partial(call, facts="some"), "facts='some'", "known, all")


def _averages(effects: Any) -> Iterator[Odd]:
    for name in ("average", "average_total"):
        call = partial(getattr(sl.effects, name), effects)
        for value, names in (
            ("modality", ("by='modality'", "['modality']")),
            (["modalities"], ("modalities", "modality")),
            ([5], ("by[0] is 5",)),
            (None, ("by=None",)),
        ):
            yield error(name, f"by {value!r}", partial(call, by=value), *names)
        for value in (0, 1, 95, -0.5, NAN, "0.95"):
            yield error(name, f"confidence {value!r}", partial(call, confidence=value), "confidence=", "> 0 and < 1")
        for argument in ("resamples", "seed"):  # intervals are in closed form
            yield error(name, argument, partial(call, **{argument: 5}), f"{name} has no argument {argument}=", "facts")
        yield error(name, "facts misspelt", partial(call, facts="knwon"), "facts='knwon'", "known, all")
        yield result(
            name,
            "a generator of groups",
            lambda call=call: call(by=(each for each in ["modality"])),
            lambda found: found["modality"].values.tolist() == ["T2T", "S2T"],
        )
        yield result(name, "no groups", partial(call, by=()), lambda found: found.sizes["group"] == 1)
    unknown = effects.assign_coords(known=("prompt", np.zeros(effects.sizes["prompt"], dtype=np.int8)))
    yield error("average", "nothing known", partial(sl.effects.average, unknown), "no known fact", "facts='all'")


def _comparisons(effects: Any) -> Iterator[Odd]:
    call = partial(sl.compare, effects, resamples=5, permutations=5)
    rules = sl.comparison.Rules
    for value in (0, 0.5, 2, -0.05, NAN, "0.05", None):
        yield error("Rules", f"alpha {value!r}", partial(rules, alpha=value), "alpha=", "> 0 and < 0.5")
    yield error(
        "Rules", "margins that are a number", partial(rules, margins=0.05), "margins=0.05", "sl.comparison.Margins"
    )
    yield error(
        "Rules", "clusters misspelt", partial(rules, clusters="fact"), "clusters='fact'", "subject, relation, both"
    )
    yield error("Rules", "cells misspelt", partial(rules, cells="fdr"), "cells='fdr'", "false discovery")
    yield error("Rules", "family misspelt", partial(rules, family="maps"), "family='maps'", "all metrics")
    for name in ("share", "layers", "correlation"):
        yield error("Margins", f"{name} 0", partial(sl.comparison.Margins, **{name: 0}), f"{name}=0", "> 0")
    yield error("compare", "rules that are a level", partial(call, rules=0.05), "rules=0.05", "sl.comparison.Rules")
    yield error("compare", "references that are twins", partial(call, references=[effects]), "sl.comparison.References")
    yield error("compare", "confidence", partial(call, confidence=0.9), "no argument confidence=")
    references = sl.comparison.References
    yield error("References", "one twin", partial(references, twins=effects), "twins", "write [twin]")
    yield error(
        "References", "a path as a twin", partial(references, twins=["twin.nc"]), "twins[0]='twin.nc'", "Dataset"
    )
    yield error("References", "a floor without a name", partial(references, floors=[effects]), "floors=", "by name")
    yield error("References", "a floor of no effects", partial(references, floors={"x": 3}), "floors['x']=3", "Dataset")
    one = partial(references, ceilings={"voices": effects})
    yield error("References", "one result as a ceiling", one, "ceilings['voices'] has 1 results", "(one, other)")
    yield error("References", "effects as an interchange", partial(references, interchange=effects), "interchange")
    yield error("References", "a path as an interchange", partial(references, interchange="kept.nc"), "interchange")
    yield error("References", "a list as an interchange", partial(references, interchange=[effects]), "interchange")
    both = references(ceilings={"voices": (effects, effects)})
    yield error(
        "compare", "a ceiling of both", partial(call, references=both), "share 2 of T2T and S2T", "one modality"
    )
    other = references(floors={"other": effects.isel(metric=[0]).assign_coords(metric=["other"])})
    yield error("compare", "a floor in another metric", partial(call, references=other), "lacks the metric", "trace it")
    for value in (("T2T", "T2T"), ("T2T",), "T2T", ("T2T", "X2T"), ("T2T", None), None, ("T2T", "S2T", "mixed")):
        yield error("compare", f"kinds {value!r}", partial(call, kinds=value), "kinds")
    yield error("compare", "a modality that is not there", partial(call, kinds=("T2T", "mixed")), "no mixed prompt")
    for value in ("probabilty", 5, ["logit"]):
        yield error(
            "compare", f"metric {value!r}", partial(call, metric=value), "metric=", "not traced", "log_probability"
        )
    yield error("compare", "last misspelt", partial(call, last="readout"), "last='readout'", "read-out, by role")
    for value in (0, 1.5, "9"):
        yield error("compare", f"permutations {value!r}", partial(call, permutations=value), "permutations=", "≥ 1")
        yield error("compare", f"resamples {value!r}", partial(call, resamples=value), "resamples=", "≥ 1")
    yield error("compare", "seed below 0", partial(call, seed=-1), "seed=-1", "≥ 0")
    yield result(
        "compare", "a list of kinds", partial(call, kinds=["S2T", "T2T"]), lambda found: found.kinds == ("S2T", "T2T")
    )


def _ranks(mass: Any) -> Iterator[Odd]:
    measure = mass["mass"].isel(prompt=0).sel(query="final marker", key="subject")
    rank, overlap = partial(sl.heads.rank, measure), partial(sl.heads.overlap, measure, measure)
    beside = partial(sl.heads.compare_rankings, measure, measure)
    for value in (0, -1, 1.5, "5", True):
        yield error("rank", f"top {value!r}", partial(rank, top=value), "top=", "whole number ≥ 1")
        yield error("overlap", f"top {value!r}", partial(overlap, top=value), "top=", "whole number ≥ 1")
        yield error("compare_rankings", f"top {value!r}", partial(beside, ("a", "b"), top=value), "top=", "≥ 1")
    for value in ("x", None, "values"):
        yield error("rank", f"by {value!r}", partial(rank, by=value), "by=", "value, magnitude")
        yield error("overlap", f"by {value!r}", partial(overlap, by=value), "by=", "value, magnitude")
    for value in ("ab", ("a", "a"), ("a",), (1, 2), None):
        yield error("compare_rankings", f"names {value!r}", partial(beside, value), "names")
    for what, value, names in (
        ("a Dataset", mass, ("(Dataset)", "choose one of its variables")),
        ("an array", measure.values, ("(ndarray)", "axes layer and head")),
        ("None", None, ("measure=None", "DataArray")),
        ("more axes", mass["mass"], ("axes layer and head", "select or average")),
        ("nothing measured", measure * NAN, ("all values are NaN",)),
        ("texts", measure.astype(str), ("measure holds", "expected numbers")),
        ("complex numbers", measure.astype(complex), ("complex128", "expected numbers")),
        ("heads by name", measure.assign_coords(head=list("abcd")), ("heads <U1", "whole numbers")),
    ):
        yield error("rank", what, partial(sl.heads.rank, value), *names)
    few = measure.isel(layer=[0])
    for what, value, names in (
        ("a measure", measure, ("twins[0] has 1 measures", "[(first, second)]")),
        ("a path", "twins.nc", ("twins='twins.nc'", "write ['twins.nc']")),
        ("a number", 3, ("twins=3", "expected a list")),
        ("one measure each", [measure], ("twins[0] has 1 measures", "the two of one")),
        ("texts", [("a", "b")], ("first='a'", "expected a DataArray")),
        (
            "three measures",
            [(measure, measure, measure)],
            ("twins[0] has 3 measures", "the two of one untrained model"),
        ),
        ("another shape", [(few, few)], ("a twin has 4 heads measured, the model 32", "same shape")),
        ("nothing measured", [(measure, measure * NAN)], ("all values are NaN",)),
    ):
        yield error("overlap", f"twins: {what}", partial(overlap, twins=value), *names)
    yield result(
        "overlap",
        "a generator of twins",
        lambda: overlap(twins=((measure, measure) for _ in range(3))),
        lambda found: (found["twins"], found["p_twins"]) == (3, 1.0),
    )
    other = measure.assign_coords(layer=measure["layer"] + 100)
    yield error("overlap", "no head in common", partial(sl.heads.overlap, measure, other), "share 0 heads")
    yield error("overlap", "a Dataset", partial(sl.heads.overlap, measure, mass), "second=", "choose one of its")
    yield error(
        "compare_rankings",
        "no head in common",
        partial(sl.heads.compare_rankings, measure, other, ("a", "b")),
        "share 0",
    )
    yield result("rank", "more than there are", partial(rank, top=999), lambda table: len(table) == 32)
    yield result("rank", "infinite values", partial(sl.heads.rank, measure + INF), lambda table: len(table) == 32)
    yield result("rank", "turned axes", partial(sl.heads.rank, measure.T), lambda table: table.equals(rank()))
