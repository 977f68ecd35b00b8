"""What one worker does: it loads the model, makes its shard of a study, and can be stopped and started at any time."""

from dataclasses import dataclass, field
from typing import Any

from spiritlens.effects.shards import WHOLE, RunFolder
from spiritlens.studies.settings import Protocol, StudySettings
from spiritlens.studies.source import Source


@dataclass(frozen=True)
class StudyJob:
    """A shard of a study, or with the whole the joining of all of them; called, it does it and returns what it prints.

    It holds names and settings only, so that it is handed to another process or machine as it is.
    """

    source: Source
    place: RunFolder
    settings: StudySettings
    protocol: Protocol = "own"
    threads: int | None = field(default=None)

    def __call__(self) -> str:
        import torch

        from spiritlens.studies.shard import study_shard
        from spiritlens.studies.study import study

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        facts, lens = self.source.load_facts(self.settings.phrasing), self.source.load_lens()
        if self.place.shard == WHOLE:
            return repr(study(lens, self.place, self.settings, facts, protocol=self.protocol))
        reports = study_shard(lens, self.place, self.settings, facts, protocol=self.protocol)
        return "\n".join(map(repr, reports))

    def checkpoint(self) -> Any:
        """What submitit puts into the queue again when the job is preempted or its time is up: the same job, since
        what is finished lies in the folder."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)
