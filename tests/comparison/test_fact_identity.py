"""Fact identity: by hand, against plain loops, exact where it can be, and silent on strangers."""

from itertools import permutations

import numpy as np
import pytest

from spiritlens.comparison.fact_identity import _detectable, _residual_shapes, fact_identity, shares_of_total
from spiritlens.comparison.fact_maps import FactMaps, fact_maps


def own_maps(facts: int, shared: float, seed: int, cells: int = 30) -> FactMaps:
    rng = np.random.default_rng(seed)
    common, one, other = rng.normal(size=(3, facts, cells))
    mean = 5 * rng.normal(size=cells)
    return fact_maps(mean + shared * common + one, mean + shared * common + other, range(facts))


def similarities(maps: FactMaps, groups: np.ndarray) -> np.ndarray:
    """Correlations of residual maps by loops."""
    residual = [
        np.stack([row - np.nanmean(values[groups == group], axis=0) for row, group in zip(values, groups, strict=True)])
        for values in (maps.first, maps.second)
    ]
    with np.errstate(invalid="ignore"):  # alone in its relation: no residual map
        return np.array([[np.corrcoef(one, other)[0, 1] for other in residual[1]] for one in residual[0]])


def test_the_same_by_loops_over_all_permutations() -> None:
    maps = own_maps(6, 1.0, seed=0)
    similar = similarities(maps, np.zeros(6))
    off = ~np.eye(6, dtype=bool)

    def contrast(order: tuple[int, ...]) -> float:
        moved = similar[:, list(order)]
        return float(np.diag(moved).mean() - np.mean([moved[fact][off[fact]].mean() for fact in range(6)]))

    observed = contrast(tuple(range(6)))
    found = fact_identity(maps)
    assert found.difference == pytest.approx(observed, abs=1e-12)
    assert (found.same, found.others) == pytest.approx((np.diag(similar).mean(), similar[off].mean()), abs=1e-12)
    reached = [contrast(order) >= observed - 1e-12 for order in permutations(range(6))]
    assert found.p == pytest.approx(np.mean(reached))
    better = [similar[i, i] > similar[i, j] for i in range(6) for j in range(6) if i != j]
    better += [similar[i, i] > similar[j, i] for i in range(6) for j in range(6) if i != j]
    assert found.better == pytest.approx(np.mean(better))


def test_p_is_never_below_what_the_design_allows() -> None:
    exact = fact_identity(own_maps(6, 50.0, seed=1))
    assert exact.p == exact.least_p == pytest.approx(1 / 720)
    assert (exact.better, exact.n_units) == (1.0, 6)
    drawn = fact_identity(own_maps(20, 50.0, seed=1), permutations=99)
    assert drawn.p == drawn.least_p == 0.01


def test_drawn_permutations_agree_with_all_of_them_and_follow_their_seed() -> None:
    maps = own_maps(7, 0.5, seed=2)
    assert fact_identity(maps, permutations=5039).p == pytest.approx(fact_identity(maps).p, abs=0.03)
    assert fact_identity(maps, permutations=500, seed=3) == fact_identity(maps, permutations=500, seed=3)


def test_below_six_subjects_no_test_is_made() -> None:
    maps = own_maps(10, 1.0, seed=3)
    found = fact_identity(FactMaps(maps.first, maps.second, np.repeat(np.array(list("abcde")), 2)))
    assert found.why == "5 subjects can change places, fewer than 6"
    assert np.isnan([found.p, found.difference, found.least_p]).all()


def test_identical_facts_have_no_map_of_their_own() -> None:
    same = np.tile(np.linspace(0, 1, 9), (8, 1))
    rounding = same + 1e-14 * np.random.default_rng(4).normal(size=same.shape)
    for maps in (fact_maps(same, same, range(8)), fact_maps(rounding, rounding, range(8))):
        assert fact_identity(maps).why == "no fact's map differs from the mean map by more than the noise floor"
    small = own_maps(8, 1.0, seed=5)
    assert fact_identity(small, noise_floor=100.0).why.startswith("no fact's map differs")


def test_a_relation_is_not_taken_for_the_fact() -> None:
    """Facts that share nothing but the map of their relation: found without `within`, not with it."""
    rng = np.random.default_rng(6)
    relation = np.repeat(np.arange(3), 8)
    of_relation = 2 * rng.normal(size=(3, 30))[relation]
    first, second = of_relation + rng.normal(size=(2, 24, 30))
    maps = fact_maps(first, second, range(24))
    assert fact_identity(maps, permutations=999).p < 0.01
    within = fact_identity(maps, within=relation, permutations=999)
    assert within.p > 0.05
    own = rng.normal(size=(24, 30))
    assert fact_identity(fact_maps(first + own, second + own, range(24)), within=relation, permutations=999).p < 0.01


