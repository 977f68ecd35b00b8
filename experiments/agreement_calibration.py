"""How often the statistics of agreement err, counted on simulated facts whose truth is known.

    python experiments/agreement_calibration.py --trials 400

Each row of the table is a property, what it should be, and what was counted. Laws: facts have a map of their own (noise
over cells that falls off smoothly over layers), may carry part of it into both modalities, may come in subjects of
several facts, and may be of very unequal size (lognormal).
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spiritlens.comparison.agreement import population_agreement
from spiritlens.comparison.equivalence import judge_mean
from spiritlens.comparison.fact_identity import fact_identity
from spiritlens.comparison.fact_maps import FactMaps, fact_maps

LAYERS, ROLES = 16, 4


@dataclass(frozen=True)
class Row:
    """A counted share, beside the one that is promised; `rule` says on which side of it the count must lie."""

    what: str
    setting: str
    promised: float
    rule: str
    counted: float


def true_maps(correlation: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two maps [cell] of variance 1 whose correlation over cells is exactly this."""
    first, other = _smooth(rng.normal(size=(2, ROLES, LAYERS))).reshape(2, -1)
    first = (first - first.mean()) / first.std()
    other = other - other.mean() - first * (first @ other) / (first @ first)
    return first, correlation * first + np.sqrt(1 - correlation**2) * other / other.std()


def simulated(
    rng: np.random.Generator,
    *,
    correlation: float,
    reliability: float,
    facts: int,
    shared: float = 0.0,
    per_subject: int = 1,
    spread: float = 0.0,
) -> FactMaps:
    """Maps of facts: the true map times the fact's size, and the fact's own map, of which `shared` is in both.

    `reliability` is that of the mean map of `facts` facts; `spread` is the standard deviation of the logarithm of
    sizes; facts of one subject share half of their own map's variance.
    """
    own, subjects = np.sqrt(facts * (1 / reliability - 1)), np.arange(facts) // per_subject
    common, one, other = (_own_maps(rng, subjects) for _ in range(3))
    sizes = rng.lognormal(-(spread**2) / 2, spread, size=(facts, 1))
    first, second = true_maps(correlation, rng)
    noise = [np.sqrt(shared) * common + np.sqrt(1 - shared) * each for each in (one, other)]
    return fact_maps(sizes * first + own * noise[0], sizes * second + own * noise[1], subjects)


def _own_maps(rng: np.random.Generator, subjects: np.ndarray) -> np.ndarray:
    """Noise [fact cell] of variance 1, half of it the subject's where subjects have several facts."""
    noise = _smooth(rng.normal(size=(2, len(subjects), ROLES, LAYERS))).reshape(2, len(subjects), -1)
    if len(set(subjects.tolist())) == len(subjects):
        return noise[0]
    return (noise[0] + noise[1][subjects]) / np.sqrt(2)


def _smooth(noise: np.ndarray) -> np.ndarray:
    """Noise whose neighbouring layers go together; its variance stays 1."""
    return (noise + np.roll(noise, 1, axis=-1) + np.roll(noise, 2, axis=-1)) / np.sqrt(3)


def coverage_of_agreement(trials: int, seed: int, **law: float) -> tuple[float, float, float]:
    """Shares of trials whose interval holds the true r, that have an interval, and that say closely."""
    rng = np.random.default_rng(seed)
    found = [population_agreement(simulated(rng, **law)) for _ in range(trials)]
    told = [one for one in found if not one.why]
    held = sum(one.low <= law["correlation"] <= one.high for one in told) / max(1, len(told))
    return held, len(told) / trials, sum(one.strength == "closely" for one in found) / trials


def identity_found(
    trials: int, seed: int, *, shared: float, facts: int, relations: int = 1, per_subject: int = 1
) -> float:
    """Share of trials with p ≤ 0.05 for facts whose own maps have this share in common; with several relations, facts
    of a relation have a map in common as well, and the test is made within them."""
    rng = np.random.default_rng(seed)
    found = 0
    for _ in range(trials):
        maps = simulated(rng, correlation=0.9, reliability=0.8, facts=facts, shared=shared, per_subject=per_subject)
        kinds = np.arange(facts) // per_subject % relations
        of_kind = 3 * _smooth(rng.normal(size=(relations, ROLES, LAYERS))).reshape(relations, -1)[kinds]
        within = kinds if relations > 1 else None
        together = FactMaps(maps.first + of_kind, maps.second + of_kind, maps.clusters)
        found += fact_identity(together, within=within, permutations=499, seed=seed).p <= 0.05
    return found / trials


def judged(trials: int, seed: int, *, true: float, margin: float, facts: int, law: str, verdict: str) -> float:
    """Share of trials in which a mean difference of this true size and standard deviation 1 is judged so."""
    rng = np.random.default_rng(seed)
    draws = {
        "normal": lambda: rng.normal(size=facts),
        "lognormal": lambda: (rng.lognormal(0, 1, size=facts) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e),
    }
    found = [judge_mean(true + draws[law](), np.arange(facts), margin=margin).verdict for _ in range(trials)]
    return found.count(verdict) / trials


def rows(trials: int, seed: int = 0) -> Iterator[Row]:
    """All counts, one property after the other."""
    for facts, reliability, shared, per_subject in (
        (8, 0.95, 0.0, 1),
        (8, 0.7, 0.7, 1),
        (16, 0.7, 0.0, 1),
        (16, 0.7, 0.7, 1),
        (40, 0.8, 0.7, 1),
        (48, 0.8, 0.5, 3),
    ):
        for correlation in (1.0, 0.9, 0.5, 0.0):
            law = {"correlation": correlation, "reliability": reliability, "facts": facts, "shared": shared}
            held, _, closely = coverage_of_agreement(trials, seed, per_subject=per_subject, **law)
            setting = (
                f"{facts} facts, {per_subject} a subject, reliability {reliability}, shared {shared}, r {correlation}"
            )
            yield Row("interval of r holds r", setting, 0.95, "at least", held)
            if correlation <= 0.5:
                yield Row("closely is said", setting, 0.05, "at most", closely)
    for facts, relations, per_subject in ((6, 1, 1), (24, 1, 1), (48, 1, 2), (36, 3, 1)):
        setting = f"{facts} facts, {per_subject} a subject, {relations} relations"
        law = {"facts": facts, "relations": relations, "per_subject": per_subject}
        yield Row("identity of strangers", setting, 0.05, "at most", identity_found(trials, seed, shared=0.0, **law))
        yield Row("identity of a tenth", setting, 0.0, "at least", identity_found(trials, seed, shared=0.1, **law))
    for law in ("normal", "lognormal"):
        for facts in (8, 16, 24, 100):
            setting, given = f"{facts} facts, {law}", {"facts": facts, "law": law}
            alike = judged(trials, seed, true=0.0, margin=1e-9, verdict="different", **given)
            yield Row("different, of no difference", setting, 0.05, "at most", alike)
            for side in (-0.5, 0.5):
                wrong = judged(trials, seed, true=side, margin=0.5, verdict="equivalent", **given)
                yield Row(f"equivalent within 0.5, of {side:+}", setting, 0.05, "at most", wrong)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for row in rows(given.trials, given.seed):
        print(f"{row.what:32} {row.setting:62} {row.rule} {row.promised:.2f}: {row.counted:.3f}", flush=True)


if __name__ == "__main__":
    main()
