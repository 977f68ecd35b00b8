"""What a table of sensitivity holds: a result for each variant, its rows as numbers, and what may be said of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import xarray as xr

from spiritlens.comparison.agreement import Strength
from spiritlens.comparison.statistics import Estimate
from spiritlens.studies.pairs import KINDS
from spiritlens.studies.sensitivity.tables import latex_table, markdown_table, paper_rows
from spiritlens.studies.sensitivity.variant_result import VariantResult
from spiritlens.text_tables import text_table

STRENGTH_WORDS: Mapping[Strength, str] = {
    "closely": "closely (r at least 0.8)",
    "in part": "in part (at least 0.5)",
    "weakly": "weakly (above 0)",
    "not shown": "in no way that is told from noise",
}


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """The table "what changes if": the baseline, and each variant beside it; prints itself for its first component."""

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

        Returns columns ``variant changes metric left_out modality component facts known same``, then ``r total peak
        crossing r_change`` with their ``_low`` and ``_high``, ``strength`` and ``why``.
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
            words = _agreements(self.measured, kind, component)
            if words:
                found.append(words)
        return (*found, *_gap_words(self.baseline, self.measured, component))

    def __repr__(self) -> str:
        rows = paper_rows(self._all(), self.components[0])
        missing = [f"Not measured: {each}" for each in self.missing]
        table = text_table(rows, right=(1,))
        return "\n".join(
            [f"What changes if ({self.components[0]})", table, *self.findings, *missing, f"Page: {self.page}"]
        )

    def _all(self) -> tuple[VariantResult, ...]:
        return (self.baseline, *self.measured)

    def _given(self, component: str | None) -> str:
        if component is not None and component not in self.components:
            raise ValueError(f"component={component!r} was not traced; choose from {', '.join(self.components)}")
        return self.components[0] if component is None else component


def _agreements(results: Sequence[VariantResult], kind: str, component: str) -> str:
    """How many variants of one modality agree how far with the baseline, and which are not shown to."""
    changed = {one.variant.name: one.changes.get((kind, component)) for one in results if kind not in one.same}
    found = {name: change for name, change in changed.items() if change is not None}
    if not found:
        return ""
    counts = Counter(change.strength for change in found.values())
    words = ", ".join(f"{counts[strength]} {text}" for strength, text in STRENGTH_WORDS.items() if counts[strength])
    lost = [name for name, change in found.items() if change.strength == "not shown"]
    names = f": {', '.join(lost)}" if lost else ""
    return (
        f"Of {len(found)} variants that change the {kind} map of {component}, {words} agree with the baseline{names}."
    )


def _gap_words(baseline: VariantResult, results: Sequence[VariantResult], component: str) -> tuple[str, ...]:
    """Whether the crossing is another one in speech, in the baseline and in the variants."""
    crossing = baseline.gaps[component].crossing
    given = [one.gaps[component].crossing for one in results if component in one.gaps]
    later, earlier = (sum(sign * end > 0 for sign, end in ((s, _near(one, s)) for one in given)) for s in (1, -1))
    none = len(given) - later - earlier
    return (
        f"The read-out overtakes the subject {crossing!r} layers later in speech than in writing; of {len(given)} "
        f"variants the interval lies above 0 in {later}, below 0 in {earlier}, and holds 0 or is not given in {none} "
        f"({component}).",
    )


def _near(estimate: Estimate, sign: int) -> float:
    """The end of an interval that is nearer to 0 where the estimate has this sign."""
    return estimate.low if sign > 0 else estimate.high
