"""Do intervals and tests keep their promise? Coverage and type-I errors of all that comparisons give, on known laws.

`python experiments/calibration.py --trials 4000` takes a few minutes on two cores and prints the tables of
docs/calibration.md. Nothing is traced here: facts are drawn from laws whose means are known.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import tyro

from spiritlens.comparison.equivalence import judge_cells
from spiritlens.comparison.estimates import judged_mean
from spiritlens.comparison.rules import Rules
from spiritlens.comparison.shifts import centres
from spiritlens.effects.intervals import cluster_interval, jackknife_interval, left_out_means
from spiritlens.effects.sign_flips import max_t, simultaneous_interval

SUBJECTS = (8, 16, 24, 40, 100)
CELLS = 30
FLIPS = 199
RULES = Rules()
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


@dataclass(frozen=True)
class Law:
    """What one subject brings: `draw` of a shape, its mean, and the spread of facts of one subject (none: one fact)."""

    name: str
    draw: Draw
    mean: float
    spread: float | None = None


def lognormal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.lognormal(0, 1, shape)


def some_of(share: float, law: Draw) -> Draw:
    """The law in a share of the facts, 0 in the others."""
    return lambda rng, shape: (rng.random(shape) < share) * law(rng, shape)


LAWS = (
    Law("normal", lambda rng, shape: rng.normal(0.3, 1, shape), 0.3),
    Law("lognormal", lognormal, float(np.exp(0.5))),
    Law("bounded: beta(½, 2)", lambda rng, shape: rng.beta(0.5, 2, shape), 0.2),
    Law("sparse: a fifth carries all", some_of(0.2, lambda rng, shape: rng.uniform(0.5, 1, shape)), 0.15),
    Law("tied: 60 % at 0, lognormal", some_of(0.4, lognormal), 0.4 * float(np.exp(0.5))),
    Law("sparse differences of either sign", some_of(0.2, lambda rng, shape: rng.normal(0, 1, shape)), 0.0),
    Law("1, 3, 5, 7 facts a subject, normal", lambda rng, shape: rng.normal(0.3, 1, shape), 0.3, 0.5),
    Law("1, 3, 5, 7 facts a subject, lognormal", lognormal, float(np.exp(0.5)), 0.3),
)


def facts_of(law: Law, subjects: int, cells: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Values [fact cell] and the subject of each fact."""
    own = law.draw(rng, (subjects, cells))
    if law.spread is None:
        return own, np.arange(subjects)
    labels = np.repeat(np.arange(subjects), np.arange(subjects) % 4 * 2 + 1)
    return own[labels] + rng.normal(0, law.spread, (len(labels), cells)), labels


def coverage(law: Law, subjects: int, trials: int, seed: int) -> tuple[float, float]:
    """How often the interval holds the mean, and how often there is one."""
    values, labels = facts_of(law, subjects, trials, np.random.default_rng([seed, subjects]))
    found = cluster_interval(values, labels)
    given = found.missing == ""
    holds = (found.low <= law.mean) & (law.mean <= found.high)
    return float(holds[given].mean()) if given.any() else float("nan"), float(given.mean())


DELTA = 0.5
"""The margin of equivalence, in standard deviations of a fact."""


def equivalence_errors(law: Law, subjects: int, trials: int, seed: int) -> tuple[float, float]:
    """How often a mean of exactly −δ or δ is said to be equivalent within δ, whichever is more; how often one of 0."""
    spread = float(facts_of(law, 20_000, 1, np.random.default_rng(1))[0].std())
    values, labels = facts_of(law, subjects, trials, np.random.default_rng([seed, subjects, 1]))
    said = [
        judge_cells(values - law.mean + at * DELTA * spread, labels, np.ones(trials), margin=DELTA * spread)
        .verdict.tolist()
        .count("equivalent")
        for at in (-1, 1, 0)
    ]
    return max(said[:2]) / trials, said[2] / trials


def differences_told(law: Law, subjects: int, trials: int, seed: int) -> tuple[float, float]:
    """How often a mean difference of two measurements of a law is told, where there is none, and where it is a standard
    deviation of theirs."""
    rng = np.random.default_rng([seed, subjects, 2])
    told = [0, 0]
    for _ in range(trials):
        first, labels = facts_of(law, subjects, 1, rng)
        apart = (first - facts_of(law, subjects, 1, rng)[0])[:, 0]
        for place, shift in enumerate((0.0, float(apart.std()))):
            names = labels.astype(np.str_)
            told[place] += judged_mean(apart + shift, (names,), RULES, margin=1e-9, floor=0.0).verdict == "different"
    return told[0] / trials, told[1] / trials


def paired(rng: np.random.Generator, subjects: int) -> tuple[np.ndarray, np.ndarray]:
    """Differences of two measurements of one normal law; the cells of a fact are correlated."""
    return rng.normal(size=(subjects, CELLS)) + rng.normal(size=(subjects, 1)), np.arange(subjects)


