"""Odd inputs and what must come of each: one clear error, or the right result. `python tests/odd_inputs` runs them all.

An area is a module ``areas/<name>.py`` with a function ``cases(bench)`` that yields `Odd` values, made by

    error("causal_trace", "samples are a float", lambda: sl.causal_trace(lens, prompts, samples=1.5), "samples", "1.5")
    result("causal_trace", "numpy's samples", lambda: sl.causal_trace(lens, prompts, samples=np.int64(1)), lambda x: …)

The verdicts:

clear     the error is a deliberate one (raised by a `raise` of spiritlens, of a kind that users catch; on the command
          line an exit with one line) and its sentence holds every word that the case names (value, rule, remedy)
right     the result passes the case's check
unnamed   a deliberate error without one of the words
raw       an error from within: another library's, or Python's own
accepted  a result where an error was due
wrong     a result that fails its check, or an error where a result was due
hang      no answer within a minute
"""

import ast
import linecache
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import spiritlens as sl

GOOD = ("clear", "right")
VERDICTS = ("clear", "right", "unnamed", "raw", "accepted", "wrong", "hang")
CATCHABLE = (ValueError, OSError)
"""What a user catches; `ShapeError` and `CheckpointError` are ValueErrors."""
PATIENCE_S = 60
PACKAGE = Path(sl.__file__).parent


@dataclass(frozen=True)
class Odd:
    """One odd input: the public function it goes into, what is odd about it, and what must come of it."""

    function: str
    what: str
    call: Callable[[], Any]
    names: tuple[str, ...] = ()
    right: Callable[[Any], bool] | None = None


@dataclass(frozen=True)
class Told:
    """The verdict on one input, and what was said."""

    odd: Odd
    verdict: str
    said: str


def error(function: str, what: str, call: Callable[[], Any], *names: str) -> Odd:
    """An input that must be refused by a sentence that holds these words (at least one)."""
    if not names:
        raise ValueError(f"{function}, {what}: name at least one word of the error")
    return Odd(function, what, call, names)


def result(function: str, what: str, call: Callable[[], Any], right: Callable[[Any], bool]) -> Odd:
    """An odd but valid input, whose result passes the check."""
    return Odd(function, what, call, right=right)


class Bench:
    """What cases are made of, made once and only when asked for."""

    @cached_property
    def planted(self) -> Any:
        """The planted fact machine: `lens`, 12 T2T and 12 S2T `prompts`, `counterfactual(prompt)`."""
        return sl.planted()

    @cached_property
    def lens(self) -> Any:
        """The embedded model."""
        return sl.load()

    @cached_property
    def written(self) -> Any:
        """A written prompt of the embedded model, with a foil."""
        return self.lens.text("The capital of France is", subject="France", answer="Paris", foil="Rome")

    @cached_property
    def spoken(self) -> Any:
        """The same prompt spoken by the default voice."""
        return self.lens.speak("The capital of France is", subject="France", answer="Paris", foil="Rome")

    @cached_property
    def effects(self) -> Any:
        """A trace by role of eight planted prompts, four in each modality."""
        prompts = [*self.planted.prompts[:4], *self.planted.prompts[12:16]]
        return sl.causal_trace(self.planted.lens, prompts, sl.Grid(at="role"), samples=2, progress="none")

    @cached_property
    def _folders(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(prefix="odd-")

    def folder(self, name: str = "f") -> Path:
        """A new empty folder."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._folders.name))

    def file(self, name: str, content: bytes | str = b"") -> Path:
        """A new file of this name and content in a folder of its own."""
        path = self.folder() / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path


def judge(odd: Odd) -> Told:
    """Make the call, at most a minute long, and say what came of it."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE_S)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = odd.call()
    except _TooLong:
        return Told(odd, "hang", f"no answer within {PATIENCE_S} s")
    except (Exception, SystemExit) as problem:
        return _judge_error(odd, problem)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    if odd.right is None:
        return Told(odd, "accepted", _line(found))
    try:
        passed = bool(odd.right(found))
    except Exception as problem:
        return Told(odd, "wrong", f"the check fails by {type(problem).__name__}: {problem}")
    return Told(odd, "right" if passed else "wrong", _line(found))


class _TooLong(BaseException):
    """The minute is over."""


def _judge_error(odd: Odd, problem: BaseException) -> Told:
    said = f"{type(problem).__name__}: {problem}"
    if odd.right is not None:
        return Told(odd, "wrong", said)
    if isinstance(problem, SystemExit):  # the command line's own way to end: one line
        said = str(problem.code)
        deliberate = isinstance(problem.code, str) and "\n" not in said
    else:
        deliberate = isinstance(problem, CATCHABLE) and _deliberate(problem.__traceback__)
    if not deliberate:
        return Told(odd, "raw", said)
    missing = [name for name in odd.names if name.lower() not in said.lower()]
    return Told(odd, "unnamed" if missing else "clear", f"{said} (does not say: {missing})" if missing else said)


def _deliberate(trace: TracebackType | None) -> bool:
    """Whether the innermost frame is a `raise` statement of the package."""
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    file, line = Path(trace.tb_frame.f_code.co_filename), trace.tb_lineno
    if PACKAGE not in file.parents:
        return False
    return any(first <= line <= last for first, last in _raises(file))


@cache
def _raises(file: Path) -> tuple[tuple[int, int], ...]:
    """First and last line of each `raise` statement."""
    tree = ast.parse("".join(linecache.getlines(str(file))))
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Raise))
    return tuple((node.lineno, node.end_lineno or node.lineno) for node in found)


def _line(found: object) -> str:
    return " ".join(repr(found).split())[:160]


def run_area(cases: Iterator[Odd]) -> list[Told]:
    """The verdicts of an area's cases, in order."""
    return [judge(odd) for odd in cases]


def table(told: dict[str, list[Told]]) -> str:
    """Counts by area and verdict, the areas as rows."""
    rows = [("area", "inputs", *VERDICTS)]
    counts = {
        area: [sum(one.verdict == verdict for one in found) for verdict in VERDICTS] for area, found in told.items()
    }
    rows += [(area, str(sum(found)), *(str(count or "") for count in found)) for area, found in counts.items()]
    totals = [sum(found[place] for found in counts.values()) for place in range(len(VERDICTS))]
    rows.append(("all", str(sum(totals)), *(str(count or "") for count in totals)))
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def main(areas: dict[str, Callable[[Bench], Iterator[Odd]]], wanted: list[str]) -> int:
    """Run the areas (all, or those named), print what is not good and the counts; 1 where anything is not good."""
    unknown = sorted(set(wanted) - set(areas))
    if unknown:
        print(f"no such area: {', '.join(unknown)}; there are {', '.join(areas)}")
        return 2
    bench, told = Bench(), {}
    for area in wanted or areas:
        told[area] = run_area(areas[area](bench))
        for one in told[area]:
            if one.verdict not in GOOD:
                print(f"{one.verdict:9}{area}: {one.odd.function}, {one.odd.what}: {' '.join(one.said.split())[:400]}")
        sys.stdout.flush()
    print(table(told))
    return 1 if any(one.verdict not in GOOD for found in told.values() for one in found) else 0
