"""A shard's share of the asking: which blocks of facts it asks, and in which order.

Facts are asked in blocks, whose prompts of one length are batched: the blocks depend on the call alone, so that no
answer depends on how many shards there are. A shard asks every so-manieth block. The selection needs the answers of
all, and no shard waits for another, which may not even have begun: it then helps out with blocks that are not asked
yet, those of the next shard first, from their end, as their own shard comes to these last. Where every fact is asked,
shards that run at once so ask each block once, or few twice; a shard that runs alone asks them all.

Where asking ends as soon as enough are known, a shard ends its share when the answers of all shards hold enough, and
blocks that lack before that are asked as they are come upon.
"""

from collections.abc import Callable, Iterator
from itertools import chain

from spiritlens.effects.shards import Shard


def asking_order(n_blocks: int, shard: Shard) -> Iterator[int]:
    """All blocks: the shard's own, then those of the shards after it, each from the end."""
    owners = [(shard.number - 1 + step) % shard.of for step in range(shard.of)]
    own, *others = (range(owner, n_blocks, shard.of) for owner in owners)
    return chain(own, *(reversed(blocks) for blocks in others))


def ask_share(
    n_blocks: int,
    shard: Shard,
    *,
    ask: Callable[[int], object],
    is_asked: Callable[[int], bool],
    enough: Callable[[], bool] | None,
) -> None:
    """Ask the blocks of a shard that are not asked yet, and where all are to be (`enough` is None) those of others."""
    order = asking_order(n_blocks, shard) if enough is None else range(shard.number - 1, n_blocks, shard.of)
    for block in order:
        if enough is not None and enough():
            return
        if not is_asked(block):
            ask(block)
