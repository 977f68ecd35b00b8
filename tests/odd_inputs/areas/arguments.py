"""The checks that all doors share (`spiritlens.arguments`), each through one public function."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from frame import Bench, Odd, error, result

from spiritlens.arguments import listed, number, whole

NOT_WHOLE = (1.0, 1.5, True, np.True_, "1", None, float("nan"), np.float64(2), [1], b"1", 1 + 0j)
NOT_NUMBERS = (float("nan"), True, "0.5", None, [0.5, 1], b"1", 1j, object())


def cases(bench: Bench) -> Iterator[Odd]:
    for value in NOT_WHOLE:
        yield error("whole", f"{value!r}", lambda value=value: whole("seed", value), "seed=", "whole number")
    for value in (np.int64(3), np.uint8(3), 3):
        yield result("whole", f"{value!r}", lambda value=value: whole("seed", value), lambda found: type(found) is int)
    yield error("whole", "below", lambda: whole("seed", -1, at_least=0), "seed=-1", "≥ 0")
    yield error("whole", "above", lambda: whole("top", 9, at_least=1, at_most=8), "top=9", "≥ 1 and ≤ 8")
    for value in NOT_NUMBERS:
        yield error("number", f"{type(value).__name__}", lambda value=value: number("scale", value), "scale=", "number")
    yield error("number", "a bound", lambda: number("alpha", 2, above=0, below=1), "alpha=2", "> 0 and < 1")
    yield result("number", "numpy", lambda: number("scale", np.float32(0.5)), lambda found: found == 0.5)

    def of(values: Any) -> tuple[str, ...]:
        return listed("metrics", values, of=str)

    yield result("listed", "a generator", lambda: of(name for name in "ab"), lambda found: found == ("a", "b"))
    yield error("listed", "one text", lambda: of("probability"), "metrics='probability'", "['probability']")
    yield error("listed", "nothing", lambda: of(()), "metrics", "at least one")
    yield error("listed", "None", lambda: of(None), "metrics=None", "list")
    yield error("listed", "another kind", lambda: of(["a", 5]), "metrics[1] is 5", "int")
