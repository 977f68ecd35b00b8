"""Workers on a real SLURM of one node: killed and started again, requeued after a signal, done; arrays are equal."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from one_node_slurm import missing_programs, one_node_slurm
from small_study import command, unlike

from spiritlens.effects.shards import shard_of_environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(missing_programs()),
        reason=f"Debian's slurmctld, slurmd, slurm-client or munge is missing: {', '.join(missing_programs())}",
    ),
]
PATIENCE_S = 600


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with one_node_slurm(tmp_path_factory.mktemp("slurm")) as found:
        yield found


def asked(variables: dict[str, str], *words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, env=os.environ | variables, check=True).stdout


def until(holds: Callable[[], object], what: str) -> None:
    start = time.monotonic()
    while not holds():
        assert time.monotonic() - start < PATIENCE_S, f"waited for {what}"
        time.sleep(0.2)


def submitted(out: Path, variables: dict[str, str], *options: str) -> tuple[str, str]:
    """The numbers of the array and of the joining job."""
    done = command(out, "--cluster", "slurm", "--workers", "2", *options, variables=variables)
    assert done.returncode == 0, done.stderr
    found = re.search(r"an array of 2 jobs, (\d+), and job (\d+), which joins them", done.stdout)
    assert found is not None, done.stdout
    return found[1], found[2]


def told(variables: dict[str, str], job: str) -> str:
    """What SLURM knows of a job, also of one that has ended."""
    return asked(variables, "scontrol", "show", "job", job)


def queue_is_empty(variables: dict[str, str]) -> bool:
    return not asked(variables, "squeue", "--noheader").strip()


def logs(out: Path) -> str:
    return "\n".join(path.read_text() for path in sorted((out / "jobs").rglob("*_log.*")))


def everything_told(variables: dict[str, str], out: Path, *jobs: str) -> str:
    """What a failure is understood by: SLURM's words of the jobs, its daemons' logs, the workers' own."""
    daemons = [Path(variables["SLURM_CONF"]).with_name(f"{name}.log").read_text() for name in ("slurmctld", "slurmd")]
    return "\n".join([*(told(variables, job) for job in jobs), *daemons, logs(out)])


def process_at_work(out: Path, shard: str) -> int | None:
    """The living process that makes a shard; a killed one leaves its note behind."""
    with contextlib.suppress(OSError, ValueError):  # no note yet, or it ended just now
        process = json.loads((out / "parts" / f".{shard}.worker").read_text())["process"]
        os.kill(process, 0)
        return int(process)
    return None


def test_a_killed_job_drops_the_joining_and_after_the_same_command_a_requeued_one_makes_what_one_process_makes(
    variables: dict[str, str], one_process: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    array, join = submitted(out, variables)
    until(lambda: process_at_work(out, "1-of-2"), "the first worker's shard")
    process = process_at_work(out, "1-of-2")
    assert process is not None, logs(out)
    os.kill(process, signal.SIGKILL)  # scancel first asks, and submitit goes on
    until(lambda: queue_is_empty(variables), "the end of all jobs")
    assert "State=COMPLETED" not in told(variables, join)
    assert not (out / "effects.nc").exists()
    array, join = submitted(out, variables, "--partition", "main", "--hours", "2", "--memory-gb", "3")
    until(lambda: process_at_work(out, "1-of-2"), "the first worker's shard")
    asked(variables, "scancel", "--signal=USR2", f"{array}_0")
    until(lambda: "Requeued job" in logs(out), "the requeueing of a job that was told to end")
    # SLURM itself lets a requeued job wait for two minutes, until nothing of its first run is left on the node
    until(lambda: "JobState=PENDING" in told(variables, f"{array}_0"), "the end of its first run")
    asked(variables, "scontrol", "update", f"JobId={array}_0", "StartTime=now")
    until(lambda: queue_is_empty(variables), "the end of all jobs")
    assert "State=COMPLETED" in told(variables, join), everything_told(variables, out, array, join)
    assert "Restarts=1" in told(variables, f"{array}_0")
    assert unlike(one_process, out) == []
    assert (out / "index.html").is_file()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--partition", "nowhere"), "invalid partition specified: nowhere"),
        (("--gpus", "3"), "Invalid generic resource"),
        (("--memory-gb", "1e6"), "Memory specification can not be satisfied"),
    ],
)
def test_what_slurm_refuses_is_told_in_one_line(
    variables: dict[str, str], tmp_path: Path, options: tuple[str, ...], reason: str
) -> None:
    done = command(tmp_path, "--cluster", "slurm", "--workers", "2", *options, variables=variables)
    assert done.returncode == 1
    assert done.stderr.startswith("spiritlens: SLURM refused the jobs (")
    assert reason in done.stderr
    assert asked(variables, "squeue", "--noheader").strip() == ""


def test_jobs_and_tasks_of_slurm_read_which_shard_they_are(variables: dict[str, str], tmp_path: Path) -> None:
    """An array's jobs, the tasks that srun starts in each, both together, and a script that starts none; each leaves
    the variables that it found."""
    say = f"sh -c 'env -0 > {tmp_path}/NAME-$SLURM_JOB_ID-$SLURM_PROCID.env'"
    step = f"srun --ntasks=2 --overlap --mem=0 {say}"
    scripts = {
        "array": (("--array=3-7:2",), say),
        "both": (("--array=1-2", "--ntasks=2"), step),
        "step": (("--ntasks=2",), step),
        "script": (("--ntasks=2",), say),
    }
    shards = {
        "array": ["1/3", "2/3", "3/3"],
        "both": ["1/4", "2/4", "3/4", "4/4"],
        "step": ["1/2", "2/2"],
        "script": ["1/1"],
    }
    for name, (options, line) in scripts.items():
        script = tmp_path / f"{name}.sh"
        script.write_text(f"#!/bin/sh\n{line.replace('NAME', name)}\n")
        asked(variables, "sbatch", "--wait", "--mem=1000", f"--output={tmp_path}/{name}-%j.log", *options, str(script))
        found = [shard_of_environment(variables_in(path)) for path in tmp_path.glob(f"{name}-*.env")]
        texts = [path.read_text() for path in tmp_path.glob(f"{name}-*.log")]
        assert sorted(map(str, found)) == shards[name], (name, texts)


def variables_in(path: Path) -> dict[str, str]:
    """The environment that a job wrote down."""
    pairs = [line.partition("=") for line in path.read_text().split("\0")]
    return {name: value for name, _, value in pairs if name}
