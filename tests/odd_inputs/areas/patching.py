"""Activation, path and attribution patching, knock-outs, attributions, attention and lenses."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
import xarray as xr
from frame import Bench, Odd, error, result

import spiritlens as sl

NAN, INF = float("nan"), float("inf")
BAD_SAMPLES = (0, 1.5, True, "2", None)
LOGITS = (sl.paths.Receiver("logits"),)
GRID = sl.Grid(("resid_post",), at="role")
GRIDDED = ("activation_patch", "back_patch", "attribution_patch", "relevance_patch")
"""Methods that take a grid and draws as values."""


def cases(bench: Bench) -> Iterator[Odd]:
    planted = bench.planted
    lens, prompt, spoken = planted.lens, planted.prompts[0], planted.prompts[12]
    other, foreign = planted.counterfactual(prompt), bench.written
    parts = (
        _first(lens, prompt, foreign),
        _contrasts(lens, prompt, spoken, other, foreign),
        _settings(lens, prompt, other),
        _activation(lens, prompt, spoken, other, foreign),
        _paths(lens, prompt, other),
        _nodes(),
        _knocked_heads(lens, prompt, spoken, other, foreign),
        _cut_edges(lens, prompt),
        _attributions(lens, prompt, spoken),
        _readings(lens, prompt, spoken, foreign),
        _interchanged(planted),
    )
    for part in parts:
        yield from part


def _patchers(lens: Any) -> dict[str, Any]:
    """Methods that are given prompts and a contrast."""
    quiet = {"progress": "none", "metrics": ("logit_difference",)}
    stream = {"grid": GRID, **quiet}
    return {
        "activation_patch": partial(sl.activation_patch, lens, **stream),
        "back_patch": partial(sl.back_patch, lens, donors=sl.Donors(layers=(3,)), **quiet),
        "attribution_patch": partial(sl.attribution_patch, lens, **stream),
        "relevance_patch": partial(sl.relevance_patch, lens, **stream),
        "path_patch": partial(sl.path_patch, lens, paths=sl.paths.Paths([sl.paths.Sender("mlp_out", 2)]), **quiet),
        "attribute_edges": partial(sl.attribute_edges, lens, paths=sl.paths.Paths(receivers=LOGITS), **quiet),
    }


def _first(lens: Any, prompt: Any, foreign: Any) -> Iterator[Odd]:
    """A lens and its prompts, for every method."""
    noise = (sl.Noise(),)
    functions: dict[str, tuple[Any, tuple[Any, ...]]] = {
        **{name: (getattr(sl, name), noise) for name in _patchers(lens)},
        **{
            function.__name__: (function, ())
            for function in (
                *(sl.heads.head_knockout, sl.heads.attention_knockout, sl.heads.direct_logit_attribution),
                *(sl.lenses.logit_lens, sl.lenses.implicit_transcription),
            )
        },
        **{name: (getattr(sl.heads, name), ()) for name in ("attention_mass", "detectors")},
    }
    for name, (function, more) in functions.items():
        yield error(
            name, "lens a text", partial(function, "lens", [prompt], *more), "lens is 'lens'", "spiritlens.load"
        )
        yield error(name, "prompts a text", partial(function, lens, "a b", *more), "prompts='a b'", "several")
        yield error(
            name, "prompts of another lens", partial(function, lens, [foreign], *more), foreign.id, "vocabulary"
        )


def _contrasts(lens: Any, prompt: Any, spoken: Any, other: Any, foreign: Any) -> Iterator[Odd]:
    for name, patch in _patchers(lens).items():
        yield error(
            name,
            "contrast a text",
            partial(patch, [prompt], "noise"),
            "contrast='noise'",
            "counterfactual",
            "sl.Noise()",
        )
        yield error(name, "one counterfactual alone", partial(patch, [prompt], other), "contrast", "[counterfactual]")
        yield error(name, "a foreign counterfactual", partial(patch, [prompt], [foreign]), "contrast[0]", "vocabulary")
        yield error(name, "too many", partial(patch, [prompt], [other, other]), "2 counterfactuals for 1 prompts")
        yield result(
            name,
            "a generator of counterfactuals",
            lambda patch=patch: patch(iter([prompt]), (each for each in [other])),
            lambda found: found.sizes["prompt"] == 1,
        )
    activation = _patchers(lens)["activation_patch"]
    for value in (None, 0.5, {}, sl.Noise, [None], b"noise"):
        yield error("activation_patch", f"contrast {value!r}", partial(activation, [prompt], value), "contrast")
    yield error(
        "path_patch",
        "a longer counterfactual",
        partial(_patchers(lens)["path_patch"], [prompt], [spoken]),
        prompt.id,
        "equally long",
    )
    yield result(
        "activation_patch",
        "one counterfactual for two prompts",
        lambda: activation([prompt, lens_text(lens, "marne")], [other, other]),
        lambda found: found.sizes["prompt"] == 2,
    )


def lens_text(lens: Any, subject: str) -> Any:
    return lens.text(f"the colour of {subject} is", subject, "red", foil="blue", marker="final")


def _settings(lens: Any, prompt: Any, other: Any) -> Iterator[Odd]:
    """Numbers, names and options that several methods share."""
    bare = lens.text("the colour of marlo is", "marlo", "red")
    for name, patch in _patchers(lens).items():
        call = partial(patch, [prompt], [other])
        for value in BAD_SAMPLES[:: 1 if name == "activation_patch" else 3]:
            yield error(name, f"samples {value!r}", partial(call, samples=value), "samples=", "whole number ≥ 1")
        yield error(name, "metrics a text", partial(call, metrics="logit"), "metrics='logit'", "['logit']")
        yield error(name, "metrics misspelt", partial(call, metrics=["logits"]), "'logits'", "logit_difference")
        yield error(name, "progress misspelt", partial(call, progress="x"), "progress='x'", "bar, none")
        yield result(
            name,
            "no foil",
            partial(patch, [bare], sl.Noise()),
            lambda found: found["foil_rule"].item() == "runner-up" and found["foil"].item() != "",
        )
    for name in GRIDDED:
        call = partial(_patchers(lens)[name], [prompt], [other])
        spans = partial(sl.Grid, at="span")
        yield error(name, "spans a text", lambda: sl.Grid(spans="subject"), "spans='subject'", "['subject']")
        misspelt = partial(call, grid=spans(("resid_post",), spans=["verb"]))
        yield error(name, "spans misspelt", misspelt, "no span 'verb'", "subject")
        yield error(name, "grid a text", partial(call, grid="mlp_out"), "components='mlp_out'", "['mlp_out']")
        for value in (5, sl.Draws(1)):
            yield error(name, f"grid {value!r}", partial(call, grid=value), "grid=", "expected a Grid")
        for field, value in {"sever": "mlp", "corrupted": "control"}.items():
            grid = sl.Grid(("resid_post",), **{field: value})
            yield error(name, f"a grid with {field}", partial(call, grid=grid), field, "not know", "it reads")
    for name in ("attribution_patch", "attribute_edges"):
        call = partial(_patchers(lens)[name], [prompt], [other])
        for value in (0, -1, 1.5, True, NAN):
            yield error(name, f"steps {value!r}", partial(call, steps=value), "steps=", "whole number ≥ 1")
        yield error(name, "a rough metric", partial(call, metrics=["kl"]), "'kl'", "no useful gradient", "logit")
    call = partial(sl.attribution_patch, lens, [prompt], [other], metrics=("logit_difference",), progress="none")
    yield error("attribution_patch", "patterns", partial(call, ["pattern"]), "'pattern'", "resid_pre")
    relevance = partial(sl.relevance_patch, lens, [prompt], [other], metrics=("logit_difference",), progress="none")
    yield error("relevance_patch", "queries", partial(relevance, ["q"]), "'q'", "RelP", "leave it out")
    yield error("relevance_patch", "patterns", partial(relevance, ["pattern"]), "'pattern'", "resid_pre")
    yield error(
        "relevance_patch", "a rough metric", partial(relevance, metrics=["rank"]), "'rank'", "no useful gradient"
    )
    yield error("attribution_patch", "heads and outputs", partial(call, ["z", "mlp_out"]), "mix heads", "two calls")


def _activation(lens: Any, prompt: Any, spoken: Any, other: Any, foreign: Any) -> Iterator[Odd]:
    patch = _patchers(lens)["activation_patch"]
    call = partial(patch, [prompt], [other])
    for name, allowed in {"pooling": "position, last", "control": "none, other word"}.items():
        for value in ("x", None, 1, ["mean"]):
            yield error("Donors", f"{name} {value!r}", partial(sl.Donors, **{name: value}), f"{name}=", allowed)
    for value in (0, -5, NAN, 2.5):
        little = partial(sl.activation_patch, replace(lens, memory_budget=value), [prompt], [other], progress="none")
        yield error("activation_patch", f"memory_budget {value!r}", little, "memory_budget=")
    for value in (["mlps"], [], [None], ["z", "z"]):
        yield error("activation_patch", f"components {value!r}", partial(call, grid=value), "components")
    by_head = partial(call, grid=sl.Grid(("resid_post",), heads="each"))
    yield error("activation_patch", "whole outputs by head", by_head, "heads='each'", "resid_post")
    yield error("activation_patch", "donors a text", partial(call, donors="France"), "donors='France'", "several")
    yield error("activation_patch", "one donor alone", partial(call, donors=other), "donors=", "several")
    yield error("activation_patch", "no donors", partial(call, donors=[]), "donors is empty")
    yield error("activation_patch", "two donors", partial(call, donors=[other, spoken]), "2 donors for 1 prompts")
    yield error("activation_patch", "a foreign donor", partial(call, donors=[foreign]), "donors[0]", "vocabulary")
    yield error(
        "activation_patch",
        "no other fact",
        partial(call, donors=sl.Donors(control="other fact")),
        "no other subject",
        prompt.id,
    )
    yield result(
        "activation_patch",
        "donors, noising, several samples",
        partial(patch, [prompt], sl.Noise(), grid=replace(GRID, direction="noising"), donors=[other], samples=3),
        lambda found: found.sizes["sample"] == 3 and not bool(found["corrupted"].isnull().any()),
    )
    yield result(
        "activation_patch",
        "numpy's numbers",
        lambda: call(grid=replace(GRID, window=torch.tensor(1)), samples=sl.Draws(np.int32(1), np.uint16(3))),
        lambda found: type(found.attrs["seed"]) is int and type(found.attrs["window"]) is int,
    )
    back = _patchers(lens)["back_patch"]
    call = partial(back, [prompt], [other])
    for value in ("12", [1.5], [99], [-1], [], [True], 3, [1, 1]):
        yield error("Donors", f"layers {value!r}", lambda value=value: call(donors=sl.Donors(layers=value)), "layers")
    for value in (["resid"], [], ["pattern"], ["q", "k"]):
        yield error("back_patch", f"component {value!r}", partial(call, grid=value), "component")
    heads = sl.Grid(("z",), heads="each")
    yield error("back_patch", "heads apart", partial(call, grid=heads), "heads='each'", "does not know")
    yield error("Grid", "heads misspelt", lambda: sl.Grid(heads="x"), "heads='x'", "together, each")
    layers = partial(patch, [prompt], [other], donors=sl.Donors(layers=[1]))
    yield error("activation_patch", "layers", layers, "layers=(1,)", "use back_patch")
    yield result(
        "back_patch",
        "an array of layers",
        partial(call, donors=sl.Donors(layers=np.array([0, 3]))),
        lambda found: found["component"].values.tolist() == ["resid_pre from 0", "resid_pre from 3"],
    )


def _paths(lens: Any, prompt: Any, other: Any) -> Iterator[Odd]:
    for value, names in (
        ({"senders": sl.paths.Sender("embed")}, ("senders=", "several")),
        ({"senders": ["L2H1"]}, ("senders[0] is 'L2H1'", "Sender")),
        ({"senders": []}, ("senders is empty",)),
        ({"receivers": "logits"}, ("receivers='logits'", "several")),
        ({"receivers": [sl.paths.Sender("embed")]}, ("receivers[0]", "Receiver")),
        ({"at": "subject"}, ("at='subject'", "['subject']")),
        ({"base": "noised"}, ("base='noised'", "clean, corrupted")),
        ({"frozen": "all"}, ("frozen='all'", "heads+mlps")),
        ({"norms": True}, ("norms=True", "recomputed, frozen")),
        ({"receive": "all"}, ("receive='all'", "each, together")),
    ):
        yield error("Paths", f"{value!r}", partial(sl.paths.Paths, **value), *names)
    for name in ("path_patch", "attribute_edges"):
        call = partial(getattr(sl, name), lens, [prompt], [other], metrics=("logit_difference",), progress="none")
        for what, paths, names in (
            ("a layer too high", sl.paths.Paths([sl.paths.Sender("mlp_out", 99)]), ("MLP99", "layers 0..7")),
            ("a head too high", sl.paths.Paths(receivers=[sl.paths.Receiver("v_input", 0, 99)]), ("L0H99", "heads")),
            ("at misspelt", sl.paths.Paths(at=["verb"]), ("no span 'verb'",)),
            ("at nowhere", sl.paths.Paths(at=["speech"]), (prompt.id, "none of the spans", "speech")),
            ("paths a list", LOGITS, ("paths=", "expected Paths")),
            ("paths a grid", sl.Grid(), ("paths=", "expected Paths")),
        ):
            yield error(name, what, partial(call, paths=paths), *names)
    attribute = partial(_patchers(lens)["attribute_edges"], [prompt], [other])
    for field, value in {"receive": "together", "frozen": "nothing", "norms": "frozen"}.items():
        paths = sl.paths.Paths(**{field: value})
        yield error("attribute_edges", f"paths with {field}", partial(attribute, paths=paths), field, "does not know")
    yield result(
        "path_patch",
        "generators of nodes and places",
        partial(
            _patchers(lens)["path_patch"],
            [prompt],
            [other],
            paths=sl.paths.Paths(
                (sl.paths.Sender("mlp_out", layer) for layer in (1, 2)),
                iter(LOGITS),
                at=(name for name in ("subject", "all")),
            ),
        ),
        lambda found: found["patched"].shape == (1, 1, 2, 1, 1, 1, 1, 2, 1),
    )


def _nodes() -> Iterator[Odd]:
    for value in ("attn", None, 5, ["z"], "q_input"):
        yield error(
            "Sender", f"component {value!r}", partial(sl.paths.Sender, value, 1, 1), "sender component=", "embed, z"
        )
    for value in (1.0, "1", True, None, -2, NAN):
        yield error(
            "Sender", f"layer {value!r}", partial(sl.paths.Sender, "z", value, 0), "layer of z=", "whole number"
        )
    for value in ("head", 2.5, [0]):
        yield error("Sender", f"head {value!r}", partial(sl.paths.Sender, "z", 0, value), "head of z=", "whole number")
    yield error("Sender", "no head", partial(sl.paths.Sender, "z", 1), "z needs a head")
    yield result(
        "Sender", "numpy's", partial(sl.paths.Sender, "z", np.int64(1), np.int8(0)), lambda node: str(node) == "L1H0"
    )
    for value in ("logit", None, "mlp_out"):
        yield error(
            "Receiver", f"component {value!r}", partial(sl.paths.Receiver, value), "receiver component=", "logits"
        )
    yield error(
        "Receiver", "layer a text", partial(sl.paths.Receiver, "mlp_in", "2"), "layer of mlp_in='2'", "whole number"
    )
    yield error("Receiver", "a layer of the logits", partial(sl.paths.Receiver, "logits", 3), "logits has no layer")


def _knocked_heads(lens: Any, prompt: Any, spoken: Any, other: Any, foreign: Any) -> Iterator[Odd]:
    call = partial(sl.heads.head_knockout, lens, [prompt], "zero", progress="none", groups={"a": [(1, 1)]})
    misspelt = partial(sl.heads.head_knockout, lens, [prompt], "ablate")
    yield error("head_knockout", "kind misspelt", misspelt, "kind='ablate'", "zero, mean, resample")
    for value, names in (
        ({}, ("groups is empty", "nothing would be knocked out")),
        ({"a": []}, ("groups['a'] is empty",)),
        ({"a": (1, 2)}, ("groups['a'][0] is 1", "(layer, head)")),
        ({"a": [(99, 0)]}, ("group 'a' names L99H0", "8 layers")),
        ({"a": [(0, -1)]}, ("group 'a' names L0H-1", "4 heads")),
        ({"a": [(1.0, 0)]}, ("layer=1.0", "whole number")),
        ({"a": ["L1H1"]}, ("groups['a'][0] is 'L1H1'", "(layer, head)")),
        ({"a": "L1H1"}, ("groups['a']='L1H1'", "several")),
        ({"a": None}, ("groups['a']=None", "list")),
        ({3: [(1, 1)]}, ("groups has the name 3", "text")),
        ([(1, 1)], ("groups=[(1, 1)]", "names with their heads")),
        ("movers", ("groups='movers'", "names with their heads")),
    ):
        yield error("head_knockout", f"groups {value!r}", partial(call, groups=value), *names)
    yield error("head_knockout", "samples 0", partial(call, samples=0), "samples=0", "≥ 1")
    for value, names in (
        ({"spans": "subject"}, ("spans='subject'", "['subject']")),
        ({"reference": "x"}, ("reference='x'", "several")),
        ({"reference": []}, ("reference is empty",)),
        ({"kind": None}, ("kind=None", "zero, mean, resample")),
    ):
        yield error("Ablation", f"{value!r}", partial(sl.heads.Ablation, **value), *names)
    call = partial(sl.heads.head_knockout, lens, [prompt], progress="none")
    yield error(
        "head_knockout", "spans misspelt", partial(call, sl.heads.Ablation("zero", spans=["verb"])), "no span 'verb'"
    )
    nowhere = partial(call, sl.heads.Ablation("zero", spans=["speech"]))
    yield error("head_knockout", "spans nowhere", nowhere, prompt.id, "none of the spans")
    yield error("head_knockout", "metrics a text", partial(call, "zero", metrics="kl"), "metrics='kl'", "['kl']")
    alone = partial(sl.heads.head_knockout, lens, [prompt], progress="none")
    yield error("head_knockout", "one prompt alone", alone, prompt.id, "reference=", "kind='zero'")
    spoken_only, elsewhere = sl.heads.Ablation(reference=[spoken]), sl.heads.Ablation(reference=[foreign])
    yield error("head_knockout", "references of speech", partial(alone, spoken_only), prompt.id, "reference=")
    yield error("head_knockout", "a foreign reference", partial(alone, elsewhere), "reference[0]", "vocabulary")
    yield result(
        "head_knockout",
        "generators of heads and references",
        lambda: alone(
            sl.heads.Ablation(reference=iter([other])), groups={"a": (head for head in [(1, np.int64(1)), (1, 1)])}
        ),
        lambda found: found["component"].values.tolist() == ["a"],
    )


def _cut_edges(lens: Any, prompt: Any) -> Iterator[Odd]:
    for value, names in (
        ({}, ("heads={}", "names no head")),
        ({0: ()}, ("names no head", "nothing would be cut")),
        ({0: 1}, ("heads[0]=1", "list")),
        ({"0": (1,)}, ("layer of heads='0'", "whole number")),
        ({-1: (1,)}, ("layer of heads=-1", "≥ 0")),
        ({0: (1.5,)}, ("heads[0]=1.5", "whole number")),
        ({0: "12"}, ("heads[0]='12'", "several")),
        ([0, 1], ("heads=[0, 1]", "layers with their heads")),
        ("all", ("heads='all'", "None for all heads")),
    ):
        yield error("Blocked", f"heads {value!r}", partial(sl.heads.Blocked, "subject", heads=value), *names)
    for value in (None, "", 5, ["subject"]):
        yield error("Blocked", f"keys {value!r}", partial(sl.heads.Blocked, value), "keys=", "name of a span")
    positions = partial(sl.heads.Blocked, "subject", (1, 2))
    yield error("Blocked", "queries positions", positions, "queries=(1, 2)", "name of a span")
    cut = partial(sl.heads.attention_knockout, lens, [prompt], progress="none")
    for heads, name in (({99: (0,)}, "L99H0"), ({0: (99,)}, "L0H99")):
        edges = [sl.heads.Blocked("subject", heads=heads)]
        yield error("attention_knockout", f"heads {heads}", partial(cut, edges), name, "8 layers", "4 heads")
    yield error("attention_knockout", "no edges", partial(cut, []), "edges is empty")
    yield error("attention_knockout", "one edge alone", partial(cut, sl.heads.Blocked("subject")), "edges=", "several")
    yield error("attention_knockout", "edges by name", partial(cut, ["subject"]), "edges[0] is 'subject'", "Blocked")
    yield error("attention_knockout", "keys misspelt", partial(cut, [sl.heads.Blocked("verb")]), "no span 'verb'")
    for value in (0, -2, 1.5, "3", True):
        yield error("attention_knockout", f"window {value!r}", partial(cut, window=value), "window=", "≥ 1")
    yield error("attention_knockout", "metrics empty", partial(cut, metrics=[]), "metrics is empty")
    yield error("attention_knockout", "progress None", partial(cut, progress=None), "progress=None", "bar, none")
    yield result(
        "attention_knockout",
        "a generator of edges",
        lambda: cut(sl.heads.Blocked(name) for name in ("subject", "relation")),
        lambda found: found["span_name"].values.tolist() == [["subject → last token", "relation → last token"]],
    )
    yield result(
        "attention_knockout",
        "numpy's heads",
        partial(cut, [sl.heads.Blocked("subject", heads={np.int64(0): np.array([1])})]),
        lambda found: '"heads": [{"0": [1]}]' in found.attrs["config_json"],
    )


def _attributions(lens: Any, prompt: Any, spoken: Any) -> Iterator[Odd]:
    direct = partial(sl.heads.direct_logit_attribution, lens, [prompt])
    bare = lens.text("the colour of marlo is", "marlo", "red")
    for value in ("foils", None, 5):
        yield error(
            "direct_logit_attribution", f"against {value!r}", partial(direct, against=value), "foil, nothing, mean"
        )
    for value in ("word", None, ["role"]):
        yield error(
            "direct_logit_attribution", f"by {value!r}", partial(direct, by=value), "none, token, role, modality"
        )
    yield result(
        "direct_logit_attribution",
        "no foil",
        partial(sl.heads.direct_logit_attribution, lens, [prompt, bare], progress="none"),
        lambda found: found["foil_rule"].values.tolist() == ["own", "runner-up"],
    )
    for value in ("word", None, ("role",), ["role"]):
        yield error(
            "attention_mass", f"by {value!r}", partial(sl.heads.attention_mass, lens, [prompt], value), "role, modality"
        )
    yield error("detectors", "no prompts", partial(sl.heads.detectors, lens, []), "prompts is empty")
    yield error("detectors", "a prompt twice", partial(sl.heads.detectors, lens, [prompt, prompt]), "twice")
    for function in (sl.heads.detectors, sl.heads.attention_mass, sl.heads.direct_logit_attribution):
        yield result(
            function.__name__,
            "a generator of prompts",
            lambda function=function: function(lens, iter([prompt, spoken])),
            lambda found: found.sizes["prompt"] == 2,
        )


def _readings(lens: Any, prompt: Any, spoken: Any, foreign: Any) -> Iterator[Odd]:
    size = len(lens.vocabulary.text_ids)
    for name in ("logit_lens", "implicit_transcription"):
        call = partial(getattr(sl.lenses, name), lens, [spoken])
        for value in (0, -1, 2.5, "5", None, True, size + 1):
            yield error(name, f"top {value!r}", partial(call, top=value), "top=", f"≥ 1 and ≤ {size}")
        yield result(name, "numpy's top", partial(call, top=np.int64(2)), lambda found: len(found) > 0)
    scope = partial(sl.lenses.patchscope, lens)
    good = {
        "source": spoken,
        "source_position": 5,
        "source_state": 2,
        "target": prompt,
        "target_position": 3,
    }
    for name in ("source_position", "target_position", "read_position"):
        for value in (99, -99, 1.5, "subject", True):
            call = partial(scope, **{**good, name: value})
            yield error("patchscope", f"{name} {value!r}", call, name)
    for name in ("source_state", "target_state"):
        for value in (9, -1, 2.0, "last"):
            yield error("patchscope", f"{name} {value!r}", partial(scope, **{**good, name: value}), name)
    for name in ("source", "target"):
        yield error("patchscope", f"{name} a text", partial(scope, **{**good, name: "a"}), f"{name} is 'a'", "Prompt")
        yield error("patchscope", f"{name} foreign", partial(scope, **{**good, name: foreign}), name, "vocabulary")
    yield error("patchscope", "lens None", lambda: sl.lenses.patchscope(None, *good.values()), "lens is None", "Lens")
    yield result(
        "patchscope",
        "numpy's places",
        partial(scope, **{**good, "source_position": np.int64(5), "target_state": np.int8(2)}),
        lambda logits: torch.equal(logits, scope(**good)),
    )


def _interchanged(planted: Any) -> Iterator[Odd]:
    lens, written, spoken = planted.lens, planted.prompts[:4], planted.prompts[12:16]
    call = partial(sl.interchange, lens, written, spoken, progress="none")
    unlike = {
        "another number of facts": ((lens, written, spoken[:3]), ("spoken lacks the fact",)),
        "modalities changed": ((lens, spoken, written), ("written[0] is a S2T prompt",)),
        "three subjects": ((lens, written[:3], spoken[:3]), ("about 3 subjects", "at least 4")),
        "a prompt alone": ((lens, written[0], spoken), ("expected several",)),
        "no prompts": ((lens, [], []), ("written is empty",)),
        "no lens": ((None, written, spoken), ("lens is None",)),
    }
    for what, (given, names) in unlike.items():
        yield error("interchange", what, partial(sl.interchange, *given), *names)
    for value in ("head", 3, None, ["heads"]):
        yield error("interchange", f"parts {value!r}", partial(call, value), "parts=", "heads, sites, edges")
    yield error("interchange", "sizes too large", partial(call, sl.heads.Parts(sizes=[40])), "40", "32 heads")
    yield error("interchange", "metrics", partial(call, metric=["kl", "logit"]), "metric=", "expected the name of one")
    yield error("interchange", "metric misspelt", partial(call, metric="logits"), "'logits'", "did you mean")
    yield error("interchange", "corruption by name", partial(call, corruption="noise"), "corruption='noise'", "Noise")
    for value in BAD_SAMPLES:
        yield error("interchange", f"samples {value!r}", partial(call, samples=value), "samples=", "whole number")
    for value, names in (
        ({"kind": "x"}, ("kind of parts='x'", "heads, sites, edges")),
        ({"removed": "x"}, ("removed='x'", "zero, mean, resample")),
        ({"components": "mlp_out"}, ("components='mlp_out'", "several")),
        ({"components": ["z"]}, ("'z'", "attn_out, mlp_out")),
        ({"edges_by": "x"}, ("edges_by='x'", "patching, gradients")),
        ({"sizes": 3}, ("sizes=3", "list")),
        ({"sizes": [-1]}, ("size=-1", "≥ 0")),
        ({"random_rankings": 1.5}, ("random_rankings=1.5", "whole number")),
    ):
        yield error("Parts", f"{value!r}", partial(sl.heads.Parts, **value), *names)
    numbers = {"sizes": (np.int64(2), 2.0 > 1)}
    yield error("Parts", "a size that is a bool", partial(sl.heads.Parts, **numbers), "size=True", "whole number")
    found = partial(sl.interchange, lens, written, spoken, sl.heads.Parts(removed="zero", sizes=(2,)), progress="none")
    for function in (sl.heads.faithfulness, sl.heads.faithfulness_areas):
        name = function.__name__
        yield error(name, "a path", partial(function, "kept.nc"), "'kept.nc'", "expected one Dataset")
        yield error(name, "no dataset of ours", partial(function, xr.Dataset()), "schema None", "interchange returns")
        yield error(name, "confidence 1", lambda call=function: call(found(), 1), "confidence=1", "< 1")
        yield error(
            name, "one modality", lambda call=function: call(found().isel(prompt=[0, 1])), "holds no S2T prompt"
        )
