"""What a sweep does when memory runs out: the rows that go together are halved, and the sweep goes on.

A value never depends on which rows go together, but for rounding: results agree with those of whole batches to 1e-5.
"""

import gc

import torch

from spiritlens.warn import warn

OF_THE_HOST = ("not enough memory", "can't allocate memory", "out of memory")
"""How torch says that a host's memory ran out, by a plain RuntimeError."""


def ran_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out, on a device or on the host."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OF_THE_HOST)


def halved(budget: int, least: int) -> int | None:
    """Half of the bytes for rows, after a warning; None where that is less than `least`, one row's."""
    half = budget // 2
    if half < least:
        return None
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    warn(
        f"memory ran out with {budget:,} bytes for rows: the sweep goes on with {half:,}, which changes results by "
        "rounding alone; give the lens a smaller memory_budget to begin with"
    )
    return half
