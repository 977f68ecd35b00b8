"""Batches without padding: sequences of one length are rows of one pass."""

from collections.abc import Iterator, Sequence

MOST_ROWS = 16
"""Rows of a batch: enough to keep a processor busy, few enough that their logits over a whole vocabulary stay small."""


def same_lengths(lengths: Sequence[int], most: int = MOST_ROWS) -> Iterator[tuple[int, ...]]:
    """Places of sequences of one length, at most `most` together, in the order in which the lengths first come."""
    by_length: dict[int, list[int]] = {}
    for place, length in enumerate(lengths):
        by_length.setdefault(length, []).append(place)
    for places in by_length.values():
        for first in range(0, len(places), most):
            yield tuple(places[first : first + most])
