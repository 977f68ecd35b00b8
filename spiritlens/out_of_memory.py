"""What is done when memory runs out: rows that go together are halved, and the work goes on.

A value never depends on which rows go together, but for rounding: results agree with those of whole batches to 1e-5.

    in_halves(places, run)          # a batch of rows: both halves after each other
    halved(budget, least)           # a sweep, whose rows are as many as fit a budget of bytes
"""

import gc
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch

from spiritlens.warn import warn

Found = TypeVar("Found")

OF_THE_HOST = ("not enough memory", "can't allocate memory", "out of memory")
"""How torch says that a host's memory ran out, by a plain RuntimeError."""


def ran_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out, on a device or on the host."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OF_THE_HOST)


def in_halves(places: Sequence[int], run: Callable[[Sequence[int]], Mapping[int, Found]]) -> dict[int, Found]:
    """What `run` finds for each place: of all together, or where memory runs out, after a warning, of each half.

    Raises the error of a single row that does not fit.
    """
    try:
        return dict(run(places))
    except (RuntimeError, MemoryError) as error:
        if not ran_out_of_memory(error) or len(places) == 1:
            raise
    _free()  # outside the handler, whose traceback holds what was allocated
    half = len(places) // 2
    warn(
        f"memory ran out with {len(places)} rows together: the work goes on with {half}, which changes results by "
        "rounding alone"
    )
    return in_halves(places[:half], run) | in_halves(places[half:], run)


def halved(budget: int, least: int) -> int | None:
    """Half of the bytes for rows, after a warning; None where that is less than `least`, one row's."""
    half = budget // 2
    if half < least:
        return None
    _free()
    warn(
        f"memory ran out with {budget:,} bytes for rows: the sweep goes on with {half:,}, which changes results by "
        "rounding alone; give the lens a smaller memory_budget to begin with"
    )
    return half


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
