"""Rows of tracing, patching, paths and attribution."""

from functools import lru_cache
from typing import Any

import plain_methods as slow
import plain_sets
import xarray as xr
from parity_cases import NODE, QUIET, SCORED, Case, Row, circuit, restored

import spiritlens as sl
from spiritlens.prompts.prompt import Prompt

STREAMS = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out")
TRACED = ("resid_pre", "resid_post", "attn_out", "mlp_out")
RECEIVERS = (("q_input", 1, 2), ("k_input", 1, 1), ("v_input", 2, 1), ("mlp_in", 1, -1), ("logits", -1, -1))
EDGE = ("sender_component", "sender_layer", "sender_head", "receiver_component", "receiver_layer", "receiver_head")
ZERO = sl.corruptions.KnockOut("zero")


def patch(case: Case, prompt: Prompt, other: Prompt, components: tuple[str, ...], **grid: Any) -> xr.DataArray:
    asked = sl.Grid(components, at="role", **grid)
    return restored(sl.activation_patch(case.lens, [prompt], [other], asked, **SCORED))


def trace(case: Case, prompt: Prompt, width: int, **grid: Any) -> xr.DataArray:
    asked = sl.Grid(TRACED, at="role", window=width, **grid)
    return restored(sl.causal_trace(case.lens, [prompt], asked, ZERO, samples=1, **SCORED))


def severed(case: Case, prompt: Prompt, sever: Any) -> xr.DataArray:
    asked = sl.Grid(("resid_pre",), at="role", sever=sever)
    return restored(sl.causal_trace(case.lens, [prompt], asked, ZERO, samples=1, **SCORED))


def readers() -> list[sl.paths.Receiver]:
    return [sl.paths.Receiver(name, *(number for number in place if number >= 0)) for name, *place in RECEIVERS]


def path(case: Case, prompt: Prompt, other: Prompt, **held: Any) -> xr.DataArray:
    paths = sl.paths.Paths(receivers=readers(), base="clean", **held)
    return sl.path_patch(case.lens, [prompt], [other], paths, **SCORED)["patched"].isel(prompt=0, pos=0)


def edge(case: Case, prompt: Prompt, other: Prompt, clean: bool) -> xr.DataArray:
    paths = sl.paths.Paths(receivers=readers(), base="clean" if clean else None)
    return sl.attribute_edges(case.lens, [prompt], [other], paths, **SCORED)["patched"].isel(prompt=0, pos=0)


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


@lru_cache
def interchanged(case: Case) -> xr.DataArray:
    """Of four facts in both modalities, by the rankings of both modalities, as they are and reversed."""
    facts = circuit().subjects[:4]
    written, spoken = ([build(subject) for subject in facts] for build in (circuit().text, circuit().speech))
    parts = sl.heads.Parts(removed="zero", sizes=(2,), random_rankings=1)
    found = sl.interchange(case.lens, written, spoken, parts, ZERO, **QUIET)["kept"]
    return found.assign_coords(prompt=found["prompt_id"].values).sel(ranking=list(plain_sets.RANKINGS))


ROWS = (
    Row("causal_trace", NODE, lambda c, p, o: trace(c, p, 1), lambda m, p, o: slow.traced(m, p, TRACED, 1)),
    Row(
        "causal_trace",
        NODE,
        lambda c, p, o: trace(c, p, 2),
        lambda m, p, o: slow.traced(m, p, TRACED, 2),
        "windows",
    ),
    Row(
        "causal_trace",
        NODE,
        lambda c, p, o: trace(c, p, 3, direction="noising"),
        lambda m, p, o: slow.traced(m, p, TRACED, 3, noising=True),
        "noising",
    ),
    *(
        Row(
            "causal_trace",
            NODE,
            lambda c, p, o, part=part: severed(c, p, part),
            lambda m, p, o, part=part: slow.traced(m, p, ("resid_pre",), 1, sever=f"{part}_out"),
            f"severed {part}",
        )
        for part in ("mlp", "attn")
    ),
    Row(
        "activation_patch",
        NODE,
        lambda c, p, o: patch(c, p, o, STREAMS),
        lambda m, p, o: slow.patched(m, p, o, STREAMS),
    ),
    Row(
        "activation_patch",
        NODE,
        lambda c, p, o: patch(c, p, o, slow.BY_HEAD),
        lambda m, p, o: slow.patched(m, p, o, slow.BY_HEAD),
        "heads together",
    ),
    Row(
        "activation_patch",
        (*NODE, "head"),
        lambda c, p, o: patch(c, p, o, slow.BY_HEAD, heads="each"),
        lambda m, p, o: slow.patched_heads(m, p, o, slow.BY_HEAD),
        "each head",
    ),
    *(
        Row(
            "back_patch",
            ("component", "layer", "span"),
            lambda c, p, o, name=name: moved(c, p, o, name),
            lambda m, p, o, name=name: slow.back_patched(m, p, o, name),
            name,
        )
        for name in ("resid_pre", "v")
    ),
    *(
        Row(
            "path_patch",
            EDGE,
            lambda c, p, o, frozen=frozen, norms=norms: path(c, p, o, frozen=frozen, norms=norms),
            lambda m, p, o, frozen=frozen, norms=norms: slow.paths(m, p, o, RECEIVERS, frozen, norms),
            f"{frozen} frozen, norms {norms}",
        )
        for frozen, norms in (("heads+mlps", "recomputed"), ("heads", "frozen"), ("nothing", "recomputed"))
    ),
    *(
        Row(
            "attribute_edges",
            EDGE,
            lambda c, p, o, clean=clean: edge(c, p, o, clean),
            lambda m, p, o, clean=clean: slow.edges(m, p, o, RECEIVERS, clean),
            f"{'clean' if clean else 'corrupted'} base",
        )
        for clean in (False, True)
    ),
    Row(
        "attribution_patch",
        NODE,
        lambda c, p, o: attribute(c, p, o, STREAMS),
        lambda m, p, o: slow.attributed(m, p, o, STREAMS),
    ),
    Row(
        "attribution_patch",
        (*NODE, "head"),
        lambda c, p, o: attribute(c, p, o, slow.BY_HEAD[:4]),
        lambda m, p, o: slow.attributed(m, p, o, slow.BY_HEAD[:4]),
        "heads",
    ),
    Row(
        "relevance_patch",
        NODE,
        lambda c, p, o: relevance(c, p, o, STREAMS),
        lambda m, p, o: slow.attributed(m, p, o, STREAMS, relp=True),
    ),
    Row(
        "relevance_patch",
        (*NODE, "head"),
        lambda c, p, o: relevance(c, p, o, ("v", "z")),
        lambda m, p, o: slow.attributed(m, p, o, ("v", "z"), relp=True),
        "heads",
    ),
    Row(
        "interchange",
        ("prompt", "ranking", "size"),
        lambda c, p, o: interchanged(c),
        lambda m, p, o: plain_sets.kept(m, circuit(), 2),
        "heads",
    ),
)
