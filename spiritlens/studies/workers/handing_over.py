"""Handing a study's shards to submitit: to processes of this machine, or to SLURM as an array of jobs.

Both ways are one: an executor is given the shards' jobs, whose logs lie in ``jobs/`` of the study's folder, a folder
for each time that the command is given. Who then joins differs: here the process that waits for them, on SLURM a job
that depends on the array.
"""

import contextlib
import io
import os
import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from spiritlens.arguments import shown
from spiritlens.effects.shards import WHOLE, Shard
from spiritlens.studies.workers.job import StudyJob
from spiritlens.studies.workers.settings import HOURS, Workers, given_workers
from spiritlens.warn import warn

REQUEUES = 1000
"""How often a job whose time is up goes on."""
MINUTES_HERE = 366 * 24 * 60
"""How long a worker of this machine may take: nobody else waits for it."""
LOOKS_EVERY_S = 0.5


def hand_over(job: StudyJob, workers: Workers) -> str:
    """Have a study made by several workers; its arrays are bit by bit those of one worker of as many threads.

    On this machine it waits for them, joins, and returns what the study prints; on SLURM it returns at once, with the
    numbers of the jobs. Raises ValueError for a job that is one worker's share already, and where SLURM is not there or
    refuses the jobs; ImportError without submitit; ChildProcessError for workers that ended before their work was done:
    the same call starts them again.
    """
    workers = given_workers(workers)
    if not isinstance(job, StudyJob):
        raise ValueError(f"job={shown(job)}: expected a StudyJob, such as sl.studies.StudyJob(source, place, settings)")
    if workers.alone:
        return job()
    if job.place.shard != WHOLE:
        raise ValueError(
            f"shard {job.place.shard} is one worker's share (--shard, or a variable of a scheduler says so): give "
            "either the shard or workers"
        )
    shards = [
        replace(job, place=replace(job.place, shard=Shard(number, workers.workers)))
        for number in range(1, workers.workers + 1)
    ]
    folder = job.place.path / "jobs" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
    if workers.cluster == "slurm":
        return str(_submitted(job, shards, workers, folder))
    _run_here(shards, folder)
    return job()


def _submitit() -> Any:
    try:
        import submitit
    except ImportError as error:
        raise ImportError(
            "workers are started by submitit, which is not here: pip install 'spiritlens[cluster]'"
        ) from error
    return submitit


def _run_here(shards: Sequence[StudyJob], folder: Path) -> None:
    """Each shard in a process of its own, until all have ended; Ctrl-C ends them too."""
    submitit = _submitit()
    gpus = visible_gpus(os.environ.get("CUDA_VISIBLE_DEVICES"), torch.cuda.device_count())
    devices = devices_of(shards[0].source.device, len(shards), len(gpus))
    executor = submitit.LocalExecutor(folder)
    executor.update_parameters(timeout_min=MINUTES_HERE, gpus_per_node=len(gpus), visible_gpus=gpus)
    tell_threads(shards[0].threads, len(shards))
    jobs = [
        executor.submit(replace(shard, source=replace(shard.source, device=device)))
        for shard, device in zip(shards, devices, strict=True)
    ]
    waiting = list(jobs)
    try:
        with tqdm(total=len(jobs), desc="workers", unit="worker") as bar:
            while waiting:
                time.sleep(LOOKS_EVERY_S)
                ended = [one for one in waiting if one.done()]
                waiting = [one for one in waiting if one not in ended]
                bar.update(len(ended))
    except BaseException:
        for one in waiting:
            one.cancel()
        raise
    problems = [
        f"worker {shard.place.shard}: {problem} (log: {one.paths.stderr})"
        for shard, one in zip(shards, jobs, strict=True)
        if (problem := _problem(one))
    ]
    if problems:
        raise ChildProcessError(
            f"{len(problems)} of {len(jobs)} workers ended before their work was done; the same command goes on. "
            + "; ".join(problems)
        )


