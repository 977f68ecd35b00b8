"""Products of different subjects: worked by hand, against plain loops over pairs, and unbiased in simulation."""

import numpy as np
import pytest

from spiritlens.comparison.fact_maps import FactMaps, fact_maps
from spiritlens.comparison.subject_products import population_moments, shared_cells


def slowly(first: np.ndarray, second: np.ndarray, clusters: np.ndarray) -> float:
    """Covariance over cells by loops over all pairs of cells and all pairs of facts of different clusters."""
    n_facts, n_cells = first.shape
    products = np.zeros((n_cells, n_cells))
    for k in range(n_cells):
        for m in range(n_cells):
            pairs = [
                first[i, k] * second[j, m]
                for i in range(n_facts)
                for j in range(n_facts)
                if clusters[i] != clusters[j] and not np.isnan(first[i, k] * second[j, m])
            ]
            products[k, m] = np.mean(pairs)
    return float(np.trace(products) / n_cells - products.sum() / n_cells**2)


def without(maps: FactMaps, cluster: str) -> FactMaps:
    kept = maps.clusters != cluster
    return FactMaps(maps.first[kept], maps.second[kept], maps.clusters[kept])


def test_two_facts_and_two_cells_by_hand() -> None:
    # centred over cells: a = ±1, ±2 and b = ±3, ±1 in the first cell; pairs 1·1 and 2·3, mean 3.5
    first, second = np.array([[2.0, 0.0], [4.0, 0.0]]), np.array([[6.0, 0.0], [2.0, 0.0]])
    moments = population_moments(fact_maps(first, second, ["a", "b"]).of_cells([0, 1]))
    assert moments.across[0] == pytest.approx(3.5)
    assert moments.of_first[0] == pytest.approx(2.0)  # 1·2 twice
    assert moments.mean_first[0] == pytest.approx(1.5**2)


def test_the_formula_of_the_docstring() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 9, 7))
    centred = [values - values.mean(axis=1, keepdims=True) for values in (first, second)]
    means = [values.mean(axis=0) for values in centred]
    expected = (81 * means[0] @ means[1] - (centred[0] * centred[1]).sum()) / (9 * 8) / 7
    assert population_moments(fact_maps(first, second, range(9))).across[0] == pytest.approx(expected, abs=1e-14)


def test_the_same_by_loops_with_subjects_of_several_facts_and_missing_cells() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 12, 5))
    first[:3, 1], second[2:5, 3:], first[7, :2] = np.nan, np.nan, np.nan
    second[11] = np.nan  # a fact that was asked in one modality only
    maps = fact_maps(first, second, [0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8])
    found = population_moments(maps)
    assert found.clusters == tuple("012345678")
    for place, left in enumerate([maps, *(without(maps, name) for name in found.clusters)]):
        for name, pair in (
            ("of_first", (left.first, left.first)),
            ("of_second", (left.second, left.second)),
            ("across", (left.first, left.second)),
        ):
            assert getattr(found, name)[place] == pytest.approx(slowly(*pair, left.clusters), abs=1e-12)
        assert found.mean_second[place] == pytest.approx(np.nanmean(left.second, axis=0).var(), abs=1e-12)


def test_noise_that_both_modalities_share_adds_nothing() -> None:
    rng = np.random.default_rng(2)
    truth = np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])  # uncorrelated
    noise = rng.normal(size=(400, 8, 4))
    found = [population_moments(fact_maps(truth[0] + one, truth[1] + one, range(8))) for one in noise]
    across = np.array([one.across[0] for one in found])
    assert abs(across.mean()) < 4 * across.std() / np.sqrt(len(across))
    naive = np.array([np.cov((truth[0] + one).mean(0), (truth[1] + one).mean(0), bias=True)[0, 1] for one in noise])
    assert naive.mean() == pytest.approx(3 / 4 / 8, abs=4 * naive.std() / np.sqrt(len(naive)))  # the noise's own
    of_first = np.array([one.of_first[0] for one in found])
    assert of_first.mean() == pytest.approx(0.5, abs=4 * of_first.std() / np.sqrt(len(of_first)))


def test_facts_of_one_subject_are_no_pair() -> None:
    """Subjects whose maps have nothing in common, each asked ten facts: there is no population map."""
    rng = np.random.default_rng(3)
    subjects = np.repeat(np.arange(8), 10)
    found = np.array(
        [
            population_moments(fact_maps(values, values, subjects)).across[0]
            for values in (rng.normal(size=(8, 30))[subjects] for _ in range(200))
        ]
    )
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(len(found))


def test_cells_count_that_enough_subjects_have_in_both() -> None:
    first, second = np.zeros((8, 3)), np.zeros((8, 3))
    first[:3, 0], second[:5, 1] = np.nan, np.nan
    maps = fact_maps(first, second, [0, 1, 2, 3, 4, 5, 6, 6])
    assert shared_cells(maps, 4).tolist() == [True, False, True]
    assert shared_cells(maps, 2).tolist() == [True, True, True]


def test_complete_maps_are_those_of_loops_and_of_maps_with_a_gap() -> None:
    rng = np.random.default_rng(4)
    first, second = rng.normal(2, 1, size=(2, 11, 6))
    maps = fact_maps(first, second, [0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 6])
    found = population_moments(maps)
    for place, left in enumerate([maps, *(without(maps, name) for name in found.clusters)]):
        assert found.across[place] == pytest.approx(slowly(left.first, left.second, left.clusters), abs=1e-12)
        assert found.of_first[place] == pytest.approx(slowly(left.first, left.first, left.clusters), abs=1e-12)
        assert found.mean_second[place] == pytest.approx(left.second.mean(axis=0).var(), abs=1e-12)
    assert shared_cells(maps, fewest=7).all()
    assert not shared_cells(maps, fewest=8).any()
    # a fact of nothing but gaps changes nothing, but goes the other way
    gaps = np.full((1, 6), np.nan)
    more = fact_maps(np.concatenate([first, gaps]), np.concatenate([second, gaps]), [*maps.clusters, "6"])
    assert shared_cells(more, fewest=7).all()
    for name in ("of_first", "of_second", "across", "mean_first", "mean_second"):
        assert getattr(found, name) == pytest.approx(getattr(population_moments(more), name), abs=1e-12)
