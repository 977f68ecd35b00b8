"""Metrics: what is measured at the read-outs of a run, with a declared sign.

Axes: logits ``[row readout d_vocab]`` → values ``[row metric]``. Read-out 0 is the prompt's last position; an answer
of n tokens is *teacher-forced*: its first n − 1 tokens follow the prompt, and read-out i predicts token i.

==========================  ====  ================================================================================
name                        sign  meaning
==========================  ====  ================================================================================
probability                 +1    probability of the whole answer: product over its tokens
log_probability             +1    its natural logarithm, in nats
logit                       +1    logit of the answer's first token
logit_difference            +1    logit of the answer's first token − that of the foil's first token
log_probability_difference  +1    log_probability of the whole answer − that of the whole foil, each teacher-forced
rank                        −1    place of the answer's first token among all trained ids, 1 is the likeliest
kl                          −1    KL divergence of the clean next-token distribution from this one, in nats
leaked_mass                 −1    probability of the next token being no text (unit, marker, special, padding)
==========================  ====  ================================================================================

``text_probability``, ``text_log_probability``, ``text_rank`` and ``text_kl`` are the same over text ids only, where the
others take the full vocabulary. Everything is computed in float32 or better.

Source: Meng et al. 2022; Zhang & Nanda 2023 (arXiv 2309.16042) on the choice of metric.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from spiritlens.arguments import listed
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.shapes import checked

SIGNS: Mapping[str, int] = {
    "probability": 1,
    "log_probability": 1,
    "logit": 1,
    "logit_difference": 1,
    "log_probability_difference": 1,
    "rank": -1,
    "kl": -1,
    "leaked_mass": -1,
    "text_probability": 1,
    "text_log_probability": 1,
    "text_rank": -1,
    "text_kl": -1,
}
"""Every metric with its sign: +1 where larger means more recall, −1 where smaller does."""

Over: TypeAlias = Literal["all", "text"]
ROWS_AT_ONCE = 8
NEED_FOIL = ("logit_difference", "log_probability_difference")


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores logits of one teacher-forced continuation.

    `forced` are the tokens that follow the prompt, `targets` what each read-out should predict. A foil of several
    tokens needs a second continuation; its scorer has `part` "foil" and gives what is to be *added* to the answer's
    values.
    """

    metrics: tuple[str, ...]
    answer: tuple[int, ...]
    foil: tuple[int, ...]
    text_ids: Tensor
    trained_ids: Tensor | None = None
    clean: Tensor | None = None
    part: str = "all"
    """all: one continuation serves all; answer, foil: the two halves of log_probability_difference come from two."""

    @property
    def targets(self) -> tuple[int, ...]:
        return self.foil if self.part == "foil" else self.answer

    @property
    def forced(self) -> tuple[int, ...]:
        return self.targets[:-1]

    @property
    def n_readouts(self) -> int:
        return len(self.targets)

    def with_clean(self, logits: Tensor) -> "Scorer":
        """The same scorer, KL being taken from these clean logits ``[1 readout d_vocab]``."""
        clean = logits[0, 0].log_softmax(-1)
        return replace(self, clean=clean)

    @checked
    def __call__(self, logits: Float[Tensor, "row readout d_vocab"]) -> Float[Tensor, "row metric"]:
        """Values of the logits at the read-outs."""
        readings = _Readings(logits, self.text_ids)
        if self.part == "foil":
            foil = readings.log_probability(self.foil, "all")
            columns = [
                -foil if name == "log_probability_difference" else torch.zeros_like(foil) for name in self.metrics
            ]
            return torch.stack(columns, dim=-1)
        return torch.stack([self._value(name, readings) for name in self.metrics], dim=-1)

    def _value(self, name: str, readings: "_Readings") -> Tensor:
        over: Over = "text" if name.startswith("text_") else "all"
        first = readings.logits[:, 0]
        match name.removeprefix("text_"):
            case "probability":
                return readings.log_probability(self.answer, over).exp()
            case "log_probability":
                return readings.log_probability(self.answer, over)
            case "logit":
                return first[:, self.answer[0]]
            case "logit_difference":
                return first[:, self.answer[0]] - first[:, self.foil[0]]
            case "log_probability_difference":
                answer = readings.log_probability(self.answer, "all")
                return answer if self.part == "answer" else answer - readings.log_probability(self.foil, "all")
            case "rank":
                return 1 + (self._ranked(first, over) > first[:, self.answer[0], None]).sum(-1).to(first.dtype)
            case "kl":
                return self._kl(readings, over)
            case "leaked_mass":
                return -torch.expm1((readings.normaliser(0, "text") - readings.normaliser(0, "all")).clamp(max=0))
        raise ValueError(f"metric {name!r} is unknown; one of {', '.join(SIGNS)}")

    def _ranked(self, logits: Tensor, over: Over) -> Tensor:
        """Logits of the ids that a rank is taken among: rows that no token trained never win."""
        if over == "text":
            return logits[:, self.text_ids]
        return logits if self.trained_ids is None else logits[:, self.trained_ids]

    def _kl(self, readings: "_Readings", over: Over) -> Tensor:
        """Σ p log p − Σ p · logit + log-normaliser, with p the clean distribution."""
        first = readings.logits[:, 0]
        if self.clean is None:
            return torch.zeros_like(first[:, 0])
        clean = self.clean if over == "all" else self.clean[self.text_ids].log_softmax(-1)
        found = first if over == "all" else first[:, self.text_ids]
        return (clean.exp() @ clean - found @ clean.exp() + readings.normaliser(0, over)).clamp(min=0)


