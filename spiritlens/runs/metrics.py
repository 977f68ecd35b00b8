"""Metrics: what is measured at the read-outs of a run, each with its sign, unit and words.

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

A metric of your own is a `Metric` with any function of logits and prompt, and is given wherever names are:

    def margin(logits, prompt):                                # [row readout d_vocab] → [row]
        first = logits[:, 0].log_softmax(-1)
        return first[:, prompt.answer_ids[0]] - first.max(-1).values

    sl.causal_trace(lens, prompts, metrics=("probability", sl.Metric("margin", margin, unit="nats")))

Source: Meng et al. 2022; Zhang & Nanda 2023 (arXiv 2309.16042) on the choice of metric.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from spiritlens.arguments import listed, shown, written
from spiritlens.prompts.prompt import Prompt

IdSet: TypeAlias = Literal["all", "text"]
ROWS_AT_ONCE = 8


class Readings:
    """Logits ``[row readout d_vocab]`` of one continuation and what they are read by.

    `answer` and `foil` are token ids, `clean` log-probabilities ``[d_vocab]`` of the clean run's next token (None: this
    is the clean run), `trained_ids` the ids that a rank is taken among (None: all). Log-normalisers are computed once
    for all metrics.
    """

    def __init__(
        self,
        logits: Tensor,
        answer: Sequence[int],
        foil: Sequence[int],
        text_ids: Tensor,
        trained_ids: Tensor | None = None,
        clean: Tensor | None = None,
        prompt: Prompt | None = None,
    ) -> None:
        self.logits, self.answer, self.foil = logits, tuple(answer), tuple(foil)
        self.text_ids, self.trained_ids, self.clean, self.prompt = text_ids, trained_ids, clean, prompt
        self._normalisers: dict[tuple[int, IdSet], Tensor] = {}

    @property
    def first(self) -> Tensor:
        """Logits ``[row d_vocab]`` of the first read-out."""
        return self.logits[:, 0]

    def normaliser(self, readout: int, over: IdSet) -> Tensor:
        """log Σ exp(logit) ``[row]`` over all ids or text ids; a few rows at a time stay in the processor's cache."""
        if (readout, over) not in self._normalisers:
            here = self.logits[:, readout]
            parts = [here[first : first + ROWS_AT_ONCE] for first in range(0, len(here), ROWS_AT_ONCE)]
            chosen = parts if over == "all" else [part[:, self.text_ids] for part in parts]
            self._normalisers[readout, over] = torch.cat([part.logsumexp(-1) for part in chosen])
        return self._normalisers[readout, over]

    def log_probability(self, targets: Sequence[int], over: IdSet = "all") -> Tensor:
        """Summed log-probability ``[row]`` of the targets, one per read-out."""
        total = torch.zeros_like(self.logits[:, 0, 0])
        for readout, target in enumerate(targets):
            total = total + self.logits[:, readout, target] - self.normaliser(readout, over)
        return total

    def rank(self, over: IdSet) -> Tensor:
        """Place ``[row]`` of the answer's first token: rows that no token trained never win."""
        ranked = self.trained_ids if over == "all" else self.text_ids
        others = self.first if ranked is None else self.first[:, ranked]
        return 1 + (others > self.first[:, self.answer[0], None]).sum(-1).to(self.first.dtype)

    def divergence(self, over: IdSet) -> Tensor:
        """Σ p log p − Σ p · logit + log-normaliser ``[row]``, with p the clean distribution."""
        if self.clean is None:
            return torch.zeros_like(self.first[:, 0])
        clean = self.clean if over == "all" else self.clean[self.text_ids].log_softmax(-1)
        found = self.first if over == "all" else self.first[:, self.text_ids]
        return (clean.exp() @ clean - found @ clean.exp() + self.normaliser(0, over)).clamp(min=0)

    def leaked_mass(self) -> Tensor:
        """Probability ``[row]`` that the next token is no text."""
        return -torch.expm1((self.normaliser(0, "text") - self.normaliser(0, "all")).clamp(max=0))


