"""May anything be said at all? What must hold before a sentence is made of a comparison.

1. **Enough subjects**: below `FEWEST_CLUSTERS` clusters there are no intervals, and nothing could be found.
2. **Total effects in both modalities**: there must be something to divide up by role and layer. Each total effect is
   told from 0 and reaches the smallest that is one (`spiritlens.effects.quantities`), in the compared metric and in the
   probability of the answer where it was traced: the answer of random weights has none to lose, though its
   log-probability or the KL divergence may move.
3. **A metric of the answer**: the KL divergence, or the mass of tokens that are not text, moves whatever is disturbed.
   Such a metric is told only beside one of the answer that passes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spiritlens.comparison.conditions import KIND_WORDS
from spiritlens.comparison.estimates import mean_estimate
from spiritlens.comparison.fact_maps import Names
from spiritlens.comparison.pairing import Pairs
from spiritlens.comparison.rules import Rules
from spiritlens.effects.intervals import FEWEST_CLUSTERS, cluster_interval

KNOWS = "probability"
"""The metric in which a model that knows its answers has something to lose."""


@dataclass(frozen=True)
class Gated:
    """A metric whose total effects must be there: its pairs, and whether it is about the answer."""

    pairs: Pairs
    of_answer: bool


def closed(metrics: Mapping[str, Gated], ways: Sequence[Names], kinds: tuple[str, str], rules: Rules) -> str:
    """Why nothing may be told; "" where something may. `metrics` [name]: the compared one, and `KNOWS` if traced."""
    n_clusters = min(len(set(way.tolist())) for way in ways)
    if n_clusters < FEWEST_CLUSTERS:
        kind = "relations" if rules.clusters == "relation" else "subjects or relations" if len(ways) > 1 else "subjects"
        return f"{n_clusters} {kind} are too few to find anything, at least {FEWEST_CLUSTERS} are needed"
    if not any(one.of_answer for one in metrics.values()):
        return "the metric is not one of the answer, and none that is was traced: it moves whatever is disturbed"
    for name, one in metrics.items():
        for side, kind in enumerate(kinds):
            why = _no_total(one.pairs, side, ways, rules)
            if why:
                return f"the total effect {KIND_WORDS[kind]} on the {name.replace('_', ' ')} {why}"
    return ""


def _no_total(pairs: Pairs, side: int, ways: Sequence[Names], rules: Rules) -> str:
    floor = rules.margins.noise_floors * pairs.noise_floor
    found = mean_estimate(pairs.totals[side], ways, rules, floor)
    numbers = f"{found.value:.2g} [{found.low:.2g}, {found.high:.2g}]".replace("-", "−")
    alike = cluster_interval(pairs.totals[side], *ways, floor=floor)
    constant = float(alike.se) <= 1e-9 * abs(found.value)
    if not (found.low > 0 or (constant and found.value > floor)):
        return f"is not told from 0 ({numbers})"
    if found.value < max(pairs.smallest, floor):
        return f"is smaller than {max(pairs.smallest, floor):.2g} ({numbers}), too little to be divided up"
    return ""
