"""Every public method, called once in each of its ways: the table behind the known numbers and the bit-equal check.

A row is a name and a function of a `Bench` (a lens and prompts for it) that returns whatever the method returns, or a
dict of what matters of it. The numbers that belong to a name never change; when a method's signature does, its row
does. Only public names are used, so that a row runs on any commit that has them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from random_llamas import random_llama

import spiritlens as sl

QUIET = {"progress": "none"}
BOTH = ("probability", "logit_difference")
SMOOTH = ("logit_difference", "log_probability")


@dataclass(frozen=True, eq=False)
class Bench:
    """A lens with prompts: `others[i]` is as long as `prompts[i]` and about another subject; `written[i]` and
    `spoken[i]` say the same; `facts` pair written and spoken prompts by their fact."""

    lens: sl.Lens
    prompts: list[sl.Prompt]
    others: list[sl.Prompt]
    written: list[sl.Prompt]
    spoken: list[sl.Prompt]
    facts: list[sl.Prompt]


def planted_bench(dtype: torch.dtype = torch.float64, backend: Any = None) -> Bench:
    """The planted fact machine."""
    return _about(sl.planted("fact machine", dtype, backend=backend))


def random_bench(dtype: torch.dtype = torch.float64, backend: Any = None) -> Bench:
    """A random Llama with grouped-query attention over the planted vocabulary, on which every part matters."""
    circuit = sl.planted("fact machine")
    model = random_llama(n_kv_heads=2, d_vocab=circuit.lens.vocabulary.size, dtype=dtype, backend=backend)
    return _about(circuit, sl.Lens(model=model, vocabulary=circuit.lens.vocabulary, name="random"))


def embedded_bench() -> Bench:
    """The shipped model, which speaks its own prompts; float32."""
    lens = sl.load(device="cpu")
    about = {"France": ("Paris", "Rome"), "Italy": ("Rome", "Paris")}

    def made(build: Callable[..., sl.Prompt], country: str, **more: str) -> sl.Prompt:
        answer, foil = about[country]
        return build(f"The capital of {country} is", country, answer, foil, origin=sl.Origin(fact_id=country), **more)

    written = [made(partial(lens.text, marker="final"), country) for country in about]
    spoken = [made(lens.speak, country) for country in about]
    return Bench(lens, written, written[::-1], written, spoken, [*written, *spoken])


BENCHES: dict[str, Callable[..., Bench]] = {"planted": planted_bench, "random": random_bench}
"""The benches of the known numbers."""


def _about(circuit: Any, lens: sl.Lens | None = None) -> Bench:
    written, spoken = ([build(subject) for subject in circuit.subjects[:4]] for build in (circuit.text, circuit.speech))
    prompts = [written[0], spoken[1]]
    others = [circuit.counterfactual(prompt) for prompt in prompts]
    return Bench(lens or circuit.lens, prompts, others, written, spoken, [*written, *spoken])


# ---- tracing --------------------------------------------------------------------------------------------------------


def traced(bench: Bench, *components: str, grid: dict[str, Any] | None = None, **change: Any) -> Any:
    settings = {"samples": 2, "metrics": ("probability", "logit"), **QUIET, **change}
    return sl.causal_trace(bench.lens, bench.prompts, sl.Grid(components or None, **grid or {}), **settings)


def by_role(bench: Bench, *components: str, grid: dict[str, Any] | None = None, **change: Any) -> Any:
    return traced(bench, *components, grid={"at": "role", **(grid or {})}, **change)


def replaced(bench: Bench) -> Any:
    return by_role(bench, "resid_pre", corruption=sl.corruptions.Replacement(donors=tuple(bench.facts)))


def looked(bench: Bench, **grid: Any) -> Any:
    found = sl.tracing.first_look(bench.lens, bench.prompts, sl.Grid(**grid), samples=2)
    return {"estimates": found.estimates, "correlations": found.correlations, "overlaps": found.overlaps}


def matched(bench: Bench) -> Any:
    found = sl.tracing.match_dose(
        bench.lens, [bench.written[0], bench.spoken[0]], target=0.2, samples=2, tolerance=0.01
    )
    return {"scale": [found.scale.text, found.scale.speech], "reached": found.reached, "multiples": found.multiples}


def scale(bench: Bench) -> Any:
    found = sl.corruptions.noise_scale(bench.lens, bench.facts)
    return [found.text, found.speech]


# ---- patching -------------------------------------------------------------------------------------------------------


def patched(
    bench: Bench, *components: str, contrast: Any = None, grid: dict[str, Any] | None = None, **change: Any
) -> Any:
    settings = {"metrics": BOTH, **QUIET, **change}
    contrast = bench.others if contrast is None else contrast
    return sl.activation_patch(bench.lens, bench.prompts, contrast, sl.Grid(components, **grid or {}), **settings)


def carried(bench: Bench, pooling: str, control: str = "none") -> Any:
    """Values of written prompts in the spoken ones, whose subjects are drowned in noise."""
    donors = sl.Donors(bench.written[:2], pooling, control)
    grid = sl.Grid(("resid_post", "v"), at="role")
    return sl.activation_patch(bench.lens, bench.spoken[:2], sl.Noise(), grid, BOTH, donors=donors, **QUIET)


def moved(bench: Bench, component: str, grid: dict[str, Any] | None = None, **change: Any) -> Any:
    asked = sl.Grid((component,), **grid) if grid else (component,)
    return sl.back_patch(bench.lens, bench.prompts, bench.others, asked, BOTH, **QUIET, **change)


# ---- paths and attribution ------------------------------------------------------------------------------------------

RECEIVERS = (
    sl.paths.Receiver("q_input", 1, 2),
    sl.paths.Receiver("k_input", 1, 1),
    sl.paths.Receiver("v_input", 2, 1),
    sl.paths.Receiver("mlp_in", 1),
    sl.paths.Receiver("logits"),
)
HEADS = (sl.paths.Receiver("q_input", 2, 0), sl.paths.Receiver("v_input", 2, 1), sl.paths.Receiver("mlp_in", 2))


def through(bench: Bench, contrast: Any = None, samples: int = 1, **change: Any) -> Any:
    paths = sl.paths.Paths(**{"receivers": RECEIVERS, **change})
    contrast = bench.others if contrast is None else contrast
    return sl.path_patch(bench.lens, bench.prompts, contrast, paths, BOTH, samples=samples, **QUIET)


def attributed(
    bench: Bench, *components: str, contrast: Any = None, grid: dict[str, Any] | None = None, **change: Any
) -> Any:
    settings = {"metrics": SMOOTH, **QUIET, **change}
    contrast = bench.others if contrast is None else contrast
    return sl.attribution_patch(bench.lens, bench.prompts, contrast, sl.Grid(components, **grid or {}), **settings)


def edges(bench: Bench, contrast: Any = None, paths: Any = None, **change: Any) -> Any:
    contrast = bench.others if contrast is None else contrast
    return sl.attribute_edges(bench.lens, bench.prompts, contrast, paths, SMOOTH, **QUIET, **change)


# ---- heads and lenses -----------------------------------------------------------------------------------------------


def silenced(bench: Bench, ablation: Any, **change: Any) -> Any:
    return sl.heads.head_knockout(bench.lens, bench.facts, ablation, **QUIET, **change)


def cut(bench: Bench, **change: Any) -> Any:
    some_heads = sl.heads.Blocked("subject", heads={1: (0, 2)})
    edges = (sl.heads.Blocked("subject"), sl.heads.Blocked("before subject", "last token"), some_heads)
    return sl.heads.attention_knockout(bench.lens, bench.prompts, edges, **QUIET, **change)


def lensed(bench: Bench) -> Any:
    return sl.lenses.logit_lens(bench.lens, bench.prompts, top=3).drop_vars("top_token")


def scoped(bench: Bench) -> Any:
    target = bench.prompts[1]
    return sl.lenses.patchscope(
        bench.lens, bench.prompts[0], bench.prompts[0].subject.last, 2, target, target.subject.last, 1
    )


OF_OVERLAP = ["top", "shared", "chance", "jaccard", "p", "spearman", "heads"]


def ranked(bench: Bench) -> Any:
    mass = sl.heads.attention_mass(bench.lens, bench.prompts)["mass"].sel(query="subject", key="subject")
    first, second = mass.isel(prompt=0, drop=True), mass.isel(prompt=1, drop=True)
    return {
        "rank_heads": sl.heads.rank(first, top=5)[["value"]],
        "head_overlap": sl.heads.overlap(first, second, top=5)[OF_OVERLAP].astype(float).to_numpy(),
        "compare_rankings": sl.heads.compare_rankings(first, second, ("one", "other"))[["value one", "value other"]],
    }


# ---- runs -----------------------------------------------------------------------------------------------------------

RUN_METRICS = ("probability", "log_probability", "logit", "logit_difference", "kl", "text_probability", "leaked_mass")


def ran(bench: Bench, *interventions: sl.Intervention) -> Any:
    found = sl.run(bench.lens, bench.prompts[0], *interventions, samples=2)
    by_run = {"clean": found.clean, "corrupted": found.corrupted or {}, "values": found.values}
    values = {
        name: {metric: value for metric, value in values.items() if metric in RUN_METRICS}
        for name, values in by_run.items()
    }
    return {"logits": found.logits[:, -1], **values}


def intervened(bench: Bench) -> Any:
    prompt, other = bench.prompts[0], bench.others[0]
    last = len(prompt) - 1
    return {
        "clean": ran(bench),
        "restored": ran(bench, sl.corrupt(prompt.subject), sl.restore("resid_pre", 1, prompt.subject)),
        "severed": ran(
            bench,
            sl.corrupt(prompt.subject, law="uniform"),
            sl.restore("resid_post", 1, prompt.subject),
            sl.freeze("mlp_out", 2, prompt.subject),
        ),
        "swapped": ran(bench, sl.swap("v", 1, prompt.subject, other, head=1), sl.swap("mlp_out", 0, last, other)),
        "ablated": ran(
            bench, sl.ablate("z", 1, last, head=2), sl.ablate("attn_out", 2, last, to="mean", reference=bench.facts)
        ),
        "replaced": ran(bench, sl.corrupt(prompt.subject, by=sl.corruptions.Replacement(donors=tuple(bench.facts)))),
    }


# ---- statistics of effects ------------------------------------------------------------------------------------------


def averaged(bench: Bench) -> Any:
    settings = {"samples": 2, "metrics": ("logit", "probability"), **QUIET}
    effects = sl.causal_trace(bench.lens, bench.facts, sl.Grid(("resid_pre", "mlp_out"), at="role"), **settings)
    return {
        "total": sl.effects.total(effects),
        "indirect": sl.effects.indirect(effects),
        "normalised": sl.effects.normalised_indirect(effects, threshold=1e-6),
        "normalised total": sl.effects.normalised_total(effects),
        "average": sl.effects.average(effects, facts="all"),
        "average total": sl.effects.average_total(effects, facts="all"),
    }


def in_roles(bench: Bench) -> Any:
    return sl.effects.by_role(traced(bench, "resid_pre", "attn_out"))


def compared(bench: Bench) -> Any:
    grid = sl.Grid(("resid_pre", "mlp_out"), at="role")
    effects = sl.activation_patch(bench.lens, bench.facts, sl.Noise(), grid, ("logit_difference",), **QUIET)
    found = sl.compare(effects, resamples=50, permutations=50)
    one = found.components[0]
    estimates = {"total": found.total[0], "difference": found.total_difference, "agreement": one.r}
    estimates |= {"centre": one.centre_shift}
    return {
        **{name: [estimate.value, estimate.low, estimate.high] for name, estimate in estimates.items()},
        "identity": [found.identity[0].difference, found.identity[0].p],
        "cells": found.cells["difference"],
    }


METHODS: dict[str, Callable[[Bench], Any]] = {
    "causal_trace": traced,
    "causal_trace, noising": lambda b: by_role(b, grid={"direction": "noising"}),
    "causal_trace, words and a window": lambda b: traced(b, "mlp_out", "resid_post", grid={"at": "word", "window": 3}),
    "causal_trace, spans of heads": lambda b: traced(
        b, "z", grid={"at": "span", "spans": ("subject", "subject +1", "last token")}
    ),
    "causal_trace, queries": lambda b: by_role(b, "q"),
    "causal_trace, keys and values": lambda b: by_role(b, "k", "v"),
    "causal_trace, severed MLPs": lambda b: by_role(b, "resid_pre", grid={"sever": "mlp"}),
    "causal_trace, severed attention": lambda b: by_role(b, "resid_pre", grid={"sever": "attn"}),
    "causal_trace, replaced": replaced,
    "causal_trace, knocked out": lambda b: by_role(b, "resid_pre", corruption=sl.corruptions.KnockOut("mean")),
    "causal_trace, uniform noise in place": lambda b: by_role(
        b, "resid_pre", corruption=sl.Noise(0.5, "uniform", "replace")
    ),
    "causal_trace, control span": lambda b: by_role(b, "resid_pre", grid={"corrupted": "control"}),
    "causal_trace, screened": lambda b: traced(b, screen=0.2, metrics=("logit",)),
    "causal_trace, other metrics": lambda b: by_role(
        b,
        "resid_pre",
        metrics=("log_probability", "log_probability_difference", "kl", "leaked_mass", "text_probability", "text_kl"),
    ),
    "causal_trace, rome": lambda b: sl.causal_trace(
        b.lens, b.prompts[:1], **sl.tracing.rome(b.lens, b.prompts[:1]), **QUIET
    ),
    "first_look": looked,
    "first_look, noising": lambda b: looked(b, direction="noising", at="role"),
    "dose_curve": lambda b: sl.tracing.dose_curve(b.lens, b.prompts, (0.5, 2.0), samples=2),
    "match_dose": matched,
    "noise_scale": scale,
    "activation_patch": lambda b: patched(b, "resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out"),
    "activation_patch, noising": lambda b: patched(
        b, "resid_pre", "mlp_out", grid={"direction": "noising", "at": "word"}
    ),
    "activation_patch, heads": lambda b: patched(
        b, "q", "k", "v", "z", "pattern", "result", grid={"at": "role", "heads": "each"}
    ),
    "activation_patch, heads together": lambda b: patched(b, "q", "k", "v", "z", "pattern", grid={"at": "role"}),
    "activation_patch, windows": lambda b: patched(b, "mlp_out", "attn_out", grid={"at": "span", "window": 2}),
    "activation_patch, noise": lambda b: patched(
        b, "resid_mid", "v", grid={"at": "role"}, contrast=sl.Noise(), samples=2
    ),
    "activation_patch, knocked out": lambda b: patched(
        b, "mlp_out", grid={"at": "role"}, contrast=sl.corruptions.KnockOut("zero")
    ),
    **{
        f"activation_patch, donors by {pooling}": lambda b, pooling=pooling: carried(b, pooling)
        for pooling in ("last", "mean", "broadcast", "norm_matched")
    },
    **{
        f"activation_patch, control: {control}": lambda b, control=control: carried(b, "mean", control=control)
        for control in ("other word", "other fact", "noise")
    },
    "back_patch": lambda b: moved(b, "resid_pre"),
    "back_patch, noising": lambda b: moved(
        b, "mlp_out", {"direction": "noising", "at": "role"}, donors=sl.Donors(layers=(0, 2))
    ),
    "path_patch": through,
    "path_patch, heads frozen": lambda b: through(b, frozen="heads"),
    "path_patch, nothing frozen": lambda b: through(b, frozen="nothing", base="corrupted"),
    "path_patch, norms frozen": lambda b: through(b, norms="frozen", at=("subject", "last token")),
    "path_patch, together": lambda b: through(b, receivers=HEADS, receive="together"),
    "path_patch, noise": lambda b: through(b, contrast=sl.Noise(), samples=2, at=("subject",)),
    "attribution_patch": lambda b: attributed(b, "resid_pre", "attn_out", "mlp_out"),
    "attribution_patch, noising": lambda b: attributed(b, "z", grid={"at": "role", "direction": "noising"}),
    "attribution_patch, steps": lambda b: attributed(b, "q", "k", "v", grid={"at": "role"}, steps=4),
    "attribution_patch, noise": lambda b: attributed(
        b, "resid_pre", contrast=sl.Noise(), samples=2, grid={"at": "role"}
    ),
    "edge_attribution": edges,
    "edge_attribution, clean": lambda b: edges(b, paths=sl.paths.Paths(base="clean", at=("subject", "last token"))),
    "edge_attribution, steps": lambda b: edges(b, paths=sl.paths.Paths(receivers=RECEIVERS), steps=3),
    "edge_attribution, noise": lambda b: edges(
        b, contrast=sl.Noise(), samples=2, paths=sl.paths.Paths(receivers=RECEIVERS)
    ),
    "attention_knockout": cut,
    "attention_knockout, one layer": lambda b: cut(b, window=1, metrics=("logit", "kl")),
    "attention_mass": lambda b: sl.heads.attention_mass(b.lens, b.prompts),
    "attention_mass, modalities": lambda b: sl.heads.attention_mass(b.lens, b.prompts, "modality"),
    "head_detectors": lambda b: sl.heads.detectors(b.lens, b.prompts),
    "head_knockout": lambda b: silenced(b, "mean"),
    "head_knockout, zero, groups": lambda b: silenced(b, "zero", groups={"two": [(0, 1), (2, 3)], "one": [(1, 0)]}),
    "head_knockout, resampled": lambda b: silenced(
        b, sl.heads.Ablation("resample", spans=("subject", "last token")), samples=2
    ),
    "head_knockout, other references": lambda b: silenced(
        b, sl.heads.Ablation("mean", reference=b.others), metrics=BOTH
    ),
    "direct_logit_attribution": lambda b: sl.heads.direct_logit_attribution(b.lens, b.prompts),
    "direct_logit_attribution, mean": lambda b: sl.heads.direct_logit_attribution(
        b.lens, b.prompts, against="mean", by="token"
    ),
    "direct_logit_attribution, roles": lambda b: sl.heads.direct_logit_attribution(
        b.lens, b.prompts, against="nothing", by="role"
    ),
    "logit_lens": lensed,
    "patchscope": scoped,
    "implicit_transcription": lambda b: sl.lenses.implicit_transcription(b.lens, b.prompts, top=3),
    "rank_heads": ranked,
    "run": intervened,
    "averages": averaged,
    "role_effects": in_roles,
    "compare": compared,
    "known_prompts": lambda b: sl.known_prompts(b.lens, b.facts),
}

PLANTED = (
    "causal_trace",
    "causal_trace, keys and values",
    "causal_trace, rome",
    "match_dose",
    "activation_patch, heads",
    "activation_patch, donors by last",
    "path_patch",
    "attribution_patch",
    "edge_attribution",
    "attention_knockout",
    "head_knockout, zero, groups",
    "direct_logit_attribution",
    "run",
    "compare",
    "known_prompts",
)
"""Rows whose numbers are known on the planted circuit too. None chooses or ranks: a circuit full of ties leaves that
to rounding."""
NEED_KNOWLEDGE = ("causal_trace, rome", "match_dose", "compare")
"""Rows for a model that knows the facts, which a random one does not."""


def known_rows() -> list[tuple[str, str]]:
    """The rows of the known numbers: bench and method."""
    return [("planted", name) for name in PLANTED] + [
        ("random", name) for name in METHODS if name not in NEED_KNOWLEDGE
    ]


@contextmanager
def exact_normals() -> Iterator[None]:
    """Normal numbers that are the same on every processor, whose instructions differ in the last bit of a normal.

    Sums of twelve whole numbers are exact: near enough to normal, and seeded as before.
    """
    plain = torch.randn

    def drawn(shape: tuple[int, ...], *, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        steps = 2**20
        whole = torch.randint(steps, (12, *shape), generator=generator).sum(0) - 6 * steps
        return whole.to(dtype) / steps

    torch.randn = drawn
    try:
        yield
    finally:
        torch.randn = plain
