"""The bytes of all tensors that are alive, counted at every operation: the slow twin of a footprint."""

import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class LiveMemory(TorchDispatchMode):
    """While it is open, `now` and `peak` count the bytes of tensors made inside it that are still held; those of
    torch's meta device, which would have them elsewhere, or all others."""

    def __init__(self, *, meta: bool = False) -> None:
        super().__init__()
        self.meta = meta
        self.now = self.peak = 0
        self._counted: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for value in tensors_in(found):
            storage = _storage(value)
            if value.is_meta != self.meta or storage in self._counted:
                continue
            if _key(value) not in map(_key, tensors_in(args, kwargs)):
                self._counted.add(storage)
                self.now += storage.nbytes()
                weakref.finalize(storage, self._freed, storage.nbytes())
        self.peak = max(self.peak, self.now)
        return found

    def _freed(self, count: int) -> None:
        self.now -= count


def tensors_in(*values: Any) -> Iterator[torch.Tensor]:
    """The tensors in what an operation is given or gives (`tree_leaves` takes longer than the operation)."""
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from tensors_in(*value)
        elif isinstance(value, dict):
            yield from tensors_in(*value.values())


def _storage(value: torch.Tensor) -> Any:
    return value.untyped_storage()


def _key(value: torch.Tensor) -> int:
    """Where its memory is; of a tensor without any, its storage."""
    return _storage(value).data_ptr() or int(_storage(value)._cdata)
