"""How many prompts a lens measures side by side, in forked processes of one thread each (`spiritlens.forked`).

`Lens.processes` says how many are wanted. Fewer run where memory is short: each may take the lens's memory budget, and
together they take half of the host's memory at most. One alone runs, with all of torch's threads, where the model is on
a GPU, where a user's own hooks are live (what they note would be noted in a process that ends), and where this process
cannot fork.
"""

import os
from dataclasses import replace

import torch

from spiritlens.forked import can_fork
from spiritlens.models.lens import Lens
from spiritlens.runs.sweep.sweep import resolved_memory_budget

SHARE_OF_MEMORY = 0.5
"""Of the host's memory, what the rows of all processes may take together."""


def processes_of(lens: Lens) -> int:
    """How many processes measure the prompts of a lens."""
    wanted = lens.processes or 1
    if wanted == 1 or lens.device.type != "cpu" or lens.backend.has_user_hooks() or not can_fork():
        return 1
    budget = resolved_memory_budget(lens.device, lens.memory_budget)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(wanted, int(SHARE_OF_MEMORY * memory) // budget))


def by_threads(lens: Lens) -> Lens:
    """The lens with a process for each of torch's threads, where it says nothing of processes."""
    return lens if lens.processes is not None else replace(lens, processes=torch.get_num_threads())
