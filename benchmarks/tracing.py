"""The main job's traces in two commits, paired: 24 facts on the shipped model, written and spoken, by role and token.

    python benchmarks/tracing.py 342edd0                                   # two threads, wall time
    OMP_NUM_THREADS=1 python benchmarks/tracing.py 342edd0 --threads 1 --clock processor --rounds 5

Each commit is checked out into a temporary worktree, where a process of its own speaks the facts and traces all
prompts: block inputs, MLP and attention outputs over the default window, three metrics, ten noise samples, in memory.
In every round both trace, one commit after the other, the first alternating; the first round is not counted. Printed
are median seconds of both, the median over rounds of before / after, and the seconds over the *floor*: the
floating-point operations of the rows that an exact scheme must run, at the best rate that matrix products reach in the
same rounds. Numbers of equal draws must agree to 1e-5, those beyond 1 (logits) to 1e-5 of themselves: noise is drawn
by a prompt's id, and where ids differ between commits the clean values alone are compared. With `--least`, the exit
status is 1 where a trace is not so many times as fast.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro
from bit_equal import checked_out, largest_apart
from main_job import processor_time

GRIDS = ("role", "token")
COMPONENTS = ("resid_pre", "mlp_out", "attn_out")
TOLERANCE = 1e-5
Clock = Literal["wall", "processor"]


def main(
    before: Annotated[str, tyro.conf.Positional],
    after: Annotated[str, tyro.conf.Positional] = "HEAD",
    rounds: int = 3,
    threads: int = 2,
    clock: Clock = "wall",
    n_facts: int = 24,
    samples: int = 10,
    least: float | None = None,
) -> None:
    """Compare two commits."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        trees = {
            side: stack.enter_context(checked_out(commit, work / side))
            for side, commit in (("before", before), ("after", after))
        }
        arguments = (threads, clock, n_facts, samples)
        workers = {side: stack.enter_context(started(tree, work / side, arguments)) for side, tree in trees.items()}
        operations = answer(workers["before"]) and answer(workers["after"])
        turns: list[dict[str, dict[str, float]]] = []
        for turn in range(rounds + 1):
            sides = list(workers) if turn % 2 else list(workers)[::-1]
            found = {side: asked(workers[side]) for side in sides}
            turns.append(found)
            print(f"  round {turn}: {json.dumps(found)}", flush=True)
        apart = largest_difference(work / "before.npz", work / "after.npz")
    ratios = told(turns[1:], operations)
    print(f"largest difference of any number of equal draws: {apart:.1e}")
    if not apart <= TOLERANCE:
        raise SystemExit(f"the numbers differ by more than {TOLERANCE:.0e}")
    if least is not None and min(ratios.values()) < least:
        raise SystemExit(f"a trace is less than {least:g} times as fast")


def told(turns: list[dict[str, dict[str, float]]], operations: dict[str, float]) -> dict[str, float]:
    """Print the table; the median ratio of each grid."""
    rate = statistics.median(found["rate"] for turn in turns for found in turn.values())
    print(f"best matrix product: {rate / 1e9:.0f} GFLOP/s")
    print(f"{'by':<8}{'before':>9}{'after':>9}{'ratio':>8}{'floor':>9}{'÷ floor':>9}")
    ratios = {}
    for at in GRIDS:
        one, other = (statistics.median(turn[side][at] for turn in turns) for side in ("before", "after"))
        ratios[at] = statistics.median(turn["before"][at] / turn["after"][at] for turn in turns)
        over = statistics.median(turn["after"][at] * turn["after"]["rate"] for turn in turns) / operations[at]
        print(f"{at:<8}{one:>9.2f}{other:>9.2f}{ratios[at]:>8.2f}{operations[at] / rate:>9.2f}{over:>9.2f}")
    return ratios


def started(tree: Path, out: Path, arguments: tuple[Any, ...]) -> "subprocess.Popen[str]":
    """A process that answers each line with the seconds of a round."""
    path = os.pathsep.join(map(str, (tree, Path(__file__).parent)))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(arguments[0])}
    environment |= {"SPIRITLENS_CACHE": f"{out}.cache"}
    code = f"from tracing import serve; serve({f'{out}.npz'!r}, *{arguments!r})"
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tree,
        env=environment,
    )


