"""What a result says of itself: its canary, its methods, the kinds of recall of its facts."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from frame import Bench, Odd, error, result

import spiritlens as sl

NAN = float("nan")


def cases(bench: Bench) -> Iterator[Odd]:
    yield from _canaries(bench.effects)
    yield from _methods(bench.effects)
    yield from _rules()
    yield from _kinds(bench)


def _canaries(effects: Any) -> Iterator[Odd]:
    for value in ("effects.nc", None, [effects], 3):
        call = partial(sl.effects.canary, value)
        yield error("effects.canary", f"given {value!r:.40}", call, "result is a", "expected the dataset")
    wrong = effects.assign(canary_all=effects["noise_floor"] + 0.5)
    yield error("compare", "a failed canary", partial(sl.compare, wrong), "its canary fails", "drop_vars(")
    turned = effects.assign(canary_self=effects["canary_self"].T)
    yield error(
        "effects.save", "a canary with turned axes", partial(sl.effects.save, turned, "x.nc"), "canary_self has"
    )
    yield result(
        "effects.canary",
        "a file of an earlier version",
        lambda: sl.effects.canary(effects.drop_vars(["canary_self", "canary_all"])),
        lambda found: not found.rows and not found.problem,
    )
    yield result(
        "effects.canary",
        "one prompt and one metric",
        lambda: sl.effects.canary(effects.isel(prompt=0, metric=[0])),
        lambda found: len(found.rows) == 2,
    )


def _methods(effects: Any) -> Iterator[Odd]:
    for value in ("effects.nc", None, [effects], 3):
        yield error("methods", f"given {value!r:.40}", partial(sl.methods, value), "result=", "expected the dataset")
    yield error("methods", "an empty mapping", partial(sl.methods, {}), "result is empty", "by name")
    yield error("methods", "a mapping of paths", partial(sl.methods, {"a": "x.nc"}), "a='x.nc'", "expected the dataset")
    yield error("methods", "a bare Dataset", partial(sl.methods, xr.Dataset()), "schema None")
    found = sl.compare(effects, resamples=5, permutations=5)
    yield error("methods", "a list of comparisons", partial(sl.methods, [found]), "(list)", "a Comparison")
    yield error("methods", "its findings", partial(sl.methods, found.findings), "(tuple)", "a Comparison")
    yield error("methods", "a mapping of findings", partial(sl.methods, {"a": "b"}), "a='b'", "several by name")
    yield result("methods", "a comparison", partial(sl.methods, found), lambda told: "margin" not in told.bibtex)
    lost = effects.drop_vars("restored")
    yield error("methods", "a variable lost", partial(sl.methods, lost), "restored is missing")
    yield result(
        "methods",
        "several by name",
        lambda: sl.methods({"one": effects, "other": effects}),
        lambda found: found == sl.methods(effects),
    )


def _rules() -> Iterator[Odd]:
    rule = sl.prompts.RecallRule
    for name in ("consistency", "probability", "name_share"):
        for value in (-0.1, 1.1, NAN, "0.5", None, True):
            yield error("prompts.RecallRule", f"{name} {value!r}", partial(rule, **{name: value}), f"{name}=", "number")
    for name in ("stand_ins", "seed"):
        for value in (-1, 1.5, "4", None, True):
            yield error("prompts.RecallRule", f"{name} {value!r}", partial(rule, **{name: value}), f"{name}=", "whole")
    yield error("prompts.RecallRule", "a name share of 0", partial(rule, name_share=0), "name_share=0", "> 0")


def _kinds(bench: Bench) -> Iterator[Odd]:
    lens, facts = bench.lens, [fact for fact in sl.load_facts() if fact.id == "capital/france"]
    kinds = sl.prompts.recall_kinds
    yield error("prompts.recall_kinds", "no lens", partial(kinds, "model", facts), "lens")
    yield error("prompts.recall_kinds", "no facts", partial(kinds, lens, []), "facts is empty")
    yield error("prompts.recall_kinds", "one fact alone", partial(kinds, lens, facts[0]), "facts=", "several")
    for value in (None, 0.5, {"probability": 0.1}):
        call = partial(kinds, lens, facts, value)
        yield error("prompts.recall_kinds", f"rule {value!r}", call, "rule=", "expected a RecallRule")
    unknown = partial(kinds, lens, facts, phrasing="fourth", progress="none")
    yield error("prompts.recall_kinds", "a phrasing of none", unknown, "none of the 1 facts can be asked", "fourth")
    yield error("prompts.recall_kinds", "progress", partial(kinds, lens, facts, progress="dots"), "progress='dots'")
    found = kinds(lens, facts, sl.prompts.RecallRule(stand_ins=0, seed=np.int64(3)), progress="none")
    yield error("prompts.RecallKinds", "a kind misspelt", partial(found.of_kind, "exactly"), "kind='exactly'", "guess")
    for value in ("effects.nc", None, xr.Dataset()):
        call = partial(found.tagged, value)
        yield error("prompts.RecallKinds", f"tagged {value!r:.20}", call, "result=", "fact_id")
    yield error("prompts.RecallKinds", "other facts", partial(found.tagged, bench.effects), "none of the 8 prompts")
    by = partial(sl.effects.average, bench.effects, by=("recall",))
    yield error("average", "by recall, untagged", by, "not tagged", "recall_kinds")