@dataclass(frozen=True)
class Metric:
    """What is measured of a run: `score` maps logits ``[row readout d_vocab]`` and the prompt to values ``[row]``.

    `sign` is +1 where larger means more recall, −1 where smaller does; `unit` and `words` go onto axes and captions.
    One that `needs_foil` wants prompts that have one (``prompt.foil_ids``); gradients are taken where it is `smooth`.
    It is scored on the continuation by the prompt's answer, whose read-out i predicts ``prompt.answer_ids[i]``.
    """

    name: str
    score: Callable[..., Tensor]
    sign: Literal[1, -1] = 1
    unit: str = ""
    words: str = ""
    needs_foil: bool = False
    smooth: bool = True

    def __post_init__(self) -> None:
        written("name", self.name)
        if not callable(self.score):
            raise ValueError(
                f"metric {self.name!r}: score={shown(self.score)}: expected a function of logits [row readout d_vocab] "
                "and prompt that gives one value per row"
            )
        if type(self.sign) is not int or self.sign not in (1, -1):
            raise ValueError(
                f"metric {self.name!r}: sign={shown(self.sign)}: expected 1 (larger means more recall) or -1 (less)"
            )
        for name in ("unit", "words"):
            written(name, getattr(self, name), blank="allowed")

    @property
    def identity(self) -> str:
        """What tells it from another function of the same name: a digest of its code and of the numbers and texts that
        it holds ("" for metrics of this module)."""
        return hashlib.sha256(repr(_said(self.score)).encode()).hexdigest()[:16]

    def problem(self, answer: Sequence[int], foil: Sequence[int], text_ids: Set[int]) -> str | None:
        """Why a prompt with this answer and foil cannot be scored, and the remedy; None where it can."""
        if self.needs_foil and not foil:
            return f"metric {self.name} compares the answer with a foil; give the prompt foil=… or drop the metric"
        return None

    def is_split(self, answer: Sequence[int], foil: Sequence[int]) -> bool:
        """Whether the foil is run as a continuation of its own."""
        return False

    def values(self, readings: Readings) -> Tensor:
        """The metric of every row ``[row]``."""
        if readings.prompt is None:
            raise ValueError(f"metric {self.name!r} reads the prompt, and these logits come without one")
        found = self.score(readings.logits, readings.prompt)
        rows = len(readings.logits)
        if not isinstance(found, Tensor) or found.shape != (rows,) or not found.is_floating_point():
            told = f"{tuple(found.shape)} of {found.dtype}" if isinstance(found, Tensor) else shown(found)
            raise ValueError(
                f"metric {self.name!r} gave {told} for logits {tuple(readings.logits.shape)}; expected one number per "
                f"row: a float tensor of shape ({rows},)"
            )
        return found.to(readings.logits.dtype)

    def answer_values(self, readings: Readings) -> Tensor:
        """The same where the foil is run as a continuation of its own, whose `foil_values` are added."""
        return self.values(readings)

    def foil_values(self, readings: Readings) -> Tensor:
        """What the foil's own continuation adds ``[row]``."""
        return torch.zeros_like(readings.logits[:, 0, 0])


@dataclass(frozen=True)
class _BuiltIn(Metric):
    """A metric of this module: its score takes the readings as they are."""

    @property
    def identity(self) -> str:
        return ""

    def values(self, readings: Readings) -> Tensor:
        return self.score(readings)


@dataclass(frozen=True)
class _OverText(_BuiltIn):
    """A metric over text ids only."""

    def problem(self, answer: Sequence[int], foil: Sequence[int], text_ids: Set[int]) -> str | None:
        foreign = [token for token in answer if token not in text_ids]
        if foreign:
            return f"the answer's token {foreign[0]} is no text: metrics over text ids (text_…) cannot score it"
        return None


@dataclass(frozen=True)
class _LogitDifference(_BuiltIn):
    """The first token of the answer against that of the foil."""

    def problem(self, answer: Sequence[int], foil: Sequence[int], text_ids: Set[int]) -> str | None:
        if foil and answer[0] == foil[0]:
            return (
                f"answer and foil begin with the same token ({answer[0]}), so their logit difference is always 0; "
                "use log_probability_difference or another foil"
            )
        return super().problem(answer, foil, text_ids)


@dataclass(frozen=True)
class _LogProbabilityDifference(_BuiltIn):
    """The whole answer against the whole foil, which may need a continuation of its own."""

    def problem(self, answer: Sequence[int], foil: Sequence[int], text_ids: Set[int]) -> str | None:
        if tuple(answer) == tuple(foil):
            return "answer and foil are the same tokens; give another foil"
        return super().problem(answer, foil, text_ids)

    def is_split(self, answer: Sequence[int], foil: Sequence[int]) -> bool:
        return tuple(answer[:-1]) != tuple(foil[:-1])

    def answer_values(self, readings: Readings) -> Tensor:
        return readings.log_probability(readings.answer)

    def foil_values(self, readings: Readings) -> Tensor:
        return -readings.log_probability(readings.foil)


