"""Causal tracing, its price, its doses and its fast first look."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from frame import Bench, Odd, error, result

import spiritlens as sl

NAN, INF = float("nan"), float("inf")
GRID = sl.Grid(("resid_post",), at="role")
QUICK = {"grid": GRID, "samples": 1, "progress": "none"}
BAD_COUNTS = (0, -1, 1.0, 1.5, True, "2", NAN, [1])
BAD_SEEDS = (-1, None, "a", 1.0, True, np.float64(1), 2**0.5)


def cases(bench: Bench) -> Iterator[Odd]:
    planted = bench.planted
    lens, text, spoken = planted.lens, planted.prompts[0], planted.prompts[12]
    for each in (_first(lens, text), _traces(lens, text, spoken), _doses(lens, text, spoken), _looks(lens, text)):
        yield from each
    yield from _prices(lens, text)
    yield from _known(lens, text, spoken)


def _first(lens: Any, text: Any) -> Iterator[Odd]:
    """A lens and prompts, of every function alike."""
    functions = {
        "causal_trace": partial(sl.causal_trace, **QUICK),
        "dose_curve": sl.tracing.dose_curve,
        "match_dose": sl.tracing.match_dose,
        "first_look": sl.tracing.first_look,
        "estimate_cost": sl.tracing.estimate_cost,
        "rome": sl.tracing.rome,
        "known_prompts": sl.known_prompts,
    }
    for name, function in functions.items():
        yield error(name, "lens None", partial(function, None, [text]), "lens is None", "expected a Lens")
        yield error(name, "a bare model", partial(function, lens.model, [text]), "expected a Lens", "bare model")
        yield error(name, "prompts a text", partial(function, lens, "The capital"), "prompts='The capital'", "several")
        yield error(name, "no prompts", partial(function, lens, []), "prompts is empty")
        yield error(name, "texts for prompts", partial(function, lens, ["a"]), "prompts[0] is 'a'", "expected a Prompt")


def _traces(lens: Any, text: Any, spoken: Any) -> Iterator[Odd]:
    def trace(**change: Any) -> Any:
        return partial(sl.causal_trace, lens, [text], **{**QUICK, **change})

    def bad(what: str, change: dict[str, Any], *names: str) -> Odd:
        return error("causal_trace", what, trace(**change), *names)

    def bad_grid(what: str, fields: dict[str, Any], *names: str) -> Odd:
        return error("Grid", what, lambda: trace(grid=replace(GRID, **fields))(), *names)

    for value in BAD_COUNTS:
        yield bad(f"samples {value!r}", {"samples": value}, "samples=", "whole number")
    for value in BAD_SEEDS:
        yield error("Draws", f"seed {value!r}", lambda value=value: sl.Draws(1, value), "seed=", "whole number")
    for value in (0, -3, 1.5, "2", True):
        yield bad_grid(f"window {value!r}", {"window": value}, "window=", "whole number ≥ 1")
    for value in (0, -0.5, 1.5, NAN, INF, "0.1", True):
        yield bad(f"screen {value!r}", {"screen": value}, "screen=", "> 0 and ≤ 1")
    for name, allowed in {
        "at": "token, word, span, role",
        "direction": "denoising, noising",
        "sever": "none, mlp, attn",
        "corrupted": "subject, control",
    }.items():
        yield bad_grid(f"{name} misspelt", {name: "x"}, f"{name}='x'", allowed)
        yield bad_grid(f"{name} None", {name: None}, f"{name}=None", allowed)
    for value in ("x", None):
        yield bad(f"progress {value!r}", {"progress": value}, "progress=", "bar, none")
        made = partial(sl.Screen, 0.5, value)
        yield error("Screen", f"keep {value!r}", made, "keep=", "each, common")
        yield error(
            "rome", f"sever {value!r}", partial(sl.tracing.rome, lens, [text], value), "sever=", "none, mlp, attn"
        )
    wrong = replace(text, answer_ids=text.foil_ids, answer=text.foil)
    yield error("rome", "a fact that is not known", partial(sl.tracing.rome, lens, [wrong]), wrong.id, "does not know")
    yield bad("grid a text", {"grid": "mlp_out"}, "components='mlp_out'", "['mlp_out']")
    yield bad("grid a number", {"grid": 5}, "grid=5", "expected a Grid")
    yield bad("grid a corruption", {"grid": sl.Noise()}, "grid=Noise", "expected a Grid")
    yield bad_grid("heads of a trace", {"heads": "together"}, "heads='together'", "does not know")
    yield bad_grid("components a text", {"components": "mlp_out"}, "components='mlp_out'", "['mlp_out']")
    yield bad_grid("components misspelt", {"components": ["mlp"]}, "'mlp'", "mlp_out")
    yield bad_grid("components twice", {"components": ["z", "z"]}, "'z' is given twice")
    yield bad_grid("components none", {"components": ()}, "components is empty")
    yield bad_grid("components a number", {"components": [5]}, "components[0] is 5")
    yield bad_grid("patterns are not traced", {"components": ["pattern"]}, "'pattern'", "attn_out")
    yield bad("metrics a text", {"metrics": "probability"}, "metrics='probability'", "['probability']")
    yield bad("metrics misspelt", {"metrics": ["prob"]}, "'prob'", "probability")
    yield bad("metrics None", {"metrics": None}, "metrics=None", "list")
    yield bad_grid("spans a text", {"at": "span", "spans": "subject"}, "spans='subject'", "['subject']")
    yield bad_grid("spans misspelt", {"at": "span", "spans": ["subjekt"]}, "no span 'subjekt'", "subject")
    yield bad_grid("spans numbers", {"at": "span", "spans": [5]}, "spans[0] is 5")
    yield bad_grid("spans none", {"at": "span", "spans": []}, "needs spans")
    yield bad_grid("a wide span", {"at": "span", "spans": ["subject +99999999999"]}, "no span 'subject +99999999999'")
    yield bad_grid("a far position", {"at": "span", "spans": [f"position {10**40}"]}, "no span 'position 1")
    for value in ("noise", 3.0, sl.Noise, ["noise"]):
        yield bad(f"corruption {value!r}", {"corruption": value}, "corruption=", "expected a corruption", "sl.Noise()")
    yield error(
        "causal_trace",
        "donors that are texts",
        lambda: sl.corruptions.Replacement(donors=("France",)),
        "donors[0] is 'France'",
    )
    rank = {"metrics": ["rank"], "screen": 0.5}
    yield bad("screened by a metric without a gradient", rank, "'rank' has no", "probability")
    yield bad("screened and severed", {"grid": sl.Grid(["resid_pre"], sever="mlp"), "screen": 0.5}, "sever='mlp'")
    bare = lens.text("the colour of marlo is", "marlo", "red")
    yield result(
        "causal_trace",
        "no foil to compare with",
        partial(sl.causal_trace, lens, [bare], metrics=["logit_difference"], **QUICK),
        lambda found: found["foil_rule"].values.tolist() == ["runner-up"],
    )
    yield error(
        "causal_trace", "a prompt twice", partial(sl.causal_trace, lens, [text, text], **QUICK), text.id, "twice"
    )

    plain = sl.causal_trace(lens, [text], **QUICK)

    def equal(effects: Any) -> bool:
        return effects["restored"].equals(plain["restored"])

    def close(effects: Any) -> bool:
        return np.allclose(effects["restored"], plain["restored"], atol=1e-4, equal_nan=True)

    for what, change in {
        "numpy's counts": {"samples": sl.Draws(np.int64(1), np.uint8(0))},
        "torch's counts": {"samples": torch.tensor(1), "grid": replace(GRID, window=torch.tensor(3))},
        "a generator of components": {"grid": sl.Grid((name for name in ["resid_post"]), at="role")},
        "components as an array": {"grid": sl.Grid(np.array(["resid_post"]), at="role")},
    }.items():
        yield result("causal_trace", what, trace(**change), equal)
    yield result(
        "causal_trace",
        "a generator for a grid",
        lambda: sl.causal_trace(lens, [text], (name for name in ["resid_post"]), samples=1, progress="none"),
        lambda effects: effects["component"].values.tolist() == ["resid_post"],
    )
    small = replace(lens, memory_budget=1)
    yield result("causal_trace", "a budget of one byte", partial(sl.causal_trace, small, [text], **QUICK), close)
    yield result("causal_trace", "prompts of a generator", lambda: sl.causal_trace(lens, iter([text]), **QUICK), equal)
    yield result(
        "causal_trace",
        "both modalities",
        lambda: sl.causal_trace(lens, (prompt for prompt in (text, spoken)), **QUICK),
        lambda effects: effects["modality"].values.tolist() == ["T2T", "S2T"],
    )


def _doses(lens: Any, text: Any, spoken: Any) -> Iterator[Odd]:
    curve = partial(sl.tracing.dose_curve, lens, [text], samples=1)
    for value in ("124", (), [-1.0], [NAN], [INF], [None], ["1"], 2.0):
        yield error("dose_curve", f"multiples {value!r}", partial(curve, multiples=value), "multiples")
    yield error("dose_curve", "law misspelt", partial(curve, law="gauss"), "law='gauss'", "gaussian, uniform, student")
    yield result(
        "dose_curve",
        "a generator of multiples",
        partial(curve, multiples=(value for value in (np.float32(0.5), 1))),
        lambda found: found["multiple"].values.tolist() == [0.5, 1.0],
    )
    match = partial(sl.tracing.match_dose, lens, [text, spoken], samples=1)
    for value in (0, 1, -0.5, NAN, "0.5", True):
        yield error("match_dose", f"target {value!r}", partial(match, target=value), "target=", "> 0 and < 1")
    for value in (0, -1, NAN, None, "small"):
        yield error("match_dose", f"tolerance {value!r}", partial(match, tolerance=value), "tolerance=", "> 0")
    yield error("match_dose", "one modality", lambda: sl.tracing.match_dose(lens, [text]), "subject in speech")
    yield error("match_dose", "samples 0", partial(match, samples=0), "samples=0", "≥ 1")


def _looks(lens: Any, text: Any) -> Iterator[Odd]:
    look = partial(sl.tracing.first_look, lens, [text], GRID, samples=1)
    for name in ("top_k", "n_exact"):
        for value in (0, -3, 1.5, "3"):
            yield error("first_look", f"{name} {value!r}", partial(look, **{name: value}), f"{name}=", "≥ 1")
    for value, words in (("rank", "logit_difference"), (["logit"], "the name of a metric"), (None, "a Metric(")):
        yield error("first_look", f"metric {value!r}", partial(look, metric=value), repr(value), words)
    yield error(
        "first_look", "corruption a text", partial(look, corruption="noise"), "corruption='noise'", "sl.Noise()"
    )
    for value in ("fast", 3, None):
        yield error("first_look", f"rule {value!r}", partial(look, rule=value), "rule=", "relp")
    severed = partial(sl.tracing.first_look, lens, [text], sl.Grid(("resid_pre",), sever="mlp"))
    yield error("first_look", "a severed grid", severed, "sever='mlp'", "sever='none'")
    yield result(
        "first_look",
        "more exact ones than prompts",
        partial(look, n_exact=np.int64(9), top_k=3),
        lambda found: len(found.correlations) == 1,
    )


def _prices(lens: Any, text: Any) -> Iterator[Odd]:
    price = partial(sl.tracing.estimate_cost, lens, [text])
    yield error("estimate_cost", "a number for a grid", partial(price, 5), "grid=5", "expected a Grid")
    yield error("estimate_cost", "components misspelt", partial(price, ["mlp"]), "'mlp'", "mlp_out")
    for value in (0, -1, NAN, INF, "1"):
        yield error("estimate_cost", f"tflops {value!r}", partial(price, tflops=value), "tflops=")
    for value in (0, 2.5, "10"):
        yield error("estimate_cost", f"samples {value!r}", partial(price, samples=value), "samples=", "≥ 1")
    unknown = partial(price, sl.Grid(at="span", spans=["subjekt"]))
    yield error("estimate_cost", "a span misspelt", unknown, "no span 'subjekt'")
    yield result(
        "estimate_cost",
        "a generator",
        lambda: sl.tracing.estimate_cost(lens, iter([text])),
        lambda cost: cost.prompts == 1,
    )


def _known(lens: Any, text: Any, spoken: Any) -> Iterator[Odd]:
    known = partial(sl.known_prompts, lens)
    yield error("known_prompts", "over misspelt", partial(known, [text], over="all"), "over='all'", "full, text")
    yield error("known_prompts", "one prompt", partial(known, text), "prompts=", "several")
    for rule in ("exact", 5, ("top k", 5)):
        yield error("known_prompts", f"knowing={rule!r}", partial(known, [text], knowing=rule), "knowing=", "Knowing(")
    yield result("known_prompts", "a generator", lambda: known(iter([text, spoken])), lambda found: len(found) == 2)
    yield result("known_prompts", "a prompt twice", partial(known, [text, text]), lambda found: len(found) == 2)
