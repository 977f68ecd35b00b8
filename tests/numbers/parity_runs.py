"""Rows of the parity table: corruptions, donors, interventions, knock-outs by tokens, readings, edges and sets."""

from typing import Any

import numpy as np
import plain_runs as slow
import plain_sets
import torch
import xarray as xr
from parity_case import METRICS, NODE, QUIET, SCORED, Case, Cells, Row, circuit, ids_of, partner, references
from plain_methods import taken
from plain_passes import Edits, PlainModel

import spiritlens as sl
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spans import EVERYWHERE
from spiritlens.terms import ROLES

NOISE = slow.noised(ids_of)
EDGE = ("sender_component", "sender_layer", "sender_head", "receiver_component", "receiver_layer", "receiver_head")
SIZES = (3,)


# ---- corruptions and donors -----------------------------------------------------------------------------------------


def replacement() -> sl.corruptions.Replacement:
    return sl.corruptions.Replacement(donors=references())


def other_ids(prompt: Prompt, sample: int) -> tuple[int, ...]:
    return replacement().ids(prompt, prompt.subject.positions, sample, 0)


def trace(
    case: Case, prompt: Prompt, corruption: sl.Corruption, *names: str, samples: int = 1, sever: Any = "none"
) -> Any:
    grid = sl.Grid(names, at="role", window=1, sever=sever)
    return sl.causal_trace(case.lens, [prompt], grid, corruption, samples=samples, **SCORED)["restored"].isel(prompt=0)


def carry(case: Case, prompt: Prompt, pooling: Any) -> xr.DataArray:
    donors = sl.Donors([partner(prompt)], pooling)
    grid = sl.Grid(("resid_post", "v"), at="role")
    found = sl.activation_patch(case.lens, [prompt], sl.Noise(), grid, donors=donors, **SCORED)
    return found["restored"].isel(prompt=0, sample=0)


def look(case: Case, prompt: Prompt, rule: Any) -> Cells:
    grid, zero = sl.Grid(("resid_pre", "mlp_out"), at="role", window=1), sl.corruptions.KnockOut("zero")
    found = sl.tracing.first_look(
        case.lens, [prompt], grid, zero, "logit_difference", rule=rule, samples=1, n_exact=1
    ).estimates[0]
    roles = [role for role in ROLES if role in prompt.roles]
    columns = [site for site in range(found.shape[2]) if np.isfinite(found[:, :, site]).all()]
    return {
        (name, layer, role): found[place, layer, site, 0]
        for place, name in enumerate(grid.components)
        for layer in range(found.shape[1])
        for role, site in zip(roles, columns, strict=True)
    }


def dose(case: Case, prompt: Prompt) -> Any:
    found = sl.tracing.dose_curve(case.lens, [prompt], (0.5, 2.0), samples=2)
    return found["normalised_total_effect"].isel(prompt=0)


def scales(case: Case, prompt: Prompt) -> Cells:
    found = sl.corruptions.noise_scale(case.lens, [prompt])
    return {("text",): found.text, ("speech",): found.speech}


def plain_scales(plain: PlainModel, prompt: Prompt) -> Cells:
    """Of the subject's rows, and of all where no subject is said in this modality."""
    spoken = prompt.kind == "S2T"
    own = [prompt.ids[position] for position in prompt.subject.positions]
    text, speech = (ids_of("text"), own) if spoken else (own, ids_of("speech"))
    return {("text",): slow.deviation(plain, text), ("speech",): slow.deviation(plain, speech)}


# ---- interventions --------------------------------------------------------------------------------------------------


def ran(case: Case, prompt: Prompt, *interventions: sl.Intervention) -> Cells:
    found = sl.run(case.lens, prompt, *interventions, samples=2)
    values = torch.stack([found.values[name] for name in METRICS], dim=1)
    logits = {("logits", sample): each.numpy() for sample, each in enumerate(found.logits)}
    return logits | {("metrics", sample): each.numpy() for sample, each in enumerate(values)}


def put_back(case: Case, prompt: Prompt, other: Prompt) -> Cells:
    at = prompt.subject
    return ran(case, prompt, sl.corrupt(at), sl.restore("resid_pre", 1, at), sl.freeze("mlp_out", 2, at))


def plain_put_back(plain: PlainModel, prompt: Prompt, other: Prompt) -> Cells:
    where, clean = list(prompt.subject.positions), slow.recorded(plain, prompt)
    runs: list[Edits] = []
    for sample in range(2):
        base = slow.instead(NOISE(plain, prompt, sample))
        corrupted = slow.recorded(plain, prompt, base)
        back = taken(clean["resid_pre", 1], "resid_pre", where)
        runs.append({**base, ("resid_pre", 1): back, ("mlp_out", 2): taken(corrupted["mlp_out", 2], "mlp_out", where)})
    return slow.run(plain, prompt, runs)


