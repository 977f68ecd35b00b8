"""What one worker does: it loads the model, makes its shard of a study, and can be stopped and started at any time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from spiritlens.arguments import shown
from spiritlens.effects.shards import WHOLE, RunFolder
from spiritlens.studies.settings import Protocol, StudySettings
from spiritlens.studies.source import Source


@dataclass(frozen=True)
class StudyJob:
    """A shard of a study, or with the whole the joining of all of them; called, it does it and returns what is to be
    printed. Raises ValueError as `study` does.

    It holds names and settings only, so that it is handed to another process or machine as it is.
    """

    source: Source
    place: RunFolder
    settings: StudySettings
    protocol: Protocol = "own"
    threads: int | None = None

    def __post_init__(self) -> None:
        for name, kind in (("source", Source), ("place", RunFolder), ("settings", StudySettings)):
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise ValueError(f"{name}={shown(value)}: expected a {kind.__name__}")

    def __call__(self) -> str:
        from spiritlens.studies.shard import study_shard
        from spiritlens.studies.study import study

        with _threads(self.threads):
            facts, lens = self.source.load_facts(self.settings.phrasing), self.source.load_lens()
            if self.place.shard == WHOLE:
                return str(study(lens, self.place, self.settings, facts, protocol=self.protocol))
            reports = study_shard(lens, self.place, self.settings, facts, protocol=self.protocol)
            return "\n".join(map(str, reports))

    def checkpoint(self) -> Any:
        """What submitit puts into the queue again when the job is preempted or its time is up: the same job, since
        what is finished lies in the folder."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """While the work is done torch has so many threads, where a number is given."""
    before = torch.get_num_threads()
    torch.set_num_threads(before if count is None else count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
