"""One run of a prompt with interventions, to look at: likeliest answers, metrics, effects.

1. The clean run. 2. With `corrupt` among the interventions, the corrupted run, once per noise sample. 3. The run with
all interventions. Each is one full pass of the model, so a user's own hooks take effect.

Signs: total effect = metric(clean) − metric(corrupted); effect = metric(run) − metric(corrupted) where there is a
corruption, else metric(run) − metric(clean); both times the metric's sign. A metric is taken per noise sample, then
averaged.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import torch
from torch import Tensor

from spiritlens.arguments import shown, told_keywords, whole
from spiritlens.components import STAGE, hook_name
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompt
from spiritlens.models.lens import Lens
from spiritlens.models.protocol import HookFunction, LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary
from spiritlens.runs.corruptions.corruption import corrupted_embeddings
from spiritlens.runs.corruptions.given import given_corruption
from spiritlens.runs.corruptions.noise import derived_seed, generator
from spiritlens.runs.interventions import Ablation, FromPrompt, FromRun, Intervention
from spiritlens.runs.likeliest import Over, Top, likeliest
from spiritlens.runs.metrics import BY_NAME
from spiritlens.runs.scoring import prompt_scorers
from spiritlens.runs.sweep.full_length import through_attn_out
from spiritlens.runs.sweep.recorded import RecordedRun, record, replaced_embeddings


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
        return BY_NAME[name].sign * difference

    def total_effect(self, name: str = "probability") -> float:
        """What the corruption takes away: metric(clean) − metric(corrupted), signed."""
        if self.corrupted is None:
            raise ValueError(
                "nothing is corrupted in this run, so it has no total effect; add sl.corrupt(prompt.subject)"
            )
        difference = float(self._of(self.clean, name).mean() - self._of(self.corrupted, name).mean())
        return BY_NAME[name].sign * difference

    @plain_torch
    def top(self, k: int = 5, over: Over = "full") -> Top:
        """The k likeliest next tokens, over all trained ids or text ids only; rows of padding never show."""
        return likeliest(self.logits[:, -1], self.vocabulary, k, over, self.prompt.answer_ids[0])

    def _of(self, values: Mapping[str, Tensor], name: str) -> Tensor:
        if not isinstance(name, str) or name not in values:
            close = get_close_matches(str(name), values, n=1)
            hint = f"did you mean {close[0]!r}? It" if close else "it"
            raise ValueError(f"this run has no metric {shown(name)}: {hint} has {', '.join(values)}")
        return values[name]

    def __repr__(self) -> str:
        title = f"Run of prompt {self.prompt.id}, answer '{self.prompt.answer}', "
        title += f"{self.n_samples} sample(s), seed {self.seed}"
        lines = [title, *(f"  {done.label}" for done in self.interventions)]
        columns = (
            ["clean"]
            + (["corrupted"] if self.corrupted is not None else [])
            + (["this run", "effect"] * bool(self.interventions))
        )
        lines.append(f"{'':<22}" + "".join(f"{column:>11}" for column in columns))
        for name in self.values:
            numbers = [float(self.clean[name].mean())]
            if self.corrupted is not None:
                numbers.append(float(self.corrupted[name].mean()))
            row = "".join(f"{number:>11.4f}" for number in numbers)
            if self.interventions:
                row += f"{self.metric(name):>11.4f}{self.effect_on(name):>+11.4f}"
            lines.append(f"{name:<22}{row}")
        if self.corrupted is not None and len(self.interventions) > 1:
            lines.append(f"effect {self.effect:+.4f} of a total effect of {self.total_effect():+.4f} (probability)")
        return "\n".join(lines)


@told_keywords
@plain_torch
def run(lens: Lens, prompt: Prompt, *interventions: Intervention, samples: int = 10, seed: int = 0) -> Run:
    """Run a prompt with interventions; without any, the clean run. See the module's docstring for signs.

    Returns a `Run`. Raises ValueError for interventions that do not fit the model or the prompt.
    """
    lens = given_lens(lens)
    prompt = given_prompt(lens, prompt)
    samples, seed = whole("samples", samples, at_least=1), whole("seed", seed, at_least=0)
    for place, done in enumerate(interventions):
        _check_intervention(lens, place, done)
    model = lens.backend
    placed = [_resolved(model, prompt, done.of_prompt(prompt)) for done in interventions]
    random = any(_is_random(done) for done in placed)
    count = samples if random else 1
    parts = prompt_scorers(lens, prompt, _metrics_of(lens, prompt))
    totals: dict[str, dict[str, Tensor]] = {}
    logits = torch.empty(0, dtype=torch.float32)
    for scorer in parts:
        runs = _three_runs(lens, prompt, placed, scorer.forced, count, seed)
        scorer = scorer.with_clean(runs["clean"][:, len(prompt.ids) - 1 :])
        for name, found in runs.items():
            values = scorer(found[:, len(prompt.ids) - 1 :])
            for column, metric in enumerate(scorer.names):
                totals.setdefault(name, {})[metric] = totals.get(name, {}).get(metric, 0) + values[:, column]
        if not len(logits):
            logits = runs["run"][:, : len(prompt.ids)]
    return Run(
        prompt,
        tuple(interventions),
        logits,
        totals["clean"],
        totals.get("corrupted"),
        totals["run"],
        lens.vocabulary,
        seed,
    )


def _check_intervention(lens: Lens, place: int, done: object) -> None:
    """Interventions only, whose other prompts belong to this lens too."""
    if not isinstance(done, Intervention):
        several = isinstance(done, (list, tuple, Iterator))
        remedy = "put a * before several" if several else "corrupt, restore, freeze, swap and ablate make one"
        raise ValueError(
            f"interventions[{place}] is {shown(done)} ({type(done).__name__}): expected an Intervention; {remedy}"
        )
    value = done.value
    if isinstance(value, FromPrompt):
        given_prompt(lens, value.donor, "donor")
    others = (*getattr(value, "reference", ()), *getattr(value, "donors", ()))
    for number, other in enumerate(others):
        given_prompt(lens, other, f"{'reference' if isinstance(value, Ablation) else 'donors'}[{number}]")


def _resolved(model: LensModel, prompt: Prompt, done: Intervention) -> Intervention:
    """The intervention with its positions counted from the start, sorted; a swap's donor positions stay with theirs."""
    done.check_vocabulary(prompt)
    n_positions = len(prompt.ids)
    site = done.site.resolved(n_positions, model.n_layers, model.n_heads, model.n_kv_heads)
    value = done.value
    own = [position % n_positions for position in done.site.positions]
    if isinstance(value, FromPrompt) and 1 < len(value.positions) == len(own):
        if len(site.positions) < len(own):
            raise ValueError(f"'{done.label}' puts two values into one position; name each position of the site once")
        value = FromPrompt(value.donor, tuple(taken for _, taken in sorted(zip(own, value.positions, strict=True))))
    return Intervention(site, value, done.label)


