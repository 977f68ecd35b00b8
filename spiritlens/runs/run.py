"""One run of a prompt with interventions, to look at: likeliest answers, metrics, effects.

1. The clean run. 2. With `corrupt` among the interventions, the corrupted run, once per noise sample. 3. The run with
all interventions. Each is one full pass of the model, so a user's own hooks take effect.

Signs: total effect = metric(clean) − metric(corrupted); effect = metric(run) − metric(corrupted) where there is a
corruption, else metric(run) − metric(clean); both times the metric's sign. A metric is taken per noise sample, then
averaged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import torch
from torch import Tensor

from spiritlens.arguments import shown, told_keywords, whole
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompt
from spiritlens.models.lens import Lens
from spiritlens.models.protocol import HookFunction, LensModel
from spiritlens.out_of_memory import joined, of_slices
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary
from spiritlens.runs.interventions import Intervention
from spiritlens.runs.likeliest import Over, Top, likeliest
from spiritlens.runs.metrics import METRIC_NAMED
from spiritlens.runs.placing import corrupted_of, given_interventions, inner_hooks, is_random
from spiritlens.runs.scoring import Scorer, prompt_scorers
from spiritlens.runs.sweep.recorded import replaced_embeddings
from spiritlens.text_tables import text_table


@dataclass(frozen=True, eq=False)
class Run:
    """A run with its logits ``[sample pos d_vocab]`` and, per metric, values of the clean, corrupted and this run."""

    prompt: Prompt
    interventions: tuple[Intervention, ...]
    logits: Tensor
    clean: Mapping[str, Tensor]
    corrupted: Mapping[str, Tensor] | None
    values: Mapping[str, Tensor]
    vocabulary: Vocabulary
    seed: int

    @property
    def n_samples(self) -> int:
        """Noise samples of this run (1 where nothing is random)."""
        return int(self.logits.shape[0])

    def metric(self, name: str = "probability") -> float:
        """The metric's mean over noise samples."""
        return float(self._of(self.values, name).mean())

    @property
    def effect(self) -> float:
        """Effect on the probability: against the corrupted run, or against the clean run where nothing is corrupted."""
        return self.effect_on("probability")

    def effect_on(self, name: str) -> float:
        """Effect on a metric, signed so that positive means more recall."""
        baseline = self.clean if self.corrupted is None else self.corrupted
        difference = self.metric(name) - float(self._of(baseline, name).mean())
        return METRIC_NAMED[name].sign * difference

    def total_effect(self, name: str = "probability") -> float:
        """What the corruption takes away: metric(clean) − metric(corrupted), signed."""
        if self.corrupted is None:
            raise ValueError(
                "nothing is corrupted in this run, so it has no total effect; add sl.corrupt(prompt.subject)"
            )
        difference = float(self._of(self.clean, name).mean() - self._of(self.corrupted, name).mean())
        return METRIC_NAMED[name].sign * difference

    @plain_torch
    def top(self, k: int = 5, over: Over = "full") -> Top:
        """The k likeliest next tokens, over all trained ids or text ids only; rows of padding never show."""
        return likeliest(self.logits[:, -1], self.vocabulary, k, over, next(iter(self.prompt.answer_ids), None))

    def _of(self, values: Mapping[str, Tensor], name: str) -> Tensor:
        if not values:
            raise ValueError("this run has no metrics, for its prompt has no answer; give answer=… when it is built")
        if not isinstance(name, str) or name not in values:
            close = get_close_matches(str(name), values, n=1)
            hint = f"did you mean {close[0]!r}? It" if close else "it"
            raise ValueError(f"this run has no metric {shown(name)}: {hint} has {', '.join(values)}")
        return values[name]

    def __repr__(self) -> str:
        asked = f", answer '{self.prompt.answer}'" if self.prompt.answer_ids else ""
        title = f"Run of prompt {self.prompt.id}{asked}, {self.n_samples} sample(s), seed {self.seed}"
        lines = [title, *(f"  {intervention.label}" for intervention in self.interventions)]
        if not self.values:
            return "\n".join(lines)
        header = ["", "clean", *["corrupted"] * (self.corrupted is not None)]
        rows = [[*header, *["this run", "effect"] * bool(self.interventions)]]
        for name in self.values:
            baselines = [self.clean] if self.corrupted is None else [self.clean, self.corrupted]
            rows.append([name, *(f"{float(values[name].mean()):.4f}" for values in baselines)])
            if self.interventions:
                rows[-1] += [f"{self.metric(name):.4f}", f"{self.effect_on(name):+.4f}"]
        lines.append(text_table(rows, right=range(1, len(rows[0]))))
        if self.corrupted is not None and len(self.interventions) > 1:
            lines.append(f"effect {self.effect:+.4f} of a total effect of {self.total_effect():+.4f} (probability)")
        return "\n".join(lines)


