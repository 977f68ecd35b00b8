"""Memory told before a trace or a study against memory measured in a fresh process, and the peak of a grid on a large
checkpoint.

    python benchmarks/memory.py                       # the embedded model, random checkpoints of 0.6 and 2.3 GB
    python benchmarks/memory.py --sizes embedded half
    python benchmarks/memory.py --sizes --studies 24,10 200,1     # whole studies of so many facts and samples only

Each line is a process of its own: it loads the model, tells a trace's memory (`sl.tracing.estimate_cost`) or a study's
(`sl.studies.study_memory`, as `--dry-run` does), runs it, and reads the highest resident memory since the telling
(VmHWM). *told ÷ measured* counts everything, Python and libraries included, which the process measured when it told;
*peak ÷ (weights + told)* leaves these out of both sides. Studies are of the embedded model, with their page and sounds;
libraries that are first loaded on the way are measured and not told.
Checkpoints are written to a temporary folder, one at a time, in the layout that `sl.load` takes. Linux only.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
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
    studies: tuple[str, ...] = ("24,3",)
    """Whole studies: facts and noise samples of each."""
    measure_study: tuple[int, int] | None = None
    """Facts and noise samples: measure a study of them in this process, and print what was found."""
    measure: tuple[str, str, str] | None = None
    """A folder, a text and a modality: measure them in this process, and print what was found."""


def main(settings: Settings) -> None:
    if settings.measure:
        print(json.dumps(measured(*settings.measure, settings.samples)))
        return
    if settings.measure_study:
        print(json.dumps(measured_study(*settings.measure_study)))
        return
    traces(settings)
    studies(settings)


def traces(settings: Settings) -> None:
    """A line for each trace."""
    if not settings.sizes:
        return
    head = f"{'model':<10}{'prompt':<14}{'tokens':>7}{'weights':>9}{'told':>8}{'measured':>10}"
    print(f"{head}{'told ÷ measured':>17}{'peak ÷ (weights + told)':>25}   (GB)")
    for size in settings.sizes:
        with tempfile.TemporaryDirectory(prefix="memory-") as place:
            folder = "" if size == "embedded" else str(make_checkpoint(Path(place) / size, SHAPES[size]))
            for text, kind in (("short", "written"), ("long", "written"), ("short", "spoken")):
                found = asked("--samples", settings.samples, "--measure", folder, text, kind)
                print(f"{size:<10}{f'{text}, {kind}':<14}{line(found)}", flush=True)


def studies(settings: Settings) -> None:
    """A line for each study."""
    names = ("weights", "results", "sounds", "page", "told", "measured")
    if settings.studies:
        print(f"{'study of':<22}" + "".join(f"{name:>10}" for name in names) + f"{'told ÷ measured':>17}   (MB)")
    for each in settings.studies:
        facts, samples = each.split(",")
        found = asked("--measure-study", facts, samples)
        sizes = "".join(f"{found[name] / 1e6:>10.1f}" for name in names)
        what = f"{facts} facts, {samples} samples"
        print(f"{what:<22}{sizes}{found['told'] / found['measured']:>17.3f}", flush=True)


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


def asked(*options: object) -> dict[str, float]:
    """What a fresh process told and measured."""
    command = [sys.executable, "-W", "ignore", __file__, *map(str, options)]
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
    peak = peak_of(lambda: sl.causal_trace(lens, [prompt], grid, samples=samples, progress="none"))
    sizes = {"weights": memory.weights, "process": memory.process, "told": memory.on_host, "measured": peak}
    return {"tokens": len(prompt), **sizes}


def measured_study(facts: int, samples: int) -> dict[str, float]:
    """In the process itself: load, tell, run the whole study with its page, and read the peak."""
    import spiritlens as sl

    lens, settings = sl.load(), sl.studies.StudySettings(n_facts=facts, samples=samples)
    memory = sl.studies.study_memory(sl.studies.study_cost(lens, settings))
    with tempfile.TemporaryDirectory(prefix="memory-") as place:
        peak = peak_of(lambda: sl.study(lens, place, settings))
    names = ("weights", "results", "sounds", "page")
    return {**{name: getattr(memory, name) for name in names}, "told": memory.on_host, "measured": peak}


def peak_of(work: Callable[[], object]) -> int:
    """The highest resident memory while something is done."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak from here on
    work()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main(tyro.cli(Settings))
