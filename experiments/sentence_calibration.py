"""How often a comparison says what is not so, counted on simulated effects and on models of random weights.

    python experiments/sentence_calibration.py --trials 200 --models 20

Facts are drawn from a planted mechanism: a profile over roles and layers for either modality, a size and a map of each
fact's own (which may be the same in both modalities), and noise. Laws without anything to be found:

nothing      the corruption costs nothing on average: no sentence but that may be made
same         one mechanism in both modalities: no difference may be told
strangers    facts have maps of their own in both modalities, of other facts: no fact identity may be told
random       models of random weights, which know nothing: neither difference nor agreement may be told

and, beside them, mechanisms that are to be told: the same facts (identity), a shift by three layers, another place.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

import spiritlens as sl
from spiritlens.comparison.result import Comparison
from spiritlens.effects.making import EffectAxes, EffectValues, MetricColumn, new_effects
from spiritlens.terms import ROLES

Array = np.ndarray
LAYERS, COMPONENTS = 12, ("resid_pre", "mlp_out")
SUBJECT, AFTER, READ = (ROLES.index(role) for role in ("subject", "after subject", "final marker"))

DIFFERENCES = ("more in speech", "less in speech", "later in speech", "earlier in speech")
AGREEMENTS = ("and agree closely", "and agree in part", "and agree weakly")
IDENTITY = "is peculiar to the same fact"


@dataclass(frozen=True)
class Law:
    """How facts are drawn: what the corruption costs on average, and standard deviations in shares of it."""

    total: float = 0.7
    spread: float = 0.15
    size: float = 0.2
    own: float = 0.1
    noise: float = 0.05
    facts: int = 24
    relations: int = 8
    whose: str = "own"


def curve(peak: float, width: float = 1.5) -> Array:
    """A bump over layers [layer]."""
    return np.exp(-0.5 * ((np.arange(LAYERS) - peak) / width) ** 2)


def rise(start: float) -> Array:
    """0 before the start, then up to 1 [layer]."""
    return np.clip((np.arange(LAYERS) - start) / 2, 0, 1)


def mechanism(subject: float = 3.0, passes: float = 7.0, to: int = READ) -> Array:
    """A profile [component role layer]: the residual stream falls at the subject as it rises at another role; the MLPs
    at the subject work around a layer."""
    profile = np.zeros((len(COMPONENTS), len(ROLES), LAYERS))
    profile[0, SUBJECT], profile[0, to] = 1 - rise(passes), rise(passes)
    profile[1, SUBJECT] = 0.8 * curve(subject)
    return profile


def simulated(
    rng: np.random.Generator,
    first: Array | None = None,
    second: Array | None = None,
    law: Law = Law(),
    metrics: tuple[str, ...] = ("probability",),
) -> xr.Dataset:
    """Effects of facts, written and spoken, whose maps are those of `first` and `second`."""
    first = mechanism() if first is None else first
    profiles = [first, first if second is None else second]
    shape = (law.facts, *first.shape)
    own = law.own * rng.normal(size=shape)
    sizes = 1 + law.size * rng.normal(size=(law.facts, 1, 1, 1))
    order = np.arange(law.facts) if law.whose == "own" else rng.permutation(law.facts)
    totals, shares = [], []
    for profile, whose in zip(profiles, (np.arange(law.facts), order), strict=True):
        totals.append(law.total + law.spread * rng.normal(size=law.facts))
        shares.append(sizes[whose] * profile + own[whose] + law.noise * rng.normal(size=shape))
    total = np.stack(totals, axis=1).reshape(-1)  # written, spoken, written …
    share = np.stack(shares, axis=1).reshape(-1, *first.shape).swapaxes(2, 3)
    scale = law.total if law.total else 0.3
    corrupted = np.full((len(total), 1, len(metrics)), 0.1)
    restored = corrupted[:, None, None, None] + (scale * share)[..., None, None]
    shown = np.broadcast_to(restored, (*share.shape, 1, len(metrics)))
    return new_effects(
        EffectValues(
            clean=0.1 + np.repeat(total[:, None], len(metrics), axis=1),
            corrupted=corrupted,
            restored=shown,
            status=np.zeros(share.shape, dtype=np.int8),
            noise_floor=np.full((len(total), len(metrics)), 1e-9),
        ),
        EffectAxes(
            components=COMPONENTS,
            layers=range(LAYERS),
            metrics=tuple(MetricColumn(name, 1) for name in metrics),
            prompts=_prompts(law),
            sites={"role": ROLES, "n_tokens": np.ones((len(total), len(ROLES)), dtype=np.int64)},
            at="role",
        ),
    )


def _prompts(law: Law) -> dict[str, list]:
    rows = [(fact, kind) for fact in range(law.facts) for kind in ("T2T", "S2T")]
    names = {"fact_id": "fact {}", "subject": "subject {}", "answer": "answer {}"}
    return {
        "prompt_id": [f"{fact}-{kind}" for fact, kind in rows],
        **{name: [text.format(fact) for fact, _ in rows] for name, text in names.items()},
        "relation": [f"relation {fact % law.relations}" for fact, _ in rows],
        "modality": [kind for _, kind in rows],
        "phrasing": ["0"] * len(rows),
        "voice": ["one voice" if kind == "S2T" else "" for _, kind in rows],
        "group": ["both"] * len(rows),
        "known": [1] * len(rows),
    }


def told(comparison: Comparison) -> str:
    """All sentences as one text."""
    return " ".join(comparison.findings)


def claims(comparison: Comparison) -> dict[str, bool]:
    """What is claimed, by kind."""
    text, closed = told(comparison), bool(comparison.closed)
    shifts = [one.verdict for each in comparison.components for one in each.judged.values()]
    return {
        "a difference": any(words in text for words in DIFFERENCES),
        "a difference of total effects": not closed and comparison.total_judged.verdict == "different",
        "a difference of cells": not closed and comparison.n_different > 0,
        "a shift": not closed and "different" in shifts,
        "agreement": any(words in text for words in AGREEMENTS),
        "identity": IDENTITY in text,
        "anything": not closed,
    }


def in_two_metrics(rng: np.random.Generator) -> xr.Dataset:
    """One mechanism in both modalities, in a second metric with noise of its own."""
    effects = simulated(rng, metrics=("probability", "logit_difference"))
    for name, size in (("clean", 0.1), ("restored", 0.03)):
        second = effects[name].copy(deep=True)
        chosen = second.sel(metric="logit_difference")
        chosen.values[...] += size * rng.normal(size=chosen.shape)
        effects = effects.assign({name: second})
    return effects


LAWS: dict[str, tuple[Callable[[np.random.Generator], xr.Dataset], tuple[str, ...]]] = {
    "nothing": (
        lambda rng: simulated(rng, 0 * mechanism(), law=Law(total=0.0, spread=0.3, whose="a stranger's")),
        ("a difference", "agreement", "identity"),
    ),
    "same": (
        lambda rng: simulated(rng),
        ("a difference", "a difference of total effects", "a difference of cells", "a shift", "agreement"),
    ),
    "same, in two metrics": (
        lambda rng: in_two_metrics(rng),
        ("a difference", "a difference of total effects", "a difference of cells", "a shift"),
    ),
    "strangers": (lambda rng: simulated(rng, law=Law(whose="a stranger's")), ("identity",)),
    "the same facts": (lambda rng: simulated(rng), ("identity",)),
    "three layers later": (lambda rng: simulated(rng, second=mechanism(subject=6.0)), ("a shift",)),
    "another place": (lambda rng: simulated(rng, second=mechanism(passes=3.0)), ("a difference of cells",)),
}
"""Each law, and the claims that are counted under it."""


@dataclass(frozen=True)
class Count:
    """In how many of so many trials a claim was made."""

    law: str
    claim: str
    made: int
    trials: int


def counted(law: str, trials: int, seed: int = 0) -> Iterator[Count]:
    """The claims of one law."""
    drawn, counts = LAWS[law]
    rng = np.random.default_rng([seed, len(law)])
    found = [claims(sl.compare(drawn(rng), resamples=200, permutations=200, seed=trial)) for trial in range(trials)]
    for claim in counts:
        yield Count(law, claim, sum(one[claim] for one in found), trials)


def random_effects(seed: int, metrics: tuple[str, ...] = ("probability", "logit", "kl")) -> xr.Dataset:
    """Effects in a model of random weights, of the planted machine's prompts; each counts as known."""
    import torch

    from spiritlens.models.hooked_transformer.conversion import hooked_transformer
    from spiritlens.models.random_weights import random_config, random_weights

    machine = sl.planted()
    config = random_config(n_layers=6, d_vocab=machine.lens.backend.d_vocab)
    weights = random_weights(config, seed, torch.float64)
    lens = sl.Lens(hooked_transformer(weights, config, torch.float64), machine.lens.vocabulary)
    grid = sl.Grid(("resid_pre", "mlp_out", "attn_out"), at="role")
    effects = sl.causal_trace(lens, machine.prompts, grid, metrics=metrics, samples=2, progress="none")
    return effects.assign_coords(known=("prompt", np.ones(effects.sizes["prompt"], dtype=np.int64)))


def counted_models(models: int) -> Iterator[Count]:
    """Claims about models of random weights: in each metric, and with others as twins."""
    every = [random_effects(seed) for seed in range(models)]
    for metric in ("probability", "logit", "kl"):
        found = [claims(sl.compare(one, metric=metric, resamples=200, permutations=200)) for one in every]
        alone = [claims(sl.compare(one.sel(metric=[metric]), resamples=200, permutations=200)) for one in every]
        for claim in ("a difference", "agreement", "identity"):
            yield Count(f"random weights, {metric}", claim, sum(one[claim] for one in found), models)
            yield Count(f"random weights, {metric} alone", claim, sum(one[claim] for one in alone), models)


def main(trials: int, models: int) -> None:
    """Print all counts."""
    counts = [each for law in LAWS for each in counted(law, trials)]
    if models:
        counts += list(counted_models(models))
    for one in counts:
        print(f"{one.law:<36}{one.claim:<34}{one.made:>5} of {one.trials}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--models", type=int, default=20)
    given = parser.parse_args()
    main(given.trials, given.models)
