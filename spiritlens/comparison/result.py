"""The outcome of comparing two modalities: it prints itself, as a table of its numbers, and has its sentences."""

from dataclasses import dataclass

import numpy as np

from spiritlens.comparison.compared import Compared
from spiritlens.comparison.fact_identity import FactIdentity
from spiritlens.comparison.findings import sentences
from spiritlens.comparison.statistics import STATISTICS, ComponentComparison


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Compared):
    """The outcome of `compare`; prints itself, and `findings` are its sentences."""

    @property
    def findings(self) -> tuple[str, ...]:
        """What was found, in sentences: total effects, fact identity, agreement, cells, layers, and what limits it."""
        return sentences(self)

    def table(self) -> list[dict[str, str]]:
        """One row per component, as texts: agreement, and a column for each of `STATISTICS` that has words."""
        shown = [each for each in STATISTICS if each.words]
        return [
            {
                "component": one.component,
                "r": repr(one.r),
                **{each.words: _told(one, each.name) for each in shown},
            }
            for one in self.components
        ]

    def __repr__(self) -> str:
        first, second = self.kinds
        lines = [
            f"{second} against {first}: {self.n_facts} facts of {self.n_subjects} subjects, {self.metric}, "
            f"{self.direction}",
            f"total effect {self.total[0]} and {self.total[1]}, difference {self.total_difference}: "
            f"{self.total_judged.verdict}",
        ]
        table = self.table()
        rows = [list(table[0]), *(list(row.values()) for row in table)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
        lines += [_identity_line(self.identity)]
        lines.append(
            f"{self.n_different} of {self.n_tested} cells differ by {self.cell_margin:.2g} of the total effect or more"
        )
        lines += [f"nothing is told of it: {self.closed}"] if self.closed else []
        lines.append(f"engine: {self.canary}")
        return "\n".join(lines)


def _told(one: ComponentComparison, name: str) -> str:
    """An estimate with its verdict, where it has one."""
    estimate = one.estimates[name]
    told = name in one.judged and not np.isnan(estimate.value)
    return f"{estimate!r} {one.judged[name].verdict}" if told else repr(estimate)


def _identity_line(identity: tuple[FactIdentity, FactIdentity]) -> str:
    words = [
        f"{one.difference:.2f} {where} (p = {one.p:.3g})" if not one.why else f"none {where} ({one.why})"
        for one, where in zip(identity, ("among all facts", "within relations"), strict=True)
    ]
    return f"fact identity {' and '.join(words)}"
