"""How often a comparison says something of models that recall nothing: random weights and untrained twins.

    python experiments/false_sentences.py --seeds 20

Each model is traced as a study traces (noise on the subject, whole roles restored, written prompts that end as the
spoken ones do) for what it happens to say to twelve prompts and their spoken twins, so that every "fact" is known by
construction. Then the sentences of the comparison are read: none may tell a difference, an equality or an agreement of
two modalities, nor the identity of a fact, but as often as a test of its level errs. Each model is compared alone, and
beside others of its kind as its own twins; in the probability, the log-probability and the KL divergence. *closed* are
comparisons of which nothing is told, and why is said.

Beside them stand two planted machines, to show that the count counts: one that is the same in writing and in speech, of
which no difference may be told, and one whose facts lie later in speech, of which one must.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import tyro
import xarray as xr

import spiritlens as sl
from spiritlens.models.random_weights import random_config, random_lens_model
from spiritlens.studies.pairs import AskedForm, pair_prompts
from spiritlens.terms import DEFAULT_VOICE

METRICS = ("probability", "log_probability", "kl")
N_TWINS = 5
CLAIMS: dict[str, str] = {
    "difference": r"[1-9]\d* of \d+ cells differ|(later|earlier|more|less) in (speech|writing)",
    "equality": r"equivalent within",
    "agreement": r"\bagree (closely|in part|weakly)",
    "fact identity": r"peculiar to the same fact",
}
"""What a sentence claims, by the words that it is told with."""
CLOSED = "closed"


@dataclass(frozen=True)
class Count:
    """How many comparisons of some models make a claim, with the models' seeds."""

    models: str
    metric: str
    beside: str
    claim: str
    seeds: tuple[int, ...]
    n: int

    def __str__(self) -> str:
        told = f" (seeds {', '.join(map(str, self.seeds))})" if self.seeds else ""
        return f"{self.models:28} {self.metric:16} {self.beside:12} {self.claim:14} {len(self.seeds)} of {self.n}{told}"


def claims_of(findings: Sequence[str]) -> tuple[str, ...]:
    """The claims that sentences make."""
    return tuple(claim for claim, words in CLAIMS.items() if any(re.search(words, one) for one in findings))


def random_model(seed: int, n_layers: int) -> sl.Lens:
    """A small Llama of random weights that reads the planted prompts."""
    vocabulary = sl.planted().lens.vocabulary
    model = random_lens_model(random_config(n_layers=n_layers, d_vocab=vocabulary.size), seed=seed).model
    return sl.Lens(model=model, vocabulary=vocabulary, name=f"random {seed}")


def traced(lens: sl.Lens, prompts: Sequence[sl.Prompt], samples: int, seed: int) -> xr.Dataset:
    """Effects by role of what the model says to the prompts."""
    grid = sl.Grid(("resid_pre", "mlp_out"), at="role")
    own = sl.studies.own_answers(lens, prompts)
    draws = sl.Draws(samples, seed)
    return sl.causal_trace(lens, own, grid, metrics=METRICS, samples=draws, progress="none")


def counted(
    models: str, effects: Mapping[int, xr.Dataset], claims: Sequence[str] = (*CLAIMS, CLOSED)
) -> Iterator[Count]:
    """The claims about each model by its seed: alone, and beside the next models as its twins."""
    for metric in METRICS:
        for beside in ("alone", "with twins") if len(effects) > 2 else ("alone",):
            told = {
                seed: _told(one, metric, _twins(effects, seed) if beside == "with twins" else ())
                for seed, one in effects.items()
            }
            for claim in claims:
                seeds = tuple(seed for seed, found in told.items() if claim in found)
                yield Count(models, metric, beside, claim, seeds, len(effects))


def _told(effects: xr.Dataset, metric: str, twins: Sequence[xr.Dataset]) -> tuple[str, ...]:
    found = sl.compare(effects, metric=metric, references=sl.comparison.References(twins=twins))
    return (*claims_of(found.findings), *([CLOSED] if found.closed else []))


def _twins(effects: Mapping[int, xr.Dataset], seed: int) -> list[xr.Dataset]:
    """The models after this one, in a circle."""
    order = list(effects)
    start = order.index(seed) + 1
    return [effects[other] for other in (order[start:] + order[: start - 1])[:N_TWINS]]


def embedded_prompts(lens: sl.Lens, n_facts: int) -> list[sl.Prompt]:
    """Facts of the embedded model, written with a final marker and spoken."""
    facts = [fact for fact in sl.load_facts() if fact.group == "both"][:n_facts]
    form = AskedForm(DEFAULT_VOICE)
    return [prompt for fact in facts for prompt in pair_prompts(lens, fact, form).prompts]


def counts(seeds: int, samples: int = 3, n_layers: int = 6, embedded: int = 0) -> Iterator[Count]:
    """All counts: of random models, of twins of the planted machine, of `embedded` twins of the embedded model."""
    machine = sl.planted()
    prompts = machine.prompts
    yield from counted(
        "random Llama", {seed: traced(random_model(seed, n_layers), prompts, samples, seed) for seed in range(seeds)}
    )
    twins = {
        seed: traced(sl.studies.untrained_twin(machine.lens, seed), prompts, samples, seed) for seed in range(seeds)
    }
    yield from counted("twin of the planted machine", twins)
    if embedded:
        lens = sl.load()
        own = embedded_prompts(lens, 12)
        some = {seed: traced(sl.studies.untrained_twin(lens, seed), own, samples, seed) for seed in range(embedded)}
        yield from counted("twin of the embedded model", some)
    for name in ("fact machine", "fact machine, speech later"):
        planted = sl.planted(name)
        yield from counted(name, {0: traced(planted.lens, planted.prompts, samples, 0)}, claims=("difference",))


def main(seeds: int = 20, samples: int = 3, n_layers: int = 6, embedded: int = 20) -> None:
    """Count the claims about models of `seeds` seeds each, and of `embedded` twins of the embedded model."""
    for one in counts(seeds, samples, n_layers, embedded):
        print(one, flush=True)


if __name__ == "__main__":
    tyro.cli(main)
