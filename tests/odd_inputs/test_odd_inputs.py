"""Every odd input ends in one clear error or in the right result; `python tests/odd_inputs` prints the counts."""

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from areas import AREAS
from frame import GOOD, Bench, Odd, error, judge, result, run_area

from spiritlens.arguments import whole


@pytest.fixture(scope="module")
def bench():
    return Bench()


@pytest.mark.slow
@pytest.mark.parametrize("area", AREAS)
def test_nothing_but_one_clear_error_or_a_right_result(area, bench):
    told = run_area(AREAS[area](bench))
    assert [
        f"{one.verdict}: {one.odd.function}, {one.odd.what}: {one.said}" for one in told if one.verdict not in GOOD
    ] == []
    assert len(told) >= 30
    given = Counter((one.odd.function, one.odd.what) for one in told)
    assert [which for which, count in given.items() if count > 1] == []


@pytest.mark.parametrize(
    ("odd", "verdict"),
    [
        (error("whole", "clear", lambda: whole("seed", 1.5), "seed", "1.5"), "clear"),
        (error("whole", "unnamed", lambda: whole("seed", 1.5), "samples"), "unnamed"),
        (error("int", "raw", lambda: int("seed"), "seed"), "raw"),
        (error("len", "raw", lambda: len(5), "int"), "raw"),
        (error("whole", "accepted", lambda: whole("seed", 2), "seed"), "accepted"),
        (result("whole", "right", lambda: whole("seed", 2), lambda found: found == 2), "right"),
        (result("whole", "wrong", lambda: whole("seed", 2), lambda found: found == 3), "wrong"),
        (result("whole", "refused", lambda: whole("seed", "2"), lambda found: found == 2), "wrong"),
    ],
    ids=lambda value: value.what if isinstance(value, Odd) else value,
)
def test_verdicts(odd, verdict):
    assert judge(odd).verdict == verdict
