"""What the machine tells of memory: read on Linux, unknown where nobody says."""

import mmap
import sys
from pathlib import Path

import pytest
import torch

from spiritlens.models import machine

CPU = torch.device("cpu")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_a_process_that_touches_memory_holds_more() -> None:
    size = 2**26
    before = machine.resident()
    with mmap.mmap(-1, size) as held:  # no allocator keeps some of it back
        held.write(b"1" * size)
        after = machine.resident()
    assert before is not None
    assert after is not None
    assert 0.9 * size < after - before < 3 * size
    free = machine.free_memory(CPU)
    assert free is not None
    assert free > 0


def test_tables_are_read_in_kib_and_silence_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    table = tmp_path / "meminfo"
    table.write_text("MemTotal: 9 kB\nMemAvailable:    3 kB\nMemAvailableMore: 7 kB\n")
    monkeypatch.setattr(machine, "MEMORY", table)
    monkeypatch.setattr(machine, "STATUS", tmp_path / "none")
    assert machine.free_memory(CPU) == 3 * 1024
    assert machine.resident() is None
    assert machine.free_memory(torch.device("meta")) is None
    monkeypatch.setattr(sys, "platform", "darwin")
    assert machine.free_memory(CPU) is None


def test_a_gpu_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (5 if device.index == 1 else 7, 9))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 4)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 1)
    assert machine.free_memory(torch.device("cuda:1")) == 5 + 3, "what torch keeps for later tensors is free for them"
