"""Every public method gives the numbers that it gave before, in float64, at 1e-10, on any processor."""

import json
from functools import lru_cache
from pathlib import Path

import pytest
from method_calls import BENCHES, METHODS, Bench, exact_normals, known_rows
from sketches import arrays_of, difference, sketch

KNOWN = json.loads((Path(__file__).parent / "numbers.json").read_text())
TOLERANCE = 1e-10


@lru_cache
def bench(name: str) -> Bench:
    return BENCHES[name]()


def test_every_row_has_its_numbers() -> None:
    assert sorted(KNOWN) == sorted(f"{bench}: {name}" for bench, name in known_rows())


@pytest.mark.parametrize(("where", "name"), known_rows(), ids=map(": ".join, known_rows()))
def test_the_numbers_are_those_of_before(where: str, name: str) -> None:
    with exact_normals():
        arrays = arrays_of(METHODS[name](bench(where)))
    known = KNOWN[f"{where}: {name}"]
    apart = {
        key: difference(sketch(arrays[key]), numbers) if key in arrays else float("inf")
        for key, numbers in known.items()
    }
    assert {key: value for key, value in apart.items() if not value <= TOLERANCE} == {}
