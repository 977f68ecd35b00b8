"""The loading benchmark runs, and loading keeps to one checkpoint's memory (Linux: it reads /proc)."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from spiritlens.models.backends import maker

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "loading.py"


def script():
    spec = importlib.util.spec_from_file_location("loading_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_the_peak_is_at_most_a_quarter_above_the_checkpoint(tmp_path):
    script().make_checkpoint(tmp_path, layers=6, width=1536)
    for kind, ways in (("bin", ("spiritlens", "spiritlens float32", "spiritlens bridge")), ("shards", ("spiritlens",))):
        command = [sys.executable, str(SCRIPT), "--ways", *ways, "--folder", str(tmp_path / kind)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        told = [json.loads(line) for line in done.stdout.splitlines()[-len(ways) :]]
        for way, found in zip(ways, told, strict=True):
            assert found["weights"] > 5e8
            assert found["peak"] <= 1.25 * found["weights"], (way, kind)


def test_a_forward_is_timed_beside_the_rivals():
    """One round on a small model: the ratios are for the benchmark to report, here only that all ways run."""
    times = script().forward_times(rounds=1, layers=2, width=128, rows=300)
    ours = {"Hugging Face", "spiritlens", "spiritlens, norms folded", "spiritlens, on a TransformerBridge"}
    stock = {"TransformerLens's own path"} if maker(None).name == "hooked_transformer" else set()
    assert set(times) == ours | stock
    assert all(seconds > 0 for seconds in times.values())
