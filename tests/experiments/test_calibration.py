"""The calibration on few trials: it counts what it says, and what it counts is in order."""

import numpy as np

from experiments.calibration import (
    LAWS,
    NULLS,
    asymmetric,
    cell_errors,
    clustered,
    coverage,
    differences_told,
    equivalence_errors,
    facts_of,
    paired,
    shift_errors,
    skewed,
    tables,
)


def test_laws_have_the_means_that_they_tell() -> None:
    for law in LAWS:
        values, labels = facts_of(law, 400, 200, np.random.default_rng(0))
        assert abs(values.mean() - law.mean) < 0.03
        assert len(set(labels.tolist())) == 400


def test_coverage_is_no_less_than_promised() -> None:
    """Mean at least 93 %, none below 90 %, at nominal 95 %, over all laws and numbers of subjects."""
    found = {(law.name, n): coverage(law, n, 2000, 0)[0] for law in LAWS for n in (8, 16, 24, 40, 100)}
    assert np.mean(list(found.values())) >= 0.94
    assert [name for name, holds in found.items() if holds < 0.9 - 0.013] == []  # two standard errors of the count


def test_an_empty_sample_has_no_interval() -> None:
    sparse = next(law for law in LAWS if law.name.startswith("sparse: a fifth"))
    holds, given = coverage(sparse, 8, 2000, 1)
    assert holds > 0.9
    assert 0.45 < given < 0.55  # at least two carriers among eight: 50 %


def test_errors_of_cells_are_counted() -> None:
    for null in (paired, clustered, skewed):
        found, missed = cell_errors(null, 12, 120, 0)
        assert found <= 0.11
        assert missed <= 0.11
    assert cell_errors(asymmetric, 12, 60, 0)[0] > 0.2
    assert NULLS[-1] is asymmetric


def test_equality_and_difference_are_told_as_rarely_as_promised() -> None:
    """Of exactly δ, and of one law; power is counted beside: at most 6 %, and two standard errors of the count."""
    for law in LAWS:
        for subjects in (8, 24, 100):
            assert equivalence_errors(law, subjects, 1000, 0)[0] <= 0.06 + 0.015, (law.name, subjects)
    assert equivalence_errors(LAWS[0], 100, 200, 0)[1] > 0.95
    for law in (LAWS[0], LAWS[1], LAWS[-1]):
        wrong, right = differences_told(law, 12, 150, 0)
        assert wrong <= 0.06 + 0.04, law.name
        assert right > 0.4


def test_a_weaker_effect_is_no_shift() -> None:
    missed, power = shift_errors(0.3, 24, 60, 0)
    assert missed <= 0.12
    assert power > 0.7


def test_tables_are_as_long_as_their_laws() -> None:
    lines = list(tables(40, 0))
    assert sum(line.startswith("| ") for line in lines) == 5 + 3 * len(LAWS) + len(NULLS) + 3
    assert any(line.startswith("Mean 0.9") for line in lines)