def clustered(rng: np.random.Generator, subjects: int) -> tuple[np.ndarray, np.ndarray]:
    """Subjects of 1, 3, 5 and 7 facts that have much in common."""
    return facts_of(Law("", lambda rng, shape: rng.normal(0, 1, shape), 0, 0.5), subjects, CELLS, rng)


def skewed(rng: np.random.Generator, subjects: int) -> tuple[np.ndarray, np.ndarray]:
    """Differences of two measurements of one lognormal law, of facts that differ in strength by another."""
    strength = lognormal(rng, (subjects, 1))
    return strength * (lognormal(rng, (subjects, CELLS)) - lognormal(rng, (subjects, CELLS))), np.arange(subjects)


def asymmetric(rng: np.random.Generator, subjects: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean 0 by a skewed law: no null of the sign-flip test, which is of symmetry."""
    return rng.exponential(1, (subjects, CELLS)) - 1, np.arange(subjects)


NULLS = (paired, clustered, skewed, asymmetric)


def cell_errors(
    null: Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]], subjects: int, trials: int, seed: int
) -> tuple[float, float]:
    """How often max-T finds a cell, and how often the interval of the largest cell for all at once misses 0."""
    found = missed = 0
    for trial in range(trials):
        values, labels = null(np.random.default_rng([seed, subjects, trial]), subjects)
        found += bool(max_t(values, labels, permutations=FLIPS, seed=trial).p_value.min() <= 0.05)
        low, high = simultaneous_interval(values, labels, permutations=FLIPS, seed=trial)
        largest = int(np.abs(values.mean(axis=0)).argmax())
        missed += bool(low[largest] > 0 or high[largest] < 0)
    return found / trials, missed / trials


def shift_errors(strength: float, subjects: int, trials: int, seed: int) -> tuple[float, float]:
    """Centre of mass of a bump, 0.7 strong in writing: misses of no shift, and power to find one of a layer."""
    layers, found = np.arange(32), []
    for shift in (0.0, 1.0):
        hits = 0
        for trial in range(trials):
            rng = np.random.default_rng([seed, subjects, trial])
            rows = []
            for power, at in ((0.7, 8.0), (strength, 8.0 + shift)):
                bump = np.exp(-0.5 * ((layers - at) / 2) ** 2) * power * rng.lognormal(0, 0.5, (subjects, 1))
                noisy = bump + rng.normal(0, 0.03, (subjects, 32))
                rows.append(centres(left_out_means(noisy, np.arange(subjects), subjects), layers))
            low, high = jackknife_interval(rows[1] - rows[0], np.ones(subjects))
            hits += bool(low > 0 or high < 0)
        found.append(hits / trials)
    return found[0], found[1]


def tables(trials: int, seed: int) -> Iterator[str]:
    """Lines of the tables, as they stand in the docs."""
    head = " | ".join(f"{subjects}" for subjects in SUBJECTS)
    rule = "---|" * (len(SUBJECTS) + 1)
    yield f"| law, subjects | {head} |"
    yield f"|{rule}"
    every = []
    for law in LAWS:
        found = [coverage(law, subjects, trials, seed) for subjects in SUBJECTS]
        every += [holds for holds, _ in found]
        cells = (f"{holds:.3f}" + ("" if given > 0.995 else f" ({given:.0%} given)") for holds, given in found)
        yield f"| {law.name} | {' | '.join(cells)} |"
    yield ""
    yield f"Mean {np.mean(every):.3f}, least {np.min(every):.3f}."
    yield ""
    yield f"| null, subjects: found (missed by the largest cell's interval) | {head} |"
    yield f"|{rule}"
    for null in NULLS:
        errors = [cell_errors(null, subjects, max(trials // 8, 10), seed) for subjects in SUBJECTS]
        yield f"| {null.__name__} | {' | '.join(f'{found:.3f} ({missed:.3f})' for found, missed in errors)} |"
    yield ""
    for title, counted, fewer in (
        ("law, subjects: equivalent, of exactly δ (of 0)", equivalence_errors, 4),
        ("law, subjects: different, of one law (of a standard deviation)", differences_told, 16),
    ):
        yield f"| {title} | {head} |"
        yield f"|{rule}"
        for law in LAWS:
            errors = [counted(law, subjects, max(trials // fewer, 10), seed) for subjects in SUBJECTS]
            yield f"| {law.name} | {' | '.join(f'{wrong:.3f} ({right:.2f})' for wrong, right in errors)} |"
        yield ""
    yield f"| strength in speech, subjects: centre missed (power for a layer) | {head} |"
    yield f"|{rule}"
    for strength in (0.7, 0.3, 0.15):
        errors = [shift_errors(strength, subjects, max(trials // 8, 10), seed) for subjects in SUBJECTS]
        yield f"| {strength:g} | {' | '.join(f'{missed:.3f} ({power:.2f})' for missed, power in errors)} |"


def main(trials: int = 4000, seed: int = 0) -> None:
    """Print coverage over `trials` studies of each law, and errors over an eighth as many."""
    for line in tables(trials, seed):
        print(line, flush=True)


if __name__ == "__main__":
    tyro.cli(main)