def swapped(case: Case, prompt: Prompt, other: Prompt) -> Cells:
    swaps = sl.swap("v", 1, "subject", other, head=1), sl.swap("mlp_out", 0, len(prompt) - 1, other)
    return ran(case, prompt, *swaps)


def plain_swapped(plain: PlainModel, prompt: Prompt, other: Prompt) -> Cells:
    source = slow.recorded(plain, other)
    edits = {
        ("v", 1): taken(source["v", 1], "v", prompt.subject.positions, 1),
        ("mlp_out", 0): taken(source["mlp_out", 0], "mlp_out", [len(prompt) - 1]),
    }
    return slow.run(plain, prompt, [edits])


def ablated(case: Case, prompt: Prompt, other: Prompt) -> Cells:
    at = prompt.subject
    mean = sl.ablate("attn_out", 2, at, to="mean", reference=references())
    return ran(case, prompt, sl.ablate("z", 1, at, head=2), mean, sl.ablate("k", 2, at, to="mean", head=0))


def plain_ablated(plain: PlainModel, prompt: Prompt, other: Prompt) -> Cells:
    where = list(prompt.subject.positions)
    zero, mean = torch.zeros(plain.d_head), slow.tokens_of(plain, references(), ("attn_out", 2)).mean(0)
    own = slow.tokens_of(plain, [prompt], ("k", 2)).mean(0)
    edits = {
        ("z", 1): slow.put("z", where, zero, 2),
        ("attn_out", 2): slow.put("attn_out", where, mean),
        ("k", 2): slow.put("k", where, own, 0),
    }
    return slow.run(plain, prompt, [edits])


def resampling(prompt: Prompt) -> sl.Intervention:
    return sl.ablate("resid_mid", 1, prompt.subject, to="resample", reference=references())


def plain_resampled(plain: PlainModel, prompt: Prompt, other: Prompt) -> Cells:
    where, label = prompt.subject.positions, resampling(prompt).label
    return slow.run(plain, prompt, slow.resampled(plain, prompt, references(), ("resid_mid", 1), where, label))


def vector(size: int) -> torch.Tensor:
    return torch.linspace(-1, 1, size, dtype=torch.float64)


def steered(case: Case, prompt: Prompt, other: Prompt) -> Cells:
    last, at = len(prompt) - 1, prompt.subject
    return ran(
        case,
        prompt,
        sl.replace_with("z", 0, at, vector(6), head=3),
        sl.add("resid_post", 1, last, vector(24)),
        sl.apply("resid_mid", 1, at, lambda here: 2 * here),
        sl.apply("pattern", 2, last, lambda here: here / 2, head=1),
    )


def plain_steered(plain: PlainModel, prompt: Prompt, other: Prompt) -> Cells:
    last, where = len(prompt) - 1, list(prompt.subject.positions)

    def added(value: torch.Tensor) -> torch.Tensor:
        changed = value.clone()
        changed[0, last] += vector(24)
        return changed

    def doubled(value: torch.Tensor) -> torch.Tensor:
        changed = value.clone()
        changed[0, where] *= 2
        return changed

    def halved(value: torch.Tensor) -> torch.Tensor:
        changed = value.clone()
        changed[0, 1, last] /= 2
        return changed

    put = slow.put("z", where, vector(6), 3)
    edits = {("z", 0): put, ("resid_post", 1): added, ("resid_mid", 1): doubled, ("pattern", 2): halved}
    return slow.run(plain, prompt, [edits])


def said(case: Case, prompt: Prompt) -> Cells:
    plain = sl.generate(case.lens, prompt, max_new_tokens=4)
    changed = sl.generate(case.lens, prompt, sl.ablate("attn_out", 1, prompt.subject), max_new_tokens=4)
    return _letters("plain", plain) | _letters("changed", changed)


def plain_said(plain: PlainModel, prompt: Prompt) -> Cells:
    vocabulary = circuit().lens.vocabulary
    end = vocabulary.eos_id
    allowed = [*vocabulary.text_ids.tolist(), *(() if end is None else (end,))]
    cut = {("attn_out", 1): slow.put("attn_out", prompt.subject.positions, torch.zeros(24))}
    texts = [vocabulary.decode(slow.continued(plain, prompt, edits, allowed, end, 4)).strip() for edits in ({}, cut)]
    return _letters("plain", texts[0]) | _letters("changed", texts[1])


