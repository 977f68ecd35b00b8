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
rank                        −1    place of the answer's first token among all ids, 1 is the likeliest
kl                          −1    KL divergence of the clean next-token distribution from this one, in nats
leaked_mass                 −1    probability of the next token being no text (unit, marker, special, padding)
==========================  ====  ================================================================================

``text_probability``, ``text_log_probability``, ``text_rank`` and ``text_kl`` are the same over text ids only, where the
others take the full vocabulary. Everything is computed in float32 or better.

Source: Meng et al. 2022; Zhang & Nanda 2023 (arXiv 2309.16042) on the choice of metric.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

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
        return Scorer(self.metrics, self.answer, self.foil, self.text_ids, clean, self.part)

    @checked
    def __call__(self, logits: Float[Tensor, "row readout d_vocab"]) -> Float[Tensor, "row metric"]:
        """Values ``[row metric]`` of logits ``[row readout d_vocab]``."""
        if self.part == "foil":
            foil = _log_probability(logits, self.foil, None)
            columns = [
                -foil if name == "log_probability_difference" else torch.zeros_like(foil) for name in self.metrics
            ]
            return torch.stack(columns, dim=-1)
        return torch.stack([self._value(name, logits) for name in self.metrics], dim=-1)

    def _value(self, name: str, logits: Tensor) -> Tensor:
        text = self.text_ids if name.startswith("text_") else None
        first = logits[:, 0]
        match name.removeprefix("text_"):
            case "probability":
                return _log_probability(logits, self.answer, text).exp()
            case "log_probability":
                return _log_probability(logits, self.answer, text)
            case "logit":
                return first[:, self.answer[0]]
            case "logit_difference":
                return first[:, self.answer[0]] - first[:, self.foil[0]]
            case "log_probability_difference":
                answer = _log_probability(logits, self.answer, None)
                return answer if self.part == "answer" else answer - _log_probability(logits, self.foil, None)
            case "rank":
                among = first if text is None else first[:, text]
                return 1 + (among > first[:, self.answer[0], None]).sum(-1).to(first.dtype)
            case "kl":
                return self._kl(first, text)
            case "leaked_mass":
                inside = first[:, self.text_ids].logsumexp(-1) - first.logsumexp(-1)
                return -torch.expm1(inside.clamp(max=0))
        raise ValueError(f"metric {name!r} is unknown; one of {', '.join(SIGNS)}")

    def _kl(self, logits: Tensor, text: Tensor | None) -> Tensor:
        if self.clean is None:
            return torch.zeros_like(logits[:, 0])
        clean = self.clean if text is None else self.clean[text].log_softmax(-1)
        found = (logits if text is None else logits[:, text]).log_softmax(-1)
        return (clean.exp() * (clean - found)).sum(-1).clamp(min=0)


def _log_probability(logits: Tensor, targets: Sequence[int], among: Tensor | None) -> Tensor:
    """Summed log-probability ``[row]`` of the targets at the read-outs, over all ids or `among` some."""
    total = torch.zeros_like(logits[:, 0, 0])
    for readout, target in enumerate(targets):
        here = logits[:, readout]
        total = total + here[:, target] - (here if among is None else here[:, among]).logsumexp(-1)
    return total


def scorers(
    metrics: Sequence[str], answer: Sequence[int], foil: Sequence[int], text_ids: Sequence[int], device: torch.device
) -> tuple[Scorer, ...]:
    """The scorers of a prompt, one per continuation to run; refuses metrics that the prompt cannot serve."""
    names, answer, foil = tuple(metrics), tuple(answer), tuple(foil)
    unknown = [name for name in names if name not in SIGNS]
    if unknown or not names or len(set(names)) != len(names):
        raise ValueError(f"metrics {names}: name one or more, each once, of {', '.join(SIGNS)}")
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
    if "log_probability_difference" in names and answer[:-1] != foil[:-1]:
        return tuple(Scorer(names, answer, foil, ids, None, part) for part in ("answer", "foil"))
    return (Scorer(names, answer, foil, ids),)
