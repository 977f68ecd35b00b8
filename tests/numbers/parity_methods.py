"""Rows of the parity table: methods over grids, paths, gradients, heads and lenses."""

from typing import Any

import numpy as np
import plain_methods as slow
import xarray as xr
from parity_case import NODE, QUIET, SCORED, Case, Row, circuit

import spiritlens as sl
from spiritlens.prompts.prompt import Prompt

STREAMS = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out")
TRACED = ("resid_pre", "resid_post", "attn_out", "mlp_out")
RECEIVERS = (("q_input", 1, 2), ("k_input", 1, 1), ("v_input", 2, 1), ("mlp_in", 1, -1), ("logits", -1, -1))
EDGE = ("sender_component", "sender_layer", "sender_head", "receiver_component", "receiver_layer", "receiver_head")
TOLERANCE = 1e-9


def restored(effects: xr.Dataset) -> xr.DataArray:
    found = effects["restored"].isel(prompt=0, sample=0)
    return found.isel(span=0, drop=True) if "span" in found.dims and found.sizes["span"] == 1 else found


def patch(case: Case, prompt: Prompt, other: Prompt, components: tuple[str, ...], **grid: Any) -> xr.DataArray:
    asked = sl.Grid(components, at="role", **grid)
    return restored(sl.activation_patch(case.lens, [prompt], [other], asked, **SCORED))


def trace(case: Case, prompt: Prompt, width: int, **grid: Any) -> xr.DataArray:
    corruption = sl.corruptions.KnockOut("zero")
    asked = sl.Grid(TRACED, at="role", window=width, **grid)
    return restored(sl.causal_trace(case.lens, [prompt], asked, corruption, samples=1, **SCORED))


def path(case: Case, prompt: Prompt, other: Prompt, **held: Any) -> xr.DataArray:
    receivers = [sl.paths.Receiver(name, *(number for number in place if number >= 0)) for name, *place in RECEIVERS]
    found = sl.path_patch(
        case.lens, [prompt], [other], sl.paths.Paths(receivers=receivers, base="clean", **held), **SCORED
    )
    return found["patched"].isel(prompt=0, pos=0)


def attribute(case: Case, prompt: Prompt, other: Prompt, components: tuple[str, ...]) -> xr.DataArray:
    grid = sl.Grid(components, at="role")
    return restored(sl.attribution_patch(case.lens, [prompt], [other], grid, **SCORED))


def relevance(case: Case, prompt: Prompt, other: Prompt, components: tuple[str, ...]) -> xr.DataArray:
    grid = sl.Grid(components, at="role")
    return restored(sl.relevance_patch(case.lens, [prompt], [other], grid, **SCORED))


def moved(case: Case, prompt: Prompt, other: Prompt, component: str) -> xr.DataArray:
    grid = sl.Grid((component,), at="span", spans=("subject",))
    found = sl.back_patch(case.lens, [prompt], [other], grid, **SCORED)["restored"].isel(prompt=0, sample=0)
    return found.assign_coords(span=["subject"])


def direct(case: Case, prompt: Prompt) -> dict[tuple[object, ...], float]:
    found = sl.heads.direct_logit_attribution(case.lens, [prompt], **QUIET).isel(prompt=0)
    cells: dict[tuple[object, ...], float] = {(name,): float(found[name]) for name in ("embedding", "total")}
    cells |= {("mlps", layer): float(value) for layer, value in enumerate(found["mlps"].values)}
    heads = np.ndenumerate(found["heads"].values)
    assert abs(float(found["remainder"])) < TOLERANCE
    return cells | {("heads", *place): float(value) for place, value in heads}


def silence(case: Case, prompt: Prompt) -> xr.DataArray:
    return restored(sl.heads.head_knockout(case.lens, [prompt], "zero", **SCORED)).isel(component=0, drop=True)


def cut(case: Case, prompt: Prompt) -> xr.DataArray:
    edge = sl.heads.Blocked("subject", "last token")
    return restored(sl.heads.attention_knockout(case.lens, [prompt], [edge], window=2, **SCORED)).isel(
        component=0, drop=True
    )


def lensed(case: Case, prompt: Prompt) -> xr.DataArray:
    found = sl.lenses.logit_lens(case.lens, [prompt], top=1, **QUIET).isel(prompt=0)
    both = [found["top_probability"].isel(top=0, drop=True), found["answer_rank"]]
    return xr.concat(both, "metric", coords="minimal", compat="override").assign_coords(pos=np.arange(len(prompt)))


