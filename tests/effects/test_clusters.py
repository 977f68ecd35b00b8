"""Sums over clusters, against a loop."""

import numpy as np
import pytest

from spiritlens.effects.bootstrap import weighted_means
from spiritlens.effects.clusters import cluster_codes, cluster_sums, given_values, group_means, pairs_of, pieces

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


@pytest.mark.parametrize("seed", range(4))
def test_means_of_groups_are_those_of_a_table_of_weights(seed: int) -> None:
    """The plain way, a row of weights for each group, with gaps, groups without rows, and one row a group."""
    rng = np.random.default_rng(seed)
    n_groups = 40 if seed == 3 else 9
    codes = rng.permutation(40) if seed == 3 else rng.integers(0, n_groups - 1, 40)
    values, weights = rng.normal(size=(40, 3, 5)), rng.integers(1, 4, 40).astype(float)
    values[rng.random(values.shape) < 0.3 * (seed > 0)] = np.nan
    table = (codes == np.arange(n_groups)[:, None]).astype(float)
    for given, plain in ((None, table), (weights, table * weights)):
        found = group_means(values, codes, n_groups, given)
        np.testing.assert_allclose(found, weighted_means(values, plain), rtol=1e-13)


def test_pieces_cover_everything_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spiritlens.effects.clusters.AT_ONCE", 10)
    assert [*pieces(7, 4)] == [slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8)]
    assert [*pieces(2, 100)] == [slice(0, 1), slice(1, 2)]
    assert [*pieces(0, 4)] == []
