"""The main job in two commits, side by side: how much faster it is, where its time goes, whether its numbers are equal.

    python benchmarks/main_job.py 342edd0                                    # two threads, wall time, three rounds
    OMP_NUM_THREADS=1 python benchmarks/main_job.py 342edd0 --threads 1 --clock processor --rounds 1

Each commit is checked out into a temporary worktree and runs the job in a process of its own with an empty cache, one
after the other, the first alternating. The later commit runs it twice: *equal work*, on the settings of 342edd0 (every
fact is asked, written prompts end plainly, noise has its default scale, no floors), and by *its own defaults*. Printed
are the seconds of a whole process (imports and loading included) and of the job alone, medians over rounds; the median
of the ratios within a round; where the job's time goes; and the largest difference of any number of equal work, of
numbers beyond 1 (logits) in units of themselves. A stage's seconds are its own: what it calls of another stage counts
there, and of what other threads and forked processes do beside it only what is waited for. Processor time is of all
threads and of processes that have ended.

Noise is drawn by a prompt's id, and ids of spoken prompts hold the voice since 342edd0: the earlier commit is given ids
that hold it, so that all prompts of both have the same draws, and every number is compared. An earlier commit whose ids
differ in other ways is refused.
"""

import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro
from bit_equal import checked_out, largest_apart

TOLERANCE = 1e-5
Work = Literal["before", "equal", "default"]
STAGES: dict[str, tuple[str, ...]] = {
    "speaking": (
        "spiritlens.models.lens:spoken",
        "spiritlens.models.lens:_spoken",
        "spiritlens.studies.pairs:_said",
    ),
    "encoding": (
        "spiritlens.studies.pairs:encode_ahead",
        "spiritlens.studies.blocks_ahead:BlocksAhead.ready",
        "spiritlens.speech.encoders.hubert:HubertUnits.encode",
        "spiritlens.speech.hubert:HubertUnits.encode",
    ),
    "words and prompts": ("spiritlens.models.lens:Lens.speak", "spiritlens.models.lens:Lens.text"),
    "asking": ("spiritlens.studies.kept_answers:KeptAnswers.ask", "spiritlens.studies:known_prompts"),
    "tracing": ("spiritlens.studies.traces:causal_trace", "spiritlens.studies:causal_trace"),
    "tracing: recording": (
        "spiritlens.runs.sweep.recorded:RunPair.record",
        "spiritlens.runs.sweep:record",
        "spiritlens.analysis.tracing_prompt:record",
    ),
    "tracing: sweeping": ("spiritlens.runs.sweep.sweep:Sweep.run", "spiritlens.runs.sweep:sweep_runs"),
    "tracing: parts": (
        "spiritlens.effects.part_writer:PartWriter.write",
        "spiritlens.effects.store:RunDirectory.write_part",
        "spiritlens.effects.store:RunDirectory.finish",
        "spiritlens.analysis.grid.prompt_folder:PromptFolder.finish",
    ),
    "comparing": ("spiritlens.studies.study:compare", "spiritlens.studies:compare"),
    "page": ("spiritlens.studies.study:of_folder", "spiritlens.studies:dashboard"),
}
"""Stage → where its functions are, in any of the commits; a place that a commit lacks is passed over."""


def main(
    before: Annotated[str, tyro.conf.Positional],
    after: Annotated[str, tyro.conf.Positional] = "HEAD",
    rounds: int = 3,
    threads: int = 2,
    clock: Literal["wall", "processor"] = "wall",
    n_facts: int = 24,
    samples: int = 10,
    least: float | None = None,
) -> None:
    """Compare two commits; with `least`, the exit status is 1 where equal work is not so many times as fast."""
    turns: dict[Work, list[dict[str, float]]] = {"before": [], "equal": [], "default": []}
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        trees = {
            side: stack.enter_context(checked_out(commit, work / side))
            for side, commit in (("before", before), ("after", after))
        }
        for turn in range(rounds):
            jobs: tuple[Work, ...] = ("before", "equal", "default")
            for job in jobs if turn % 2 == 0 else jobs[::-1]:
                tree = trees["before" if job == "before" else "after"]
                turns[job].append(measured(tree, job, work / f"{job}-{turn}", threads, clock, n_facts, samples))
                print(f"  round {turn + 1}, {job}: {turns[job][-1]['whole']:.1f} s", flush=True)
        apart = largest_difference(work / "before-0", work / "equal-0")
    ratios = told(turns)
    print(f"largest difference of any number of equal work: {apart:.1e}")
    if not apart <= TOLERANCE:
        raise SystemExit(f"the numbers differ by more than {TOLERANCE:.0e}")
    if least is not None and ratios["equal"] < least:
        raise SystemExit(f"equal work is {ratios['equal']:.2f} times as fast, less than {least:g}")


