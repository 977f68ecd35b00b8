"""Three sentences about a comparison that its numbers support.

A difference is stated only where its interval excludes 0 (or a cell's adjusted p is small); otherwise the sentence says
that none was found, with the interval, so that a reader sees how large a difference would have gone unseen. Effects
tell what takes part in recall under this corruption, never where a fact is kept, and the sentences say no more.
"""

import numpy as np

from spiritlens.arguments import shown, told_keywords
from spiritlens.comparison.result import Comparison, ComponentComparison, Estimate

KIND_WORDS = {"T2T": "in writing", "S2T": "in speech", "mixed": "in mixed prompts"}
OF_THE_RUN = {"kl": "KL from clean", "text_kl": "KL from clean over text", "leaked_mass": "leaked mass"}
"""Metrics of the whole next-token distribution, not of the answer, in words."""
RISING = ("rank", "text_rank", *OF_THE_RUN)
"""Metrics of sign −1, which the corruption raises; `runs.metrics.SIGNS`, whose room needs torch."""

STRENGTHS = {"agree closely in": 0.8, "agree in part in": 0.5, "agree weakly in": -1.0}
"""Words for a correlation that is above 0, by the least share of its ceiling that it reaches."""
NO_AGREEMENT = "were not found to agree in"


@told_keywords
def findings(comparison: Comparison) -> tuple[str, ...]:
    """What the comparison found: the cost of the corruption, the agreement of the maps, and the layers of recall."""
    if not isinstance(comparison, Comparison):
        raise ValueError(
            f"comparison={shown(comparison, 40)} ({type(comparison).__name__}): expected a Comparison; write "
            "findings(compare(effects))"
        )
    return _total_sentence(comparison), _agreement_sentence(comparison), _place_sentence(comparison)


def _total_sentence(comparison: Comparison) -> str:
    first, second = (KIND_WORDS[kind] for kind in comparison.kinds)
    share = f"{100 * comparison.confidence:.0f} %"
    verb = "raises" if comparison.metric in RISING else "lowers"
    metric = OF_THE_RUN.get(comparison.metric, f"answer's {comparison.metric.replace('_', ' ')}")
    words = _difference(comparison.total_difference, f"more {second}", f"less {second}")
    return (
        f"Over {comparison.n_facts} facts ({comparison.n_subjects} subjects) known both {first} and {second}, "
        f"corrupting the subject {verb} the {metric} by {comparison.total[0]} {first} and by "
        f"{comparison.total[1]} {second} (brackets: {share} intervals): {words}."
    )


def _agreement_sentence(comparison: Comparison) -> str:
    by_strength: dict[str, list[str]] = {}
    for one in comparison.components:
        if not np.isnan(one.pearson.value):
            by_strength.setdefault(_strength(one), []).append(_correlation(one))
    parts = [f"{words} {_listed(by_strength[words])}" for words in (*STRENGTHS, NO_AGREEMENT) if words in by_strength]
    text = "; ".join(parts) or "share too few cells to be correlated"
    return f"By role and layer, the two maps {text}; {_cells(comparison)}."


def _strength(one: ComponentComparison) -> str:
    """How near the correlation comes to its ceiling, in words; only where its interval lies above 0."""
    if not one.pearson.low > 0:
        return NO_AGREEMENT
    share = one.pearson.value / one.ceiling if one.ceiling > 0 else one.pearson.value
    return next(words for words, least in STRENGTHS.items() if share >= least)


def _correlation(one: ComponentComparison) -> str:
    ceiling = "" if np.isnan(one.ceiling) else f", ceiling {one.ceiling:.2f}"
    return f"{one.component} (r = {one.pearson}{ceiling})"


def _cells(comparison: Comparison) -> str:
    n, tested = comparison.n_different, comparison.n_tested
    if not tested:
        return "no cell could be compared"
    if not n:
        return f"in none of {tested} cells was a difference found (max-T over all cells, p > {comparison.alpha:g})"
    significant = comparison.cells["difference"].where(comparison.cells["p_value"] <= comparison.alpha)
    flat = np.abs(significant.values)
    component, layer, role = np.unravel_index(int(np.nanargmax(flat)), flat.shape)
    value = float(significant.values[component, layer, role])
    names = {name: comparison.cells[name].values for name in ("component", "layer", "role")}
    return (
        f"{n} of {tested} cells differ (max-T over all cells, p ≤ {comparison.alpha:g}), most of all "
        f"{names['component'][component]} at the {names['role'][role]}, layer {names['layer'][layer]} "
        f"({abs(value):.2f} of the total effect {'more' if value > 0 else 'less'} {KIND_WORDS[comparison.kinds[1]]})"
    )


def _place_sentence(comparison: Comparison) -> str:
    second = KIND_WORDS[comparison.kinds[1]]
    residual = [one for one in comparison.components if one.component.startswith("resid")]
    parts = [_handover(comparison, one) for one in residual if not np.isnan(one.handover_shift.value)][:1]
    centred = [one for one in comparison.components if not np.isnan(one.centre_shift.value)]
    chosen = next((one for one in centred if one.component == "mlp_out"), centred[0] if centred else None)
    if chosen is not None:
        words = _difference(chosen.centre_shift, f"layers later {second}", f"layers earlier {second}")
        parts.append(f"the centre of the effect of {chosen.component} at the subject over layers: {words}")
    if not parts:
        return "At the subject no effect above 0 was found whose layers could be compared."
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _handover(comparison: Comparison, one: ComponentComparison) -> str:
    first, second = (KIND_WORDS[kind] for kind in comparison.kinds)
    words = _difference(one.handover_shift, f"layers later {second}", f"layers earlier {second}")
    return (
        f"in {one.component} the effect passes from the subject to the read-out position at layer {one.handover[0]} "
        f"{first} and {one.handover[1]} {second}, {words}"
    )


def _difference(estimate: Estimate, more: str, less: str) -> str:
    """A difference in words, as strong as its interval allows."""
    if np.isnan(estimate.value):
        return "a difference could not be computed"
    if np.isnan(estimate.low):
        return f"difference {estimate}, without an interval, so that nothing follows from it"
    if not estimate.excludes_zero:
        return f"no difference was found ({estimate})"
    low, high = sorted((abs(estimate.low), abs(estimate.high)))
    return f"{abs(estimate.value):.2f} [{low:.2f}, {high:.2f}] {more if estimate.value > 0 else less}"


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
