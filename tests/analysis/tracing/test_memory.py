"""Memory told before a trace: its parts, what fits, and a fresh process's peak beside it."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tracing_lens import TinyLens, spoken_prompt, text_prompt, tiny_lens

from spiritlens.analysis.grid.grid import Draws, Grid
from spiritlens.analysis.tracing import memory
from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.analysis.tracing.cost import estimate_cost
from spiritlens.analysis.tracing.grid import trace_grid
from spiritlens.analysis.tracing.memory import FORKED, Batch, Memory, told_memory
from spiritlens.analysis.tracing.settings import TraceSettings
from spiritlens.speech.audio.waveform import Waveform

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def lens():
    return tiny_lens(n_kv_heads=2)


def told(lens, prompts, samples: int = 3) -> Memory:
    return told_memory(lens, prompts, TraceSettings(trace_grid(lens.backend, Grid()), draws=Draws(samples)))


def test_the_prompt_that_takes_most_is_told_and_results_of_all(lens) -> None:
    short, long = told(lens, [text_prompt()]), told(lens, [spoken_prompt()])
    both = told(lens, [text_prompt(), spoken_prompt()])
    assert (both.recorded, both.rows) == (long.recorded, long.rows)
    assert long.recorded > short.recorded
    assert both.results == short.results + long.results
    assert both.weights == sum(value.nbytes for value in lens.model.parameters())
    assert estimate_cost(lens, [spoken_prompt()], samples=3).memory.recorded == long.recorded


def test_sounds_are_told_beside_the_process_that_holds_them(lens, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Waveform(np.zeros(16_000, dtype=np.float32))
    spoken = [replace(spoken_prompt(), waveform=sound), replace(spoken_prompt(), waveform=sound)]
    monkeypatch.setattr(memory, "resident", lambda: 2**30)
    bare, found = told(lens, [spoken_prompt()] * 2), told(lens, spoken)
    assert (bare.sounds, found.sounds) == (0, sound.samples.nbytes), "one sound of both prompts"
    assert bare.process - found.process == found.sounds
    assert bare.on_host == found.on_host
    assert "sounds" in repr(found)


def test_prompts_that_are_measured_at_once_each_hold_their_own(lens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "resident", lambda: 2**30)
    monkeypatch.setattr(memory, "free_memory", lambda device: 2**30)
    alone = told(lens, [spoken_prompt()])
    monkeypatch.setattr(memory, "processes_of", lambda lens: 3)
    three = told(lens, [spoken_prompt()])
    each = alone.recorded + alone.rows
    assert three.on_host - alone.on_host == 2 * each + 3 * FORKED
    assert "3 prompts at once" in repr(three)
    assert "at once" not in repr(alone)
    taken = alone.on_host - alone.process + 3 * FORKED  # what one prompt takes, and what three processes copy
    monkeypatch.setattr(memory, "free_memory", lambda device: taken)
    fewer = told(lens, [spoken_prompt()]).fits
    assert fewer is None or fewer.rows < alone.batch.rows


def test_the_metrics_are_those_of_the_trace(lens) -> None:
    """A price is that of the call with the same arguments: what it measures unless told otherwise, or what is named."""
    traced = causal_trace(lens, [text_prompt()], ("resid_pre",), samples=2, progress="none")
    cells = traced["status"].size
    assert (
        estimate_cost(lens, [text_prompt()], ("resid_pre",), samples=2).memory.values == cells * traced.sizes["metric"]
    )
    assert estimate_cost(lens, [text_prompt()], ("resid_pre",), metrics=["logit"]).memory.values == cells


def test_what_is_free_decides_the_largest_batch(lens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda device: 2**40)
    everything = told(lens, [spoken_prompt()])
    assert everything.fits is not None
    assert everything.fits.rows == everything.whole == everything.batch.rows
    need = everything.recorded + everything.rows + everything.results
    monkeypatch.setattr(memory, "free_memory", lambda device: need - 1)
    less = told(lens, [spoken_prompt()])
    assert less.fits is not None
    assert 0 < less.fits.rows < everything.fits.rows
    again = told(TinyLens(lens.inside, memory_budget=less.fits.budget), [spoken_prompt()])
    assert again.batch.rows == less.fits.rows
    assert again.recorded + again.rows + again.results < need
    monkeypatch.setattr(memory, "free_memory", lambda device: 10)
    assert "not one row does" in repr(told(lens, [spoken_prompt()]))


def test_a_gpu_holds_its_share_and_the_host_the_rest(lens) -> None:
    here = told(lens, [text_prompt()])
    there = replace(here, device="cuda:0")
    assert here.on_device == 0
    assert there.on_device == here.weights + here.recorded + here.rows
    assert here.on_host - there.on_host == there.on_device
    paged = replace(there, page=5)
    assert paged.on_host == there.on_host + 5
    assert "on cuda:0 and" in repr(there)


def test_on_a_gpu_all_rows_go_through_a_block_together(lens, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule of the device is asked of its type alone, so that a plan for one can be made without it."""
    here = told(lens, [spoken_prompt()], samples=200)
    monkeypatch.setattr(type(lens.backend), "device", property(lambda model: torch.device("meta")))
    there = told(lens, [spoken_prompt()], samples=200)
    assert there.rows > here.rows
    assert there.recorded == here.recorded


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's peak")
@pytest.mark.parametrize("size", ["embedded", "half", "large"])
def test_a_fresh_process_takes_what_was_told(size: str, tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import memory as benchmark

    folder = "" if size == "embedded" else str(benchmark.make_checkpoint(tmp_path / size, benchmark.SHAPES[size]))
    samples = 10 if size == "embedded" else 2  # of 3 GB two tenths are of more samples
    prompts = (("long", "written"), ("short", "spoken"))
    for text, kind in prompts[: 1 if size == "large" else 2]:  # `python benchmarks/memory.py` measures all
        found = benchmark.asked("--samples", samples, "--measure", folder, text, kind)
        assert found["told"] == pytest.approx(found["measured"], rel=0.15)
        if size == "large":
            assert found["weights"] >= 2e9
            assert benchmark.ratio(found) <= 1.15


def test_a_gpu_holds_weights_runs_and_rows_and_the_host_the_rest(lens, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told without a GPU: from shapes, and from what a GPU would say of its memory."""
    on_cpu, total = told(lens, [spoken_prompt()]), 80 << 30
    monkeypatch.setattr(type(lens.backend), "device", property(lambda self: torch.device("cuda", 1)))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=total))
    monkeypatch.setattr(memory, "free_memory", lambda device: 30 << 30 if device.index == 1 else 0)
    monkeypatch.setattr(memory, "resident", lambda: 2**30)
    found = told(lens, [spoken_prompt()])
    assert (found.weights, found.recorded, found.results) == (on_cpu.weights, on_cpu.recorded, on_cpu.results)
    assert found.rows >= on_cpu.rows, "a GPU takes all rows of a block at once"
    assert found.on_device == found.weights + found.recorded + found.rows
    assert found.on_host == 2**30 + found.results + found.sounds + found.page, "the weights are not on the host"
    assert found.batch == Batch(found.whole, total // 8)
    lines = repr(found).splitlines()
    assert lines[0].startswith("memory at its peak: ")
    assert " GiB on cuda:1 and " in lines[0]
    assert lines[1].endswith("rows go together, by a memory_budget of 10 GiB")
    assert lines[2] == f"largest batch that fits in the 30 GiB that are free now: {found.whole} rows"
    exactly = found.recorded + found.rows
    monkeypatch.setattr(memory, "free_memory", lambda device: exactly)
    assert told(lens, [spoken_prompt()]).fits.rows == found.whole, "results are on the host"
    monkeypatch.setattr(memory, "free_memory", lambda device: exactly - 1)
    assert told(lens, [spoken_prompt()]).fits.rows < found.whole
