"""Scores, orders and sizes, worked by hand."""

import numpy as np

from spiritlens.analysis.interchange.rankings import PartEffects, default_sizes, part_scores, random_order, ranked

NAN = float("nan")


def test_a_score_is_the_larger_share_of_the_mean_total() -> None:
    restored = PartEffects(np.array([[2.0, 0.0, NAN], [4.0, 0.0, NAN], [90.0, 90.0, 90.0]]), np.array([4.0, 8.0, 1.0]))
    removed = PartEffects(np.array([[0.0, 1.0, NAN], [0.0, NAN, NAN], [90.0, 90.0, 90.0]]), np.array([1.0, 3.0, 1.0]))
    rows = [True, True, False]
    assert restored.shares(rows)[:2].tolist() == [0.5, 0.0]  # 3 of 6
    assert removed.shares(rows)[:2].tolist() == [0.0, 0.5]  # 1 where it is, of 2
    np.testing.assert_array_equal(part_scores(restored, removed, rows), [0.5, 0.5, NAN])


def test_a_total_below_zero_turns_no_sign_and_one_of_zero_divides_nothing() -> None:
    assert PartEffects(np.array([[1.0, -1.0]]), np.array([-2.0])).shares([True]).tolist() == [0.5, -0.5]
    assert PartEffects(np.array([[1.0, -1.0]]), np.array([0.0])).shares([True]).tolist() == [1.0, -1.0]


def test_ties_keep_their_order_and_what_is_absent_comes_last() -> None:
    assert ranked(np.array([0.0, NAN, 1.0, 1e-12, -1.0])).tolist() == [2, 0, 3, 4, 1]


def test_orders_of_chance_are_permutations_of_their_own() -> None:
    orders = [random_order(20, number, 0) for number in range(3)]
    assert all(sorted(order) == list(range(20)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    np.testing.assert_array_equal(orders[0], random_order(20, 0, 0))
    assert random_order(20, 0, 1).tolist() != orders[0].tolist()


def test_sizes_are_powers_of_two_from_either_end() -> None:
    assert default_sizes(12) == (0, 1, 2, 4, 8, 10, 11, 12)
    assert default_sizes(32) == (0, 1, 2, 4, 8, 16, 24, 28, 30, 31, 32)
    assert default_sizes(1) == (0, 1)