def _letters(name: str, text: str) -> dict[tuple[object, ...], float]:
    return {(name, place): float(ord(letter)) for place, letter in enumerate(text)}


# ---- knock-outs, readings, edges and sets ---------------------------------------------------------------------------


def silenced(case: Case, prompt: Prompt, kind: Any, samples: int) -> xr.DataArray:
    asked = sl.heads.Ablation(kind, references(), (EVERYWHERE, "subject"))
    found = sl.heads.head_knockout(case.lens, [prompt], asked, samples=samples, **SCORED)["restored"]
    return found.isel(prompt=0, component=0, drop=True).assign_coords(span=[EVERYWHERE, "subject"])


def plain_silenced(plain: PlainModel, prompt: Prompt, kind: str, samples: int) -> Cells:
    spans = {EVERYWHERE: list(range(1, len(prompt))), "subject": list(prompt.subject.positions)}
    return slow.silenced(plain, prompt, references(), spans, kind, samples)


def watched(case: Case, prompt: Prompt) -> xr.DataArray:
    return sl.heads.detectors(case.lens, [prompt], **QUIET)["score"].isel(prompt=0)


def read_from(case: Case, prompt: Prompt) -> xr.DataArray:
    found = sl.heads.direct_logit_attribution(case.lens, [prompt], against="nothing", by="token", **QUIET)
    return found["heads_by_source"].isel(prompt=0).assign_coords(pos=np.arange(len(prompt)))


def transcribed(case: Case, prompt: Prompt) -> Cells:
    rows = sl.lenses.implicit_transcription(case.lens, [prompt], top=20, **QUIET).to_dict("records")
    return {
        (prompt.words.index(row["word"]), name): -1 if row[name] is None or row[name] != row[name] else row[name]
        for row in rows
        for name in ("layer", "best_rank", "best_layer")
    }


def plain_transcribed(plain: PlainModel, prompt: Prompt) -> Cells:
    vocabulary = circuit().lens.vocabulary
    return slow.transcribed(plain, prompt, ids_of("text"), lambda word: vocabulary.answer_ids(word)[0], 20)


def told(case: Case, prompt: Prompt, other: Prompt) -> Cells:
    """Answers that were asked for, and those that the model gives."""
    own = sl.studies.own_answers(case.lens, [prompt, other])
    known = sl.known_prompts(case.lens, [prompt, other, *own])
    return {("known", place): float(one) for place, one in enumerate(known)}


def plain_told(plain: PlainModel, prompt: Prompt, other: Prompt) -> Cells:
    known = [*slow.known(plain, [prompt, other], ids_of("text")), True, True]
    return {("known", place): float(one) for place, one in enumerate(known)}


def own(case: Case, prompt: Prompt, other: Prompt) -> Cells:
    answered = sl.studies.own_answers(case.lens, [prompt, other])
    return {(place,): float(one.answer_ids[0]) for place, one in enumerate(answered)}


def plain_own(plain: PlainModel, prompt: Prompt, other: Prompt) -> Cells:
    ids = slow.likeliest(plain, [prompt, other], ids_of("text"))
    return {(place,): float(token) for place, token in enumerate(ids)}


def edges(case: Case, prompt: Prompt, other: Prompt) -> xr.DataArray:
    return sl.attribute_edges(case.lens, [prompt], [other], **SCORED)["patched"].isel(prompt=0, pos=0)


def pairs() -> tuple[list[Prompt], list[Prompt]]:
    """Four facts, written and spoken."""
    machine = circuit()
    written, spoken = ([build(name) for name in machine.subjects[:4]] for build in (machine.text, machine.speech))
    return written, spoken


def interchange(case: Case) -> Cells:
    parts = sl.heads.Parts(removed="zero", sizes=SIZES, random_rankings=1)
    found = sl.interchange(case.lens, *pairs(), parts, sl.corruptions.KnockOut("zero"), **QUIET)
    ids = found["prompt_id"].values.tolist()
    cells: dict[tuple[object, ...], object] = {
        ("clean", name): float(found["clean"][place]) for place, name in enumerate(ids)
    }
    for place, name in enumerate(ids):
        for ranking in found["ranking"].values.tolist():
            for size in found["size"].values.tolist():
                kept = found["kept"].isel(prompt=place).sel(ranking=ranking, size=size)
                cells["kept", name, ranking, size] = float(kept)
    for (row, fold, part), score in np.ndenumerate(found["score"].values):
        cells["score", ("T2T", "S2T")[row], fold, part] = float(score)
    return cells


