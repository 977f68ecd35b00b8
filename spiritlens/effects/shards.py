"""Sharing a run among processes: each shard makes its own prompts, and nothing of a result depends on it.

    folder=RunFolder("run", Shard(2, 8))        # the second of eight processes, on any machine that sees the folder

The eight calls are otherwise the same. Each takes its share of the prompts, of about equally many tokens, and writes
parts of its own; the same call without a shard then joins what they made. Which prompts are whose depends on the
prompts of the call alone, never on what is done already or on who else is at work.
"""

import heapq
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from spiritlens.arguments import shown, whole
from spiritlens.files.atomic import given_path

Made = TypeVar("Made")

TORCHRUN = ("RANK", "WORLD_SIZE")
ARRAY = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT")
ARRAY_FIRST, ARRAY_STEP = "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP"
TASKS = ("SLURM_PROCID", "SLURM_NTASKS")


@dataclass(frozen=True)
class Shard:
    """One of `of` processes that share a run; numbers begin with 1. ``Shard()`` is the whole."""

    number: int = 1
    of: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "of", whole("of", self.of, at_least=1))
        object.__setattr__(self, "number", whole("number", self.number, at_least=1))
        if self.number > self.of:
            raise ValueError(f"number={self.number}: the last of {self.of} shards has the number {self.of}")

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def label(self) -> str:
        """The shard in the names of files."""
        return f"{self.number}-of-{self.of}"

    def places(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Which of the prompts of these sizes are this shard's, in their order: the largest are dealt first, each to
        the shard that has the least so far."""
        if self.of == 1:
            return tuple(range(len(sizes)))
        loads = [(0, number) for number in range(1, self.of + 1)]
        mine = []
        for place in sorted(range(len(sizes)), key=lambda place: -sizes[place]):
            load, number = loads[0]
            heapq.heapreplace(loads, (load + sizes[place], number))
            if number == self.number:
                mine.append(place)
        return tuple(sorted(mine))


WHOLE = Shard()


class EmptyShard(ValueError):
    """A shard that none of the prompts falls to, as there are more shards than prompts."""


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run, as methods take it by ``folder=``, with what a plain path leaves out.

    `shard`: the share of the prompts that this process makes. `accept_versions`: whether parts that other versions of
    packages made are gone on with; they are named in a warning, and refused otherwise.
    """

    path: Path
    shard: Shard = field(default=WHOLE)
    accept_versions: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", given_path("path", self.path))
        if not isinstance(self.shard, Shard):
            raise ValueError(
                f"shard={shown(self.shard)} ({type(self.shard).__name__}): expected a Shard, as Shard(2, 8)"
            )
        if not isinstance(self.accept_versions, bool):
            raise ValueError(f"accept_versions={shown(self.accept_versions)}: expected True or False")

    def within(self, name: str) -> "RunFolder":
        """A folder within this one, shared in the same way."""
        return replace(self, path=self.path / name)


def share(make: Callable[[], Made]) -> Made | None:
    """What a shard makes of several folders' work; None where nothing of this one falls to it."""
    try:
        return make()
    except EmptyShard:
        return None


def given_run_folder(folder: str | Path | RunFolder) -> RunFolder:
    """A run folder as it is, or the whole of the folder at a path."""
    return folder if isinstance(folder, RunFolder) else RunFolder(given_path("folder", folder))


def parsed_shard(text: Any) -> Shard:
    """The shard of a text such as "2/8"; ValueError for any other."""
    number, slash, of = text.partition("/") if isinstance(text, str) else ("", "", "")
    if not (slash and number.strip().isdecimal() and of.strip().isdecimal()):
        raise ValueError(f"shard={shown(text)}: expected a number and how many there are, such as 2/8")
    return Shard(int(number), int(of))


def shard_of_environment(variables: Mapping[str, str] | None = None) -> Shard:
    """The shard that a scheduler gave this process; the whole where none did.

    torchrun's RANK and WORLD_SIZE; else the place in a job array of SLURM and the task of a step of it, one, the other
    or both: an array of 4 whose jobs run 8 tasks each is 32 shards.
    """
    found = os.environ if variables is None else variables
    rank, size = (_number(found, name) for name in TORCHRUN)
    if rank is not None and size is not None:
        return Shard(rank + 1, size)
    job, jobs = _place_in_array(found)
    task, tasks = _place_in_step(found)
    return Shard(job * tasks + task + 1, jobs * tasks)


def _place_in_array(found: Mapping[str, str]) -> tuple[int, int]:
    """Which job of an array, from 0, and of how many; (0, 1) where there is no array."""
    job, jobs = (_number(found, name) for name in ARRAY)
    if job is None or jobs is None:
        return 0, 1
    first, step = (_number(found, name) for name in (ARRAY_FIRST, ARRAY_STEP))
    return (job - (first or 0)) // (step or 1), jobs


def _place_in_step(found: Mapping[str, str]) -> tuple[int, int]:
    """Which task of a step, from 0, and of how many; (0, 1) where there is no step.

    A batch script has the variables of a first task without being one of several: only srun makes tasks.
    """
    task, tasks = (_number(found, name) for name in TASKS)
    is_script = found.get("ENVIRONMENT") == "BATCH" and "SLURM_STEP_ID" not in found
    return (0, 1) if task is None or tasks is None or is_script else (task, tasks)


def _number(found: Mapping[str, str], name: str) -> int | None:
    text = found.get(name)
    if text is None or text == "":
        return None
    if not text.isdecimal():
        raise ValueError(
            f"{name}={text!r}: expected a whole number, as the scheduler sets it; give --shard, such as 2/8"
        )
    return int(text)
