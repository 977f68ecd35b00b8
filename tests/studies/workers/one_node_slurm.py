"""A real SLURM of one node, from Debian's packages, in a temporary folder: its own configuration, key and daemons.

    with one_node_slurm(folder) as variables:      # SLURM_CONF, which sbatch, squeue and scancel read
        …

It runs as whoever runs the tests, without systemd, cgroups or a database.
"""

import contextlib
import getpass
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
PATIENCE_S = 60


def missing_programs() -> list[str]:
    """Programs of Debian's slurmctld, slurmd, slurm-client and munge that are not on this machine."""
    return [name for name in PROGRAMS if _program(name) is None]


@contextlib.contextmanager
def one_node_slurm(folder: Path, cpus: int = 2) -> Iterator[dict[str, str]]:
    """A cluster of this machine with a partition `main`; its daemons end with the context."""
    munge, spool, state = folder / "munge", folder / "spool", folder / "state"
    for place in (munge, spool, state):
        place.mkdir(parents=True, mode=0o700)
    key, socket_path = munge / "key", munge / "socket"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    configuration = folder / "slurm.conf"
    configuration.write_text(_configuration(folder, socket_path, cpus), encoding="utf-8")
    names = {"socket": socket_path, "key-file": key, "pid-file": munge / "pid", "log-file": munge / "log"}
    options = [f"--{name}={path}" for name, path in {**names, "seed-file": munge / "seed"}.items()]
    variables = {"SLURM_CONF": str(configuration)}
    commands = (
        [_program("munged"), "--foreground", "--force", *options],
        [_program("slurmctld"), "-D", "-f", str(configuration)],
        [_program("slurmd"), "-D", "-f", str(configuration), "-N", "node"],
    )
    with contextlib.ExitStack() as running:
        for command in commands:
            running.enter_context(_daemon(command, folder / f"{Path(str(command[0])).name}.out", variables))
            if command is commands[0]:
                _wait_for(socket_path.exists, "munged's socket")
        _wait_for(lambda: _state(variables) == "idle", f"an idle node; {folder}/slurmctld.log tells more")
        yield variables


def _configuration(folder: Path, socket_path: Path, cpus: int) -> str:
    user, (controller, node) = getpass.getuser(), _free_ports(2)
    settings = {
        "ClusterName": "tests",
        "SlurmctldHost": f"{socket.gethostname().partition('.')[0]}(127.0.0.1)",
        "SlurmctldPort": controller,
        "SlurmdPort": node,
        "SlurmUser": user,
        "SlurmdUser": user,
        "AuthType": "auth/munge",
        "AuthInfo": f"socket={socket_path}",
        "CredType": "cred/munge",
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "JobAcctGatherType": "jobacct_gather/none",
        "AccountingStorageType": "accounting_storage/none",
        "MpiDefault": "none",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_CPU_Memory",
        "StateSaveLocation": folder / "state",
        "SlurmdSpoolDir": folder / "spool",
        "SlurmctldPidFile": folder / "slurmctld.pid",
        "SlurmdPidFile": folder / "slurmd.pid",
        "SlurmctldLogFile": folder / "slurmctld.log",
        "SlurmdLogFile": folder / "slurmd.log",
        "ReturnToService": 2,
        "MinJobAge": 36000,  # a job is told of long after it ended, also where the machine is busy
        "SchedulerParameters": "sched_interval=2,bf_interval=2",
    }
    lines = [f"{name}={value}" for name, value in settings.items()]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**21
    lines += [
        f"NodeName=node NodeHostname={socket.gethostname().partition('.')[0]} NodeAddr=127.0.0.1 CPUs={cpus} "
        f"RealMemory={memory} State=UNKNOWN",
        "PartitionName=main Nodes=node Default=YES MaxTime=INFINITE State=UP",
    ]
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _daemon(command: Sequence[str | None], log: Path, variables: dict[str, str]) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen([str(word) for word in command], stdout=out, stderr=out, env=os.environ | variables)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _state(variables: dict[str, str]) -> str:
    asked = ["sinfo", "--noheader", "--format=%T"]
    return subprocess.run(asked, capture_output=True, text=True, env=os.environ | variables).stdout.strip()


def _wait_for(holds: Callable[[], bool], what: str) -> None:
    start = time.monotonic()
    while not holds():
        if time.monotonic() - start > PATIENCE_S:
            raise TimeoutError(f"waited {PATIENCE_S} s for {what}")
        time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