RUNS: tuple[Row, ...] = (
    Row(
        "causal_trace",
        "noise",
        NODE,
        lambda c, p, o: trace(c, p, sl.Noise(), "resid_pre", "mlp_out", samples=2),
        lambda m, p, o: slow.traced(m, p, NOISE, ("resid_pre", "mlp_out"), 2),
    ),
    *(
        Row(
            "causal_trace",
            f"knocked out, {kind}",
            NODE,
            lambda c, p, o, kind=kind: trace(c, p, sl.corruptions.KnockOut(kind), "resid_post", samples=2),
            lambda m, p, o, kind=kind: slow.traced(m, p, slow.knocked(ids_of, kind), ("resid_post",), 2),
        )
        for kind in ("mean", "resample")
    ),
    Row(
        "causal_trace",
        "replaced",
        NODE,
        lambda c, p, o: trace(c, p, replacement(), "resid_pre", samples=2),
        lambda m, p, o: slow.traced(m, p, slow.replaced(other_ids), ("resid_pre",), 2),
    ),
    *(
        Row(
            "causal_trace",
            f"severed, {sever}",
            NODE,
            lambda c, p, o, sever=sever: trace(c, p, sl.Noise(), "resid_pre", "resid_post", sever=sever),
            lambda m, p, o, sever=sever: slow.traced(m, p, NOISE, ("resid_pre", "resid_post"), 1, f"{sever}_out"),
        )
        for sever in ("mlp", "attn")
    ),
    *(
        Row(
            "activation_patch",
            f"a donor of the other modality, {pooling}",
            NODE,
            lambda c, p, o, pooling=pooling: carry(c, p, pooling),
            lambda m, p, o, pooling=pooling: slow.carried(m, p, partner(p), NOISE, ("resid_post", "v"), pooling),
        )
        for pooling in ("last", "mean", "broadcast", "norm_matched")
    ),
    *(
        Row(
            "tracing.first_look",
            rule,
            (),
            lambda c, p, o, rule=rule: look(c, p, rule),
            lambda m, p, o, rule=rule: slow.estimated(
                m, p, slow.knocked(ids_of, "zero"), ("resid_pre", "mlp_out"), rule == "relp"
            ),
        )
        for rule in ("gradient", "relp")
    ),
    Row(
        "tracing.dose_curve",
        "",
        ("multiple",),
        lambda c, p, o: dose(c, p),
        lambda m, p, o: slow.doses(m, p, ids_of, (0.5, 2.0)),
    ),
    Row("corruptions.noise_scale", "", (), lambda c, p, o: scales(c, p), lambda m, p, o: plain_scales(m, p)),
    Row("run", "nothing", (), lambda c, p, o: ran(c, p), lambda m, p, o: slow.run(m, p, [{}])),
    Row("run", "corrupt, restore and freeze", (), put_back, plain_put_back),
    Row("run", "swap", (), swapped, plain_swapped),
    Row("run", "ablate to zero and to means", (), ablated, plain_ablated),
    Row("run", "ablate to a token", (), lambda c, p, o: ran(c, p, resampling(p)), plain_resampled),
    Row("run", "replace_with, add and apply", (), steered, plain_steered),
    Row("generate", "", (), lambda c, p, o: said(c, p), lambda m, p, o: plain_said(m, p)),
    *(
        Row(
            "heads.head_knockout",
            kind,
            ("layer", "span", "head"),
            lambda c, p, o, kind=kind, samples=samples: silenced(c, p, kind, samples),
            lambda m, p, o, kind=kind, samples=samples: plain_silenced(m, p, kind, samples),
        )
        for kind, samples in (("mean", 1), ("resample", 2))
    ),
    Row(
        "heads.detectors",
        "",
        ("layer", "head", "detector"),
        lambda c, p, o: watched(c, p),
        lambda m, p, o: slow.watched(m, p),
    ),
    Row(
        "heads.direct_logit_attribution",
        "by token",
        ("layer", "head", "pos"),
        lambda c, p, o: read_from(c, p),
        lambda m, p, o: slow.written_from(m, p),
    ),
    Row(
        "lenses.implicit_transcription",
        "",
        (),
        lambda c, p, o: transcribed(c, p),
        lambda m, p, o: plain_transcribed(m, p),
        (1,),
    ),
    Row("known_prompts", "", (), told, plain_told),
    Row("studies.own_answers", "", (), own, plain_own),
    Row("attribute_edges", "", EDGE, edges, plain_sets.attributed_edges),
    Row(
        "interchange",
        "heads",
        (),
        lambda c, p, o: interchange(c),
        lambda m, p, o: plain_sets.interchanged(m, [prompt for some in pairs() for prompt in some], SIZES),
        (0,),
    ),
)
