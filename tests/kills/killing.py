"""Traces that are killed and taken up again: at random moments, before every change of a file, several in one folder.

Each trace runs in a forked child of a process that holds the planted model. After each kill the same call goes on in
another child; then effects.nc must hold, bit by bit, what an undisturbed trace does, and no file may be left over.
"""

import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import xarray as xr

import spiritlens as sl
from spiritlens.effects.netcdf import differences

SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
CHANGES = ("open", "os.rename", "os.mkdir", "os.remove", "os.link", "os.truncate")
"""Audit events of what may touch a folder; `os.fsync` has none and is counted by hand."""


class Killing:
    """A planted model, a trace of some of its prompts, and what came of each try."""

    def __init__(self, folder: Path, n_prompts: int = 3) -> None:
        torch.set_num_threads(1)
        planted = sl.planted()
        self.folder, self.lens = folder, planted.lens
        self.prompts = [*planted.prompts[:n_prompts], *planted.prompts[12 : 12 + n_prompts - 2]]
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.reference = self.trace(folder / "whole")
        self.files = names(folder / "whole")
        start = time.monotonic()
        os.waitpid(self._child(lambda: self.trace(self._new())), 0)
        self.duration = time.monotonic() - start

    def trace(self, folder: Any, seed: int = 0) -> xr.Dataset:
        """The call that is killed; most of it is what it does with its folder."""
        grid, draws = sl.Grid(("mlp_out",), at="role"), sl.Draws(2, seed=seed)
        return sl.causal_trace(self.lens, self.prompts, grid, samples=draws, progress="none", folder=folder)

    def kill_at(self, name: str, delay: float) -> bool:
        """Send a signal after a while, and take the folder up again; whether the trace was still running."""
        folder = self._new()
        child = self._child(lambda: self.trace(folder))
        time.sleep(delay)
        os.kill(child, SIGNALS[name])
        ended = os.waitpid(child, 0)[1]
        self.counts[name if ended else f"{name} after the end"] += 1
        self._taken_up(folder, f"{name} after {delay:.2f} s")
        return ended != 0

    def crash_points(self) -> int:
        """How many changes of files one trace makes."""
        folder = self._new()
        read, write = os.pipe()

        def counted() -> None:
            seen = before_changes(folder, lambda number: None)
            self.trace(folder)
            os.write(write, str(seen[0]).encode())

        os.waitpid(self._child(counted), 0)
        return int(os.read(read, 20))

    def crash_before(self, point: int) -> None:
        """Send SIGKILL to the process just before its nth change of a file; take the folder up again."""
        folder = self._new()

        def crashing() -> None:
            before_changes(folder, lambda number: os.kill(os.getpid(), signal.SIGKILL) if number == point else None)
            self.trace(folder)

        ended = os.waitpid(self._child(crashing), 0)[1]
        self.counts["crash point" if ended else "crash point not reached"] += 1
        self._taken_up(folder, f"crash before change {point}")

    def at_once(self, n_processes: int) -> None:
        """Several processes in one folder: the others are told that one is at work, or find its work done."""
        folder = self._new()
        told = folder.parent / "told"
        children = [self._child(lambda: self._tried(folder, told)) for _ in range(n_processes)]
        died = sum(os.waitpid(child, 0)[1] != 0 for child in children)
        self.counts[f"{n_processes} processes at once"] += 1
        self.counts["told that another process is at work"] += len(told.read_bytes()) if told.exists() else 0
        if died:
            self.wrong.append(f"{n_processes} processes at once: {died} died")
        self._compare(folder, f"{n_processes} processes at once")

    def _tried(self, folder: Path, told: Path) -> None:
        """The trace, or one mark in a file where it is refused as another process is at work."""
        try:
            self.trace(folder)
        except ValueError as error:
            if "another process is at work on this run" not in str(error):
                raise
            with told.open("ab") as file:
                file.write(b"x")

    def shards(self, n_shards: int, delay: float) -> None:
        """Shards at once, one of which is killed and started again; then the whole."""
        folder = self._new()
        places = [sl.effects.RunFolder(folder, sl.effects.Shard(number, n_shards)) for number in range(1, n_shards + 1)]
        children = [self._child(lambda place=place: self.trace(place)) for place in places]
        time.sleep(delay)
        os.kill(children[0], signal.SIGKILL)
        ended = [os.waitpid(child, 0)[1] for child in children]
        again = os.waitpid(self._child(lambda: self.trace(places[0])), 0)[1]
        self.counts[f"{n_shards} shards, one killed"] += 1
        if any(ended[1:]) or again:
            self.wrong.append(f"{n_shards} shards: ended {ended}, the killed one {again} when started again")
        if os.waitpid(self._child(lambda: self.trace(folder)), 0)[1]:
            self.wrong.append(f"{n_shards} shards: the whole cannot be joined")
        found = sl.effects.load(folder / "effects.nc").assign_attrs(created="")
        self.wrong += differences(self.reference.assign_attrs(created=""), found)[:1]

    def two_settings_at_once(self) -> None:
        """Two processes of different settings in one folder: one wins, the other is refused."""
        folder = self._new()
        children = [self._child(lambda seed=seed: self.trace(folder, seed)) for seed in (0, 1)]
        ended = [os.waitpid(child, 0)[1] for child in children]
        self.counts["two settings at once"] += 1
        seeds = {sl.effects.load(path).attrs["seed"] for path in (folder / "parts").glob("*.nc")}
        if sum(code == 0 for code in ended) != 1 or seeds != {ended.index(0)}:
            self.wrong.append(f"two settings at once: ended {ended}, parts of {seeds}")

    def _new(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.folder)) / "run"

    def _child(self, call: Callable[[], Any]) -> int:
        """A forked child that makes the call; it ends with 0, or with 1 after an error or an interruption."""
        child = os.fork()
        if child:
            return child
        code = 1
        with contextlib.suppress(BaseException):
            with open(os.devnull, "w") as silent:
                os.dup2(silent.fileno(), 2)
            call()
            code = 0
        os._exit(code)

    def _taken_up(self, folder: Path, what: str) -> None:
        if os.waitpid(self._child(lambda: self.trace(folder)), 0)[1]:
            self.wrong.append(f"{what}: the folder cannot be taken up")
            return
        self._compare(folder, what)

    def _compare(self, folder: Path, what: str) -> None:
        """The file holds what an undisturbed trace does, and the folder no other file."""
        found = sl.effects.load(folder / "effects.nc")
        unlike = differences(self.reference.assign_attrs(created=""), found.assign_attrs(created=""))
        left = sorted(names(folder) - self.files)
        if unlike or left:
            self.wrong.append(f"{what}: {unlike[:1]} {left}")
        self.counts["equal, nothing left over"] += not unlike and not left


