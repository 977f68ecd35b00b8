"""The outcome of comparing two modalities: it prints itself, and says in three sentences what its numbers support.

A difference is stated only where its interval excludes 0 (or a cell's adjusted p is small); otherwise the sentence says
that none was found, with the interval, so that a reader sees how large a difference would have gone unseen. Effects
tell what takes part in recall under this corruption, never where a fact is kept, and the sentences say no more.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from spiritlens.comparison.statistics import STATISTICS, ComponentComparison, Estimate

KIND_WORDS = {"T2T": "in writing", "S2T": "in speech", "mixed": "in mixed prompts"}
STRENGTHS = {"agree closely in": 0.8, "agree in part in": 0.5, "agree weakly in": -1.0}
"""Words for a correlation that is above 0, by the least share of its ceiling that it reaches."""
NO_AGREEMENT = "were not found to agree in"


@dataclass(frozen=True, eq=False)
class Comparison:
    """The outcome of `compare`; prints itself. `cells` holds `difference`, `statistic` and `p_value` by cell."""

    kinds: tuple[str, str]
    metric: str
    metric_sign: int
    metric_words: str
    direction: str
    n_facts: int
    n_subjects: int
    n_left_out: int
    total: tuple[Estimate, Estimate]
    total_difference: Estimate
    components: tuple[ComponentComparison, ...]
    cells: xr.Dataset
    confidence: float
    alpha: float

    @property
    def n_tested(self) -> int:
        """Cells that were compared."""
        return int(self.cells["p_value"].notnull().sum())

    @property
    def n_different(self) -> int:
        """Cells whose adjusted p is at most alpha."""
        return int((self.cells["p_value"] <= self.alpha).sum())

    def __getitem__(self, component: str) -> ComponentComparison:
        for one in self.components:
            if one.component == component:
                return one
        raise KeyError(
            f"component {component!r} was not compared; choose from {[one.component for one in self.components]}"
        )

    @property
    def findings(self) -> tuple[str, ...]:
        """What was found, in sentences: the cost of the corruption, the agreement of the maps, the layers of recall."""
        return _total_sentence(self), _agreement_sentence(self), _place_sentence(self)

    def table(self) -> list[dict[str, str]]:
        """One row per component, as texts: a column for each of `STATISTICS` that has words."""
        shown = [each for each in STATISTICS if each.words]
        return [
            {"component": one.component, **{each.words: repr(one.estimates[each.name]) for each in shown}}
            for one in self.components
        ]

    def __repr__(self) -> str:
        first, second = self.kinds
        lines = [
            f"{second} against {first}: {self.n_facts} facts of {self.n_subjects} subjects, {self.metric}, "
            f"{self.direction}",
            f"total effect {self.total[0]} and {self.total[1]}, difference {self.total_difference}",
        ]
        table = self.table()
        rows = [list(table[0]), *(list(row.values()) for row in table)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
        lines.append(f"{self.n_different} of {self.n_tested} cells differ (max-T, p ≤ {self.alpha:g})")
        return "\n".join(lines)


def _total_sentence(comparison: Comparison) -> str:
    first, second = (KIND_WORDS[kind] for kind in comparison.kinds)
    share = f"{100 * comparison.confidence:.0f} %"
    verb = "lowers" if comparison.metric_sign > 0 else "raises"
    of_answer = "answer" in comparison.metric_words
    metric = f"answer's {comparison.metric.replace('_', ' ')}" if of_answer else comparison.metric_words
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
    residual = [one for one in comparison.components if one.component.startswith("resid")]
    parts = [_handover(comparison, one) for one in residual if not np.isnan(one.handover_shift.value)][:1]
    centred = [one for one in comparison.components if not np.isnan(one.centre_shift.value)]
    chosen = next((one for one in centred if one.component == "mlp_out"), centred[0] if centred else None)
    if chosen is not None:
        words = _difference_of("centre_shift", comparison, chosen)
        parts.append(f"the centre of the effect of {chosen.component} at the subject over layers: {words}")
    if not parts:
        return "At the subject no effect above 0 was found whose layers could be compared."
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _handover(comparison: Comparison, one: ComponentComparison) -> str:
    first, second = (KIND_WORDS[kind] for kind in comparison.kinds)
    words = _difference_of("handover_shift", comparison, one)
    return (
        f"in {one.component} the effect passes from the subject to the read-out position at layer {one.handover[0]} "
        f"{first} and {one.handover[1]} {second}, {words}"
    )


def _difference_of(name: str, comparison: Comparison, one: ComponentComparison) -> str:
    """The difference that a statistic found, in its own words."""
    statistic = next(each for each in STATISTICS if each.name == name)
    more, less = (f"{statistic.unit} {word}".strip() for word in (statistic.more, statistic.less))
    second = KIND_WORDS[comparison.kinds[1]]
    return _difference(one.estimates[name], f"{more} {second}", f"{less} {second}")


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
