"""One variant beside the baseline, as numbers: by modality and component, and between the modalities."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spiritlens.comparison.estimates import Estimate
from spiritlens.comparison.map_changes import Gap, MapChange
from spiritlens.studies.sensitivity.variant import Setup, Variant

BETWEEN = "S2T − T2T"
"""What stands for the modality in rows between the two."""


@dataclass(frozen=True, eq=False)
class VariantResult:
    """One variant beside the baseline: by modality and component, and between the modalities by component.

    `same` are the modalities whose map is the baseline's, since nothing of it was changed. Where the variant could not
    be made, `why` says the reason and there is nothing else.
    """

    variant: Variant
    setup: Setup | None
    changes: Mapping[tuple[str, str], MapChange] = field(default_factory=dict)
    gaps: Mapping[str, Gap] = field(default_factory=dict)
    same: frozenset[str] = frozenset()
    why: str = ""

    def rows(self) -> list[dict[str, Any]]:
        """One row for each modality and component, and for each component between the modalities."""
        about: dict[str, Any] = {"variant": self.variant.name, "changes": self.variant.changes}
        if self.setup is None:
            return [{**about, "why": self.why}]
        about |= {"metric": self.setup.metric, "left_out": len(self.setup.left_out)}
        rows: list[dict[str, Any]] = []
        for (kind, component), one in self.changes.items():
            counts = {"facts": one.n_facts, "known": one.n_known, "shared": one.n_shared, "same": kind in self.same}
            estimates = {"r": one.agreement, "total": one.total, "peak": one.peak, "crossing": one.crossing}
            estimates |= {"total_change": one.total_change, "crossing_change": one.crossing_change}
            words = {"strength": one.strength, "why": one.why}
            rows.append({**about, "modality": kind, "component": component, **counts, **_numbers(estimates), **words})
        for component, gap in self.gaps.items():
            estimates = {"r": gap.agreement, "total": gap.total, "crossing": gap.crossing, "r_change": gap.change}
            named = {"modality": BETWEEN, "component": component, "facts": gap.n_facts}
            rows.append({**about, **named, **_numbers(estimates), "why": gap.why})
        return rows


def _numbers(estimates: Mapping[str, Estimate]) -> dict[str, float]:
    """An estimate and its interval in three columns."""
    found: dict[str, float] = {}
    for name, one in estimates.items():
        found |= {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
    return found
