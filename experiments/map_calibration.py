"""Do the numbers of maps keep their promise? Correlations, hand-overs, centres, shares by role on planted mechanisms.

    python experiments/map_calibration.py --trials 150

Facts are drawn from a mechanism (`experiments/sentence_calibration.py`): a size, a map and noise of each fact's own.
The truth is what `sl.compare` reads where facts have none of these. Counted is how often the nominal 95 % interval
holds that truth, over studies that have an interval (where the mechanism is the same in both modalities: how often that
of a difference holds 0), and how often a difference is told.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import tyro
from sentence_calibration import Law, mechanism, simulated

import spiritlens as sl
from spiritlens.comparison.estimates import Estimate
from spiritlens.comparison.result import Comparison

EXACT = Law(spread=0.0, size=0.0, own=0.0, noise=0.0)
MECHANISMS: Mapping[str, tuple[np.ndarray, np.ndarray]] = {
    "the same in both": (mechanism(), mechanism()),
    "later, weaker, passed on sooner": (mechanism(), 0.8 * mechanism(subject=5.0, passes=5.5)),
}
LAWS: Mapping[str, Law] = {
    **{f"{n} facts": Law(facts=n) for n in (8, 16, 24, 40, 100)},
    "24 facts, noisy": Law(own=0.2, noise=0.1),
}


@dataclass(frozen=True)
class Covered:
    """How often intervals of a number hold the truth, of so many that were given in so many studies; and how often the
    number is told as a difference."""

    mechanism: str
    law: str
    number: str
    truth: float
    holds: int
    given: int
    told: int
    trials: int

    @property
    def share(self) -> float:
        """How often the intervals that were given hold the truth; NaN where none was."""
        return self.holds / self.given if self.given else float("nan")

    def __str__(self) -> str:
        given = "" if self.given == self.trials else f" ({self.given} given)"
        told = f"; {self.told} told" if self.number.endswith("speech − writing") else ""
        return f"{self.share:.3f}{given}{told}"


def numbers(comparison: Comparison) -> dict[str, tuple[Estimate, bool]]:
    """What is counted, each with its interval, and whether it is told as a difference."""
    residual, mlp = comparison["resid_pre"], comparison["mlp_out"]
    first, second = (taken.layer for taken in residual.taken_over)
    found: dict[str, tuple[Estimate, bool]] = {
        "r of resid_pre": (residual.r, False),
        "r of mlp_out": (mlp.r, False),
        "hand-over in writing": (first, False),
        "hand-over in speech": (second, False),
    }
    for name, one, key in (
        ("hand-over, speech − writing", residual, "handover_shift"),
        ("centre of mlp_out, speech − writing", mlp, "centre_shift"),
        ("peak of mlp_out, speech − writing", mlp, "peak_shift"),
    ):
        found[name] = (one.estimates[key], one.judged[key].verdict == "different")
    for role in ("subject", "read-out"):
        share = residual.shares[role]
        found[f"share of resid_pre at the {role} in writing"] = (share[0], False)
        found[f"share of resid_pre, speech − writing ({role})"] = (share[2], False)
    return found


def covered(name: str, law: str, trials: int, seed: int = 0) -> Iterator[Covered]:
    """All numbers under one mechanism and one law of facts."""
    first, second = MECHANISMS[name]
    exact = simulated(np.random.default_rng(0), first, second, replace(EXACT, facts=LAWS[law].facts))
    truth = {key: estimate.value for key, (estimate, _) in numbers(sl.compare(exact)).items()}
    found = []
    for trial in range(trials):
        drawn = simulated(np.random.default_rng([seed, trial]), first, second, LAWS[law])
        found.append(numbers(sl.compare(drawn, resamples=400, permutations=99, seed=trial)))
    for key, true in truth.items():
        intervals = [one[key][0] for one in found if not np.isnan(one[key][0].low)]
        holds = sum(each.low - 1e-9 <= true <= each.high + 1e-9 for each in intervals)
        yield Covered(name, law, key, true, holds, len(intervals), sum(one[key][1] for one in found), trials)


def main(trials: int = 150, few: int = 600, seed: int = 0) -> None:
    """Print the table of the docs: how often each interval holds the truth; of 8 facts in `few` studies."""
    print("| mechanism | number | truth |", " | ".join(LAWS), "|")
    print("|---" * (3 + len(LAWS)) + "|")
    shares = []
    for name in MECHANISMS:
        laws = [list(covered(name, law, few if LAWS[law].facts == 8 else trials, seed)) for law in LAWS]
        for row in zip(*laws, strict=True):
            truth = f"{row[0].truth:.2f}".replace("-", "−")
            print("|", " | ".join([name, row[0].number, truth, *map(str, row)]), "|", flush=True)
            shares += [one.share for one in row if one.given]
    print(f"\nMean {sum(shares) / len(shares):.3f}, least {min(shares):.3f}.")


if __name__ == "__main__":
    tyro.cli(main)
