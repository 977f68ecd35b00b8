"""Rows of corruptions, donors, single runs with interventions, and generation."""

from collections.abc import Callable, Sequence
from typing import Any

import plain_runs as slow
import torch
import xarray as xr
from parity_cases import NODE, SCORED, Case, Row, circuit, restored, same_words
from plain_methods import recorded, zeroed
from plain_passes import Edits, PlainModel
from torch import Tensor

import spiritlens as sl
from spiritlens.prompts.prompt import Prompt

ZERO = sl.corruptions.KnockOut("zero")
POOLINGS = ("last", "mean", "broadcast", "norm_matched")
MULTIPLES = (0.5, 2.0)
NEW_TOKENS = 4


def words() -> Any:
    return circuit().lens.vocabulary


def trace(case: Case, prompt: Prompt, corruption: sl.Corruption, samples: int) -> xr.DataArray:
    grid = sl.Grid(("resid_pre", "mlp_out"), at="role")
    return restored(sl.causal_trace(case.lens, [prompt], grid, corruption, samples=samples, **SCORED))


def donate(case: Case, prompt: Prompt, donor: Prompt, pooling: Any) -> xr.DataArray:
    grid = sl.Grid(("resid_post", "v"), at="role")
    donors = sl.Donors([donor], pooling)
    return restored(sl.activation_patch(case.lens, [prompt], ZERO, grid, donors=donors, **SCORED))


def dose(case: Case, prompt: Prompt) -> xr.DataArray:
    found = sl.tracing.dose_curve(case.lens, [prompt], MULTIPLES, samples=2)
    return found["normalised_total_effect"].isel(prompt=0)


def scale(case: Case, prompt: Prompt) -> dict[tuple[object, ...], float]:
    found = sl.corruptions.noise_scale(case.lens, [prompt])
    return {("text",): found.text, ("speech",): found.speech}


def corruption(
    name: str,
    made: Callable[[Prompt], sl.Corruption],
    twin: Callable[[PlainModel, Prompt, Prompt, int], Edits],
    samples: int = 1,
) -> Row:
    """Tracing under a corruption; it is made of the prompt whose subject may stand in."""
    return Row(
        "causal_trace",
        NODE,
        lambda c, p, o: trace(c, p, made(o), samples),
        lambda m, p, o: slow.traced_each(
            m, p, ("resid_pre", "mlp_out"), [twin(m, p, o, sample) for sample in range(samples)]
        ),
        name,
    )


# ---- single runs ----------------------------------------------------------------------------------------------------

Verbs = Callable[[Prompt, Prompt], Sequence[sl.Intervention]]
RAMP = torch.linspace(-1, 1, 24, dtype=torch.float64)
SEVERED = sl.corrupt("subject", by=ZERO)


def ran(case: Case, prompt: Prompt, interventions: Sequence[sl.Intervention]) -> dict[tuple[object, ...], float]:
    logits = sl.run(case.lens, prompt, *interventions, samples=2).logits[:, -1]
    return {(sample, token): float(value) for sample, of in enumerate(logits) for token, value in enumerate(of)}


def turned(here: Tensor) -> Tensor:
    return 2 * here.flip(-1)


def single(verb: str, made: Verbs, twin: Callable[[PlainModel, Prompt, Prompt], Sequence[Edits]], of: str = "") -> Row:
    """A run with interventions."""
    return Row(
        verb, (), lambda c, p, o: ran(c, p, made(p, o)), lambda m, p, o: slow.last_logits(m, p, twin(m, p, o)), of
    )


def held(plain: PlainModel, prompt: Prompt, name: str, layer: int, positions: Sequence[int], clean: bool) -> Edits:
    """In the run without the subject, one activation as the clean run, or as this run, has it."""
    values = recorded(plain, prompt, None if clean else zeroed(prompt))[name, layer]
    return {**zeroed(prompt), (name, layer): slow.put(name, positions, None, lambda here: values[0, list(positions)])}


def frozen(plain: PlainModel, prompt: Prompt) -> Edits:
    """The subject's stream as in the clean run before block 1, and its MLP output of layer 2 as without the subject."""
    subject = list(prompt.subject.positions)
    return held(plain, prompt, "resid_pre", 1, subject, True) | held(plain, prompt, "mlp_out", 2, subject, False)


def swapped(plain: PlainModel, prompt: Prompt, other: Prompt) -> Edits:
    values, subject = recorded(plain, other)["v", 1], list(prompt.subject.positions)
    return {("v", 1): slow.put("v", subject, 1, lambda here: values[0, subject, 1])}


def constant(prompt: Prompt, point: tuple[str, int], head: int | None, change: Callable[[Tensor], Tensor]) -> Edits:
    """A change at the last token."""
    return {point: slow.put(point[0], [len(prompt) - 1], head, change)}


def resampled(prompt: Prompt, other: Prompt) -> sl.Intervention:
    return sl.ablate("mlp_out", 1, "subject", to="resample", reference=[other])


def resampled_edits(plain: PlainModel, prompt: Prompt, other: Prompt, sample: int) -> Edits:
    subject, label = list(prompt.subject.positions), resampled(prompt, other).label
    values = slow.drawn(slow.pool(plain, other, ("mlp_out", 1)), prompt, subject, sample, label)
    return {("mlp_out", 1): slow.put("mlp_out", subject, None, lambda here: values)}