def _metrics_of(lens: Lens, prompt: Prompt) -> tuple[str, ...]:
    names = ["probability", "log_probability", "logit", "rank"]
    if set(prompt.answer_ids) <= set(lens.vocabulary.text_ids.tolist()):
        names += ["text_probability", "text_rank"]
    if prompt.foil_ids and prompt.foil_ids[0] != prompt.answer_ids[0]:
        names.append("logit_difference")
    return tuple(names)


def _is_random(done: Intervention) -> bool:
    return done.site.component == "embed" or (isinstance(done.value, Ablation) and done.value.to == "resample")


def _three_runs(
    lens: Lens, prompt: Prompt, placed: Sequence[Intervention], forced: Sequence[int], samples: int, seed: int
) -> dict[str, Tensor]:
    """Logits ``[sample pos d_vocab]`` of the "clean", (if any) the "corrupted", and this "run"."""
    model = lens.backend
    tokens = torch.tensor([[*prompt.ids, *forced]], device=model.device)
    inner = [done for done in placed if done.site.component != "embed"]
    names = [hook_name(done.site.component, done.site.layer) for done in inner]
    embeddings = _embeddings(lens, prompt, placed, forced, samples, seed)
    logits = {"clean": _full_logits(model, tokens, None, ())}
    recorded = {"clean": record(model, tokens, None, names), "corrupted": record(model, tokens, embeddings, names)}
    if embeddings is not None:
        logits["corrupted"] = _full_logits(model, tokens, embeddings, ())
    hooks: list[tuple[str, HookFunction]] = []
    for done in sorted(inner, key=lambda done: (done.site.layer, STAGE[done.site.component])):
        values = _value(lens, prompt, done, recorded, samples, seed)
        patch = _placing(done, values)
        if done.site.component == "resid_mid":
            hooks.extend(through_attn_out(done.site.layer, patch))
        else:
            hooks.append((hook_name(done.site.component, done.site.layer), patch))
    logits["run"] = _full_logits(model, tokens.expand(samples, -1), embeddings, hooks)
    return logits


