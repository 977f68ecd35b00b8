"""Prompts of a run that could not be measured: a line each, with the reason, in ``failures/<shard>.jsonl``.

They are left out of the results and tried again by the next call; a line of a prompt that was measured since tells what
was. No number depends on these files.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from spiritlens.files.lines import append_lines, read_rows


@dataclass(frozen=True)
class Failure:
    """A prompt that could not be measured, and why."""

    prompt: str
    fact: str
    kind: str
    reason: str

    def __str__(self) -> str:
        return f"{self.prompt} ({self.kind}{f' of {self.fact}' if self.fact else ''}): {self.reason}"


def told_failures(folder: Path) -> list[tuple[str, Failure]]:
    """All failures of a run directory, with the label of the worker that met each; lines that a stop cut are passed
    over."""
    found = []
    for path in sorted((folder / "failures").glob("*.jsonl")):
        for row in read_rows(path)[0]:
            with contextlib.suppress(TypeError):
                found.append((path.stem, Failure(**row)))
    return found


def read_failures(folder: Path) -> dict[str, Failure]:
    """The last failure of each prompt of a run directory, by the prompt's id."""
    return {failure.prompt: failure for _, failure in told_failures(folder)}


def keep_failures(
    folder: Path, worker: str, failures: Iterable[Failure], known: Mapping[str, Failure] | None = None
) -> None:
    """Add failures to those of a worker, but for those that are `known` (None: as the folder's files tell)."""
    known = read_failures(folder) if known is None else known
    new = [failure for failure in failures if known.get(failure.prompt) != failure]
    append_lines(
        folder / "failures" / f"{worker}.jsonl", [json.dumps(asdict(failure), ensure_ascii=False) for failure in new]
    )
