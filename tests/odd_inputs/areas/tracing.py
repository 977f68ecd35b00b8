"""Causal tracing, its price, its doses and its fast first look."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from frame import Bench, Odd, error, result

import spiritlens as sl
from spiritlens.analysis.tracing.grid import make_grid
from spiritlens.runs.sweep.cost import shape_of

NAN, INF = float("nan"), float("inf")
QUICK = {"components": ("resid_post",), "at": "role", "samples": 1, "progress": "none"}
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
        "dose_curve": sl.dose_curve,
        "match_dose": sl.match_dose,
        "first_look": sl.first_look,
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

    for value in BAD_COUNTS:
        yield bad(f"samples {value!r}", {"samples": value}, "samples=", "whole number")
    for value in BAD_SEEDS:
        yield bad(f"seed {value!r}", {"seed": value}, "seed=", "whole number")
    for value in (0, -3, 1.5, "2", True):
        yield bad(f"window {value!r}", {"window": value}, "window=", "whole number ≥ 1")
    for value in (0, -0.5, 1.5, NAN, INF, "0.1", True):
        yield bad(f"screen {value!r}", {"screen": value}, "screen=", "> 0 and ≤ 1")
    for value in (0, -1, NAN, 1.5, "1GB"):
        yield bad(f"memory_budget {value!r}", {"memory_budget": value}, "memory_budget=", "whole number ≥ 1")
    for name, allowed in {
        "at": "token, word, span, role",
        "facts": "all, known",
        "progress": "bar, none",
        "direction": "denoising, noising",
        "sever": "none, mlp, attn",
        "corrupted": "subject, control",
        "keep": "each, common",
        "preset": "none, rome",
    }.items():
        yield bad(f"{name} misspelt", {name: "x"}, f"{name}='x'", allowed)
        yield bad(f"{name} None", {name: None}, f"{name}=None", allowed)
    yield bad("components a text", {"components": "mlp_out"}, "components='mlp_out'", "['mlp_out']")
    yield bad("components misspelt", {"components": ["mlp"]}, "'mlp'", "mlp_out")
    yield bad("components twice", {"components": ["z", "z"]}, "'z' is given twice")
    yield bad("components none", {"components": ()}, "components is empty")
    yield bad("components a number", {"components": [5]}, "components[0] is 5")
    yield bad("patterns are not traced", {"components": ["pattern"]}, "'pattern'", "attn_out")
    yield bad("metrics a text", {"metrics": "probability"}, "metrics='probability'", "['probability']")
    yield bad("metrics misspelt", {"metrics": ["prob"]}, "'prob'", "probability")
    yield bad("metrics None", {"metrics": None}, "metrics=None", "list")
    yield bad("spans a text", {"at": "span", "spans": "subject"}, "spans='subject'", "['subject']")
    yield bad("spans misspelt", {"at": "span", "spans": ["subjekt"]}, "no span 'subjekt'", "subject")
    yield bad("spans numbers", {"at": "span", "spans": [5]}, "spans[0] is 5")
    yield bad("spans none", {"at": "span", "spans": []}, "needs spans")
    yield bad("a wide span", {"at": "span", "spans": ["subject +99999999999"]}, "no span 'subject +99999999999'")
    yield bad("a far position", {"at": "span", "spans": [f"position {10**40}"]}, "no span 'position 1")
    for value in ("noise", 3.0, sl.Noise, ["noise"]):
        yield bad(f"corruption {value!r}", {"corruption": value}, "corruption=", "expected a corruption", "sl.Noise()")
    yield error(
        "causal_trace", "donors that are texts", lambda: sl.Replacement(donors=("France",)), "donors[0] is 'France'"
    )
    rank = {"metrics": ["rank"], "screen": 0.5}
    yield bad("screened by a metric without a gradient", rank, "'rank' has none", "probability")
    yield bad("screened and severed", {"sever": "mlp", "screen": 0.5, "components": ["resid_pre"]}, "sever='mlp'")
    bare = lens.text("the colour of marlo is", "marlo", "red")
    yield error(
        "causal_trace",
        "no foil to compare with",
        partial(sl.causal_trace, lens, [bare], metrics=["logit_difference"], **QUICK),
        bare.id,
        "foil=",
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
        "numpy's counts": {"samples": np.int64(1), "seed": np.uint8(0)},
        "torch's counts": {"samples": torch.tensor(1), "window": torch.tensor(3)},
        "a generator of components": {"components": (name for name in ["resid_post"])},
        "components as an array": {"components": np.array(["resid_post"])},
        "a budget of one byte": {"memory_budget": 1},
    }.items():
        check = equal if "byte" not in what else close
        yield result("causal_trace", what, trace(**change), check)
    yield result("causal_trace", "prompts of a generator", lambda: sl.causal_trace(lens, iter([text]), **QUICK), equal)
    yield result(
        "causal_trace",
        "both modalities",
        lambda: sl.causal_trace(lens, (prompt for prompt in (text, spoken)), **QUICK),
        lambda effects: effects["modality"].values.tolist() == ["T2T", "S2T"],
    )


def _doses(lens: Any, text: Any, spoken: Any) -> Iterator[Odd]:
    curve = partial(sl.dose_curve, lens, [text], samples=1)
    for value in ("124", (), [-1.0], [NAN], [INF], [None], ["1"], 2.0):
        yield error("dose_curve", f"multiples {value!r}", partial(curve, multiples=value), "multiples")
    yield error("dose_curve", "law misspelt", partial(curve, law="gauss"), "law='gauss'", "gaussian, uniform, student")
    yield error("dose_curve", "seed below 0", partial(curve, seed=-1), "seed=-1", "≥ 0")
    yield result(
        "dose_curve",
        "a generator of multiples",
        partial(curve, multiples=(value for value in (np.float32(0.5), 1))),
        lambda found: found["multiple"].values.tolist() == [0.5, 1.0],
    )
    match = partial(sl.match_dose, lens, [text, spoken], samples=1)
    for value in (0, 1, -0.5, NAN, "0.5", True):
        yield error("match_dose", f"target {value!r}", partial(match, target=value), "target=", "> 0 and < 1")
    for value in (0, -1, NAN, None, "small"):
        yield error("match_dose", f"tolerance {value!r}", partial(match, tolerance=value), "tolerance=", "> 0")
    yield error("match_dose", "one modality", lambda: sl.match_dose(lens, [text]), "subject in speech")
    yield error("match_dose", "samples 0", partial(match, samples=0), "samples=0", "≥ 1")


def _looks(lens: Any, text: Any) -> Iterator[Odd]:
    look = partial(sl.first_look, lens, [text], ("resid_post",), at="role", samples=1)
    for name in ("top_k", "n_exact"):
        for value in (0, -3, 1.5, "3"):
            yield error("first_look", f"{name} {value!r}", partial(look, **{name: value}), f"{name}=", "≥ 1")
    for value in ("rank", ["logit"], None):
        yield error("first_look", f"metric {value!r}", partial(look, metric=value), "metric=", "logit_difference")
    yield error(
        "first_look", "corruption a text", partial(look, corruption="noise"), "corruption='noise'", "sl.Noise()"
    )
    yield error("first_look", "spans without a name", partial(look, at="spans"), "at='spans'", "span")
    yield result(
        "first_look",
        "more exact ones than prompts",
        partial(look, n_exact=np.int64(9), top_k=3),
        lambda found: len(found.correlations) == 1,
    )


def _prices(lens: Any, text: Any) -> Iterator[Odd]:
    shape, grid = shape_of(lens.backend), make_grid(lens.backend, ("resid_pre",), None, "token", "denoising", "none")
    price = sl.estimate_cost
    yield error("estimate_cost", "a lens for its shape", partial(price, lens, [text], grid), "shape=", "shape_of")
    yield error("estimate_cost", "components for a grid", partial(price, shape, [text], "z"), "grid='z'", "make_grid")
    yield error("estimate_cost", "one prompt", partial(price, shape, text, grid), "prompts=", "several")
    yield error("estimate_cost", "no prompts", partial(price, shape, [], grid), "prompts is empty")
    for value in (0, -1, NAN, INF, "1"):
        yield error("estimate_cost", f"tflops {value!r}", partial(price, shape, [text], grid, tflops=value), "tflops=")
    for value in (0, 2.5, "10"):
        asked = partial(price, shape, [text], grid, samples=value)
        yield error("estimate_cost", f"samples {value!r}", asked, "samples=", "≥ 1")
    yield error("estimate_cost", "spans a text", partial(price, shape, [text], grid, spans="subject"), "['subject']")
    yield result(
        "estimate_cost", "a generator", lambda: price(shape, iter([text]), grid), lambda cost: cost.prompts == 1
    )


def _known(lens: Any, text: Any, spoken: Any) -> Iterator[Odd]:
    known = partial(sl.known_prompts, lens)
    yield error("known_prompts", "over misspelt", partial(known, [text], over="all"), "over='all'", "full, text")
    yield error("known_prompts", "one prompt", partial(known, text), "prompts=", "several")
    yield result("known_prompts", "a generator", lambda: known(iter([text, spoken])), lambda found: len(found) == 2)
    yield result("known_prompts", "a prompt twice", partial(known, [text, text]), lambda found: len(found) == 2)
