"""Batches without padding."""

from spiritlens.models.batches import MOST_ROWS, same_lengths


def test_every_place_comes_once_beside_those_of_its_length() -> None:
    lengths = [3, 5, 3, 4, 5, 3]
    assert list(same_lengths(lengths)) == [(0, 2, 5), (1, 4), (3,)]
    assert list(same_lengths(lengths, 2)) == [(0, 2), (5,), (1, 4), (3,)]
    assert list(same_lengths([])) == []
    many = list(same_lengths([7] * (2 * MOST_ROWS + 1)))
    assert [len(places) for places in many] == [MOST_ROWS, MOST_ROWS, 1]
    assert [place for places in many for place in places] == list(range(2 * MOST_ROWS + 1))
