"""Noise, replacements, knock-outs, sites and the verbs of interventions."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from frame import Bench, Odd, error, result

import spiritlens as sl
from spiritlens.runs.sites import positions_of
from spiritlens.runs.values import AblatedTo, FromPrompt, FromRun

NOT_SCALES = (float("nan"), float("inf"), -1, "3", True, [1.0], 1j, np.float64("-inf"), torch.tensor([1.0, 2.0]))
NOT_POSITIONS = ("12", "subject", b"1", 1.5, [1.7], ["1"], [True], None, [None], np.array([1.0]), {1.5}, [[1], [2]])
POSITIONS: tuple[tuple[Any, tuple[int, ...]], ...] = (
    (np.int64(2), (2,)),
    (np.array([2, 1]), (2, 1)),
    (torch.tensor([1, 2]), (1, 2)),
    (torch.tensor(3), (3,)),
    ({3, 1}, (1, 3)),
    (range(1, 3), (1, 2)),
    ((place for place in (1, 4)), (1, 4)),
    ([np.uint8(1), -1], (1, -1)),
    (sl.prompts.Span("word", (2, 3)), (2, 3)),
)


def cases(bench: Bench) -> Iterator[Odd]:
    yield from noises(bench)
    yield from replacements(bench)
    yield from sites(bench)
    yield from verbs(bench)
    yield from budgets(bench)


def noises(bench: Bench) -> Iterator[Odd]:
    lens, prompts = bench.planted.lens, bench.planted.prompts
    for value in NOT_SCALES:
        what = f"scale {value!r} ({type(value).__name__})"
        yield error("Noise", what, lambda value=value: sl.Noise(value), "noise scale", "not negative")
        yield error(
            "NoiseScale", what, lambda value=value: sl.corruptions.NoiseScale(1.0, value), "speech", "not negative"
        )
    yield error("corrupt", "a nan scale", lambda: sl.corrupt(1, scale=float("nan")), "noise scale=nan", "finite")
    yield error(
        "NoiseScale", "None", lambda: sl.corruptions.NoiseScale(None, 1.0), "noise scale for text=None", "number"
    )
    yield result("Noise", "numpy's float", lambda: sl.Noise(np.float32(0.5)), lambda found: type(found.scale) is float)
    yield result("Noise", "zero", lambda: sl.Noise(0), lambda found: found.scale == 0)
    yield error("Noise", "a law in capitals", lambda: sl.Noise(law="Gaussian"), "noise law='Gaussian'", "student")
    yield error("Noise", "no law", lambda: sl.Noise(law=None), "noise law=None", "gaussian")
    yield error("Noise", "a list of modes", lambda: sl.Noise(mode=["add"]), "noise mode=['add']", "replace")
    yield error("Noise", "an unknown stream", lambda: sl.Noise(stream="ROME"), "noise stream='ROME'", "rome")
    yield error("noise_scale", "no lens", lambda: sl.corruptions.noise_scale(bench.planted, prompts), "Lens", ".lens")
    yield error(
        "noise_scale", "a bare model", lambda: sl.corruptions.noise_scale(lens.model, prompts), "bare model", "Lens"
    )
    yield error("noise_scale", "one prompt", lambda: sl.corruptions.noise_scale(lens, prompts[0]), "prompts", "[")
    yield error(
        "noise_scale", "texts", lambda: sl.corruptions.noise_scale(lens, ["the colour"]), "prompts[0]", "Prompt"
    )
    yield error(
        "noise_scale", "nothing", lambda: sl.corruptions.noise_scale(lens, []), "prompts is empty", "at least one"
    )
    yield error(
        "noise_scale",
        "another model's prompt",
        lambda: sl.corruptions.noise_scale(lens, [bench.written]),
        "vocabulary",
        "build",
    )
    same = sl.corruptions.noise_scale(lens, prompts[:3])
    yield result(
        "noise_scale",
        "a generator",
        lambda: sl.corruptions.noise_scale(lens, (one for one in prompts[:3])),
        lambda it: it == same,
    )


def replacements(bench: Bench) -> Iterator[Odd]:
    planted = bench.planted
    lens, prompt = planted.lens, planted.prompts[0]
    yield error(
        "Replacement", "a rule of no kind", lambda: sl.corruptions.Replacement("reverse"), "rule='reverse'", "shuffle"
    )
    yield error("Replacement", "no donors", lambda: sl.corruptions.Replacement(), "symmetric", "donors")
    yield error("Replacement", "one donor alone", lambda: sl.corruptions.Replacement(donors=prompt), "donors", "[")
    yield error(
        "Replacement", "a text", lambda: sl.corruptions.Replacement(donors=("marlo",)), "donors[0] is 'marlo'", "Prompt"
    )
    yield error("Replacement", "None", lambda: sl.corruptions.Replacement(donors=None), "donors=None", "list")
    yield error(
        "Replacement",
        "silence in half units",
        lambda: sl.corruptions.Replacement("silence", silence=(1.5,)),
        "1.5",
        "whole",
    )
    yield error(
        "Replacement",
        "silence below 0",
        lambda: sl.corruptions.Replacement("silence", silence=[-1]),
        "silence=-1",
        "≥ 0",
    )
    yield error(
        "Replacement",
        "silence as text",
        lambda: sl.corruptions.Replacement("silence", silence="12"),
        "silence='12'",
        "[",
    )
    foreign = sl.corruptions.Replacement(donors=(bench.written,))
    yield error(
        "Replacement",
        "a donor of another model",
        lambda: sl.run(lens, prompt, sl.corrupt(prompt.subject, by=foreign)),
        "donor",
        "vocabulary",
    )
    made = sl.corruptions.Replacement(donors=[planted.counterfactual(prompt)])
    yield result("Replacement", "donors in a list", lambda: made, lambda found: isinstance(found.donors, tuple))
    yield result("Replacement", "it hashes", lambda: hash(made), lambda found: isinstance(found, int))
    yield error("KnockOut", "an unknown kind", lambda: sl.corruptions.KnockOut("noise"), "kind='noise'", "resample")
    yield error("KnockOut", "None", lambda: sl.corruptions.KnockOut(None), "kind=None", "zero")
    yield error("KnockOut", "a number", lambda: sl.corruptions.KnockOut(0), "kind=0", "mean")
    yield error("control_span", "a text", lambda: sl.corruptions.control_span("the colour"), "'the colour'", "Prompt")
    yield error("control_span", "a float seed", lambda: sl.corruptions.control_span(prompt, 1.0), "seed=1.0", "whole")
    yield error("control_span", "a seed below 0", lambda: sl.corruptions.control_span(prompt, -1), "seed=-1", "≥ 0")
    yield result(
        "control_span",
        "numpy's seed",
        lambda: sl.corruptions.control_span(planted.prompts[12], np.int64(1)),
        lambda found: found == sl.corruptions.control_span(planted.prompts[12], 1),
    )


def sites(bench: Bench) -> Iterator[Odd]:
    for value in NOT_POSITIONS:
        what = f"positions {value!r}"
        yield error("positions_of", what, lambda value=value: positions_of(value), "position")
        yield error("Site", what, lambda value=value: sl.Site("z", 0, value), "position")
    for given, wanted in POSITIONS:
        yield result(
            "Site",
            f"positions as {given!r:.60}",
            lambda given=given: sl.Site("z", 0, given),
            lambda found, wanted=wanted: found.positions == wanted and all(type(at) is int for at in found.positions),
        )
    yield error("Site", "a mask", lambda: sl.Site("z", 0, np.array([True, False])), "mask")
    yield error("Site", "a prompt", lambda: sl.Site("z", 0, bench.planted.prompts[0]), "prompt", ".subject")
    yield error("Site", "no positions", lambda: sl.Site("z", 0, ()), "at least one position")
    yield error("Site", "a layer as text", lambda: sl.Site("z", "0", 1), "layer='0'", "whole")
    yield error("Site", "half a layer", lambda: sl.Site("z", 0.5, 1), "layer=0.5", "whole")
    yield error("Site", "a head that is true", lambda: sl.Site("z", 0, 1, True), "head=True", "whole")
    yield error("Site", "heads of the residual", lambda: sl.Site("resid_pre", 0, 1, 2), "no head axis", "head=2")
    yield error("Site", "a component in a list", lambda: sl.Site(["z"], 0, 1), "component ['z']", "resid_pre")
    yield error("hook_name", "layer −1", lambda: sl.components.hook_name("z", -1), "layer=-1", "≥ 0")
    yield error("hook_name", "layer 1.0", lambda: sl.components.hook_name("z", 1.0), "layer=1.0", "whole")
    yield error("hook_name", "no component", lambda: sl.components.hook_name(None, 0), "component None", "z")
    yield result(
        "hook_name",
        "numpy's",
        lambda: sl.components.hook_name("z", np.int64(2)),
        lambda it: it == "blocks.2.attn.hook_z",
    )


def verbs(bench: Bench) -> Iterator[Odd]:
    planted = bench.planted
    lens, prompt, other = planted.lens, planted.prompts[0], planted.prompts[1]
    for value in ([1.7], None):
        yield error("restore", f"at {value!r}", lambda value=value: sl.restore("z", 1, value), "position")
        yield error("freeze", f"at {value!r}", lambda value=value: sl.freeze("z", 1, value), "position")
        yield error("ablate", f"at {value!r}", lambda value=value: sl.ablate("z", 1, value), "position")
        yield error("corrupt", f"at {value!r}", lambda value=value: sl.corrupt(value), "position")
        yield error("swap", f"donor_at {value!r}", lambda v=value or b"x": sl.swap("z", 1, 1, other, v), "position")
    for name, verb in (
        ("restore", lambda: sl.restore("z", 1, "12")),
        ("freeze", lambda: sl.freeze("z", 1, "12", to="clean")),
        ("ablate", lambda: sl.ablate("z", 1, "12")),
        ("corrupt", lambda: sl.corrupt("12")),
        ("swap", lambda: sl.swap("z", 1, "12", other, 1)),
    ):
        yield error(
            name, "at a name of nothing", lambda verb=verb: sl.run(lens, prompt, verb()), "no span '12'", "use all"
        )
        yield error(
            name, "at an empty name", lambda verb=name: _at(verb, "", other), "span=''", "at least one position"
        )
    yield error("swap", "donor_at a name of nothing", lambda: sl.swap("z", 1, 1, other, "x"), "no span 'x'", "use all")
    yield error("Site", "positions and a span", lambda: sl.Site("z", 0, 1, span="subject"), "one of the two", "subject")
    yield error("Site", "a span that is no text", lambda: sl.Site("z", 0, span=3), "span=3", "a text")
    yield error("corrupt", "by a word", lambda: sl.corrupt(1, by="zero"), "by='zero'", "KnockOut")
    yield error("corrupt", "by a class", lambda: sl.corrupt(1, by=sl.corruptions.KnockOut), "by=", "KnockOut")
    yield error("corrupt", "by and law", lambda: sl.corrupt(1, law="uniform", by=sl.corruptions.KnockOut()), "by=Noise")
    yield error("freeze", "to the dirty run", lambda: sl.freeze("z", 1, 1, to="dirty"), "run='dirty'", "corrupted")
    yield error("ablate", "to one", lambda: sl.ablate("z", 1, 1, to=1), "to=1", "mean")
    yield error("ablate", "one reference", lambda: sl.ablate("z", 1, 1, reference=prompt), "reference", "[")
    yield error("ablate", "a text", lambda: sl.ablate("z", 1, 1, reference=["x"]), "reference[0] is 'x'", "Prompt")
    yield error("swap", "a text for donor", lambda: sl.swap("z", 1, 1, "Rome"), "donor is 'Rome'", "Prompt")
    yield error("swap", "no donor", lambda: sl.swap("z", 1, 1, None), "donor is None", "Prompt")
    yield error(
        "swap",
        "a donor of another model",
        lambda: sl.run(lens, prompt, sl.swap("mlp_out", 1, 1, bench.written)),
        bench.written.vocabulary,
        prompt.vocabulary,
    )
    yield error(
        "ablate",
        "a reference of another model",
        lambda: sl.run(lens, prompt, sl.ablate("mlp_out", 1, 1, to="mean", reference=[bench.written])),
        "vocabulary",
        "build it with this lens",
    )
    yield error(
        "Intervention", "a name for site", lambda: sl.Intervention("z", FromRun("clean")), "site is 'z'", "Site"
    )
    yield error(
        "Intervention", "a number", lambda: sl.Intervention(sl.Site("z", 0, 1), 0.0), "value is 0.0", "AblatedTo"
    )
    yield error(
        "Intervention", "a class", lambda: sl.Intervention(sl.Site("z", 0, 1), AblatedTo), "value is", "FromRun"
    )
    yield error("FromPrompt", "a text", lambda: FromPrompt("x", (1,)), "donor is 'x'", "Prompt")
    yield error("FromPrompt", "half positions", lambda: FromPrompt(other, (0.5,)), "position 0=0.5", "whole")
    yield error("FromRun", "None", lambda: FromRun(None), "run=None", "clean")
    yield error("AblatedTo", "an empty word", lambda: AblatedTo(""), "to=''", "zero")
    width = lens.backend.d_model
    for value in (None, 1.0, [0.0] * width, "zero", torch.ones(width, dtype=torch.int64), np.ones(width, dtype=bool)):
        for name, verb in (("tensor", sl.replace_with), ("vector", sl.add)):
            made = lambda value=value, verb=verb: verb("mlp_out", 1, 1, value)  # noqa: E731
            yield error(verb.__name__, f"{type(value).__name__} {value!r:.20}", made, f"{name} is", "torch tensor")
    for value in (torch.full((width,), float("nan")), torch.full((width,), float("inf"))):
        yield error("add", f"{value[0]}", lambda value=value: sl.add("mlp_out", 1, 1, value), "vector", "not finite")
    for shape in ((), (width + 1,), (2, width), (1, 1, 1, width)):
        value = torch.ones(shape)
        fitting = lambda value=value: sl.run(lens, prompt, sl.replace_with("mlp_out", 1, 1, value))  # noqa: E731
        yield error("replace_with", f"the shape {shape}", fitting, str(shape), "wanted is", "width")
    for value in (None, 2.0, "double", torch.ones(width)):
        yield error(
            "apply", f"{value!r:.20}", lambda value=value: sl.apply("mlp_out", 1, 1, value), "function=", "sl.apply"
        )
    for what, function in (
        ("nothing", lambda here: None),
        ("a number", lambda here: 1.0),
        ("another shape", lambda here: here[0]),
        ("nan", lambda here: here * float("nan")),
    ):
        made = lambda function=function: sl.run(lens, prompt, sl.apply("mlp_out", 1, 1, function))  # noqa: E731
        yield error("apply", f"returns {what}", made, "the function returned", "apply")
    yield result(
        "add",
        "numpy's vector",
        lambda: sl.run(lens, prompt, sl.add("mlp_out", 1, 1, np.zeros(width))).effect,
        (0.0).__eq__,
    )
    wanted = sl.run(lens, prompt, sl.restore("resid_pre", 2, (1, 2))).logits
    for given in (np.array([1, 2]), {2, 1}, torch.tensor([1, 2]), (at for at in (1, 2))):
        yield result(
            "restore",
            f"at of {type(given).__name__}",
            lambda given=given: sl.run(lens, prompt, sl.restore("resid_pre", 2, given)).logits,
            lambda found: torch.equal(found, wanted),
        )
    unknown = replace(other, vocabulary="")
    yield result(
        "swap",
        "a donor made by hand",
        lambda: sl.run(lens, prompt, sl.swap("mlp_out", 1, -1, unknown, -1)).logits,
        lambda found: torch.equal(found, sl.run(lens, prompt, sl.swap("mlp_out", 1, -1, other, -1)).logits),
    )


def _at(verb: str, at: Any, donor: Any) -> Any:
    """An intervention at a place."""
    if verb == "corrupt":
        return sl.corrupt(at)
    return sl.swap("z", 1, at, donor, 1) if verb == "swap" else getattr(sl, verb)("z", 1, at)


def budgets(bench: Bench) -> Iterator[Odd]:
    lens, prompts = bench.planted.lens, bench.planted.prompts[:1]
    for value in (0, -1, 1.5, float("nan"), "1GB", True):
        yield error(
            "causal_trace",
            f"memory_budget {value!r}",
            lambda value=value: sl.causal_trace(replace(lens, memory_budget=value), prompts, progress="none"),
            "memory_budget=",
            "≥ 1",
        )
    yield error(
        "path_patch",
        "memory_budget 0",
        lambda: sl.path_patch(replace(lens, memory_budget=0), prompts, sl.Noise()),
        "≥ 1",
    )
    yield error(
        "activation_patch",
        "memory_budget 0",
        lambda: sl.activation_patch(replace(lens, memory_budget=0), prompts, sl.Noise(), progress="none"),
        "memory_budget=0",
    )
