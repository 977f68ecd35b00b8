"""Memory: what a model's weights take, and, as this machine tells it, what the process holds and a device has free."""

import sys
from pathlib import Path

import torch

from spiritlens.models.lens import Lens

STATUS, MEMORY = Path("/proc/self/status"), Path("/proc/meminfo")


def weight_bytes(lens: Lens) -> int:
    """Bytes of a lens's parameters; those that share their memory count once (on torch's meta device, which has none,
    each counts)."""
    return sum({value.data_ptr() or id(value): value.nbytes for value in lens.model.parameters()}.values())


def resident() -> int | None:
    """Bytes that the process holds in memory, mapped files that it touched included; None where nobody says (only Linux
    does)."""
    return _field(STATUS, "VmRSS")


def free_memory(device: torch.device) -> int | None:
    """Bytes of a device's memory that are free now, with those that torch keeps for later tensors; None where nobody
    says."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + kept
    return _field(MEMORY, "MemAvailable") if device.type == "cpu" else None


def _field(path: Path, name: str) -> int | None:
    """A field of one of Linux's tables, which tell KiB."""
    if sys.platform != "linux":
        return None
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith(f"{name}:")]
    return int(found[0][1]) * 1024 if found else None