def _said(value: Any) -> object:
    """A function as its code and what it closes over or takes by default, with no memory address in it; plain values as
    they are, others as their kinds."""
    if isinstance(value, partial):
        return [_said(each) for each in (value.func, *value.args, *sorted(value.keywords.items()))]
    if isinstance(value, (tuple, list)):
        return [_said(each) for each in value]
    if isinstance(value, frozenset):
        return sorted(repr(_said(each)) for each in value)
    code = value if hasattr(value, "co_consts") else getattr(value, "__code__", None)
    if code is None:
        return value if isinstance(value, (int, float, complex, str, bytes, type(None))) else repr(type(value))
    held = [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]
    defaults = getattr(value, "__defaults__", None) or ()
    by_name = sorted((getattr(value, "__kwdefaults__", None) or {}).items())
    return [code.co_code, code.co_names, *(_said(each) for each in (code.co_consts, held, defaults, by_name))]


METRICS: tuple[Metric, ...] = (
    _BuiltIn(
        "probability",
        lambda run: run.log_probability(run.answer).exp(),
        unit="probability",
        words="probability of the answer",
    ),
    _BuiltIn(
        "log_probability",
        lambda run: run.log_probability(run.answer),
        unit="nats",
        words="log-probability of the answer",
    ),
    _BuiltIn("logit", lambda run: run.first[:, run.answer[0]], unit="logits", words="logit of the answer"),
    _LogitDifference(
        "logit_difference",
        lambda run: run.first[:, run.answer[0]] - run.first[:, run.foil[0]],
        unit="logits",
        words="logit of the answer − logit of the foil",
        needs_foil=True,
    ),
    _LogProbabilityDifference(
        "log_probability_difference",
        lambda run: run.log_probability(run.answer) - run.log_probability(run.foil),
        unit="nats",
        words="log-probability of the answer − that of the foil",
        needs_foil=True,
    ),
    _BuiltIn("rank", lambda run: run.rank("all"), -1, "places", "rank of the answer", smooth=False),
    _BuiltIn("kl", lambda run: run.divergence("all"), -1, "nats", "KL divergence from the clean run", smooth=False),
    _BuiltIn(
        "leaked_mass",
        lambda run: run.leaked_mass(),
        -1,
        "probability",
        "probability of tokens that are not text",
        smooth=False,
    ),
    _OverText(
        "text_probability",
        lambda run: run.log_probability(run.answer, "text").exp(),
        unit="probability",
        words="probability of the answer among text tokens",
    ),
    _OverText(
        "text_log_probability",
        lambda run: run.log_probability(run.answer, "text"),
        unit="nats",
        words="log-probability of the answer among text tokens",
    ),
    _OverText(
        "text_rank", lambda run: run.rank("text"), -1, "places", "rank of the answer among text tokens", smooth=False
    ),
    _OverText(
        "text_kl",
        lambda run: run.divergence("text"),
        -1,
        "nats",
        "KL divergence from the clean run over text tokens",
        smooth=False,
    ),
)
"""The metrics of this module, in the order of the table above."""

METRIC_NAMED: Mapping[str, Metric] = {metric.name: metric for metric in METRICS}


def given_metrics(metrics: Iterable[str | Metric]) -> tuple[Metric, ...]:
    """The metrics as a tuple, read once; one text alone, none, unknown names and one named twice are refused."""
    found = tuple(_metric(place, given) for place, given in enumerate(listed("metrics", metrics)))
    names = tuple(metric.name for metric in found)
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"metrics {names}: {name!r} is there twice; name each once")
    return found


def _metric(place: int, given: object) -> Metric:
    if isinstance(given, Metric):
        return given
    if not isinstance(given, str):
        raise ValueError(
            f"metrics[{place}] is {shown(given)} ({type(given).__name__}): expected a str, the name of a metric, or a "
            "Metric(name, function of logits and prompt)"
        )
    if given not in METRIC_NAMED:
        close = get_close_matches(given, METRIC_NAMED, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ValueError(
            f"metric {given!r} is unknown: {hint}There are {', '.join(METRIC_NAMED)}; "
            "one of your own is given as a Metric"
        )
    return METRIC_NAMED[given]
