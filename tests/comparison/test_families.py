"""How alpha is shared among the differences of a page: by hand, and by counting."""

import numpy as np
import pytest

from spiritlens.comparison.families import NEVER_ALL, holm, shared_level

NAN = float("nan")


def test_holm_by_hand() -> None:
    # 0.05/3 = 0.0167, 0.05/2 = 0.025, 0.05
    assert holm([0.03, 0.01, 0.02], 0.05) == [True, True, True]
    assert holm([0.03, 0.02, 0.01], 0.05) == [True, True, True]
    assert holm([0.03, 0.026, 0.01], 0.05) == [False, False, True]
    assert holm([0.017, 0.017, 0.017], 0.05) == [False, False, False]
    assert holm([NAN, 0.024, 0.04], 0.05) == [False, True, True]
    assert holm([], 0.05) == []


def test_the_level_by_hand() -> None:
    assert shared_level([[0.5], NEVER_ALL, [0.5, 0.4]], 0.06) == pytest.approx(0.02)
    # total effects are told at 0.02 and pass their part on: 0.03 for each of the other two
    assert shared_level([[0.01], NEVER_ALL, [0.5, 0.4]], 0.06) == pytest.approx(0.03)
    # at 0.03 the layers are wholly told (0.014 ≤ 0.015, then 0.029), and the cells have all of it
    assert shared_level([[0.01], NEVER_ALL, [0.014, 0.029]], 0.06) == pytest.approx(0.06)
    # one of two told passes nothing on
    assert shared_level([[0.01, 0.5], NEVER_ALL, [0.001, 0.5]], 0.06) == pytest.approx(0.02)
    # what was not tested does not count
    assert shared_level([[NAN], NEVER_ALL, []], 0.06) == pytest.approx(0.06)
    assert shared_level([], 0.06) == pytest.approx(0.06)


def test_any_false_difference_is_as_rare_as_promised() -> None:
    """Total effects of two metrics and four layers, with what is true among them or without; cells by their least p."""
    rng = np.random.default_rng(0)
    for true in (0, 1, 2):
        false = 0
        for _ in range(2000):
            p = rng.random(6)
            p[:true] = 1e-9
            cells = rng.random()  # of the largest cell, adjusted for all of them
            level = shared_level([p[:2], NEVER_ALL, p[2:]], 0.05)
            told = [*holm(p[:2], level), *holm(p[2:], level)]
            false += any(told[true:]) or cells <= level
        assert false / 2000 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000), true
