"""Blocks of facts are shared among shards, whoever else is at work."""

import pytest

from spiritlens.effects.shards import Shard
from spiritlens.studies.asking_share import ask_share, asking_order


@pytest.mark.parametrize("of", [2, 3, 8])
def test_every_shard_comes_to_all_blocks_its_own_first(of: int) -> None:
    for number in range(1, of + 1):
        order = list(asking_order(7, Shard(number, of)))
        assert sorted(order) == list(range(7))
        own = list(range(number - 1, 7, of))
        assert order[: len(own)] == own
    assert list(asking_order(7, Shard(2, 3))) == [1, 4, 5, 2, 6, 3, 0]


@pytest.mark.parametrize(("blocks", "of"), [(12, 2), (13, 3), (5, 4), (3, 8)])
def test_shards_at_once_ask_each_block_once(blocks: int, of: int) -> None:
    """They take turns, a block each: none is asked twice unless two come to it in the same turn."""
    asked: list[int] = []
    turns = [iter(asking_order(blocks, Shard(number, of))) for number in range(1, of + 1)]
    while len(set(asked)) < blocks:
        seen = set(asked)
        for turn in turns:
            asked += next(([block] for block in turn if block not in seen), [])
    assert len(asked) <= blocks + of


def test_a_shard_alone_asks_all_and_one_that_comes_later_none() -> None:
    done: list[int] = []
    for number in (2, 1):
        ask_share(5, Shard(number, 2), ask=done.append, is_asked=done.__contains__, enough=None)
    assert done == [1, 3, 4, 2, 0]


def test_a_share_ends_with_enough_and_leaves_others_theirs() -> None:
    done: list[int] = []
    ask_share(9, Shard(2, 2), ask=done.append, is_asked=done.__contains__, enough=lambda: len(done) == 3)
    assert done == [1, 3, 5]
    ask_share(9, Shard(1, 2), ask=done.append, is_asked=done.__contains__, enough=lambda: False)
    assert done == [1, 3, 5, 0, 2, 4, 6, 8]
