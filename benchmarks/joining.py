"""Joining, loading, comparing and taking up again a run of many facts: seconds and memory, beside an earlier commit.

    OMP_NUM_THREADS=1 python benchmarks/joining.py                       # 20,000 facts, and the curve of 342edd0
    OMP_NUM_THREADS=1 python benchmarks/joining.py --facts 2000 --curve 50 100

A folder is filled with parts as a trace writes them: each fact written and spoken, 3 components × 32 layers × 8 roles,
one metric, 3 noise samples, random values. Then, each in a process of its own: *join* its parts into effects.nc, *load*
that, *compare* the modalities, and *resume*: the same call on the finished folder, whose prompts are there as values.
Printed are CPU seconds and the peak of resident memory. Targets: join, load and compare ≤ 60 s and ≤ 2 GB at 20,000
facts; a resume ≤ 2 s.

The curve of the earlier commit is of folders with one prompt a part, as it wrote them: CPU seconds of its join, and of
ours of the same folder.
"""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from bit_equal import checked_out

ROLES = ("bos", "before subject", "subject", "last subject", "after subject", "last word", "marker", "final marker")
COMPONENTS, LAYERS, SAMPLES, PART = ("resid_pre", "attn_out", "mlp_out"), 32, 3, 256
TARGET_SECONDS, TARGET_BYTES, TARGET_RESUME = 60.0, 2e9, 2.0

TIMED = """
import json, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
{imports}
start = time.process_time()
{body}
seconds = time.process_time() - start
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([seconds, 1024 * int(peak.split()[1])]))
"""
STAGES = {
    "join": ("import spiritlens as sl; sl.effects.rejoin", "sl.effects.rejoin(folder)"),
    "load": ("import spiritlens as sl; sl.effects.load", "sl.effects.load(folder / 'effects.nc')"),
    "compare": (
        "import spiritlens as sl; sl.compare; effects = sl.effects.load(folder / 'effects.nc')",
        "sl.compare(effects)",
    ),
    "resume": (
        "sys.path.insert(0, {here!r}); from joining import prompts_of, CONFIG; "
        "from spiritlens.analysis.grid.prompt_folder import open_folder; prompts = prompts_of(int(sys.argv[2])); "
        "import xarray; xarray.Variable('one', [0])",  # which imports dask, where that is installed
        "kept = open_folder(folder, prompts, CONFIG); assert kept.finished is not None; kept.finish()",
    ),
}
EARLIER = (
    "from spiritlens.effects.store import RunDirectory",
    "RunDirectory(folder).finish()",
)
CONFIG: dict[str, Any] = {"trace": {"seed": 0}}


