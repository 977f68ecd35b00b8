"""Agreement of population maps: by hand, against split halves that are really drawn, and by counting coverage."""

import numpy as np
import pytest

from spiritlens.comparison.agreement import correlations, population_agreement
from spiritlens.comparison.fact_maps import FactMaps, fact_maps
from spiritlens.comparison.subject_products import population_moments


def noisy(correlation: float, noise: float, facts: int, seed: int, shared: float = 0.0, cells: int = 40) -> FactMaps:
    """Maps of facts around two true maps that correlate as said; `shared` of the noise's variance is in both."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(np.column_stack([np.ones(cells), rng.normal(size=(cells, 2))]))[0] * np.sqrt(cells)
    first, second = axes[:, 1], correlation * axes[:, 1] + np.sqrt(1 - correlation**2) * axes[:, 2]
    common, one, other = noise * rng.normal(size=(3, facts, cells))
    own, joint = np.sqrt(1 - shared), np.sqrt(shared)
    return fact_maps(first + joint * common + own * one, second + joint * common + own * other, range(facts))


def pearson(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Correlation over cells of each draw [draw]."""
    return np.array([np.corrcoef(one, other)[0, 1] for one, other in zip(first, second, strict=True)])


def split_half_reliability(values: np.ndarray, splits: int = 200) -> float:
    """Correlation of the maps of random halves of the facts, corrected to all of them (Spearman 1910, Brown 1910)."""
    rng, found = np.random.default_rng(0), []
    for _ in range(splits):
        order = rng.permutation(len(values))
        halves = order[: len(order) // 2], order[len(order) // 2 :]
        found.append(np.corrcoef(*(values[half].mean(axis=0) for half in halves))[0, 1])
    half = float(np.mean(found))
    return 2 * half / (1 + half)


def test_facts_that_are_all_alike_give_the_correlation_itself() -> None:
    first, second = np.array([1.0, 2.0, 3.0, 5.0]), np.array([1.0, 3.0, 2.0, 5.0])
    found = population_agreement(fact_maps(np.tile(first, (6, 1)), np.tile(second, (6, 1)), list("abcdef")))
    expected = np.corrcoef(first, second)[0, 1]
    assert (found.value, found.low, found.high) == pytest.approx((expected, expected, expected))
    assert (found.reliability, found.halves.across) == (pytest.approx((1, 1)), pytest.approx(expected))
    assert (found.strength, found.n_cells, found.n_facts, found.why) == ("closely", 4, 6, "")


def test_by_hand() -> None:
    # S_aa = 2 (see the moments), S_bb = 3 · 1 = 3, S_ab = 3.5: r = 3.5 / √6, an estimate beyond 1
    maps = fact_maps([[2.0, 0.0], [4.0, 0.0]], [[6.0, 0.0], [2.0, 0.0]], ["a", "b"])
    assert correlations(population_moments(maps))[0] == pytest.approx(3.5 / np.sqrt(6))


@pytest.mark.parametrize(("low", "word"), [(0.8, "closely"), (0.79, "in part"), (0.5, "in part"), (0.01, "weakly")])
def test_words_come_from_the_lower_end(low: float, word: str) -> None:
    found = population_agreement(noisy(0.9, 0.1, 8, seed=0))
    assert type(found)(**{**vars(found), "low": low}).strength == word
    assert type(found)(**{**vars(found), "low": 0.0}).strength == "not shown"
    assert type(found)(**{**vars(found), "low": float("nan")}).strength == "not shown"


def test_halves_and_reliability_are_those_of_halves_that_are_drawn() -> None:
    maps = noisy(0.6, 2.0, 40, seed=1, cells=2000)
    found = population_agreement(maps)
    for side, values in enumerate((maps.first, maps.second)):
        drawn = split_half_reliability(values)
        assert found.reliability[side] == pytest.approx(drawn, abs=0.01)
        assert (found.halves.first, found.halves.second)[side] == pytest.approx(drawn / (2 - drawn), abs=0.01)
    rng = np.random.default_rng(2)
    across = []
    for _ in range(100):
        order = rng.permutation(40)
        means = maps.first[order[:20]].mean(axis=0), maps.second[order[20:]].mean(axis=0)
        across.append(pearson(*(one[None] for one in means))[0])
    assert found.halves.across == pytest.approx(np.mean(across), abs=0.01)


def test_shared_noise_is_no_agreement_and_noise_no_disagreement() -> None:
    unrelated = [population_agreement(noisy(0.0, 2.0, 16, seed, shared=0.9)) for seed in range(40)]
    assert np.mean([one.value for one in unrelated]) == pytest.approx(0, abs=0.05)
    same = [population_agreement(noisy(1.0, 2.0, 16, seed)) for seed in range(40)]
    assert np.mean([one.value for one in same]) == pytest.approx(1, abs=0.05)
    naive = [np.corrcoef(*(v.mean(axis=0) for v in (m.first, m.second)))[0, 1] for m in map_list(2.0, 0.9)]
    assert np.mean(naive) > 0.1


def map_list(noise: float, shared: float) -> list[FactMaps]:
    return [noisy(0.0, noise, 16, seed, shared=shared) for seed in range(40)]


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    held = []
    for seed in range(150):
        found = population_agreement(noisy(0.7, 1.5, 12, seed, shared=0.5))
        held.append(found.low <= 0.7 <= found.high)
    assert np.mean(held) >= 0.9


def test_nothing_is_told_where_there_is_no_map_or_too_little() -> None:
    rng = np.random.default_rng(3)
    nothing, map_of = rng.normal(size=(20, 30)), rng.normal(size=30)
    found = population_agreement(fact_maps(map_of + nothing, rng.normal(size=(20, 30)), range(20)))
    assert found.why == "no map is told from noise in the second modality"
    assert np.isnan([found.value, found.low, found.high]).all()
    assert (found.moved, found.strength) == (None, "not shown")
    few = population_agreement(fact_maps(map_of + nothing, map_of + nothing, np.arange(20) // 4))
    assert few.why == "5 subjects, fewer than 6"
    narrow = population_agreement(fact_maps((map_of + nothing)[:, :2], (map_of + nothing)[:, :2], range(20)))
    assert narrow.why == "2 shared cells, fewer than 3"


def test_a_fact_that_lacks_a_role_does_not_remove_it() -> None:
    maps = noisy(0.5, 0.2, 12, seed=4)
    lacking = maps.first.copy()
    lacking[:3, :10], lacking[:, 39] = np.nan, np.nan
    found = population_agreement(FactMaps(lacking, maps.second, maps.clusters))
    assert (found.n_cells, found.n_cells_left_out) == (39, 1)
    assert found.value == pytest.approx(0.5, abs=0.1)


def test_the_size_of_effects_and_their_level_do_not_matter() -> None:
    maps = noisy(0.5, 0.5, 12, seed=5)
    found = population_agreement(maps)
    scaled = population_agreement(FactMaps(7 * maps.first - 3, 0.1 * maps.second + 2, maps.clusters))
    assert (scaled.value, scaled.low, scaled.high) == pytest.approx((found.value, found.low, found.high), abs=1e-10)
