"""Maps of facts: their shapes, and one map shifted beside another."""

import numpy as np
import pytest

from spiritlens.comparison.fact_maps import fact_maps, shifted_maps


def test_maps_are_flattened_and_their_cells_chosen() -> None:
    values = np.arange(24.0).reshape(2, 3, 4)
    maps = fact_maps(values, -values, [5, 5])
    assert maps.first.shape == maps.second.shape == (2, 12)
    assert maps.clusters.tolist() == ["5", "5"]
    np.testing.assert_array_equal(maps.of_cells([0, 11]).second, [[0, -11], [-12, -23]])


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"maps of \(2, 3\) and \(2, 4\): expected two of the same"):
        fact_maps(np.zeros((2, 3)), np.zeros((2, 4)), ["a", "b"])
    with pytest.raises(ValueError, match=r"2 facts and clusters of \(3,\): expected one cluster for each fact"):
        fact_maps(np.zeros((2, 3)), np.zeros((2, 3)), ["a", "b", "c"])


def test_layers_without_a_partner_go() -> None:
    first = np.array([[[0.0, 1.0, 2.0, 3.0]]])
    later = shifted_maps(first, first, ["a"], 1)
    np.testing.assert_array_equal(later.first, [[0, 1, 2]])
    np.testing.assert_array_equal(later.second, [[1, 2, 3]])
    earlier = shifted_maps(first, first, ["a"], -3)
    assert (earlier.first.tolist(), earlier.second.tolist()) == ([[3.0]], [[0.0]])
    with pytest.raises(ValueError, match="layers=4: maps of 4 layers can be shifted by at most 3"):
        shifted_maps(first, first, ["a"], 4)
