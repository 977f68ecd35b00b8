"""Batches: sequences of one length, or of about one length, are rows of one pass."""

from collections.abc import Iterator, Sequence

MOST_ROWS = 16
"""Rows of a batch: enough to keep a processor busy, few enough that their logits over a whole vocabulary stay small."""
LEAST_FILLED = 0.75
"""Share of the longest row's length that the shortest one of its batch has at least, where rows are filled up."""


def same_lengths(lengths: Sequence[int], most: int = MOST_ROWS) -> Iterator[tuple[int, ...]]:
    """Places of sequences of one length, at most `most` together, in the order in which the lengths first come."""
    by_length: dict[int, list[int]] = {}
    for place, length in enumerate(lengths):
        by_length.setdefault(length, []).append(place)
    for places in by_length.values():
        for first in range(0, len(places), most):
            yield tuple(places[first : first + most])


def near_lengths(lengths: Sequence[int], most: int = MOST_ROWS) -> Iterator[tuple[int, ...]]:
    """Places of sequences of about one length, the longest first: filled up, a batch wastes little."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        if batch and (len(batch) == most or lengths[place] < LEAST_FILLED * lengths[batch[0]]):
            yield tuple(batch)
            batch = []
        batch.append(place)
    if batch:
        yield tuple(batch)