VERBS = (
    single("run", lambda p, o: (), lambda m, p, o: [{}], "nothing changed"),
    single(
        "corrupt",
        lambda p, o: [sl.corrupt("subject")],
        lambda m, p, o: [slow.noised(m, p, words(), sample) for sample in range(2)],
    ),
    single(
        "restore",
        lambda p, o: [SEVERED, sl.restore("resid_mid", 1, "subject")],
        lambda m, p, o: [held(m, p, "resid_mid", 1, list(p.subject.positions), True)] * 2,
    ),
    single(
        "freeze",
        lambda p, o: [SEVERED, sl.restore("resid_pre", 1, "subject"), sl.freeze("mlp_out", 2, "subject")],
        lambda m, p, o: [frozen(m, p)] * 2,
    ),
    single("swap", lambda p, o: [sl.swap("v", 1, "subject", o, head=1)], lambda m, p, o: [swapped(m, p, o)]),
    single(
        "ablate",
        lambda p, o: [sl.ablate("z", 1, "last token", head=2)],
        lambda m, p, o: [constant(p, ("z", 1), 2, torch.zeros_like)],
        "zero",
    ),
    single(
        "ablate",
        lambda p, o: [sl.ablate("attn_out", 2, "last token", to="mean", reference=[o])],
        lambda m, p, o: [constant(p, ("attn_out", 2), None, lambda here: slow.pool(m, o, ("attn_out", 2)).mean(0))],
        "mean",
    ),
    single(
        "ablate",
        lambda p, o: [resampled(p, o)],
        lambda m, p, o: [resampled_edits(m, p, o, sample) for sample in range(2)],
        "resample",
    ),
    single(
        "replace_with",
        lambda p, o: [sl.replace_with("resid_mid", 1, "last token", RAMP)],
        lambda m, p, o: [constant(p, ("resid_mid", 1), None, lambda here: RAMP.expand_as(here))],
    ),
    single(
        "add",
        lambda p, o: [sl.add("resid_post", 1, "last token", RAMP)],
        lambda m, p, o: [constant(p, ("resid_post", 1), None, lambda here: here + RAMP)],
    ),
    single(
        "apply",
        lambda p, o: [sl.apply("q", 2, "last token", turned)],
        lambda m, p, o: [constant(p, ("q", 2), None, turned)],
    ),
)

# ---- what the model says --------------------------------------------------------------------------------------------


def spelt(text: str) -> dict[tuple[object, ...], float]:
    return {("letters",): float(len(text)), **{(place,): float(ord(letter)) for place, letter in enumerate(text)}}


def own(case: Case, prompt: Prompt) -> Prompt:
    return sl.studies.own_answers(case.lens, [prompt])[0]


def known(case: Case, prompt: Prompt) -> dict[tuple[object, ...], float]:
    """Whether it knows the answer, and what it says itself."""
    asked = ("answer", prompt), ("own answer", own(case, prompt))
    return {(name,): float(sl.known_prompts(case.lens, [one])[0]) for name, one in asked}


ROWS = (
    corruption("noise", lambda o: sl.Noise(), lambda m, p, o, sample: slow.noised(m, p, words(), sample), 2),
    corruption(
        "knocked out to the mean",
        lambda o: sl.corruptions.KnockOut("mean"),
        lambda m, p, o, sample: slow.averaged(m, p, words()),
    ),
    corruption(
        "resampled",
        lambda o: sl.corruptions.KnockOut("resample"),
        lambda m, p, o, sample: slow.resampled(m, p, words(), sample),
        2,
    ),
    corruption(
        "replaced",
        lambda o: sl.corruptions.Replacement(donors=(o,)),
        lambda m, p, o, sample: slow.replaced(m, p, o),
    ),
    Row(
        "activation_patch",
        NODE,
        lambda c, p, o: donate(c, p, o, "position"),
        lambda m, p, o: slow.given(m, p, o, ("resid_post", "v"), "position"),
        "donors by position",
    ),
    *(
        Row(
            "activation_patch",
            NODE,
            lambda c, p, o, pooling=pooling: donate(c, p, same_words(p), pooling),
            lambda m, p, o, pooling=pooling: slow.given(m, p, same_words(p), ("resid_post", "v"), pooling),
            f"donors of the other modality by {pooling}",
        )
        for pooling in POOLINGS
    ),
    Row(
        "dose_curve", ("multiple",), lambda c, p, o: dose(c, p), lambda m, p, o: slow.lost(m, p, words(), MULTIPLES, 2)
    ),
    Row("noise_scale", (), lambda c, p, o: scale(c, p), lambda m, p, o: slow.scales(m, p, words())),
    *VERBS,
    Row(
        "generate",
        (),
        lambda c, p, o: spelt(sl.generate(c.lens, p, *_steered(o), max_new_tokens=NEW_TOKENS)),
        lambda m, p, o: spelt(slow.continued(m, p, swapped(m, p, o), words(), NEW_TOKENS)),
    ),
    Row(
        "own_answers",
        (),
        lambda c, p, o: {("token",): float(own(c, p).answer_ids[0])},
        lambda m, p, o: {("token",): float(slow.likeliest(m, p, words()))},
    ),
    Row(
        "known_prompts",
        (),
        lambda c, p, o: known(c, p),
        lambda m, p, o: {
            ("answer",): float(slow.likeliest(m, p, words()) == p.answer_ids[0]),
            ("own answer",): 1.0,
        },
    ),
)


def _steered(other: Prompt) -> tuple[sl.Intervention, ...]:
    return (sl.swap("v", 1, "subject", other, head=1),)
