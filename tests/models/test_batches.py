"""Batches of one length, and of about one length."""

from spiritlens.models.batches import LEAST_FILLED, MOST_ROWS, near_lengths, same_lengths


def test_every_place_comes_once_beside_those_of_its_length() -> None:
    lengths = [3, 5, 3, 4, 5, 3]
    assert list(same_lengths(lengths)) == [(0, 2, 5), (1, 4), (3,)]
    assert list(same_lengths(lengths, 2)) == [(0, 2), (5,), (1, 4), (3,)]
    assert list(same_lengths([])) == []
    many = list(same_lengths([7] * (2 * MOST_ROWS + 1)))
    assert [len(places) for places in many] == [MOST_ROWS, MOST_ROWS, 1]
    assert [place for places in many for place in places] == list(range(2 * MOST_ROWS + 1))


def test_near_lengths_come_longest_first_and_are_filled_up_little() -> None:
    assert list(near_lengths([3, 8, 7, 4, 6, 5, 8])) == [(1, 6, 2, 4), (5, 3), (0,)]
    assert list(near_lengths([4, 4, 4], 2)) == [(0, 1), (2,)]
    assert list(near_lengths([])) == []
    lengths = [length % 40 + 1 for length in range(300)]
    batches = list(near_lengths(lengths))
    assert sorted(place for places in batches for place in places) == list(range(300))
    for places in batches:
        found = [lengths[place] for place in places]
        assert len(places) <= MOST_ROWS
        assert min(found) >= LEAST_FILLED * max(found)