def main(
    facts: int = 20_000,
    before: Annotated[str, tyro.conf.arg(help="commit of the curve; an empty text leaves it out")] = "342edd0",
    curve: tuple[int, ...] = (50, 100, 200),
) -> None:
    """Measure all stages."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        print(f"{facts:,} facts, {2 * facts:,} prompts; parts of {PART}")
        write(folder, facts, PART)
        total = 0.0
        peak = 0.0
        for stage in STAGES:
            seconds, memory = timed(STAGES[stage], folder, facts)
            print(f"{stage:<10}{seconds:>8.2f} s CPU{memory / 1e9:>8.2f} GB")
            if stage == "resume":
                print(f"resume {'is' if seconds <= TARGET_RESUME else 'is NOT'} within {TARGET_RESUME:g} s")
            else:
                total, peak = total + seconds, max(peak, memory)
        within = total <= TARGET_SECONDS and peak <= TARGET_BYTES
        print(f"join, load, compare: {total:.1f} s, {peak / 1e9:.2f} GB; within the target: {within}")
        if before:
            print_curve(Path(place), before, curve)


def print_curve(place: Path, before: str, curve: tuple[int, ...]) -> None:
    """One prompt a part, joined by an earlier commit and by ours."""
    with ExitStack() as stack:
        tree = stack.enter_context(checked_out(before, place / "before"))
        print(f"{'parts of one prompt':<22}{before:>10}{'ours':>8}   (s CPU)")
        for count in curve:
            folder = place / f"curve {count}"
            write(folder, count // 2, 1)
            old = timed(EARLIER, folder, count, tree)[0]
            (folder / "effects.nc").unlink()
            print(f"{count:<22}{old:>10.2f}{timed(STAGES['join'], folder, count)[0]:>8.2f}")


def timed(stage: tuple[str, str], folder: Path, facts: int, tree: Path | None = None) -> tuple[float, float]:
    """CPU seconds and peak memory of a stage in a process of its own."""
    here = Path(__file__).parent
    imports, body = stage
    script = TIMED.format(imports=imports.replace("{here!r}", repr(str(here))), body=body)
    environment = {**os.environ, "PYTHONPATH": str(tree or here.parent)}
    asked = [sys.executable, "-c", script, str(folder), str(facts)]
    done = subprocess.run(asked, capture_output=True, text=True, env=environment, cwd=tree or here.parent)
    if done.returncode:
        raise SystemExit(done.stderr)
    seconds, memory = json.loads(done.stdout.splitlines()[-1])
    return seconds, memory


def write(folder: Path, facts: int, per_part: int) -> None:
    """Fill a folder with parts of so many prompts; those of one prompt are named by it."""
    from spiritlens.analysis.grid.prompt_folder import open_folder

    ids = [prompt.id for prompt in prompts_of(facts)]
    run = open_folder(folder, prompts_of(facts), CONFIG).run
    for number, first in enumerate(range(0, len(ids), per_part)):
        name = ids[first] if per_part == 1 else f"1-of-1.{number + 1:06d}"
        run.write_part(name, made(ids, first, per_part), worker="1-of-1", seconds=1.0)


def prompts_of(facts: int) -> list[Any]:
    """Prompts of 12 tokens (written) and 40 (spoken)."""
    from spiritlens.prompts.prompt import Prompt, Span

    found = []
    for number in range(2 * facts):
        fact, spoken = divmod(number, 2)
        size, nan = 40 if spoken else 12, float("nan")
        values: dict[str, Any] = dict(  # noqa: C408 (one line a kind)
            ids=(fact % 50_000, fact // 50_000, *range(size - 2)), text=f"The capital of land {fact} is",
            labels=("a",) * size, families=("unit" if spoken else "text",) * size,
            modalities=("speech" if spoken else "text",) * size, words=("land",), word_index=(0,) * size,
            roles=("subject",) * size, parts=("last",) * size, starts=(nan,) * size, ends=(nan,) * size,
            subject=Span(f"land {fact}", (2, 3)), answer=f"city {fact}", answer_ids=(9,),
            kind="S2T" if spoken else "T2T", fact_id=f"fact {fact}",
            relation=f"relation {fact % 20}", voice="v" if spoken else "",
        )  # fmt: skip
        found.append(Prompt(**values))
    return found


def made(ids: list[str], first: int, count: int) -> Any:
    """Random effects of the prompts from `first` on."""
    from spiritlens.effects.making import EffectAxes, EffectValues, MetricColumn, new_effects

    chosen = range(first, min(first + count, len(ids)))
    size, draw = len(chosen), np.random.default_rng(first)
    corrupted = 0.1 + 0.05 * draw.random((size, SAMPLES, 1), dtype=np.float32)
    restored = corrupted[:, None, None, None] + recalled(size, draw)[..., None, None]
    restored += 0.02 * draw.random((*restored.shape[:-2], SAMPLES, 1), dtype=np.float32)
    clean, floor = np.full((size, 1), 0.9, np.float32), np.zeros((size, 1), np.float32)
    columns = {
        "prompt_id": [ids[number] for number in chosen],
        "fact_id": [f"fact {number // 2}" for number in chosen],
        "modality": ["S2T" if number % 2 else "T2T" for number in chosen],
        "voice": ["v" if number % 2 else "" for number in chosen],
        "text": [f"The capital of land {number // 2} is" for number in chosen],
        "subject": [f"land {number // 2}" for number in chosen],
        "relation": [f"relation {number // 2 % 20}" for number in chosen],
        "answer": [f"city {number // 2}" for number in chosen],
        "known": [1] * size,
    }
    axes = EffectAxes(
        COMPONENTS,
        range(LAYERS),
        (MetricColumn("probability", 1),),
        columns,
        {"n_tokens": np.ones((size, len(ROLES))), "role": ROLES},
        "role",
    )
    values = EffectValues(clean, corrupted, restored, np.zeros(restored.shape[:4], np.int8), floor)
    return new_effects(values, axes, attributes={"model_id": ""})  # an attribute of 342edd0


def recalled(size: int, draw: np.random.Generator) -> Any:
    """Effects of so many prompts [prompt component layer role]: early at the subject, late at the last tokens, and what
    is a fact's own, which neighbours (a fact written and spoken) share."""
    layer, role = np.arange(LAYERS)[:, None], np.arange(len(ROLES))
    bump = np.exp(-(((layer - np.where(role < 4, 8, 24)) / 5) ** 2)) * np.isin(role, (2, 3, 7))
    shape = (-(-size // 2), len(COMPONENTS), LAYERS, len(ROLES))
    own = np.repeat(draw.standard_normal(shape, dtype=np.float32), 2, axis=0)[:size]
    each = draw.standard_normal(own.shape, dtype=np.float32)
    return (0.4 * bump + 0.05 * (bump + 0.2) * (own + each)).astype(np.float32)


if __name__ == "__main__":
    tyro.cli(main)
