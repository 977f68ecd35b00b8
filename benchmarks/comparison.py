"""CPU time of comparing two modalities in two commits, at equal resamples: what statistics cost.

    OMP_NUM_THREADS=1 python benchmarks/comparison.py 342edd0            # against the commit that is checked out
    OMP_NUM_THREADS=2 python benchmarks/comparison.py 342edd0 main --facts 200 --layers 32 --resamples 10000

Each commit is checked out into a temporary worktree, where a process of its own compares the same simulated effects
(three components by role; `tests/effects/effects_synthetic.py` of that commit). Rounds alternate; the first is not
counted. Printed are the least CPU and wall seconds of either commit, for all resamples and flips and for ten of them:
the difference is what resamples cost, the rest is pairing and averaging, which both commits do alike.
"""

import json
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import tyro
from bit_equal import checked_out, told_by

HOMES = ("spiritlens.comparison.compare", "spiritlens.analysis.comparison")
"""Where `compare` lives, the newest first."""
FEW = 10
Seconds = dict[str, float]


def main(
    before: Annotated[str, tyro.conf.Positional],
    after: Annotated[str, tyro.conf.Positional] = "HEAD",
    facts: int = 200,
    layers: int = 32,
    resamples: int = 10000,
    rounds: int = 5,
) -> None:
    """Compare two commits."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        trees = [
            stack.enter_context(checked_out(commit, work / side)) for side, commit in (("a", before), ("b", after))
        ]
        turns: list[list[Seconds]] = [[], []]
        for turn in range(rounds):
            for side in (0, 1) if turn % 2 else (1, 0):
                turns[side].append(measured(trees[side], facts, layers, resamples))
    print(f"{'':<28}{'before':>9}{'after':>9}{'ratio':>8}")
    found = [{name: min(one[name] for one in side) for name in side[0]} for side in turns]
    for one in found:
        one["CPU s, of resamples alone"] = one["CPU s"] - one[f"CPU s, {FEW} resamples"]
    for name, old in found[0].items():
        new = found[1][name]
        print(f"{name:<28}{old:>9.3f}{new:>9.3f}{old / new:>8.2f}")


def measured(tree: Path, facts: int, layers: int, resamples: int) -> Seconds:
    """Seconds of one comparison in a process of the commit's own, after one that is not counted."""
    return told_by(tree, f"from comparison import timed; timed({facts}, {layers}, {resamples})")


def timed(facts: int, layers: int, resamples: int) -> None:
    """In the commit's own process: compare, and print the seconds."""
    from importlib import import_module
    from importlib.util import find_spec

    from effects_synthetic import role_effects

    components = ("resid_pre", "mlp_out", "attn_out")
    effects = role_effects(n_facts=facts, n_layers=layers, samples=1, noise=0.2, components=components)
    home = next(name for name in HOMES if find_spec(name.rsplit(".", 1)[0]) and find_spec(name))
    compare = import_module(home).compare
    found: Seconds = {}
    for many, words in ((resamples, ""), (FEW, f", {FEW} resamples")):
        compare(effects, resamples=many, permutations=many)
        wall, cpu = time.perf_counter(), time.process_time()
        compare(effects, resamples=many, permutations=many)
        found[f"CPU s{words}"], found[f"wall s{words}"] = time.process_time() - cpu, time.perf_counter() - wall
    print(json.dumps(found))


if __name__ == "__main__":
    tyro.cli(main)
