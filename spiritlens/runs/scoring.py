"""Scoring: the metrics of a prompt at the read-outs of its runs, one `Scorer` per continuation that is run.

An answer is teacher-forced: its tokens but the last follow the prompt. `log_probability_difference` needs a second
continuation where answer and foil do not begin alike; values of the two are added.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.metrics import Metric, Readings, given_metrics
from spiritlens.shapes import checked


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores logits of one teacher-forced continuation.

    `forced` are the tokens that follow the prompt, `targets` what each read-out should predict. A foil of several
    tokens needs a second continuation; its scorer has `part` "foil" and gives what is to be *added* to the answer's
    values.
    """

    metrics: tuple[Metric, ...]
    answer: tuple[int, ...]
    foil: tuple[int, ...]
    text_ids: Tensor
    trained_ids: Tensor | None = None
    prompt: Prompt | None = None
    part: Literal["all", "answer", "foil"] = "all"
    """all: one continuation serves all; answer, foil: the two halves of log_probability_difference come from two."""
    clean: Tensor | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the metrics."""
        return tuple(metric.name for metric in self.metrics)

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
        readings = Readings(logits, self.answer, self.foil, self.text_ids, self.trained_ids, self.clean, self.prompt)
        return torch.stack([self._values(metric, readings) for metric in self.metrics], dim=-1)

    def total(self, metric: int) -> Callable[[Tensor], Tensor]:
        """What gradients are taken of: a metric, by its number, of logits ``[row pos d_vocab]``, summed over rows."""
        return lambda logits: self(logits[:, -self.n_readouts :])[:, metric].sum()

    def _values(self, metric: Metric, readings: Readings) -> Tensor:
        if self.part == "foil":
            return metric.foil_values(readings)
        return metric.answer_values(readings) if self.part == "answer" else metric.values(readings)


def prompt_scorers(lens: Lens, prompt: Prompt, metrics: Sequence[str | Metric]) -> tuple[Scorer, ...]:
    """The scorers of a prompt under a lens's vocabulary."""
    vocabulary = lens.vocabulary
    return scorers(
        metrics,
        prompt.answer_ids,
        prompt.foil_ids,
        vocabulary.text_ids.tolist(),
        lens.backend.device,
        trained_ids=vocabulary.trained_ids.tolist(),
        prompt=prompt,
    )


def scorers(
    metrics: Sequence[str | Metric],
    answer: Sequence[int],
    foil: Sequence[int],
    text_ids: Sequence[int],
    device: torch.device,
    *,
    trained_ids: Sequence[int] | None = None,
    prompt: Prompt | None = None,
) -> tuple[Scorer, ...]:
    """The scorers of a prompt, one per continuation to run; refuses metrics that the prompt cannot serve.

    Ranks are taken among `trained_ids` (None: all); `prompt` is what metrics of the user's read.
    """
    found, answer, foil = given_metrics(metrics), tuple(answer), tuple(foil)
    if not answer:
        raise ValueError("the prompt has an empty answer; give it one when it is built")
    text = {int(token) for token in text_ids}
    for metric in found:
        problem = metric.problem(answer, foil, text)
        if problem is not None:
            raise ValueError(problem)
    ids = torch.tensor(list(text_ids), device=device)
    trained = None if trained_ids is None else torch.tensor(list(trained_ids), device=device)
    if any(metric.is_split(answer, foil) for metric in found):
        parts: tuple[Literal["answer", "foil"], ...] = ("answer", "foil")
        return tuple(Scorer(found, answer, foil, ids, trained, prompt, part) for part in parts)
    return (Scorer(found, answer, foil, ids, trained, prompt),)
