"""Single runs, what they show, metrics, and continuations."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from frame import Bench, Odd, error, result

import spiritlens as sl
from spiritlens.runs.metrics import given_metrics
from spiritlens.runs.scoring import prompt_scorers, scorers
from spiritlens.runs.sites import Site
from spiritlens.runs.values import FromPrompt

COUNTS = (0, -1, 1.0, 1.5, "2", None, True, math.nan, [1], 1j)
NOT_SEEDS = (-1, 1.0, 1.5, "a", "1", None, True, math.nan, np.float64(1), (1,))


def cases(bench: Bench) -> Iterator[Odd]:
    yield from _given(bench)
    yield from _numbers(bench)
    yield from _interventions(bench)
    yield from _shown(bench)
    yield from _metrics(bench)
    yield from _generated(bench)


def _given(bench: Bench) -> Iterator[Odd]:
    planted, lens = bench.planted, bench.planted.lens
    prompt = planted.prompts[0]
    yield error("run", "a Planted as lens", lambda: sl.run(planted, prompt), "Planted", "pass its .lens")
    yield error("run", "a HookedTransformer as lens", lambda: sl.run(lens.model, prompt), "vocabulary", "Lens")
    for what in (None, "embedded", 5, prompt):
        yield error("run", f"lens is {type(what).__name__}", lambda what=what: sl.run(what, prompt), "Lens", "load")
    for what in ("the colour of marlo is", None, prompt.ids, prompt.tokens, [prompt], 5):
        yield error(
            "run", f"prompt is {type(what).__name__}", lambda what=what: sl.run(lens, what), "Prompt", "lens.text"
        )
    yield error(
        "run",
        "a prompt of another vocabulary",
        lambda: sl.run(lens, bench.written),
        lens.vocabulary.hash,
        "other words",
    )
    yield error(
        "run",
        "a planted prompt in the embedded model",
        lambda: sl.run(bench.lens, prompt),
        prompt.vocabulary,
        "build it",
    )
    nameless = replace(prompt, vocabulary="", ids=(*prompt.ids[:-1], 10**6))
    yield error("run", "an id beyond the rows, without a hash", lambda: sl.run(lens, nameless), "1000000", "rows")
    beyond = replace(prompt, vocabulary="", answer_ids=(10**6,))
    yield error("run", "an answer beyond the rows", lambda: sl.run(lens, beyond), "1000000", "rows")
    yield error("run", "sample=", lambda: sl.run(lens, prompt, sample=3), "run has no argument sample=", "samples=")
    yield error("run", "seeds=", lambda: sl.run(lens, prompt, seeds=3), "run has no argument seeds=", "seed=")
    yield error("run", "no prompt", lambda: sl.run(lens), "run", "prompt")
    longer = _long(prompt, lens.model.cfg.n_ctx + 1)
    yield error("run", "longer than the context", lambda: sl.run(lens, longer), "context of 512", "shorter")


def _long(prompt: Any, n: int) -> Any:
    """The prompt with its last token repeated up to n tokens."""
    more = n - len(prompt)
    grown = {name: getattr(prompt, name) + getattr(prompt, name)[-1:] * more for name in
             ("ids", "labels", "families", "modalities", "word_index", "roles", "parts", "starts", "ends")}  # fmt: skip
    return replace(prompt, **grown)


def _numbers(bench: Bench) -> Iterator[Odd]:
    lens, prompt = bench.planted.lens, bench.planted.prompts[0]
    noisy = sl.corrupt(prompt.subject)
    for value in COUNTS:
        yield error(
            "run", f"samples={value!r}", lambda value=value: sl.run(lens, prompt, samples=value), "samples=", "≥ 1"
        )
    for value in NOT_SEEDS:
        yield error("run", f"seed={value!r}", lambda value=value: sl.run(lens, prompt, seed=value), "seed=", "≥ 0")
    plain = sl.run(lens, prompt, noisy, samples=2, seed=1).metric()
    for value in (np.int64(1), np.uint8(1), torch.tensor(1)):
        yield result(
            "run",
            f"seed is {type(value).__name__}",
            lambda value=value: sl.run(lens, prompt, noisy, samples=np.int8(2), seed=value),
            lambda found: found.metric() == plain and type(found.seed) is int,
        )
    yield result(
        "run", "a huge seed", lambda: sl.run(lens, prompt, noisy, samples=1, seed=10**30), lambda r: r.seed == 10**30
    )


def _interventions(bench: Bench) -> Iterator[Odd]:
    planted, lens = bench.planted, bench.planted.lens
    prompt, foreign = planted.prompts[0], bench.written
    corrupt = sl.corrupt(prompt.subject)

    def run(*interventions: Any) -> Any:
        return sl.run(lens, prompt, *interventions, samples=1)

    yield error("run", "interventions in a list", lambda: run([corrupt]), "interventions[0]", "*")
    yield error("run", "interventions from a generator", lambda: run(c for c in [corrupt]), "interventions[0]", "*")
    for what in ("corrupt", None, prompt.subject, sl.corrupt, sl.Noise(), Site("mlp_out", 0, (1,))):
        yield error(
            "run", f"{type(what).__name__} as intervention", lambda what=what: run(what), "interventions[0]", "ablate"
        )
    yield error(
        "run", "something behind an intervention", lambda: run(corrupt, 5), "interventions[1] is 5", "Intervention"
    )
    yield error(
        "swap",
        "a donor of another vocabulary",
        lambda: run(sl.swap("resid_pre", 1, 4, foreign, 4)),
        "donor",
        "other words",
    )
    yield error(
        "ablate",
        "a reference of another vocabulary",
        lambda: run(sl.ablate("mlp_out", 1, 4, to="mean", reference=[foreign])),
        "reference[0]",
        "other words",
    )
    yield error(
        "corrupt",
        "donors of another vocabulary",
        lambda: run(
            sl.corrupt(prompt.subject, by=sl.corruptions.Replacement("symmetric", (planted.prompts[1], foreign)))
        ),
        "donors[1]",
        "other words",
    )
    yield error("run", "a donor that is a text", lambda: FromPrompt("marlo", (4,)), "donor is 'marlo'", "Prompt")
    yield error("run", "a layer beyond", lambda: run(sl.restore("resid_pre", 99, 4)), "layer 99", "0..7")
    yield error("run", "a position beyond", lambda: run(sl.ablate("mlp_out", 1, 99)), "99", "tokens")
    yield error(
        "run", "restore without corrupt is frozen to nothing", lambda: run(sl.freeze("mlp_out", 1, 4)), "corrupted run"
    )
    yield result("run", "none", run, lambda r: r.corrupted is None and r.n_samples == 1)


def _shown(bench: Bench) -> Iterator[Odd]:
    prompt = bench.planted.prompts[0]
    plain = sl.run(bench.planted.lens, prompt)
    noisy = sl.run(bench.planted.lens, prompt, sl.corrupt(prompt.subject), samples=1)
    for value in COUNTS:
        yield error("Run.top", f"k={value!r}", lambda value=value: plain.top(value), "k=", "≥ 1")
    for value in ("x", "all", None, True, 1):
        yield error("Run.top", f"over={value!r}", lambda value=value: plain.top(3, over=value), "over=", "full, text")
    for value in ("prob", "Probability", None, 5, ["rank"]):
        yield error("Run.metric", f"{value!r}", lambda value=value: plain.metric(value), "metric", "it has")
        yield error("Run.effect_on", f"{value!r}", lambda value=value: noisy.effect_on(value), "metric", "it has")
    yield error("Run.total_effect", "x", lambda: noisy.total_effect("x"), "'x'", "it has")
    yield error(
        "Run.metric", "nearly right", lambda: plain.metric("probabilty"), "'probabilty'", "did you mean 'probability'"
    )
    yield error("Run.total_effect", "nothing corrupted", plain.total_effect, "nothing is corrupted", "sl.corrupt")
    yield result("Run.top", "more than there are", lambda: plain.top(10**9), lambda top: 10 < len(top) < 10**4)
    yield result("Run.top", "numpy's k", lambda: plain.top(np.int64(2), "text"), lambda top: len(top) == 2)


def _names(metrics: Iterable[str]) -> tuple[str, ...]:
    return tuple(metric.name for metric in given_metrics(metrics))


def _metrics(bench: Bench) -> Iterator[Odd]:
    lens, prompt = bench.planted.lens, bench.planted.prompts[0]
    for value in ("probability", b"rank"):
        yield error("metrics", f"{value!r}", lambda value=value: given_metrics(value), "metrics=", "expected several")
    for value in (None, 5, True):
        yield error("metrics", f"{value!r}", lambda value=value: given_metrics(value), "metrics=", "list")
    for value in ([], (), iter(())):
        yield error(
            "metrics", f"nothing, {type(value).__name__}", lambda value=value: given_metrics(value), "metrics is empty"
        )
    for value in ([None], ["rank", 5], [["rank"]]):
        yield error("metrics", f"{value!r}", lambda value=value: given_metrics(value), "metrics[", "str")
    yield error("metrics", "unknown", lambda: given_metrics(["loss"]), "'loss' is unknown", "probability")
    yield error(
        "metrics", "nearly right", lambda: given_metrics(["logit_diference"]), "did you mean 'logit_difference'"
    )
    yield error("metrics", "one twice", lambda: given_metrics(["rank", "kl", "rank"]), "'rank' is there twice", "once")
    yield result("metrics", "a generator", lambda: _names(m for m in ("kl", "rank")), ("kl", "rank").__eq__)
    yield result("metrics", "a mapping's keys", lambda: _names({"kl": 1}.keys()), ("kl",).__eq__)
    bare = replace(prompt, foil="", foil_ids=())
    yield error(
        "prompt_scorers",
        "no foil",
        lambda: prompt_scorers(lens, bare, ["logit_difference"]),
        "foil",
        "logit_difference",
    )
    yield error(
        "scorers", "no answer", lambda: scorers(["rank"], (), (), (1,), torch.device("cpu")), "empty answer", "built"
    )


def _generated(bench: Bench) -> Iterator[Odd]:
    lens, prompt = bench.planted.lens, bench.planted.prompts[0]

    def generate(what: Any, *settings: Any, **more: Any) -> Any:
        return lens.generate(what, *settings, **more)

    for what in (None, 5, ["the"], b"the", prompt.ids):
        yield error("generate", f"{type(what).__name__}", lambda what=what: generate(what), "prompt=", "Prompt")
    yield error("generate", "another vocabulary", lambda: generate(bench.written), "other words", lens.vocabulary.hash)
    for value in COUNTS:
        yield error(
            "generate",
            f"max_new_tokens={value!r}",
            lambda value=value: generate(prompt, value),
            "max_new_tokens=",
            "≥ 1",
        )
    for value in (-0.1, "0", None, True, math.nan, math.inf, [0]):
        yield error(
            "generate",
            f"temperature={value!r}",
            lambda value=value: generate(prompt, 2, "text", value),
            "temperature=",
            "number",
        )
    for value in ("song", None, "Text", 0, ["text"]):
        yield error(
            "generate", f"modality={value!r}", lambda value=value: generate(prompt, 2, value), "modality=", "speech"
        )
    yield error(
        "generate",
        "beyond the context",
        lambda: generate(prompt, 600),
        "max_new_tokens=600",
        "context of 512",
        "at most",
    )
    yield error("generate", "max_token=", lambda: generate(prompt, max_token=3), "Lens.generate", "max_new_tokens=")
    longer = _long(prompt, 600)
    yield error("generate", "a prompt beyond the context", lambda: generate(longer, 1), "600 tokens", "shorten")
    yield result(
        "generate", "numpy's number", lambda: generate(prompt, np.int64(1)), lambda text: text == prompt.answer
    )
