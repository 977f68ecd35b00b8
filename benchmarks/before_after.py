"""CPU time of the same grids in two commits, paired: what a change costs or saves.

    OMP_NUM_THREADS=1 python benchmarks/before_after.py 8230486          # against the commit that is checked out
    OMP_NUM_THREADS=1 python benchmarks/before_after.py 8230486 main --rounds 9

Each commit is checked out into a temporary worktree, where a process of its own builds our side of its
`benchmarks/causal_tracing.py` (the shipped model; one noise sample at 64 tokens) and `benchmarks/patching.py` (a small
random Llama). In every round both run all grids, one commit after the other, the first alternating; the first round is
not counted. Printed are the median CPU seconds of both, and the median over rounds of the ratios after / before, which
a busy machine leaves alone.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import tyro
from bit_equal import checked_out

TRACING = ("resid", "mlp", "attn", "heads", "resid-64", "mlp-64")
PATCHING = ("resid_pre by position", "mlp_out by position", "z by position", "k by position", "pattern, all positions")
LEAST_SECONDS = 0.5  # of each grid in each round: a call of 20 ms alone would time the machine
Seconds = dict[str, float]


def main(
    before: Annotated[str, tyro.conf.Positional],
    after: Annotated[str, tyro.conf.Positional] = "HEAD",
    rounds: int = 7,
) -> None:
    """Compare two commits."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        trees = [
            stack.enter_context(checked_out(commit, work / side)) for side, commit in (("a", before), ("b", after))
        ]
        workers = [stack.enter_context(started(tree)) for tree in trees]
        turns: list[list[Seconds]] = [[], []]
        for turn in range(rounds + 1):
            for side in (0, 1) if turn % 2 else (1, 0):
                found = asked(workers[side])
                if turn:
                    turns[side].append(found)
    print(f"{'grid':<32}{'before':>9}{'after':>9}{'ratio':>8}{'lowest':>8}{'highest':>8}")
    every = []
    for name in turns[0][0]:
        one, other = ([found[name] for found in side] for side in turns)
        ratios = sorted(new / old for old, new in zip(one, other, strict=True))
        every.append(statistics.median(ratios))
        middle = f"{statistics.median(one):>9.3f}{statistics.median(other):>9.3f}{every[-1]:>8.3f}"
        print(f"{name:<32}{middle}{ratios[0]:>8.3f}{ratios[-1]:>8.3f}")
    print(f"{'geometric mean':<50}{statistics.geometric_mean(every):>8.3f}")


def started(tree: Path) -> "subprocess.Popen[str]":
    """A process that answers each line with the seconds of a round."""
    path = os.pathsep.join(map(str, (tree, tree / "benchmarks", Path(__file__).parent)))
    code = "from before_after import serve; serve()"
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": path},
    )


def asked(worker: "subprocess.Popen[str]") -> Seconds:
    if worker.stdin is None or worker.stdout is None:
        raise ValueError("the worker has no pipes")
    worker.stdin.write("round\n")
    worker.stdin.flush()
    line = worker.stdout.readline()
    if not line:
        raise SystemExit("a commit's process ended: see its error above")
    return json.loads(line)


def serve() -> None:
    """In the commit's own process."""
    import time

    import torch

    torch.set_num_threads(1)
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    grids = {**tracing_grids(), **patching_grids()}
    for _ in sys.stdin:
        found = {}
        for name, grid in grids.items():
            began, calls = time.process_time(), 0
            while calls == 0 or time.process_time() - began < LEAST_SECONDS:
                grid()
                calls += 1
            found[name] = (time.process_time() - began) / calls
        print(json.dumps(found), file=answers, flush=True)


def tracing_grids() -> dict[str, Callable[[], object]]:
    import causal_tracing as bench
    import torch

    llama, ids, subject = bench.embedded()
    llama = llama.eval().requires_grad_(False)
    model = bench.HookedLensModel(bench.hooked_from_llama(llama))
    found: dict[str, Callable[[], object]] = {}
    for name in TRACING:
        kind, length, window, samples = bench.TASKS[name]
        samples = 1 if length else samples
        task = bench.make_task(llama, ids, subject, kind, length or len(ids), min(window, 2), samples)
        found[f"tracing: {name}"] = torch.no_grad()(lambda task=task: bench.run_ours(model, task))
    return found


def patching_grids() -> dict[str, Callable[[], object]]:
    import patching as bench

    lens = bench.random_lens(layers=4, d_model=128, heads=4, rows=1024, seed=0)
    pairs = {"written": bench.written_pair(lens), "spoken": bench.spoken_pair(lens, 0)}
    grids = {grid.name: grid for grid in bench.GRIDS if grid.name in PATCHING}
    return {
        f"patching: {name}, {kind}": lambda grid=grid, pair=pair: bench.our_values(lens, *pair, grid)
        for kind, pair in pairs.items()
        for name, grid in grids.items()
    }


if __name__ == "__main__":
    tyro.cli(main)
