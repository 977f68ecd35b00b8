"""What is done when memory runs out: rows that go together are halved, and the work goes on.

A value never depends on which rows go together, but for rounding: results agree with those of whole batches to 1e-5.

    in_halves(places, run)          # a batch of rows: both halves after each other
    of_slices(n_rows, run)          # the same of rows that follow each other, told by slices
    in_pieces(items, run, …)        # rows of which as many go together as fit a budget of bytes
    halved(budget)                  # half of the bytes for rows
"""

import gc
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from spiritlens.warn import warn

Found = TypeVar("Found")
Item = TypeVar("Item")

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


def of_slices(n_rows: int, run: Callable[[slice], Found]) -> list[Found]:
    """What `run` finds of so many rows: of all together, or where memory runs out of one slice of them after the other.

    Raises the error of a single row that does not fit.
    """
    found = in_halves(range(n_rows), lambda rows: {rows[0]: run(slice(rows[0], rows[-1] + 1))})
    return list(found.values())


def joined(parts: Sequence[Tensor]) -> Tensor:
    """Rows ``[row …]`` of slices as one tensor; a single part is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def in_pieces(
    items: Sequence[Item],
    run: Callable[[Sequence[Item], int], Found],
    *,
    bytes_of_one: int,
    budget: int,
    least: int | None = None,
) -> list[Found]:
    """What `run` finds of the items, in their order, so many at a time as a budget of bytes holds (at least one).

    `run` is told the budget as well. Where memory runs out, the items that are left are run with half of it, down to
    `least`, one row's (None: an item is one row). Raises the error of a single row that does not fit.
    """
    found: list[Found] = []
    lowest = bytes_of_one if least is None else least
    first, left = 0, int(budget)
    while first < len(items):
        some = items[first : first + max(1, left // bytes_of_one)]
        used = min(left, bytes_of_one * len(some))
        try:
            found.append(run(some, left))
            first += len(some)
            continue
        except (RuntimeError, MemoryError) as error:
            if not ran_out_of_memory(error) or used // 2 < lowest:
                raise
        left = halved(used)  # outside the handler, whose traceback holds what was allocated
    return found


def halved(budget: int) -> int:
    """Half of the bytes for rows, after a warning."""
    half = budget // 2
    _free()
    warn(
        f"memory ran out with {budget:,} bytes for rows: the work goes on with {half:,}, which changes results by "
        "rounding alone; give the lens a smaller memory_budget to begin with"
    )
    return half


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
