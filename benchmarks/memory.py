"""Memory told before a trace against memory measured in a fresh process, and the peak of a grid on a large checkpoint.

    python benchmarks/memory.py                       # the embedded model, random checkpoints of 0.5 and 2.1 GB
    python benchmarks/memory.py --sizes embedded half

Each line is a process of its own: it loads the model, tells a trace's memory (`sl.tracing.estimate_cost`), runs it,
and reads the highest resident memory since the telling (VmHWM). *told ÷ measured* counts everything, Python and
libraries included, which the process measured when it told; *peak ÷ (weights + told)* leaves these out of both sides.
Checkpoints are written to a temporary folder, one at a time, in the layout that `sl.load` takes. Linux only.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

SHAPES = {
    "half": {"n_layers": 12, "d_model": 1024, "n_heads": 16, "d_mlp": 2752},
    "large": {"n_layers": 20, "d_model": 1536, "n_heads": 16, "d_mlp": 4128},
}
"""Float32: 0.6 and 2.3 GB."""
TEXTS = {
    "short": "The capital of France is",
    "long": "It has been said more than once by people who know a good deal about it that the capital of France is",
}
Size = Literal["embedded", "half", "large"]


@dataclass(frozen=True)
class Settings:
    """Which models, and how many noise samples."""

    sizes: tuple[Size, ...] = ("embedded", "half", "large")
    samples: int = 10
    measure: tuple[str, str, str] | None = None
    """A folder, a text and a modality: measure them in this process, and print what was found."""


def main(settings: Settings) -> None:
    if settings.measure:
        print(json.dumps(measured(*settings.measure, settings.samples)))
        return
    head = f"{'model':<10}{'prompt':<14}{'tokens':>7}{'weights':>9}{'told':>8}{'measured':>10}"
    print(f"{head}{'told ÷ measured':>17}{'peak ÷ (weights + told)':>25}   (GB)")
    for size in settings.sizes:
        with tempfile.TemporaryDirectory(prefix="memory-") as place:
            folder = "" if size == "embedded" else str(make_checkpoint(Path(place) / size, SHAPES[size]))
            for text, kind in (("short", "written"), ("long", "written"), ("short", "spoken")):
                found = asked(folder, text, kind, settings.samples)
                print(f"{size:<10}{f'{text}, {kind}':<14}{line(found)}", flush=True)


def line(found: dict[str, float]) -> str:
    """Numbers of one process."""
    sizes = f"{found['tokens']:>7.0f}" + "".join(
        f"{found[name] / 1e9:>{width}.2f}" for name, width in (("weights", 9), ("told", 8), ("measured", 10))
    )
    return f"{sizes}{found['told'] / found['measured']:>17.3f}{ratio(found):>25.3f}"


def ratio(found: dict[str, float]) -> float:
    """Peak over weights and what was told beside them, without Python and libraries."""
    return (found["measured"] - found["process"]) / (found["told"] - found["process"])


def make_checkpoint(folder: Path, shape: dict[str, int]) -> Path:
    """The embedded model's vocabulary and encoder with random float32 weights of another shape."""
    import torch

    from spiritlens.models.checkpoints.checkpoint import write_shards
    from spiritlens.models.embedded import embedded_folder
    from spiritlens.models.random_weights import random_config, random_weights

    shutil.copytree(embedded_folder(), folder, ignore=shutil.ignore_patterns("*.safetensors"))
    rows = json.loads((folder / "config.json").read_text())["vocab_size"]
    config = random_config(d_vocab=rows, n_ctx=512, **shape)
    (folder / "config.json").write_text(json.dumps(config.to_dict() | {"dtype": "float32"}))
    write_shards(random_weights(config, dtype=torch.float32), folder)
    ears = embedded_folder() / "speech_tokenizer"
    shutil.rmtree(folder / "speech_tokenizer")
    shutil.copytree(ears, folder / "speech_tokenizer")
    return folder


def asked(folder: str, text: str, kind: str, samples: int) -> dict[str, float]:
    """What a fresh process told and measured."""
    command = [sys.executable, "-W", "ignore", __file__, "--samples", str(samples), "--measure", folder, text, kind]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


def measured(folder: str, text: str, kind: str, samples: int) -> dict[str, float]:
    """In the process itself: load, tell, trace, and read the peak."""
    import spiritlens as sl

    lens = sl.load(folder or None)
    ask = lens.text if kind == "written" else lens.speak
    prompt = ask(TEXTS[text], subject="France", answer="Paris")
    grid = sl.Grid(at="role")
    sl.causal_trace(
        sl.load(), [sl.load().text(TEXTS["short"], subject="France", answer="Paris")], grid, progress="none"
    )
    memory = sl.tracing.estimate_cost(lens, [prompt], grid, samples=samples).memory
    Path("/proc/self/clear_refs").write_text("5")  # the peak from here on
    sl.causal_trace(lens, [prompt], grid, samples=samples, progress="none")
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    sizes = {"weights": memory.weights, "process": memory.process, "told": memory.on_host, "measured": peak}
    return {"tokens": len(prompt), **sizes}


if __name__ == "__main__":
    main(tyro.cli(Settings))
