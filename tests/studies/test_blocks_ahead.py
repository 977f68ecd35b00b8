"""Blocks are spoken, then encoded, each once and in order, ahead of the asking; what is not wanted is not begun."""

import threading
from collections.abc import Sequence

import pytest

from spiritlens.studies.blocks_ahead import BlocksAhead

BLOCKS = [["a", "b"], ["c"], ["d"], ["e"]]


class Beside:
    """What was said and encoded, in order, and in which threads."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.encoded: list[str] = []
        self.threads: set[int] = set()
        self.events = {(what, block[0]): threading.Event() for what in ("said", "encoded") for block in BLOCKS}

    def say(self, block: Sequence[str]) -> None:
        self.said += block
        self.threads.add(threading.get_ident())
        self.events["said", block[0]].set()

    def encode(self, block: Sequence[str]) -> str:
        assert set(block) <= set(self.said), "it was spoken before"
        self.encoded += block
        self.threads.add(threading.get_ident())
        self.events["encoded", block[0]].set()
        return f"lens for {' '.join(block)}"


def test_every_block_has_its_own_lens_and_is_made_once() -> None:
    beside = Beside()
    with BlocksAhead(BLOCKS, beside.say, beside.encode) as ahead:
        found = [ahead.ready(place, further=True) for place in range(len(BLOCKS))]
    assert found == ["lens for a b", "lens for c", "lens for d", "lens for e"]
    assert beside.said == beside.encoded == ["a", "b", "c", "d", "e"]
    assert threading.get_ident() not in beside.threads


def test_while_a_block_is_asked_the_next_is_encoded_and_the_one_after_it_spoken() -> None:
    beside = Beside()
    with BlocksAhead(BLOCKS, beside.say, beside.encode) as ahead:
        ahead.ready(0, further=True)
        assert beside.events["encoded", "c"].wait(60)
        assert beside.events["said", "d"].wait(60)
        assert beside.encoded == ["a", "b", "c"]
    assert beside.said == ["a", "b", "c", "d"]


def test_where_asking_may_end_with_a_block_the_next_is_only_spoken() -> None:
    beside = Beside()
    with BlocksAhead(BLOCKS, beside.say, beside.encode) as ahead:
        ahead.ready(0, further=False)
        assert beside.events["said", "c"].wait(60)
    assert (beside.said, beside.encoded) == (["a", "b", "c"], ["a", "b"])
    with BlocksAhead(BLOCKS, beside.say, beside.encode) as ahead:
        assert [ahead.ready(place, further=False) for place in (0, 1)] == ["lens for a b", "lens for c"]


def test_an_error_beside_is_raised_where_its_block_is_asked_for() -> None:
    def fail(block: Sequence[str]) -> str:
        if block == ["c"]:
            raise ValueError("c cannot be encoded")
        return block[0]

    with BlocksAhead(BLOCKS, lambda block: None, fail) as ahead:
        assert ahead.ready(0, further=True) == "a"
        with pytest.raises(ValueError, match="c cannot be encoded"):
            ahead.ready(1, further=True)