def test_within_relations_by_loops() -> None:
    maps = own_maps(9, 1.0, seed=7)
    relation = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2])  # the last has nobody to change places with
    similar = similarities(maps, relation)
    found = fact_identity(maps, within=relation)
    contrasts = [
        similar[i, i] - np.mean([similar[i, j] for j in range(9) if relation[j] == relation[i] and j != i])
        for i in range(8)
    ]
    assert found.difference == pytest.approx(np.mean(contrasts), abs=1e-12)
    assert (found.n_units, found.n_left_out, found.least_p) == (8, 1, pytest.approx(1 / 24**2))


def test_subjects_of_several_relations_change_places_with_all_their_facts() -> None:
    maps = own_maps(16, 1.0, seed=8)
    subjects = np.array([*"abcdefgh", *"abcdefgh"])
    relation = np.repeat(["capital", "language"], 8)
    found = fact_identity(FactMaps(maps.first, maps.second, subjects), within=relation)
    assert (found.n_units, found.n_left_out) == (8, 0)
    similar = similarities(maps, relation)
    expected = (np.diag(similar)[:8] + np.diag(similar)[8:]).mean() / 2
    assert found.same == pytest.approx(expected, abs=1e-12)
    averaged = fact_identity(FactMaps(maps.first, maps.second, subjects))
    means = fact_maps((maps.first[:8] + maps.first[8:]) / 2, (maps.second[:8] + maps.second[8:]) / 2, range(8))
    assert averaged.difference == pytest.approx(fact_identity(means).difference, abs=1e-12)


@pytest.mark.parametrize("per_subject", [1, 2])
def test_strangers_are_not_recognised_more_often_than_promised(per_subject: int) -> None:
    rng = np.random.default_rng(9)
    found = 0
    for _ in range(300):
        subjects = np.arange(16) // per_subject
        of_subject = rng.lognormal(size=(2, 16, 1)) * rng.normal(size=(2, 16, 20))[:, subjects]
        first, second = of_subject + rng.normal(size=(2, 16, 20))
        first[:4, :5], second[:4, :5] = np.nan, np.nan
        found += fact_identity(fact_maps(first, second, subjects), permutations=199).p <= 0.05
    assert found / 300 <= 0.05 + 0.035  # 2.8 standard errors


def test_what_would_have_been_found_is_found_four_times_in_five() -> None:
    seeds = np.random.default_rng(10).integers(1e6, size=150)
    tests = [fact_identity(own_maps(20, 0.355, int(seed)), permutations=299) for seed in seeds]
    effect, least = np.mean([one.difference for one in tests]), np.mean([one.detectable for one in tests])
    assert effect == pytest.approx(least, rel=0.06)  # facts as alike as just can be found
    assert np.mean([one.p <= 0.05 for one in tests]) == pytest.approx(0.8, abs=0.1)


def test_shares_of_each_facts_own_total_effect() -> None:
    shares = shares_of_total([[0.2, 0.1], [0.3, 0.0], [1.0, 1.0]], [0.4, 0.04, np.nan], least=0.05)
    np.testing.assert_array_equal(shares, [[0.5, 0.25], [np.nan, np.nan], [np.nan, np.nan]])
    maps = fact_maps(np.vstack([shares, np.random.default_rng(0).normal(size=(6, 2))]), np.ones((9, 2)), range(9))
    assert fact_identity(maps).n_left_out == 2


def test_a_group_is_needed_for_each_fact() -> None:
    with pytest.raises(ValueError, match=r"within has the shape \(3,\): expected one group for each of 6 facts"):
        fact_identity(own_maps(6, 1.0, seed=0), within=[0, 1, 2])


@pytest.mark.parametrize("seed", range(3))
def test_row_by_row_as_of_whole_tables(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain way: tables of all similarities, of which D, its permutations and ranks are read."""
    rng = np.random.default_rng(seed)
    maps, relation = own_maps(60, 0.3, seed), rng.integers(0, 3, 60)
    maps.first[rng.random(maps.first.shape) < 0.05] = np.nan
    monkeypatch.setattr("spiritlens.comparison.fact_identity.AT_ONCE", 40)  # a few rows at a time
    found = fact_identity(maps, within=relation, permutations=200, seed=seed)
    sums, same, better, draw = np.zeros(201), 0.0, 0.0, np.random.default_rng(seed)
    shapes = [_residual_shapes(values, relation, 0.0) for values in (maps.first, maps.second)]
    for group in dict.fromkeys(relation.tolist()):
        first, second = (one[relation == group] for one in shapes)
        table = first @ second.T
        n = len(table)
        contrast = (n * table - table.sum(axis=1, keepdims=True)) / (n - 1)
        taken = np.tile(np.arange(n), (200, 1))
        draw.permuted(taken, axis=1, out=taken)
        sums += contrast[np.arange(n), np.concatenate([[np.arange(n)], taken])].sum(axis=1)
        own = np.diag(table)
        same += own.sum()
        better += ((table < own[:, None]).sum() + (table < own).sum()) / 2 / (n - 1)
    observed = sums[0] / 60
    assert (found.same, found.difference, found.better) == pytest.approx((same / 60, observed, better / 60), abs=1e-12)
    assert found.p == (sums / 60 >= observed - 1e-12).mean()
    np.testing.assert_allclose(found.detectable, _detectable(sums / 60), atol=1e-12)
