"""Values that hold the outcome of a comparison of two modalities; `spiritlens.comparison.compare` says what they mean.

Every difference is second − first (S2T − T2T by default); shifts are in layers, shares in parts of the positive mass.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

READOUT = "read-out"
"""The row of the position at which the answer is read: the final marker, else the last word."""
SUBJECT = "subject"


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; NaN where it could not be computed."""

    value: float
    low: float = float("nan")
    high: float = float("nan")

    @property
    def excludes_zero(self) -> bool:
        """The interval lies wholly on one side of 0 (never where there is no interval)."""
        return self.low > 0 or self.high < 0

    def __repr__(self) -> str:
        if np.isnan(self.value):
            return "–"
        return f"{self.value:.2f}" if np.isnan(self.low) else f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True, eq=False)
class ComponentComparison:
    """How two maps of one component relate; `shares` holds (first, second, difference) by role."""

    component: str
    n_cells: int
    pearson: Estimate
    spearman: Estimate
    reliability: tuple[float, float]
    peak_shift: Estimate
    centre_shift: Estimate
    handover: tuple[Estimate, Estimate]
    handover_shift: Estimate
    shares: Mapping[str, tuple[Estimate, Estimate, Estimate]]

    @property
    def ceiling(self) -> float:
        """Largest correlation to be expected of two noisy measurements of one map."""
        return float(np.sqrt(self.reliability[0] * self.reliability[1]))


@dataclass(frozen=True, eq=False)
class Comparison:
    """The outcome of `compare`; prints itself. `cells` holds `difference`, `statistic` and `p_value` by cell."""

    kinds: tuple[str, str]
    metric: str
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

    def table(self) -> list[dict[str, str]]:
        """One row per component, as texts."""
        return [
            {
                "component": one.component,
                "r": repr(one.pearson),
                "rank r": repr(one.spearman),
                "ceiling": repr(Estimate(one.ceiling)),
                "peak shift at subject": repr(one.peak_shift),
                "centre shift at subject": repr(one.centre_shift),
                "hand-over shift": repr(one.handover_shift),
            }
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
