"""One table of methods and settings through every backend and through plain hooks on Hugging Face's model, in float64:
equal at 1e-9, with grouped-query attention, with and without biases.

A row is the public call, as an array, and the same written out in `plain_methods`; every cell that one of them has is
compared.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import plain_methods as slow
import pytest
import xarray as xr
from plain_passes import PlainModel
from random_llamas import random_checkpoint

import spiritlens as sl
from spiritlens.models import backends
from spiritlens.models.checkpoints.llama import architecture
from spiritlens.models.checkpoints.reference import hold_float64
from spiritlens.prompts.prompt import Prompt

TOLERANCE = 1e-9
BACKENDS = [row.maker.name for row in backends.BACKENDS if row.maker]
ARCHITECTURES = {"llama": False, "qwen2": True}
QUIET: dict[str, Any] = {"progress": "none"}
SCORED: dict[str, Any] = {"metrics": slow.METRICS, **QUIET}
STREAMS = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out")
TRACED = ("resid_pre", "resid_post", "attn_out", "mlp_out")
RECEIVERS = (("q_input", 1, 2), ("k_input", 1, 1), ("v_input", 2, 1), ("mlp_in", 1, -1), ("logits", -1, -1))
EDGE = ("sender_component", "sender_layer", "sender_head", "receiver_component", "receiver_layer", "receiver_head")
NODE = ("component", "layer", "role")


@dataclass(frozen=True, eq=False)
class Case:
    """A lens, the same weights in plain hooks, and a written and a spoken prompt, each with another like it."""

    lens: sl.Lens
    plain: PlainModel
    prompts: tuple[tuple[Prompt, Prompt], ...]


@lru_cache
def plain_model(kind: str) -> PlainModel:
    weights, config = _checkpoint(kind)
    llama = architecture(config.model_type).model(config).double()
    llama.load_state_dict(weights)
    return PlainModel(hold_float64(llama.eval().requires_grad_(False)))


@lru_cache
def circuit() -> Any:
    return sl.planted("fact machine")


def _checkpoint(kind: str) -> Any:
    return random_checkpoint(n_kv_heads=2, d_vocab=circuit().lens.vocabulary.size, biased=ARCHITECTURES[kind])


@lru_cache
def case(kind: str, backend: Any) -> Case:
    weights, config = _checkpoint(kind)
    model = backends.maker(backend).converted(weights, config)
    machine = circuit()
    prompts = machine.text(machine.subjects[0]), machine.speech(machine.subjects[1])
    lens = sl.Lens(model=model, vocabulary=machine.lens.vocabulary, name=kind)
    return Case(lens, plain_model(kind), tuple((prompt, machine.counterfactual(prompt)) for prompt in prompts))


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


@dataclass(frozen=True)
class Row:
    """A public call and its slow twin, both of a case, a prompt and another; `axes` are the labels of a cell."""

    name: str
    axes: tuple[str, ...]
    call: Callable[[Case, Prompt, Prompt], Any]
    twin: Callable[[PlainModel, Prompt, Prompt], slow.Cells]


ROWS = (
    Row("tracing", NODE, lambda c, p, o: trace(c, p, 1), lambda m, p, o: slow.traced(m, p, TRACED, 1)),
    Row("tracing, windows", NODE, lambda c, p, o: trace(c, p, 2), lambda m, p, o: slow.traced(m, p, TRACED, 2)),
    Row(
        "tracing, noising",
        NODE,
        lambda c, p, o: trace(c, p, 3, direction="noising"),
        lambda m, p, o: slow.traced(m, p, TRACED, 3, noising=True),
    ),
    Row("patching", NODE, lambda c, p, o: patch(c, p, o, STREAMS), lambda m, p, o: slow.patched(m, p, o, STREAMS)),
    Row(
        "patching, heads together",
        NODE,
        lambda c, p, o: patch(c, p, o, slow.BY_HEAD),
        lambda m, p, o: slow.patched(m, p, o, slow.BY_HEAD),
    ),
    Row(
        "patching, each head",
        (*NODE, "head"),
        lambda c, p, o: patch(c, p, o, slow.BY_HEAD, heads="each"),
        lambda m, p, o: slow.patched_heads(m, p, o, slow.BY_HEAD),
    ),
    *(
        Row(
            f"back-patching, {name}",
            ("component", "layer", "span"),
            lambda c, p, o, name=name: moved(c, p, o, name),
            lambda m, p, o, name=name: slow.back_patched(m, p, o, name),
        )
        for name in ("resid_pre", "v")
    ),
    *(
        Row(
            f"paths, {frozen} frozen, norms {norms}",
            EDGE,
            lambda c, p, o, frozen=frozen, norms=norms: path(c, p, o, frozen=frozen, norms=norms),
            lambda m, p, o, frozen=frozen, norms=norms: slow.paths(m, p, o, RECEIVERS, frozen, norms),
        )
        for frozen, norms in (("heads+mlps", "recomputed"), ("heads", "frozen"), ("nothing", "recomputed"))
    ),
    Row(
        "attribution",
        NODE,
        lambda c, p, o: attribute(c, p, o, STREAMS),
        lambda m, p, o: slow.attributed(m, p, o, STREAMS),
    ),
    Row(
        "attribution of heads",
        (*NODE, "head"),
        lambda c, p, o: attribute(c, p, o, slow.BY_HEAD[:4]),
        lambda m, p, o: slow.attributed(m, p, o, slow.BY_HEAD[:4]),
    ),
    Row(
        "RelP",
        NODE,
        lambda c, p, o: relevance(c, p, o, STREAMS),
        lambda m, p, o: slow.attributed(m, p, o, STREAMS, relp=True),
    ),
    Row(
        "RelP of heads",
        (*NODE, "head"),
        lambda c, p, o: relevance(c, p, o, ("v", "z")),
        lambda m, p, o: slow.attributed(m, p, o, ("v", "z"), relp=True),
    ),
    Row("direct attribution", (), lambda c, p, o: direct(c, p), lambda m, p, o: slow.written(m, p)),
    Row("head knock-out", ("layer", "head"), lambda c, p, o: silence(c, p), lambda m, p, o: slow.silenced(m, p)),
    Row("attention knock-out", ("layer",), lambda c, p, o: cut(c, p), lambda m, p, o: slow.cut(m, p, 2)),
    Row(
        "attention mass",
        ("layer", "head", "query", "key"),
        lambda c, p, o: sl.heads.attention_mass(c.lens, [p], **QUIET)["mass"].isel(prompt=0),
        lambda m, p, o: slow.mass(m, p),
    ),
    Row(
        "logit lens",
        ("state", "pos"),
        lambda c, p, o: lensed(c, p),
        lambda m, p, o: slow.lensed(m, p, circuit().lens.vocabulary.text_ids.tolist()),
    ),
    Row(
        "patchscope",
        (),
        lambda c, p, o: _listed(sl.lenses.patchscope(c.lens, p, p.subject.last, 2, o, o.subject.last, 1)),
        lambda m, p, o: _listed(slow.carried(m, p, o, 2, 1)),
    ),
)


def _listed(logits: Any) -> dict[tuple[object, ...], float]:
    return {(token,): float(value) for token, value in enumerate(logits)}


@lru_cache
def twins(kind: str, row: Row, place: int) -> slow.Cells:
    """The slow side, once for all backends."""
    prompt, other = case(kind, BACKENDS[0]).prompts[place]
    return row.twin(plain_model(kind), prompt, other)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_method_is_plain_hooks_on_hugging_face_s_model(kind, backend, row) -> None:
    found_of = case(kind, backend)
    for place, (prompt, other) in enumerate(found_of.prompts):
        found, cells = row.call(found_of, prompt, other), twins(kind, row, place)
        apart = {
            labels: float(np.max(np.abs(np.asarray(_cell(found, row.axes, labels)) - value)))
            for labels, value in cells.items()
        }
        assert {labels: gap for labels, gap in apart.items() if not gap <= TOLERANCE} == {}
        assert _filled(found) == sum(np.size(value) for value in cells.values()), "cells that the twin has not"
    assert max(abs(float(np.ravel(value)[0])) for value in cells.values()) > 1e-3


def _cell(found: Any, axes: tuple[str, ...], labels: tuple[object, ...]) -> Any:
    if isinstance(found, dict):
        return found[labels]
    return found.sel(dict(zip(axes, labels, strict=True))).values


def _filled(found: Any) -> int:
    return len(found) if isinstance(found, dict) else int(np.isfinite(found.values).sum())
