"""Blocks of facts made ready before they are asked: the next ones are spoken and encoded meanwhile.

Speech engines run in processes of their own, and the encoder's arithmetic holds no lock of Python's, so that both go on
beside the asking. A block's own work is as it were without: what comes first is a matter of time alone.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Generic, TypeVar

Fact = TypeVar("Fact")
Lens = TypeVar("Lens")


class BlocksAhead(AbstractContextManager["BlocksAhead[Fact, Lens]"], Generic[Fact, Lens]):
    """A context in which ``ready(place)`` gives the lens for a block of facts: one that has their units at hand.

    `say(block)` speaks the facts of a block, `encode(block)` gives the lens, after they were spoken.
    """

    def __init__(
        self,
        blocks: Sequence[Sequence[Fact]],
        say: Callable[[Sequence[Fact]], object],
        encode: Callable[[Sequence[Fact]], Lens],
    ) -> None:
        self._blocks, self._say, self._encode = blocks, say, encode
        self._threads = ExitStack()
        self._speaking, self._encoding = (self._threads.enter_context(ThreadPoolExecutor(1)) for _ in range(2))
        self._spoken: dict[int, Future[object]] = {}
        self._encoded: dict[int, Future[Lens]] = {}

    def ready(self, place: int, *, further: bool) -> Lens:
        """The lens for a block, as soon as it is spoken and encoded; with `further`, the next block is encoded
        meanwhile, which else is only spoken."""
        self._begin(place)
        found = self._encoded.pop(place).result()
        if further:
            self._begin(place + 1)
        self._begin_speaking(place + (2 if further else 1))
        return found

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for spoken in self._spoken.values():
            spoken.cancel()
        for encoded in self._encoded.values():
            encoded.cancel()
        self._threads.close()

    def _begin(self, place: int) -> None:
        self._begin_speaking(place)
        if place < len(self._blocks) and place not in self._encoded:
            spoken = self._spoken.pop(place)
            self._encoded[place] = self._encoding.submit(self._after, spoken, self._blocks[place])

    def _begin_speaking(self, place: int) -> None:
        if place < len(self._blocks) and place not in self._spoken and place not in self._encoded:
            self._spoken[place] = self._speaking.submit(self._say, self._blocks[place])

    def _after(self, spoken: "Future[object]", block: Sequence[Fact]) -> Lens:
        spoken.result()
        return self._encode(block)