def told(turns: dict[Work, list[dict[str, float]]]) -> dict[Work, float]:
    """Print the table; the median ratio of the whole process to that of the later commit's jobs."""
    medians = {
        job: {name: statistics.median(one[name] for one in found) for name in found[0]} for job, found in turns.items()
    }
    print(f"{'seconds':<28}{'before':>9}{'equal':>9}{'default':>9}")
    for name in medians["before"]:
        print(f"{name:<28}" + "".join(f"{medians[job][name]:>9.2f}" for job in turns))
    ratios: dict[Work, float] = {}
    for name in ("whole", "job"):
        for job in ("default", "equal"):
            found = [one[name] / other[name] for one, other in zip(turns["before"], turns[job], strict=True)]
            ratios[job] = statistics.median(found)
            print(f"{name}: before / {job} {ratios[job]:.2f}")
    return ratios


def measured(
    tree: Path, job: Work, out: Path, threads: int, clock: str, n_facts: int, samples: int
) -> dict[str, float]:
    """Seconds of one job in a process of the commit's own, by stage."""
    path = os.pathsep.join(map(str, (tree, Path(__file__).parent)))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)}
    environment |= {"SPIRITLENS_CACHE": str(out) + ".cache"}
    code = f"from main_job import run_job; run_job({job!r}, {str(out)!r}, {threads}, {clock!r}, {n_facts}, {samples})"
    wall, used = time.perf_counter(), children()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd=tree, env=environment
    )
    whole = time.perf_counter() - wall if clock == "wall" else children() - used
    if done.returncode:
        raise SystemExit(f"the job fails in {tree.name}: {done.stderr[-2000:]}")
    return {"whole": whole, **json.loads(done.stdout.splitlines()[-1])}


def children() -> float:
    """Processor seconds of all processes that this one has waited for, their own children included."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def processor_time() -> float:
    """Processor seconds of this process and of those that it has waited for."""
    return time.process_time() + children()


class Stages:
    """Seconds of each stage by itself: a stage that another one calls stops the other's clock.

    What a second thread does (a block spoken beside) counts, as processor time, for the stage that it is beside.
    """

    def __init__(self, read: Any) -> None:
        self.read, self.seconds, self.open = read, dict.fromkeys(STAGES, 0.0), []
        self.since = read()

    def _credit(self) -> None:
        now = self.read()
        if self.open:
            self.seconds[self.open[-1]] += now - self.since
        self.since = now

    def timed(self, stage: str, function: Any) -> Any:
        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                return function(*args, **kwargs)
            self._credit()
            self.open.append(stage)
            try:
                return function(*args, **kwargs)
            finally:
                self._credit()
                self.open.pop()

        return wrapper

    def place(self) -> None:
        """Put a clock around every function of the table that this commit has."""
        for stage, places in STAGES.items():
            for place in places:
                module, _, path = place.partition(":")
                try:
                    owner: Any = import_module(module)
                    *classes, name = path.split(".")
                    for each in classes:
                        owner = getattr(owner, each)
                    function = getattr(owner, name)
                except (ImportError, AttributeError):
                    continue
                setattr(owner, name, self.timed(stage, function))


def run_job(job: Work, out: str, threads: int, clock: str, n_facts: int, samples: int) -> None:
    """In the commit's own process: the job, and the seconds of its stages."""
    import torch

    import spiritlens as sl

    torch.set_num_threads(threads)
    read = time.perf_counter if clock == "wall" else processor_time
    lens = sl.load()
    stages = Stages(read)
    stages.place()
    began = read()
    if job == "before":
        hold_voices()
        sl.study(lens, out, n_facts=n_facts, samples=samples, seed=0)
    else:
        as_before = {"ask": "all", "ending": "plain", "dose": "equal", "floors": ()} if job == "equal" else {}
        settings = sl.studies.StudySettings(n_facts=n_facts, samples=samples, seed=0, **as_before)
        sl.study(lens, out, settings)
    seconds = read() - began
    rest = seconds - sum(stages.seconds.values())
    print(json.dumps({"job": seconds, **stages.seconds, "everything else": rest}))


def hold_voices() -> None:
    """Let a prompt's id hold its voice, where this commit's does not."""
    from spiritlens.prompts.prompt import Prompt

    def own(prompt: Any) -> str:
        content = [prompt.ids, prompt.subject.positions, prompt.answer_ids, prompt.foil_ids]
        content += [prompt.voice] if prompt.voice else []
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    if "voice" not in str(Prompt.id.__doc__):
        Prompt.id = property(own)


def largest_difference(before: Path, after: Path) -> float:
    """Largest difference of any value of the two folders (`largest_apart`); inf where prompts or values lack in one."""
    import xarray as xr

    largest = 0.0
    for name in ("effects.nc", "tokens/effects.nc"):
        both = []
        for folder in (before, after):
            with xr.open_dataset(folder / name, engine="h5netcdf") as opened:
                both.append(opened.load())
        for coordinate in ("prompt_id", "modality"):
            one, other = (found[coordinate].values.tolist() for found in both)
            if one != other:
                print(f"{name}: {coordinate} differs: {one} before, {other} after")
                return float("inf")
        for variable in ("clean", "corrupted", "restored"):
            one, other = (found[variable].values for found in both)
            apart = largest_apart(one, other)
            print(
                f"{name}: {variable}, {one.shape} before, {other.shape} after, up to {np.nanmax(one):.0f}: {apart:.1e}"
            )
            largest = max(largest, apart)
    return largest


if __name__ == "__main__":
    tyro.cli(main)