def _problem(job: Any) -> str:
    """Why a worker that has ended did not do its work; "" where it did."""
    if not job.paths.result_pickle.exists():
        return "it was killed"
    error = job.exception()
    if error is None:
        return ""
    trace = str(error).partition("-" * 22)[2].partition("-" * 22)[0].strip()
    return trace.splitlines()[-1] if trace else str(error)


def devices_of(device: str | None, workers: int, gpus: int) -> list[str | None]:
    """The device of each worker: the GPUs in turn, where there are some and none of them is named."""
    if gpus and device in (None, "cuda"):
        return [f"cuda:{number % gpus}" for number in range(workers)]
    return [device] * workers


def visible_gpus(variable: str | None, count: int) -> tuple[int, ...]:
    """The GPUs that this process sees, by the numbers that its children see them by (CUDA_VISIBLE_DEVICES)."""
    named = [] if variable is None else [name.strip() for name in variable.split(",")]
    if named and all(name.isdecimal() for name in named):
        return tuple(int(name) for name in named[:count])
    return tuple(range(count))


def tell_threads(threads: int | None, workers: int) -> None:
    """Warn where workers have more threads than there are processors, as they slow each other."""
    each, there = torch.get_num_threads() if threads is None else threads, processors()
    if workers > 1 and each * workers > there:
        warn(
            f"{workers} workers of {each} threads share {there} processors and slow each other; threads="
            f"{max(1, there // workers)} fits (results are equal bit by bit at equal threads)"
        )


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Submission:
    """Jobs in SLURM's queue: the array of the shards, and the one that joins what they make."""

    array: str
    workers: int
    join: str
    out: Path
    logs: Path

    def __str__(self) -> str:
        what = f"an array of {self.workers} jobs, {self.array}, and job {self.join}, which joins them"
        if self.workers == 1:
            what = f"job {self.join}"
        return f"SLURM has {what}. Logs: {self.logs}. Progress: spiritlens inspect {self.out}"


def _submitted(job: StudyJob, shards: Sequence[StudyJob], workers: Workers, folder: Path) -> Submission:
    """The shards as an array, then the joining once all of them ended well; one worker does both."""
    if shutil.which("sbatch") is None:
        raise ValueError("cluster='slurm': there is no sbatch here; give the command where jobs are submitted from")
    submitit, array = _submitit(), ""
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # submitit prints what its error then tells
            if len(shards) > 1:
                executor = _slurm(submitit, workers, folder)
                with executor.batch():
                    jobs = [executor.submit(shard) for shard in shards]
                array = jobs[0].job_id.partition("_")[0]
            join = _slurm(submitit, workers, folder, after=array).submit(job).job_id
    except submitit.core.utils.FailedJobError as error:
        told = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
        raise ValueError(
            f"SLURM refused the jobs ({told}): give others of partition, gpus, hours, memory_gb"
        ) from error
    return Submission(array, len(shards), join, job.place.path, folder)


def _slurm(submitit: Any, workers: Workers, folder: Path, after: str = "") -> Any:
    """An executor of jobs that begin after those of an array have ended well, and are dropped where one has not."""
    executor = submitit.SlurmExecutor(folder, max_num_timeout=REQUEUES)
    wanted: dict[str, Any] = {
        "job_name": "spiritlens",
        "time": max(1, round((workers.hours or HOURS) * 60)),
        "partition": workers.partition,
        "gpus_per_node": workers.gpus,
        "mem": None if workers.memory_gb is None else f"{max(1, round(workers.memory_gb * 1024))}M",
        "cpus_per_task": workers.threads,
    }
    if after:
        wanted |= {"dependency": f"afterok:{after}", "additional_parameters": {"kill-on-invalid-dep": "yes"}}
    executor.update_parameters(**{name: value for name, value in wanted.items() if value is not None})
    return executor