def _full_logits(
    model: LensModel, tokens: Tensor, embeddings: Tensor | None, hooks: Sequence[tuple[str, HookFunction]]
) -> Tensor:
    """Logits ``[sample pos d_vocab]`` of a full pass with replaced embeddings and hooks."""
    batch = tokens if embeddings is None else tokens[:1].expand(len(embeddings), -1)
    with torch.no_grad(), replaced_embeddings(model, embeddings), model.hooked(hooks):
        logits: Tensor = model.forward(batch)
    return logits


def _embeddings(
    lens: Lens, prompt: Prompt, placed: Sequence[Intervention], forced: Sequence[int], samples: int, seed: int
) -> Tensor | None:
    """Embeddings of the corrupted run; several corruptions change their own spans, each with numbers of its own."""
    result: Tensor | None = None
    for order, done in enumerate(done for done in placed if done.site.component == "embed"):
        if isinstance(done.value, (FromRun, FromPrompt, Ablation)):
            raise ValueError(
                f"'{done.label}': embeddings are changed by corrupt(...); other verbs take inner components"
            )
        new = corrupted_embeddings(
            lens,
            prompt,
            given_corruption(lens, done.value, prompt, done.site.positions, f"the corruption of '{done.label}'"),
            positions=done.site.positions,
            samples=samples,
            seed=derived_seed(seed, f"corruption {order}") if order else seed,
            forced=forced,
        )
        if result is None:
            result = new
        else:
            result[:, list(done.site.positions)] = new[:, list(done.site.positions)]
    return result


def _value(
    lens: Lens,
    prompt: Prompt,
    done: Intervention,
    recorded: Mapping[str, RecordedRun],
    samples: int,
    seed: int,
) -> Tensor:
    """Values ``[sample or 1, position, …]`` that an intervention puts in."""
    site, value, model = done.site, done.value, lens.backend
    name = hook_name(site.component, site.layer)
    positions = list(site.positions)
    if isinstance(value, FromRun):
        if value.run == "corrupted" and recorded["corrupted"].embeddings is None:
            raise ValueError(
                f"'{done.label}' needs a corrupted run; add sl.corrupt(prompt.subject), or freeze to='clean'"
            )
        return recorded[value.run].values[name][:, positions]
    if isinstance(value, FromPrompt):
        _check_donor(value)
        return _clean_values(model, value.donor, name)[:, list(value.positions)]
    if not isinstance(value, Ablation):
        raise ValueError(f"'{done.label}': corruptions act on embeddings; use ablate, swap, restore or freeze here")
    here = recorded["clean"].values[name][:, positions]
    if value.to == "zero":
        return torch.zeros_like(here)
    pool = torch.cat([_clean_values(model, other, name)[0, _not_bos(other)] for other in value.reference or (prompt,)])
    if value.to == "mean":
        return pool.mean(0).expand(1, len(positions), *pool.shape[1:])
    drawn = [
        torch.randint(len(pool), (len(positions),), generator=generator(seed, prompt.id, sample, done.label))
        for sample in range(samples)
    ]
    return pool[torch.stack(drawn).to(pool.device)]


def _clean_values(model: LensModel, prompt: Prompt, name: str) -> Tensor:
    return record(model, prompt.tokens, None, [name]).values[name]


def _not_bos(prompt: Prompt) -> list[int]:
    return [position for position, family in enumerate(prompt.families) if family != "bos"]


def _check_donor(value: FromPrompt) -> None:
    outside = [position for position in value.positions if not -len(value.donor.ids) <= position < len(value.donor.ids)]
    if outside:
        raise ValueError(
            f"the donor has {len(value.donor.ids)} tokens; it has no position {outside[0]} (give donor_at=…)"
        )


def _placing(done: Intervention, values: Tensor) -> HookFunction:
    """A hook that puts the values at the site's positions (and head) of every row."""
    positions, head = list(done.site.positions), done.site.head

    def place(activation: Tensor) -> Tensor:
        changed = activation.clone()
        if head is None:
            changed[:, positions] = values.to(changed.dtype)
        else:
            changed[:, positions, head] = values[..., head, :].to(changed.dtype)
        return changed

    return place