def _listed(logits: Any) -> dict[tuple[object, ...], float]:
    return {(token,): float(value) for token, value in enumerate(logits)}


ROWS = (
    Row("causal_trace", "", NODE, lambda c, p, o: trace(c, p, 1), lambda m, p, o: slow.traced(m, p, TRACED, 1)),
    Row("causal_trace", "windows", NODE, lambda c, p, o: trace(c, p, 2), lambda m, p, o: slow.traced(m, p, TRACED, 2)),
    Row(
        "causal_trace",
        "noising",
        NODE,
        lambda c, p, o: trace(c, p, 3, direction="noising"),
        lambda m, p, o: slow.traced(m, p, TRACED, 3, noising=True),
    ),
    Row(
        "activation_patch",
        "",
        NODE,
        lambda c, p, o: patch(c, p, o, STREAMS),
        lambda m, p, o: slow.patched(m, p, o, STREAMS),
    ),
    Row(
        "activation_patch",
        "heads together",
        NODE,
        lambda c, p, o: patch(c, p, o, slow.BY_HEAD),
        lambda m, p, o: slow.patched(m, p, o, slow.BY_HEAD),
    ),
    Row(
        "activation_patch",
        "each head",
        (*NODE, "head"),
        lambda c, p, o: patch(c, p, o, slow.BY_HEAD, heads="each"),
        lambda m, p, o: slow.patched_heads(m, p, o, slow.BY_HEAD),
    ),
    *(
        Row(
            "back_patch",
            name,
            ("component", "layer", "span"),
            lambda c, p, o, name=name: moved(c, p, o, name),
            lambda m, p, o, name=name: slow.back_patched(m, p, o, name),
        )
        for name in ("resid_pre", "v")
    ),
    *(
        Row(
            "path_patch",
            f"{frozen} frozen, norms {norms}",
            EDGE,
            lambda c, p, o, frozen=frozen, norms=norms: path(c, p, o, frozen=frozen, norms=norms),
            lambda m, p, o, frozen=frozen, norms=norms: slow.paths(m, p, o, RECEIVERS, frozen, norms),
        )
        for frozen, norms in (("heads+mlps", "recomputed"), ("heads", "frozen"), ("nothing", "recomputed"))
    ),
    Row(
        "attribution_patch",
        "",
        NODE,
        lambda c, p, o: attribute(c, p, o, STREAMS),
        lambda m, p, o: slow.attributed(m, p, o, STREAMS),
    ),
    Row(
        "attribution_patch",
        "heads",
        (*NODE, "head"),
        lambda c, p, o: attribute(c, p, o, slow.BY_HEAD[:4]),
        lambda m, p, o: slow.attributed(m, p, o, slow.BY_HEAD[:4]),
    ),
    Row(
        "relevance_patch",
        "",
        NODE,
        lambda c, p, o: relevance(c, p, o, STREAMS),
        lambda m, p, o: slow.attributed(m, p, o, STREAMS, relp=True),
    ),
    Row(
        "relevance_patch",
        "heads",
        (*NODE, "head"),
        lambda c, p, o: relevance(c, p, o, ("v", "z")),
        lambda m, p, o: slow.attributed(m, p, o, ("v", "z"), relp=True),
    ),
    Row("heads.direct_logit_attribution", "", (), lambda c, p, o: direct(c, p), lambda m, p, o: slow.written(m, p)),
    Row(
        "heads.head_knockout",
        "zero",
        ("layer", "head"),
        lambda c, p, o: silence(c, p),
        lambda m, p, o: slow.silenced(m, p),
    ),
    Row(
        "heads.attention_knockout", "a window", ("layer",), lambda c, p, o: cut(c, p), lambda m, p, o: slow.cut(m, p, 2)
    ),
    Row(
        "heads.attention_mass",
        "",
        ("layer", "head", "query", "key"),
        lambda c, p, o: sl.heads.attention_mass(c.lens, [p], **QUIET)["mass"].isel(prompt=0),
        lambda m, p, o: slow.mass(m, p),
    ),
    Row(
        "lenses.logit_lens",
        "",
        ("state", "pos"),
        lambda c, p, o: lensed(c, p),
        lambda m, p, o: slow.lensed(m, p, circuit().lens.vocabulary.text_ids.tolist()),
    ),
    Row(
        "lenses.patchscope",
        "",
        (),
        lambda c, p, o: _listed(sl.lenses.patchscope(c.lens, p, p.subject.last, 2, o, o.subject.last, 1)),
        lambda m, p, o: _listed(slow.carried(m, p, o, 2, 1)),
    ),
)
