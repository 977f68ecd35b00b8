"""Every public method gives the numbers that it gave before, in float64, at 1e-10, on any processor and backend."""

import json
from functools import lru_cache
from pathlib import Path

import pytest
from method_calls import BENCHES, METHODS, Bench, exact_normals, known_rows
from sketches import arrays_of, difference, sketch

from spiritlens.models import backends

KNOWN = json.loads((Path(__file__).parent / "numbers.json").read_text())
TOLERANCE = 1e-10


BACKENDS = [row.maker.name for row in backends.BACKENDS if row.maker]


@lru_cache
def bench(name: str, backend: str) -> Bench:
    return BENCHES[name](backend=backend)


def test_every_row_has_its_numbers() -> None:
    assert sorted(KNOWN) == sorted(f"{bench}: {name}" for bench, name in known_rows())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("where", "name"), known_rows(), ids=map(": ".join, known_rows()))
def test_the_numbers_are_those_of_before(where: str, name: str, backend: str) -> None:
    with exact_normals():
        arrays = arrays_of(METHODS[name](bench(where, backend)))
    known = KNOWN[f"{where}: {name}"]
    apart = {
        key: difference(sketch(arrays[key]), numbers) if key in arrays else float("inf")
        for key, numbers in known.items()
    }
    assert {key: value for key, value in apart.items() if not value <= TOLERANCE} == {}
