"""Two commits on one machine, bit for bit: every method in float32 on three models, and the demo on a few facts.

    python benchmarks/bit_equal.py 8230486                  # against the commit that is checked out
    python benchmarks/bit_equal.py 8230486 main --benches embedded --n-facts 0

Each commit is checked out into a temporary worktree and asked there, in a process of its own, for all rows of its table
of methods (`tests/numbers/method_calls.py`; a commit from before that table is asked by the first there was), on the
planted circuit, a random Llama and the shipped model, and for the datasets that the demo leaves (``--n-facts 0``:
none). Arrays are matched by name, their axes by theirs. Printed are the arrays that differ, by how much, and what one
commit alone has; the exit status is 1 if any array differs. A row that both commits refuse counts as equal.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

TABLE = "tests/numbers/method_calls.py"
REFUSED = "refused"
Arrays = dict[str, np.ndarray]


def main(
    before: Annotated[str, tyro.conf.Positional],
    after: Annotated[str, tyro.conf.Positional] = "HEAD",
    benches: tuple[str, ...] = ("planted", "random", "embedded"),
    n_facts: int = 3,
    samples: int = 2,
) -> None:
    """Compare two commits."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = [
            recorded(
                stack.enter_context(checked_out(commit, work / side)), work / f"{side}.npz", benches, n_facts, samples
            )
            for side, commit in (("before", before), ("after", after))
        ]
    sys.exit(told(*found))


def told(before: Arrays, after: Arrays) -> int:
    """Print what differs; 1 if anything does."""
    both = [name for name in before if name in after]
    apart = [name for name in both if not same_bits(before[name], after[name])]
    alone = sorted(set(before) ^ set(after))
    for name in apart:
        print(f"  {name}: {difference(before[name], after[name])}")
    for name in alone:
        print(f"  only {'before' if name in before else 'after'}: {name}")
    refused = sum(name.endswith(REFUSED) for name in both)
    print(
        f"{len(both) - len(apart) - refused} arrays are equal bit for bit, {len(apart)} differ, {refused} rows are "
        f"refused by both commits, {len(alone)} arrays are in one of the two only."
    )
    return int(bool(apart))


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether all bytes are equal; every NaN counts as the same."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.kind != "f":
        return bool((one == other).all())
    missing = np.isnan(one)
    return bool((missing == np.isnan(other)).all()) and one[~missing].tobytes() == other[~missing].tobytes()


def largest_apart(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference of two arrays, of values beyond 1 in units of themselves; inf where they do not match.

    Logits of 16 in float32 are 2e-6 apart from the next ones, so an absolute bound would judge their size.
    """
    one, other = one.astype(np.float64), other.astype(np.float64)
    if one.shape != other.shape or (np.isnan(one) != np.isnan(other)).any():
        return float("inf")
    return float(np.nanmax(np.abs(one - other) / np.maximum(1, np.abs(one)), initial=0.0))


def difference(one: np.ndarray, other: np.ndarray) -> str:
    """How two arrays differ, in words."""
    if one.shape != other.shape:
        return f"shape {one.shape} before, {other.shape} after"
    if one.dtype.kind not in "biuf":
        return f"{int((one != other).sum())} of {one.size} texts differ"
    largest = np.nanmax(np.abs(one.astype(np.float64) - other.astype(np.float64)), initial=0.0)
    gaps = int((np.isnan(one.astype(np.float64)) != np.isnan(other.astype(np.float64))).sum())
    kinds = "" if one.dtype == other.dtype else f"; {one.dtype} before, {other.dtype} after"
    return f"largest difference {largest:.3g}, missing in one only: {gaps} of {one.size}{kinds}"


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """A worktree of the commit."""
    git("worktree", "add", "--detach", str(folder), commit)
    try:
        yield folder
    finally:
        git("worktree", "remove", "--force", str(folder))


def told_by(tree: Path, code: str) -> dict[str, float]:
    """The JSON that the code prints last, in a process of the commit's own; this folder and its tests are imported."""
    path = os.pathsep.join(map(str, (tree, tree / "tests", tree / "tests" / "effects", Path(__file__).parent)))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": path},
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def recorded(tree: Path, file: Path, benches: tuple[str, ...], n_facts: int, samples: int) -> Arrays:
    """All arrays of a commit, by name."""
    if (tree / TABLE).exists():
        return _run(tree, tree / "tests", file, benches, n_facts, samples)
    first = git("log", "--diff-filter=A", "--format=%H", "--", TABLE).split()[-1]
    with checked_out(first, file.with_suffix(".table")) as table:
        return _run(tree, table / "tests", file, benches, n_facts, samples)


def _run(tree: Path, tests: Path, file: Path, benches: tuple[str, ...], n_facts: int, samples: int) -> Arrays:
    path = os.pathsep.join(map(str, (tree, tests, tests / "numbers", Path(__file__).parent)))
    environment = {**os.environ, "PYTHONPATH": path, "SPIRITLENS_CACHE": str(file.with_suffix(".cache"))}
    code = f"from bit_equal import record; record({str(file)!r}, {benches!r})"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, env=environment, cwd=tree)
    with np.load(file) as loaded:
        arrays = {name: loaded[name] for name in loaded.files}
    if n_facts:
        out = file.with_suffix(".demo")
        command = [sys.executable, "-W", "ignore", "experiments/demo.py", "--out", str(out)]
        command += ["--n-facts", str(n_facts), "--samples", str(samples)]
        done = subprocess.run(command, env=environment, cwd=tree, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"the demo fails in {tree.name}: {done.stderr}")
        arrays |= datasets(out)
    return arrays


def record(file: str, benches: tuple[str, ...]) -> None:
    """In the commit's own process: all rows on the benches, into one file."""
    import torch
    from method_calls import METHODS, embedded_bench, planted_bench, random_bench
    from sketches import arrays_of

    makers = {
        "planted": lambda: planted_bench(torch.float32),
        "random": lambda: random_bench(torch.float32),
        "embedded": embedded_bench,
    }
    found: Arrays = {}
    for where in benches:
        bench = makers[where]()
        for name, method in METHODS.items():
            try:
                arrays = arrays_of(method(bench))
            except ValueError as error:
                found[f"{where}: {name}: {REFUSED}"] = np.zeros(0)
                print(f"{where}: {name}: {error}", file=sys.stderr)
                continue
            for key, array in arrays.items():
                found[f"{where}: {name}: {key}"] = array.transpose(*sorted(map(str, array.dims))).values
    np.savez(file, **found)


def datasets(folder: Path) -> Arrays:
    """All variables of all datasets in a folder, by file."""
    import xarray as xr

    found: Arrays = {}
    for path in sorted(folder.rglob("*.nc")):
        with xr.open_dataset(path, engine="h5netcdf") as dataset:
            for key, array in dataset.load().data_vars.items():
                name = f"demo: {path.relative_to(folder)}: {key}"
                found[name] = array.transpose(*sorted(map(str, array.dims))).values
    return found


if __name__ == "__main__":
    tyro.cli(main)
