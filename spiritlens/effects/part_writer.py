"""One worker's parts, written as its prompts come.

A part is written anew, with all of its prompts, until it is full; then the next one begins. It is written as soon as
`WRITING_SHARE` times as long as the last write took has passed since, so that writing takes a fiftieth of the time at
most: a kill loses the running prompt, and beside it only prompts that are fast to make again. A part tells the versions
of packages that made it, so one that other versions left unfilled is not filled on.
"""

import time

import xarray as xr

from spiritlens.effects.environments import environment, environment_of
from spiritlens.effects.joining import join_effects
from spiritlens.effects.run_directory import RunDirectory
from spiritlens.effects.shards import Shard

PROMPTS_PER_PART, BYTES_PER_PART = 256, 1 << 25
"""A part is full when it holds so many prompts, or so many bytes."""
WRITING_SHARE = 50


class PartWriter:
    """Writes the parts of a shard; a part that a stop left unfilled is filled on, in the same environment."""

    def __init__(self, run: RunDirectory, shard: Shard) -> None:
        self._run, self._label = run, shard.label
        self._number, self._held, self._seconds = 1, list[xr.Dataset](), 0.0
        self._unwritten, self._due = 0, 0.0
        mine = [name for name in run.done if name.startswith(f"{self._label}.")]
        if mine:
            self._number = int(mine[-1].rpartition(".")[2]) + 1
            try:
                last = run.read_part(mine[-1])
            except ValueError:
                return  # damaged: it is put aside
            if not _is_full([last]) and environment_of(last.attrs) == environment():
                self._number -= 1
                self._held, self._seconds = [last], float(last.attrs.get("seconds", 0))

    @property
    def name(self) -> str:
        """The part that is being filled."""
        return f"{self._label}.{self._number:06d}"

    def add(self, effects: xr.Dataset, seconds: float) -> str:
        """Take a finished prompt, and write it when it is due; returns the name of its part."""
        name = self.name
        self._held.append(effects)
        self._seconds += seconds
        self._unwritten += 1
        full = _is_full(self._held)
        if full or time.monotonic() >= self._due:
            self.write()
        if full:
            self._number += 1
            self._held, self._seconds = [], 0.0
        return name

    def write(self) -> None:
        """Write what is not written yet."""
        if not self._unwritten:
            return
        start = time.monotonic()
        self._held = [join_effects(self._held)]
        self._run.write_part(self.name, self._held[0], worker=self._label, seconds=self._seconds)
        self._unwritten = 0
        self._due = time.monotonic() + WRITING_SHARE * (time.monotonic() - start)


def _is_full(held: list[xr.Dataset]) -> bool:
    prompts = sum(part.sizes["prompt"] for part in held)
    return prompts >= PROMPTS_PER_PART or sum(part.nbytes for part in held) >= BYTES_PER_PART
