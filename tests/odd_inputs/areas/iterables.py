"""Generators, iterators, views, arrays, sets and single values, where several are expected."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from frame import Bench, Odd, error, result

import spiritlens as sl
from spiritlens.runs.interventions import ablate


def cases(bench: Bench) -> Iterator[Odd]:
    lens, prompts = bench.planted.lens, bench.planted.prompts
    two, prompt = prompts[:2], prompts[0]
    quick: dict[str, Any] = {"samples": 1, "progress": "none"}

    def trace(some: Any, **more: Any) -> Any:
        return sl.causal_trace(lens, some, **{"grid": sl.Grid(("resid_pre",), at="role"), **quick, **more})

    whole = trace(two)

    def same(found: Any) -> bool:
        return bool(np.array_equal(found["restored"].values, whole["restored"].values, equal_nan=True))

    views: dict[str, Callable[[Any], Any]] = {
        "a generator": lambda values: (value for value in values),
        "an iterator": iter,
        "a view": lambda values: dict(enumerate(values)).values(),
        "a deque": deque,
        "a chain": lambda values: chain(values[:1], values[1:]),
        "keys": lambda values: dict.fromkeys(values).keys(),
    }
    for what, view in views.items():
        yield result("causal_trace", f"prompts are {what}", lambda view=view: trace(view(two)), same)
    objects = np.empty(2, dtype=object)
    objects[:] = two
    yield result("causal_trace", "prompts are an array", lambda: trace(objects), same)
    yield error("causal_trace", "one prompt", lambda: trace(prompt), "prompts=", "expected several")
    yield error("causal_trace", "None", lambda: trace(None), "prompts=None", "list")
    yield error("causal_trace", "an empty iterator", lambda: trace(iter(())), "prompts is empty", "Prompt")
    yield error("causal_trace", "texts", lambda: trace(["a", "b"]), "prompts[0] is 'a'", "Prompt")
    yield error(
        "causal_trace", "an iterator gives one twice", lambda: trace(iter([prompt, prompt])), prompt.id, "twice"
    )
    yield result(
        "causal_trace",
        "components from a generator",
        lambda: trace(two, grid=sl.Grid((c for c in ["resid_pre"]), at="role")),
        same,
    )
    yield error("causal_trace", "components as a text", lambda: trace(two, grid="resid_pre"), "components=", "several")
    yield error("causal_trace", "metrics as a text", lambda: trace(two, metrics="probability"), "metrics=", "several")
    yield result(
        "causal_trace",
        "metrics from a generator",
        lambda: trace(two, metrics=(m for m in ["logit", "rank"])),
        lambda found: found["metric"].values.tolist() == ["logit", "rank"],
    )
    yield from _other_functions(bench, two)
    yield from _runs_and_values(bench)


def _other_functions(bench: Bench, two: Any) -> Iterator[Odd]:
    lens, planted = bench.planted.lens, bench.planted
    others = [planted.counterfactual(prompt) for prompt in two]

    def known(found: Any) -> bool:
        return tuple(found) == (True, True)

    yield result("known_prompts", "a generator", lambda: sl.known_prompts(lens, (p for p in two)), known)
    yield error("known_prompts", "one prompt", lambda: sl.known_prompts(lens, two[0]), "prompts=", "several")
    yield result(
        "noise_scale",
        "a generator",
        lambda: sl.corruptions.noise_scale(lens, (p for p in two)),
        lambda found: found == sl.corruptions.noise_scale(lens, list(two)),
    )
    yield result(
        "logit_lens",
        "a generator",
        lambda: sl.lenses.logit_lens(lens, (p for p in two)),
        lambda d: d.sizes["prompt"] == 2,
    )
    yield error("logit_lens", "one prompt", lambda: sl.lenses.logit_lens(lens, two[0]), "prompts=", "several")
    yield result(
        "direct_logit_attribution",
        "an iterator",
        lambda: sl.heads.direct_logit_attribution(lens, iter(two)),
        lambda found: found.sizes["prompt"] == 2,
    )
    yield result(
        "activation_patch",
        "prompts and contrasts from iterators",
        lambda: sl.activation_patch(lens, iter(two), iter(others), sl.Grid(("resid_pre",), at="role"), progress="none"),
        lambda found: found.sizes["prompt"] == 2,
    )
    yield error(
        "activation_patch",
        "one contrast",
        lambda: sl.activation_patch(lens, two, others[0], sl.Grid(("resid_pre",), at="role"), progress="none"),
        "one counterfactual per prompt",
        "[counterfactual]",
    )
    yield result(
        "attention_knockout",
        "edges from a generator",
        lambda: sl.heads.attention_knockout(
            lens, two, (edge for edge in [sl.heads.Blocked("subject")]), progress="none"
        ),
        lambda found: found.sizes.get("span", 0) > 0,
    )
    yield result(
        "effects.average",
        "by from a generator",
        lambda: sl.effects.average(bench.effects, by=(name for name in ["modality"])),
        lambda found: found.sizes == sl.effects.average(bench.effects, by=["modality"]).sizes,
    )


def _runs_and_values(bench: Bench) -> Iterator[Odd]:
    lens, prompt = bench.planted.lens, bench.planted.prompts[0]
    other = bench.planted.prompts[1]
    plain = sl.run(lens, prompt, ablate("mlp_out", 2, prompt.subject, to="mean", reference=[prompt, other])).metric()
    yield result(
        "ablate",
        "reference from a generator",
        lambda: sl.run(
            lens, prompt, ablate("mlp_out", 2, prompt.subject, to="mean", reference=(p for p in (prompt, other)))
        ),
        lambda found: found.metric() == plain,
    )
    for what, at in (
        ("an array", np.array([5, 6])),
        ("a set", {5, 6}),
        ("a range", range(5, 7)),
        ("a view", {5: 0, 6: 0}.keys()),
    ):
        yield result(
            "prompt.span",
            f"positions in {what}",
            lambda at=at: prompt.span(at).positions,
            lambda found: found == (5, 6),
        )
    fields = ("ids", "labels", "roles", "starts")
    for name in fields:
        yield result(
            "Prompt",
            f"{name} from an iterator",
            lambda name=name: replace(prompt, **{name: iter(getattr(prompt, name))}),
            lambda found: found == prompt and len(found.labels) == len(found.starts) == len(prompt),
        )
    fact = sl.load_facts()[0]
    yield error("Fact", "templates in an iterator", lambda: replace(fact, templates=iter("a")), "templates", "mapping")
    yield result(
        "lens.prompt",
        "segments from an iterator",
        lambda: lens.prompt(iter([sl.TextSegment("the colour of marlo is")]), "marlo", "blue"),
        lambda found: found.kind == "T2T",
    )
    yield error(
        "study", "one fact", lambda: sl.study(bench.lens, bench.folder(), facts=fact), "facts=", "expected several"
    )
    yield error(
        "sl.run", "a generator of interventions", lambda: sl.run(lens, prompt, iter([])), "interventions[0]", "*"
    )
