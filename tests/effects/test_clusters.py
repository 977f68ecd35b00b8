"""Sums over clusters, against a loop."""

import numpy as np
import pytest

from spiritlens.effects.clusters import cluster_codes, cluster_sums, given_values, pairs_of

VALUES = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan], [8.0, 5.0]])
LABELS = ["b", "b", "a", "a"]


def test_sums_counts_and_means_by_hand() -> None:
    found = cluster_sums(VALUES, *cluster_codes(LABELS))
    np.testing.assert_array_equal(found.sums, [[8, 5], [4, 0]])
    np.testing.assert_array_equal(found.counts, [[1, 1], [2, 0]])
    np.testing.assert_array_equal(found.n_clusters, [2, 1])
    np.testing.assert_array_equal(found.n_facts, [3, 1])
    np.testing.assert_allclose(found.means, [4, 5])


def test_a_cell_that_no_fact_has_is_nan() -> None:
    found = cluster_sums(np.full((2, 1), np.nan), *cluster_codes(["a", "b"]))
    assert np.isnan(found.means).all()
    assert found.n_facts == 0


def test_values_without_gaps_give_what_a_loop_gives() -> None:
    rng = np.random.default_rng(0)
    values, labels = rng.normal(size=(30, 4)), rng.integers(0, 7, 30)
    found = cluster_sums(values, *cluster_codes(labels))
    for place, name in enumerate(np.unique(labels)):
        np.testing.assert_allclose(found.sums[place], sum(values[labels == name]), atol=1e-13)
        assert (found.counts[place] == (labels == name).sum()).all()


def test_labels_of_two_kinds_at_once() -> None:
    both = pairs_of(["x", "x", "y", "y"], [1, 2, 1, 1])
    assert len(set(both[:3].tolist())) == 3
    assert both[2] == both[3]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cluster_codes([]), "no facts"),
        (lambda: given_values([], []), "no facts"),
        (lambda: given_values(np.zeros((3, 2)), ["a", "b"]), r"shape \(3, 2\) and 2 clusters"),
        (lambda: given_values([1.0, np.inf], ["a", "b"]), "infinite"),
        (lambda: pairs_of(["a"], ["a", "b"]), "1 and 2 labels"),
    ],
)
def test_one_clear_error_each(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
