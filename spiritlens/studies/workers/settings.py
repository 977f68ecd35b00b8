"""How many workers share a study, where they run, and what each is given.

The command line reads this module before anything else, so it imports nothing heavy.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from spiritlens.arguments import check_choice, number, shown, whole, written

Cluster: TypeAlias = Literal["local", "slurm"]
"""local: processes of this machine, which the command waits for; slurm: jobs of an array, which it leaves in the
queue."""

HOURS = 24.0
"""Hours that a job of SLURM may take before it is stopped and requeued, where nothing else is said."""
OF_SLURM = ("partition", "gpus", "hours", "memory_gb")
"""Settings that only a scheduler can keep."""


@dataclass(frozen=True)
class Workers:
    """Processes that share a study."""

    workers: int = 1
    """How many processes share the work; the numbers are those of one."""
    cluster: Cluster = "local"
    """'local' runs the workers on this machine, 'slurm' as an array of jobs; both need the extra 'cluster'."""
    threads: int | None = None
    """CPU threads of each worker, which also decide the last digits; those of torch if left out."""
    partition: str | None = None
    """SLURM's partition; its default if left out."""
    gpus: int | None = None
    """GPUs of each job of SLURM."""
    hours: float | None = None
    """Hours after which a job of SLURM is stopped and requeued; 24 if left out."""
    memory_gb: float | None = None
    """Memory of each job of SLURM in GB; the partition's default if left out."""

    def checked(self) -> "Workers":
        """The same with plain numbers; ValueError for what no engine can give, and for SLURM's settings without it."""
        check_choice("cluster", self.cluster, Cluster)
        given = [name for name in OF_SLURM if getattr(self, name) is not None]
        if self.cluster == "local" and given:
            value = getattr(self, given[0])
            raise ValueError(f"{given[0]}={shown(value)} is for SLURM to give: add cluster='slurm', or leave it out")
        wholes = {"workers": 1, "threads": 1, "gpus": 0}
        numbers: dict[str, Any] = {
            name: whole(name, getattr(self, name), at_least=least)
            for name, least in wholes.items()
            if name == "workers" or getattr(self, name) is not None
        }
        for name in ("hours", "memory_gb"):
            if getattr(self, name) is not None:
                numbers[name] = number(name, getattr(self, name), above=0, below=float("inf"))
        if self.partition is not None:
            written("partition", self.partition)
        return replace(self, **numbers)

    @property
    def alone(self) -> bool:
        """Whether one process of this machine does all, as without workers."""
        return self.workers == 1 and self.cluster == "local"


def given_workers(workers: object) -> Workers:
    """The workers, checked; other values are refused."""
    if not isinstance(workers, Workers):
        raise ValueError(f"workers={shown(workers)}: expected Workers, such as sl.studies.Workers(4)")
    return workers.checked()
