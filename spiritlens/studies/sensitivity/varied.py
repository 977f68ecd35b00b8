"""What a table of sensitivity holds: a result for each variant, its rows as numbers, and what may be said of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import xarray as xr

from spiritlens.comparison.agreement import Strength
from spiritlens.comparison.estimates import Estimate
from spiritlens.comparison.map_changes import MapChange
from spiritlens.report.paper.formats import latex_table, markdown_table
from spiritlens.studies.pairs import KINDS
from spiritlens.studies.sensitivity.tables import paper_rows
from spiritlens.studies.sensitivity.variant_result import VariantResult

STRENGTH_WORDS: Mapping[Strength, str] = {
    "closely": "agree closely with the baseline (r at least 0.8 at its lower end)",
    "in part": "in part (at least 0.5)",
    "weakly": "weakly (above 0)",
    "not shown": "are not shown to agree",
}


@dataclass(frozen=True, eq=False)
class Varied:
    """The numbers of the table "what changes if": the baseline, and each variant beside it."""

    baseline: VariantResult
    variants: tuple[VariantResult, ...]
    effects: xr.Dataset
    """[prompt component layer role sample metric] of the baseline's trace, with facts that only selections need."""
    confidence: float = 0.95
    page: Path = field(default_factory=Path)

    @property
    def components(self) -> tuple[str, ...]:
        """Components of the baseline."""
        return tuple(self.baseline.gaps)

    def __getitem__(self, name: str) -> VariantResult:
        for one in self.variants:
            if one.variant.name == name:
                return one
        raise KeyError(f"no variant {name!r}; there are {', '.join(one.variant.name for one in self.variants)}")

    @property
    def measured(self) -> tuple[VariantResult, ...]:
        """The variants that could be made."""
        return tuple(one for one in self.variants if one.setup is not None)

    @property
    def missing(self) -> tuple[str, ...]:
        """A sentence for each variant that could not be made."""
        return tuple(f"{one.variant.name}: {one.why}" for one in self.variants if one.setup is None)

    def frame(self) -> pd.DataFrame:
        """All numbers: a row for each variant, modality (or between them) and component.

        Returns columns ``variant changes metric left_out modality component facts known shared same``, then ``r total
        peak crossing total_change crossing_change r_change`` with their ``_low`` and ``_high``, ``strength``, ``why``.
        """
        return pd.DataFrame([row for one in (self.baseline, *self.variants) for row in one.rows()])

    def markdown(self, component: str | None = None) -> str:
        """The table of one component (None: the first) in Markdown. Raises ValueError for one that was not traced."""
        return markdown_table(paper_rows(self._all(), self._given(component)))

    def latex(self, component: str | None = None) -> str:
        """The table of one component (None: the first) as a LaTeX tabular, for booktabs. Raises ValueError for one that
        was not traced."""
        return latex_table(paper_rows(self._all(), self._given(component)))

    @property
    def findings(self) -> tuple[str, ...]:
        """What the table says of its first component, in sentences."""
        component, found = self.components[0], []
        for kind in KINDS:
            changed = {
                one.variant.name: one.changes[kind, component]
                for one in self.measured
                if kind not in one.same and (kind, component) in one.changes
            }
            if changed:
                found += [_agreements(changed, kind, component), _total_words(changed, kind)]
        return (*found, *_gap_words(self.baseline, self.measured, component))

    def _all(self) -> tuple[VariantResult, ...]:
        return (self.baseline, *self.measured)

    def _given(self, component: str | None) -> str:
        if component is not None and component not in self.components:
            raise ValueError(f"component={component!r} was not traced; choose from {', '.join(self.components)}")
        return self.components[0] if component is None else component


def _agreements(changed: Mapping[str, MapChange], kind: str, component: str) -> str:
    """How far the variants of one modality agree with the baseline, and which are not shown to."""
    counts = Counter(change.strength for change in changed.values())
    words = ", ".join(f"{counts[strength]} {text}" for strength, text in STRENGTH_WORDS.items() if counts[strength])
    lost = [name for name, change in changed.items() if change.strength == "not shown"]
    names = f" ({', '.join(lost)})" if lost else ""
    return f"Maps of {component}, {kind}: of {len(changed)} variants that change something, {words}{names}."


def _total_words(changed: Mapping[str, MapChange], kind: str) -> str:
    """In which variants the total effect is told to be another, fact by fact."""
    more, less = (
        [
            name
            for name, change in changed.items()
            if change.total_change.excludes_zero and sign * change.total_change.value > 0
        ]
        for sign in (1, -1)
    )
    told = [f"{words} in {', '.join(names)}" for words, names in (("larger", more), ("smaller", less)) if names]
    found = "; ".join(told) or "in no variant told to be another"
    return f"Total effect, {kind}, fact by fact (intervals not corrected for the number of variants): {found}."


def _gap_words(baseline: VariantResult, results: Sequence[VariantResult], component: str) -> tuple[str, ...]:
    """Whether the crossing is another one in speech, in the baseline and in the variants."""
    crossing = baseline.gaps[component].crossing
    given = [one.gaps[component].crossing for one in results if component in one.gaps]
    later, earlier = (sum(sign * end > 0 for sign, end in ((s, _near(one, s)) for one in given)) for s in (1, -1))
    none = len(given) - later - earlier
    return (
        f"Speech less writing, the layer of {component} at which the read-out overtakes the subject: {crossing!r} in "
        f"the baseline; of {len(given)} variants the interval lies above 0 in {later}, below 0 in {earlier}, and holds "
        f"0 or is not given in {none}.",
    )


def _near(estimate: Estimate, sign: int) -> float:
    """The end of an interval that is nearer to 0 where the estimate has this sign."""
    return estimate.low if sign > 0 else estimate.high
