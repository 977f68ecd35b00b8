"""Rows of heads and lenses."""

from typing import Any

import numpy as np
import plain_heads as slow
import xarray as xr
from parity_cases import QUIET, SCORED, Case, Row, circuit, listed, restored

import spiritlens as sl
from spiritlens.prompts.prompt import Prompt

TOLERATED = 1e-9
PAIRS = {"two": [(0, 1), (2, 3)], "one": [(1, 0)]}


def direct(case: Case, prompt: Prompt) -> dict[tuple[object, ...], float]:
    found = sl.heads.direct_logit_attribution(case.lens, [prompt], **QUIET).isel(prompt=0)
    cells: dict[tuple[object, ...], float] = {(name,): float(found[name]) for name in ("embedding", "total")}
    cells |= {("mlps", layer): float(value) for layer, value in enumerate(found["mlps"].values)}
    heads = np.ndenumerate(found["heads"].values)
    assert abs(float(found["remainder"])) < TOLERATED
    return cells | {("heads", *place): float(value) for place, value in heads}


def silence(case: Case, prompt: Prompt, ablation: Any, samples: int = 1) -> xr.DataArray:
    found = sl.heads.head_knockout(case.lens, [prompt], ablation, samples=samples, **SCORED)
    return restored(found).isel(component=0, drop=True)


def silence_sets(case: Case, prompt: Prompt) -> xr.DataArray:
    found = sl.heads.head_knockout(case.lens, [prompt], "zero", groups=PAIRS, **SCORED)
    return restored(found).isel(layer=0, drop=True)


def cut(case: Case, prompt: Prompt) -> xr.DataArray:
    edge = sl.heads.Blocked("subject", "last token")
    return restored(sl.heads.attention_knockout(case.lens, [prompt], [edge], window=2, **SCORED)).isel(
        component=0, drop=True
    )


def lensed(case: Case, prompt: Prompt) -> xr.DataArray:
    found = sl.lenses.logit_lens(case.lens, [prompt], top=1, **QUIET).isel(prompt=0)
    both = [found["top_probability"].isel(top=0, drop=True), found["answer_rank"]]
    return xr.concat(both, "metric", coords="minimal", compat="override").assign_coords(pos=np.arange(len(prompt)))


def transcribed(case: Case, prompt: Prompt) -> dict[tuple[object, ...], Any]:
    """By word: the best rank, the first layer at which it is among the best five (-1: none), that of the best rank."""
    rows = sl.lenses.implicit_transcription(case.lens, [prompt], top=5, **QUIET)
    return {
        (row.word, row.positions): np.array(
            [row.best_rank, -1 if row.layer is None or np.isnan(row.layer) else row.layer, row.best_layer]
        )
        for row in rows.itertuples()
    }


def text_ids() -> list[int]:
    found: list[int] = circuit().lens.vocabulary.text_ids.tolist()
    return found


ROWS = (
    Row("direct_logit_attribution", (), lambda c, p, o: direct(c, p), lambda m, p, o: slow.written(m, p)),
    Row(
        "head_knockout",
        ("layer", "head"),
        lambda c, p, o: silence(c, p, "zero"),
        lambda m, p, o: slow.silenced(m, p),
        "zero",
    ),
    Row(
        "head_knockout",
        ("layer", "head"),
        lambda c, p, o: silence(c, p, sl.heads.Ablation("mean", reference=[p, o])),
        lambda m, p, o: slow.silenced(m, p, [slow.mean_of_others(m, p, [p, o])]),
        "mean",
    ),
    Row(
        "head_knockout",
        ("layer", "head"),
        lambda c, p, o: silence(c, p, sl.heads.Ablation("resample", reference=[p, o]), samples=2),
        lambda m, p, o: slow.silenced(m, p, [slow.drawn_of_others(m, p, [p, o], sample) for sample in range(2)]),
        "resample",
    ),
    Row(
        "head_knockout",
        ("component",),
        lambda c, p, o: silence_sets(c, p),
        lambda m, p, o: slow.silenced_sets(m, p, PAIRS),
        "groups",
    ),
    Row("attention_knockout", ("layer",), lambda c, p, o: cut(c, p), lambda m, p, o: slow.cut(m, p, 2)),
    Row(
        "attention_mass",
        ("layer", "head", "query", "key"),
        lambda c, p, o: sl.heads.attention_mass(c.lens, [p], **QUIET)["mass"].isel(prompt=0),
        lambda m, p, o: slow.mass(m, p),
    ),
    Row(
        "detectors",
        ("layer", "head", "detector"),
        lambda c, p, o: sl.heads.detectors(c.lens, [p], **QUIET)["score"].isel(prompt=0),
        lambda m, p, o: slow.detected(m, p),
    ),
    Row("logit_lens", ("state", "pos"), lambda c, p, o: lensed(c, p), lambda m, p, o: slow.lensed(m, p, text_ids())),
    Row(
        "implicit_transcription",
        (),
        lambda c, p, o: transcribed(c, p),
        lambda m, p, o: slow.transcribed(m, p, circuit().lens.vocabulary, 5),
    ),
    Row(
        "patchscope",
        (),
        lambda c, p, o: listed(sl.lenses.patchscope(c.lens, p, p.subject.last, 2, o, o.subject.last, 1)),
        lambda m, p, o: listed(slow.carried(m, p, o, 2, 1)),
    ),
)
