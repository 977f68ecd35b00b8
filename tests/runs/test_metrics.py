"""Metrics worked out by hand on logits whose softmax is simple."""

import math
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from spiritlens.runs.metrics import METRIC_NAMED, METRICS, Metric, Readings, given_metrics
from spiritlens.runs.scoring import scorers

CPU = torch.device("cpu")
PROBABILITIES = torch.tensor([[0.5, 0.25, 0.125, 0.125], [0.1, 0.2, 0.3, 0.4]], dtype=torch.float64)


def values(metrics, logits, answer=(1,), foil=(2,), text=(0, 1, 2), clean=None):
    (scorer,) = scorers(metrics, answer, foil, text, CPU)
    if clean is not None:
        scorer = scorer.with_clean(clean)
    return dict(zip(metrics, scorer(logits).T, strict=True))


def test_one_token() -> None:
    logits = PROBABILITIES.log()[:, None] + 3.0
    found = values(list(METRIC_NAMED), logits, clean=logits[:1])
    expected = {
        "probability": [0.25, 0.2],
        "log_probability": [math.log(0.25), math.log(0.2)],
        "logit": [math.log(0.25) + 3, math.log(0.2) + 3],
        "logit_difference": [math.log(2), math.log(2 / 3)],
        "log_probability_difference": [math.log(2), math.log(2 / 3)],
        "rank": [2, 3],
        "leaked_mass": [0.125, 0.4],
        "text_probability": [0.25 / 0.875, 0.2 / 0.6],
        "text_log_probability": [math.log(0.25 / 0.875), math.log(0.2 / 0.6)],
        "text_rank": [2, 2],
    }
    for name, wanted in expected.items():
        assert torch.allclose(found[name], torch.tensor(wanted, dtype=torch.float64), atol=1e-12), name
    kl = sum(p * math.log(p / q) for p, q in zip(PROBABILITIES[0].tolist(), PROBABILITIES[1].tolist(), strict=True))
    assert found["kl"].tolist() == pytest.approx([0, kl], abs=1e-12)
    one, other = PROBABILITIES[0, :3] / 0.875, PROBABILITIES[1, :3] / 0.6
    assert found["text_kl"].tolist() == pytest.approx([0, float((one * (one / other).log()).sum())], abs=1e-12)


def test_several_tokens_sum_their_log_probabilities() -> None:
    logits = PROBABILITIES.log()[None]
    found = values(["log_probability", "probability", "logit"], logits, answer=(1, 3), foil=(), text=(0, 1, 2, 3))
    assert float(found["log_probability"]) == pytest.approx(math.log(0.25 * 0.4))
    assert float(found["probability"]) == pytest.approx(0.1)
    assert float(found["logit"]) == pytest.approx(math.log(0.25))


def test_a_foil_of_another_length_takes_a_second_continuation() -> None:
    answer_part, foil_part = scorers(["log_probability_difference", "logit"], (1, 3), (2,), range(4), CPU)
    assert (answer_part.forced, foil_part.forced) == ((1,), ())
    answer = answer_part(PROBABILITIES.log()[None])
    foil = foil_part(PROBABILITIES[None, :1].log())
    assert (answer + foil)[0].tolist() == pytest.approx([math.log(0.25 * 0.4) - math.log(0.125), math.log(0.25)])


def test_bfloat16_is_widened_before_scoring() -> None:
    """The models hand over float32 or better; the scorer keeps that precision."""
    (scorer,) = scorers(["probability"], (1,), (), range(4), CPU)
    assert scorer(PROBABILITIES.float().log()[:, None]).dtype == torch.float32


REFUSED = {
    "empty answer": (["logit"], (), (2,)),
    "begin with the same token": (["logit_difference"], (1, 2), (1, 3)),
    "same tokens": (["log_probability_difference"], (1, 2), (1, 2)),
    "compares the answer with a foil": (["logit_difference"], (1,), ()),
    "metric 'loss' is unknown": (["loss"], (1,), ()),
    "did you mean 'probability'": (["probabillity"], (1,), ()),
    r"write \['logit'\] for one": ("logit", (1,), ()),
    "metrics is empty": ([], (1,), ()),
    "each once": (["logit", "logit"], (1,), ()),
    "no text": (["text_probability"], (3,), ()),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refusals(message: str) -> None:
    metrics, answer, foil = REFUSED[message]
    with pytest.raises(ValueError, match=message):
        scorers(metrics, answer, foil, (0, 1, 2), CPU)


def margin(logits, prompt):
    first = logits[:, 0].log_softmax(-1)
    return first[:, prompt.answer_ids[0]] - first.max(-1).values


def test_every_metric_says_its_sign_unit_and_words() -> None:
    assert list(METRIC_NAMED) == [metric.name for metric in METRICS]
    for metric in METRICS:
        assert metric.sign in (1, -1), metric.name
        assert metric.unit, metric.name
        assert metric.words, metric.name
        assert metric.identity == ""


def test_a_metric_of_the_users_is_a_function_of_logits_and_prompt() -> None:
    prompt = SimpleNamespace(answer_ids=(1,))
    (scorer,) = scorers(
        ("probability", Metric("margin", margin, unit="nats")), (1,), (), range(4), CPU, prompt=cast(Any, prompt)
    )
    found = scorer(PROBABILITIES.log()[:, None])
    assert scorer.names == ("probability", "margin")
    assert torch.allclose(found[:, 0], PROBABILITIES[:, 1])
    assert torch.allclose(found[:, 1], (PROBABILITIES[:, 1] / PROBABILITIES.max(-1).values).log())


def test_another_function_of_the_same_name_is_another_metric() -> None:
    one, same, other = (
        Metric("m", score)
        for score in (
            lambda logits, prompt: logits[:, 0, 0],
            lambda logits, prompt: logits[:, 0, 0],
            lambda logits, prompt: logits[:, 0, 1],
        )
    )
    assert one.identity == same.identity != other.identity


def test_a_function_is_told_by_what_it_holds_too() -> None:
    def at(place: int) -> Any:
        return lambda logits, prompt: logits[:, 0, place]

    def scored(logits: Any, prompt: Any, place: int = 0, scale: float = 1.0) -> Any:
        return scale * logits[:, 0, place]

    for one, same, other in (
        (at(0), at(0), at(1)),
        (partial(scored, place=0), partial(scored, place=0), partial(scored, place=1)),
        (partial(scored, scale=1.0), partial(scored, scale=1.0), scored),
    ):
        found = [Metric("m", score).identity for score in (one, same, other)]
        assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Metric("", margin), "the name is empty"),
        (lambda: Metric("m", "margin"), "expected a function of logits"),
        (lambda: Metric("m", margin, sign=0), "expected 1"),
        (lambda: given_metrics([Metric("rank", margin), "rank"]), "'rank' is there twice"),
        (lambda: given_metrics([margin]), "or a Metric"),
        (lambda: Metric("m", lambda logits, prompt: 3.0).values(readings()), "expected one number per row"),
        (lambda: Metric("m", lambda logits, prompt: logits).values(readings()), "expected one number per row"),
        (lambda: Metric("m", margin).values(readings(prompt=None)), "come without one"),
    ],
)
def test_a_metric_that_is_none_is_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def readings(prompt: object = SimpleNamespace(answer_ids=(1,))) -> Readings:
    return Readings(PROBABILITIES.log()[:, None], (1,), (), torch.arange(4), prompt=cast(Any, prompt))