def asked(worker: "subprocess.Popen[str]") -> dict[str, float]:
    if worker.stdin is None:
        raise ValueError("the worker has no pipes")
    worker.stdin.write("round\n")
    worker.stdin.flush()
    return answer(worker)


def answer(worker: "subprocess.Popen[str]") -> dict[str, float]:
    if worker.stdout is None:
        raise ValueError("the worker has no pipes")
    line = worker.stdout.readline()
    if not line:
        raise SystemExit("a commit's process ended: see its error above")
    found: dict[str, float] = json.loads(line)
    return found


def serve(out: str, threads: int, clock: Clock, n_facts: int, samples: int) -> None:
    """In the commit's own process: what the grids' operations are, then a round for each line."""
    import torch

    import spiritlens as sl

    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    torch.set_num_threads(threads)
    read = time.perf_counter if clock == "wall" else processor_time
    lens = as_in_a_study(sl.load())
    prompts = told_prompts(lens, n_facts)
    print(json.dumps({at: operations(lens, prompts, at, samples) for at in GRIDS}), file=answers, flush=True)
    arrays: dict[str, np.ndarray] = {}
    for _ in sys.stdin:
        found = {"rate": rate(read)}
        for at in GRIDS:
            began = read()
            effects = traced(lens, prompts, at, samples)
            found[at] = read() - began
            for name in ("clean", "corrupted", "restored"):
                arrays[f"{at} {name}"] = effects[name].values
        arrays["ids"] = np.array([prompt.id for prompt in prompts])
        np.savez(out, **arrays)
        print(json.dumps(found), file=answers, flush=True)


def as_in_a_study(lens: Any) -> Any:
    """The lens as a study uses it: with a process for each thread, in commits that have such."""
    try:
        return import_module("spiritlens.runs.side_by_side").by_threads(lens)
    except ImportError:
        return lens


def told_prompts(lens: Any, n_facts: int) -> list[Any]:
    """Facts of the shipped list, some from each part of it, written and spoken."""
    try:
        place = import_module("spiritlens.prompts.facts.loading")
    except ImportError:
        place = import_module("spiritlens.prompts.facts")  # where it was in 342edd0
    facts = place.load_facts()
    prompts = []
    for fact in facts[:: max(1, len(facts) // n_facts)][:n_facts]:
        asked = (fact.text("held out"), fact.subject, fact.answer, fact.foil)
        prompts += [lens.text(*asked), lens.speak(*asked)]
    return prompts


def traced(lens: Any, prompts: list[Any], at: str, samples: int) -> Any:
    """The trace, in this commit's words."""
    import spiritlens as sl

    if hasattr(sl, "Grid"):
        from spiritlens.analysis.grid.grid import Draws

        return sl.causal_trace(lens, prompts, sl.Grid(COMPONENTS, at=at), samples=Draws(samples, 0), progress="none")
    return sl.causal_trace(lens, prompts, COMPONENTS, at=at, samples=samples, seed=0, progress="none")


def operations(lens: Any, prompts: list[Any], at: str, samples: int) -> float:
    """Floating-point operations of the rows that must be run; 0 in commits that tell them otherwise."""
    import spiritlens as sl

    if not hasattr(sl, "tracing"):
        return 0.0
    return float(sl.tracing.estimate_cost(lens, prompts, sl.Grid(COMPONENTS, at=at), samples=samples).flops)


def rate(read: Any) -> float:
    """The best floating-point operations a second of a few matrix products."""
    import torch

    best = 0.0
    one, other = torch.randn(1024, 1024), torch.randn(1024, 1024)
    for _ in range(6):
        began = read()
        one @ other
        best = max(best, 2 * 1024**3 / (read() - began))
    return best


def largest_difference(before: Path, after: Path) -> float:
    """Largest difference of the values that both measured on the same draws."""
    with np.load(before) as one, np.load(after) as other:
        alike = one["ids"] == other["ids"]
        largest = 0.0
        for name in one.files:
            if name == "ids":
                continue
            chosen = slice(None) if name.endswith("clean") else alike
            largest = max(largest, largest_apart(one[name][chosen], other[name][chosen]))
    print(f"{len(alike)} prompts, {int(alike.sum())} of them with the same draws of noise")
    return largest


if __name__ == "__main__":
    tyro.cli(main)