def names(folder: Path) -> set[str]:
    """All files and folders within a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def before_changes(folder: Path, call: Callable[[int], object]) -> list[int]:
    """Call a function with its number before each change of a file below the folder; how many there were, in a list."""
    seen = [0]

    def count() -> None:
        seen[0] += 1
        call(seen[0])

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if event in CHANGES and arguments and str(arguments[0]).startswith(str(folder)):
            count()

    synced = os.fsync

    def fsync(handle: int) -> None:
        count()
        synced(handle)

    os.fsync = fsync
    sys.addaudithook(heard)
    return seen


def report(kills: int, changes: int | None = None) -> int:
    """Do all of it, or kill before so many changes of files only, drawn at random; print the counts; 1 where anything
    is wrong."""
    lots = random.Random(0)
    with tempfile.TemporaryDirectory() as place:
        killing = Killing(Path(place))
        points = range(1, killing.crash_points() + 1)
        for point in points if changes is None else lots.sample(points, changes):
            killing.crash_before(point)
        killed = len(points) if changes is None else changes
        while killed < kills:
            name = lots.choice(("SIGKILL", "SIGKILL", "SIGTERM", "SIGINT"))
            killed += killing.kill_at(name, lots.uniform(0, killing.duration))
        for number in range(8 if changes is None else 2):
            killing.at_once(2 + number % 2)
            killing.shards(2 + number % 2, lots.uniform(0, killing.duration))
            killing.two_settings_at_once()
    for what, count in sorted(killing.counts.items()):
        print(f"{count:5}  {what}")
    print(*killing.wrong or ["nothing wrong"], sep="\n")
    return 1 if killing.wrong else 0