class _Readings:
    """Logits ``[row readout d_vocab]``, with log-normalisers that are computed once for all metrics."""

    def __init__(self, logits: Tensor, text_ids: Tensor) -> None:
        self.logits, self.text_ids = logits, text_ids
        self._normalisers: dict[tuple[int, Over], Tensor] = {}

    def normaliser(self, readout: int, over: Over) -> Tensor:
        """log Σ exp(logit) ``[row]`` over all ids or text ids; a few rows at a time stay in the processor's cache."""
        if (readout, over) not in self._normalisers:
            here = self.logits[:, readout]
            parts = [here[first : first + ROWS_AT_ONCE] for first in range(0, len(here), ROWS_AT_ONCE)]
            chosen = parts if over == "all" else [part[:, self.text_ids] for part in parts]
            self._normalisers[readout, over] = torch.cat([part.logsumexp(-1) for part in chosen])
        return self._normalisers[readout, over]

    def log_probability(self, targets: Sequence[int], over: Over) -> Tensor:
        """Summed log-probability ``[row]`` of the targets, one per read-out."""
        total = torch.zeros_like(self.logits[:, 0, 0])
        for readout, target in enumerate(targets):
            total = total + self.logits[:, readout, target] - self.normaliser(readout, over)
        return total


def given_metrics(metrics: Iterable[str]) -> tuple[str, ...]:
    """The names as a tuple, read once; one text alone, none, unknown ones and one named twice are refused."""
    names = listed("metrics", metrics, of=str)
    for name in names:
        if name not in SIGNS:
            close = get_close_matches(name, SIGNS, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ValueError(f"metric {name!r} is unknown: {hint}There are {', '.join(SIGNS)}")
        if names.count(name) > 1:
            raise ValueError(f"metrics {names}: {name!r} is there twice; name each once")
    return names


def prompt_scorers(lens: Lens, prompt: Prompt, metrics: Sequence[str]) -> tuple[Scorer, ...]:
    """The scorers of a prompt under a lens's vocabulary."""
    vocabulary = lens.vocabulary
    return scorers(
        metrics,
        prompt.answer_ids,
        prompt.foil_ids,
        vocabulary.text_ids.tolist(),
        lens.backend.device,
        trained_ids=vocabulary.trained_ids.tolist(),
    )


def scorers(
    metrics: Sequence[str],
    answer: Sequence[int],
    foil: Sequence[int],
    text_ids: Sequence[int],
    device: torch.device,
    trained_ids: Sequence[int] | None = None,
) -> tuple[Scorer, ...]:
    """The scorers of a prompt, one per continuation to run; refuses metrics that the prompt cannot serve.

    Ranks are taken among `trained_ids` (None: all).
    """
    names, answer, foil = given_metrics(metrics), tuple(answer), tuple(foil)
    if not answer:
        raise ValueError("the prompt has an empty answer; give it one when it is built")
    missing = [name for name in names if name in NEED_FOIL and not foil]
    if missing:
        raise ValueError(
            f"metric {missing[0]} compares the answer with a foil; give the prompt foil=… or drop the metric"
        )
    if "logit_difference" in names and answer[0] == foil[0]:
        raise ValueError(
            f"answer and foil begin with the same token ({answer[0]}), so their logit difference is always 0; "
            "use log_probability_difference or another foil"
        )
    if "log_probability_difference" in names and answer == foil:
        raise ValueError("answer and foil are the same tokens; give another foil")
    text = {int(token) for token in text_ids}
    foreign = [token for token in answer if token not in text]
    if foreign and any(name.startswith("text_") for name in names):
        raise ValueError(f"the answer's token {foreign[0]} is no text: metrics over text ids (text_…) cannot score it")
    ids = torch.tensor(list(text_ids), device=device)
    trained = None if trained_ids is None else torch.tensor(list(trained_ids), device=device)
    if "log_probability_difference" in names and answer[:-1] != foil[:-1]:
        return tuple(Scorer(names, answer, foil, ids, trained, None, part) for part in ("answer", "foil"))
    return (Scorer(names, answer, foil, ids, trained),)