@told_keywords
@plain_torch
def run(lens: Lens, prompt: Prompt, *interventions: Intervention, samples: int = 10, seed: int = 0) -> Run:
    """Run a prompt with interventions; without any, the clean run. See the module's docstring for signs.

    A prompt without an answer has no metrics; its likeliest next tokens, `Run.top`, are there all the same. Returns a
    `Run`. Raises ValueError for interventions that do not fit the model or the prompt.
    """
    lens = given_lens(lens)
    prompt = given_prompt(lens, prompt)
    samples, seed = whole("samples", samples, at_least=1), whole("seed", seed, at_least=0)
    placed = given_interventions(lens, prompt, interventions)
    count = samples if any(map(is_random, placed)) else 1
    scorers = prompt_scorers(lens, prompt, _metrics_of(lens, prompt)) if prompt.answer_ids else ()
    continuations = [scorer.forced for scorer in scorers] or [()]
    runs = [_three_runs(lens, prompt, placed, forced, count, seed) for forced in continuations]
    totals = _totals(prompt, scorers, runs)
    return Run(
        prompt,
        tuple(interventions),
        runs[0]["run"][:, : len(prompt.ids)],
        totals["clean"],
        totals.get("corrupted"),
        totals["run"],
        lens.vocabulary,
        seed,
    )


def _totals(
    prompt: Prompt, scorers: Sequence[Scorer], runs: Sequence[Mapping[str, Tensor]]
) -> dict[str, dict[str, Tensor]]:
    """Metrics ``[sample]`` of each run, summed over continuations; none without an answer."""
    totals: dict[str, dict[str, Tensor]] = {name: {} for name in runs[0]}
    for scorer, of_continuation in zip(scorers, runs, strict=False):
        readouts = {name: logits[:, len(prompt.ids) - 1 :] for name, logits in of_continuation.items()}
        scorer = scorer.with_clean(readouts["clean"])
        for name, logits in readouts.items():
            values = scorer(logits)
            for column, metric in enumerate(scorer.names):
                totals[name][metric] = totals[name].get(metric, 0) + values[:, column]
    return totals


def _metrics_of(lens: Lens, prompt: Prompt) -> tuple[str, ...]:
    names = ["probability", "log_probability", "logit", "rank"]
    if set(prompt.answer_ids) <= set(lens.vocabulary.text_ids.tolist()):
        names += ["text_probability", "text_rank"]
    if prompt.foil_ids and prompt.foil_ids[0] != prompt.answer_ids[0]:
        names.append("logit_difference")
    return tuple(names)


def _three_runs(
    lens: Lens, prompt: Prompt, placed: Sequence[Intervention], forced: Sequence[int], samples: int, seed: int
) -> dict[str, Tensor]:
    """Logits ``[sample pos d_vocab]`` of the "clean", (if any) the "corrupted", and this "run"."""
    model = lens.backend
    tokens = torch.tensor([[*prompt.ids, *forced]], device=model.device)
    embeddings = corrupted_of(lens, prompt, placed, forced, samples, seed)
    logits = {"clean": _full_logits(model, tokens, None, ())}
    hooks = inner_hooks(model, prompt, placed, (tokens, embeddings), samples, seed)
    if embeddings is not None:
        logits["corrupted"] = _full_logits(model, tokens, embeddings, ())
    logits["run"] = _full_logits(model, tokens.expand(samples, -1), embeddings, hooks)
    return logits


def _full_logits(
    model: LensModel, tokens: Tensor, embeddings: Tensor | None, hooks: Sequence[tuple[str, HookFunction]]
) -> Tensor:
    """Logits ``[sample pos d_vocab]`` of a full pass with replaced embeddings and hooks."""
    batch = tokens if embeddings is None else tokens[:1].expand(len(embeddings), -1)

    def of_rows(rows: slice) -> Tensor:
        some = None if embeddings is None else embeddings[rows]
        placed = [(name, _on_rows(function, rows, len(batch))) for name, function in hooks]
        with torch.no_grad(), replaced_embeddings(model, some), model.hooked(placed):
            return model.forward(batch[rows])

    return joined(of_slices(len(batch), of_rows))


def _on_rows(function: HookFunction, rows: slice, n_rows: int) -> HookFunction:
    """A hook that was made for all rows, where some of them run."""

    def on_some(activation: Tensor) -> Tensor:
        whole = activation.new_zeros(n_rows, *activation.shape[1:])
        whole[rows] = activation
        return function(whole)[rows]

    return function if rows == slice(0, n_rows) else on_some
