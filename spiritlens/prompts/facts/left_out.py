"""What falls out when facts are read or written as prompts: which rows, why, and how many of each reason.

A row that falls out never ends the run. Reasons are a closed set, so that they can be counted; the detail says what was
found in that row.
"""

from dataclasses import dataclass
from typing import Literal

from spiritlens.text_tables import text_table

Reason = Literal[
    "the row cannot be read",
    "a value of another kind",
    "no subject",
    "no answer",
    "no prompt",
    "{} twice in the template",
    "the answer is not asked for at the end",
    "the subject is not in the prompt",
    "the subject is twice in the prompt",
    "the foil is an answer",
    "an id given twice",
    "a relation and subject given twice",
    "no sound",
    "a sound of no fact",
    "a sound given twice",
    "the sound cannot be read",
    "the words do not fit the sound",
    "the answer cannot be written",
    "the foil cannot be written",
    "the subject has no tokens of its own",
    "the prompt cannot be written",
    "the prompt of another fact",
    "too long for the model",
]
"""Why a row is no fact, or a fact no prompt. The last six depend on the model: its tokens and its context."""

SHOWN = 3
"""Ids that are listed of each reason; `LeftOut.by_reason` has them all."""


@dataclass(frozen=True)
class Refusal:
    """Why a row or a fact falls out: one of the reasons, and what was found."""

    reason: Reason
    detail: str


@dataclass(frozen=True)
class LeftOutRow:
    """One row or fact that fell out: its id (or ``row 12``, counted from 1), the reason and what was found."""

    id: str
    reason: Reason
    detail: str


@dataclass(frozen=True)
class LeftOut:
    """All rows or facts that fell out, in their order."""

    rows: tuple[LeftOutRow, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def by_reason(self) -> dict[Reason, tuple[str, ...]]:
        """The ids by reason, the commonest reason first."""
        found: dict[Reason, list[str]] = {}
        for row in self.rows:
            found.setdefault(row.reason, []).append(row.id)
        return {reason: tuple(ids) for reason, ids in sorted(found.items(), key=lambda each: -len(each[1]))}

    @property
    def counts(self) -> dict[Reason, int]:
        """How many fell out for each reason, the commonest first."""
        return {reason: len(ids) for reason, ids in self.by_reason.items()}

    def told(self) -> str:
        """Each reason with its count, in one line."""
        return ", ".join(f"{count:,}: {reason}" for reason, count in self.counts.items())

    def __str__(self) -> str:
        """A line for each reason with its count, the first ids, and what was found in the first of them."""
        if not self.rows:
            return "none left out"
        lines: list[tuple[str, ...]] = [("left out", "reason", "ids", "the first")]
        first = {row.reason: row.detail for row in reversed(self.rows)}
        for reason, ids in self.by_reason.items():
            more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
            lines.append((str(len(ids)), reason, ", ".join(ids[:SHOWN]) + more, first[reason]))
        return text_table(lines)
