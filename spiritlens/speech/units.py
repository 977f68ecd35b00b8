"""Unit streams: the discrete units of speech, each with its seconds.

A speech encoder emits one unit id per *frame* (25 frames per second for SpiritLM's HuBERT). Language models read the
*deduplicated* stream, where a run of equal ids is one unit. `UnitStream` keeps, for every unit, its start and end in
seconds and its run length in frames, so that deduplication loses nothing: ``stream.dedup().expand()`` is the
stream again (ids always; times too, but for a run over a cut of long audio, where an encoder leaves out one frame: the
frames after the cut are then dated one frame early).

Axes: ``unit``. Units of measure: seconds, frames, frames per second. Frame i of a stream that starts at `offset` covers
[offset + i / rate, offset + (i + 1) / rate).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from spiritlens.arguments import number, shown

DECIMALS = 9
"""Times are rounded to nanoseconds, so that a round trip through `dedup` and `expand` is exact."""


@dataclass(frozen=True, eq=False)
class UnitStream:
    """Units with time: `ids`, `starts`, `ends` (seconds), `frames` (run lengths), each [unit]; `rate` frames/s."""

    ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    frames: np.ndarray
    rate: float = 25.0

    def __post_init__(self) -> None:
        for name, dtype in (("ids", np.int64), ("starts", np.float64), ("ends", np.float64), ("frames", np.int64)):
            array = np.asarray(getattr(self, name))
            if array.ndim != 1:
                raise ValueError(f"{name} has shape {array.shape}; expected one axis (unit).")
            if array.size and not np.issubdtype(array.dtype, np.integer):
                if np.issubdtype(np.dtype(dtype), np.integer):
                    raise ValueError(f"{name} are {array.dtype}; expected integers.")
                if not np.issubdtype(array.dtype, np.floating):
                    raise ValueError(f"{name} are {array.dtype}; expected seconds as numbers.")
            array = array.astype(dtype)
            if not np.isfinite(array).all():
                raise ValueError(f"{name} hold NaN or infinity; expected seconds as numbers.")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        object.__setattr__(self, "rate", number("rate (frames per second)", self.rate, above=0, below=inf))
        self._check()

    def _check(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in ("ids", "starts", "ends", "frames")}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"ids, starts, ends and frames differ in length: {lengths}; give one entry per unit.")
        if (self.ids < 0).any():
            raise ValueError(f"unit id {self.ids.min()} is negative; unit ids count from 0.")
        if (self.frames < 1).any():
            raise ValueError("a unit has a run length of less than one frame; leave such units out.")
        if (self.ends <= self.starts).any() or (self.starts[1:] < self.ends[:-1] - 1e-6).any():
            raise ValueError(
                "unit times overlap or run backwards; sort the units by time, each ending after it starts."
            )
        lasted, counted = float((self.ends - self.starts).sum()), float(self.frames.sum() / self.rate)
        if abs(lasted - counted) > 0.05 * counted + 2 / self.rate:  # a run over a cut of long audio counts a frame less
            raise ValueError(
                f"the units last {lasted:g} s by their times and {counted:g} s by {self.frames.sum()} frames at "
                f"{self.rate:g} per second; give the rate of the encoder that made them."
            )

    @classmethod
    def from_frames(cls, ids: np.ndarray | Sequence[int], rate: float = 25.0, offset: float = 0.0) -> "UnitStream":
        """One unit per frame: unit i covers [offset + i / rate, offset + (i + 1) / rate) seconds."""
        ids = np.asarray(ids)
        if ids.ndim != 1:
            raise ValueError(f"ids are {shown(ids)}; expected a list of unit ids, one per frame.")
        rate, offset = number("rate", rate, above=0, below=inf), number("offset", offset, above=-inf, below=inf)
        ids = ids.astype(np.int64) if len(ids) == 0 else ids
        edges = np.round(offset + np.arange(len(ids) + 1) / rate, DECIMALS)
        return cls(ids, edges[:-1], edges[1:], np.ones(len(ids), np.int64), rate)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, key: slice) -> "UnitStream":
        """The units of a slice, with their times unchanged."""
        if not isinstance(key, slice):
            raise TypeError(f"index a unit stream by a slice, not by {key!r}; read single ids from `.ids`.")
        return UnitStream(self.ids[key], self.starts[key], self.ends[key], self.frames[key], self.rate)

    @property
    def duration(self) -> float:
        """Seconds from the first unit's start to the last unit's end."""
        return float(self.ends[-1] - self.starts[0]) if len(self) else 0.0

    @property
    def is_deduplicated(self) -> bool:
        """Whether no two adjoining units are equal."""
        return not self._joins().any()

    def _joins(self) -> np.ndarray:
        """For each unit but the first: does it continue the unit before it?

        It has the same id and less than a frame and a half lies between, as an encoder that cuts long audio into
        chunks leaves out one frame at each cut.
        """
        same = self.ids[1:] == self.ids[:-1]
        return np.asarray(same & (np.abs(self.starts[1:] - self.ends[:-1]) < 1.5 / self.rate))

    def dedup(self) -> "UnitStream":
        """Merge each run of equal adjoining units into one, which keeps the run's start, end and number of frames."""
        if len(self) == 0:
            return self
        first = np.flatnonzero(np.concatenate([[True], ~self._joins()]))
        last = np.concatenate([first[1:], [len(self)]]) - 1
        return UnitStream(
            self.ids[first], self.starts[first], self.ends[last], np.add.reduceat(self.frames, first), self.rate
        )

    def expand(self) -> "UnitStream":
        """One unit per frame again, each run dated from its start: the inverse of `dedup` (see the module for cuts)."""
        ids = np.repeat(self.ids, self.frames)
        within = np.arange(len(ids)) - np.repeat(np.cumsum(self.frames) - self.frames, self.frames)
        starts = np.repeat(self.starts, self.frames) + within / self.rate
        return UnitStream(
            ids,
            np.round(starts, DECIMALS),
            np.round(starts + 1 / self.rate, DECIMALS),
            np.ones(len(ids), np.int64),
            self.rate,
        )

    def slice_time(self, start: float, end: float) -> "UnitStream":
        """The units whose centre lies in [start, end) seconds, with their times unchanged."""
        start, end = number("start", start), number("end", end)
        if not start < end:
            raise ValueError(f"time slice {start}-{end} s is empty; expected start < end.")
        centres = (self.starts + self.ends) / 2
        inside = np.flatnonzero((centres >= start) & (centres < end))
        return self[int(inside[0]) : int(inside[-1]) + 1] if len(inside) else self[:0]

    def _repr_html_(self) -> str:
        cells = "".join(
            f'<td title="{start:.3f}-{end:.3f} s, {frames} frames" style="border:1px solid; padding:0 .3em">{unit}</td>'
            for unit, start, end, frames in zip(self.ids, self.starts, self.ends, self.frames, strict=True)
        )
        return f"<p>{len(self)} units, {self.duration:.2f} s</p><table><tr>{cells}</tr></table>"

    def __repr__(self) -> str:
        if len(self) == 0:
            return f"UnitStream(empty, {self.rate:g} frames/s)"
        shown = " ".join(map(str, self.ids[:12])) + (" ..." if len(self) > 12 else "")
        kind = "units" if self.is_deduplicated else "frames"
        times = f"{self.starts[0]:.2f}-{self.ends[-1]:.2f} s"
        return f"UnitStream({len(self)} {kind}, {times}, {self.rate:g} frames/s: {shown})"
