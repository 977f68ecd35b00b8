"""Prompts of a run that could not be measured: a line each, with the reason, in ``failures/<shard>.jsonl``.

They are left out of the results and tried again by the next call; a line of a prompt that was measured since tells what
was. No number depends on these files.
"""

import contextlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Failure:
    """A prompt that could not be measured, and why."""

    prompt: str
    fact: str
    kind: str
    reason: str

    def __str__(self) -> str:
        return f"{self.prompt} ({self.kind}{f' of {self.fact}' if self.fact else ''}): {self.reason}"


def read_failures(folder: Path) -> dict[str, Failure]:
    """The last failure of each prompt of a run directory, by the prompt's id; lines that a stop cut are passed over."""
    found = {}
    for path in sorted((folder / "failures").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError, TypeError):
                failure = Failure(**json.loads(line))
                found[failure.prompt] = failure
    return found


def keep_failures(folder: Path, worker: str, failures: Iterable[Failure]) -> None:
    """Add failures to those of a worker; those that are there already are not written again."""
    known = read_failures(folder)
    new = [failure for failure in failures if known.get(failure.prompt) != failure]
    if not new:
        return
    path = folder / "failures" / f"{worker}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as lines:
        lines.write("".join(json.dumps(asdict(failure), ensure_ascii=False) + "\n" for failure in new))
