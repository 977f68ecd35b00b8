"""A pytest plugin, ``-p other_processor``: this machine, as if it were another one.

Processors add in orders of their own, and in another order for every shape: a row of a product differs in its last
bits from the same row within a larger batch. On one machine the two may happen to agree, and a test that asks for it
passes there and fails elsewhere. Under this plugin they never agree: what products, softmaxes and sums return is moved
by one unit of the last place in a third of the entries up, in a third down; in half precision, where sums are held in
float32 and only their rounding may tip over, in one of 64. Where is drawn from the operation and the shapes alone, so
that the same call twice gives the same numbers, as it does on every processor.
"""

import threading
import zlib
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

ATTENTION = "_scaled_dot_product_flash_attention_for_cpu"
PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "dot", "linear", "convolution", ATTENTION)
ADDING = frozenset((*PRODUCTS, "sum", "mean", "var", "logsumexp", "_softmax", "_log_softmax", "native_layer_norm"))
"""Operations of torch that add numbers up."""
KEPT = 512
"""Patterns that are kept."""
_patterns: dict[object, torch.Tensor] = {}


def _pattern(key: object, like: torch.Tensor) -> torch.Tensor:
    """A unit of the last place up, down, or nothing, for each entry."""
    if key not in _patterns:
        if len(_patterns) >= KEPT:
            _patterns.pop(next(iter(_patterns)))
        drawn = torch.Generator().manual_seed(zlib.crc32(repr(key).encode()))
        signs = torch.randint(-1, 2, tuple(like.shape), generator=drawn)
        if like.dtype in (torch.bfloat16, torch.float16):
            signs *= torch.rand(tuple(like.shape), generator=drawn) < 3 / 128
        _patterns[key] = signs.to(like.dtype) * torch.finfo(like.dtype).eps
    return _patterns[key]


class OtherProcessor(TorchDispatchMode):
    """Moves the last place of everything that adds."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.removeprefix("aten::")
        found = result[0] if isinstance(result, tuple) else result
        if name in ADDING and found.is_floating_point() and not found.is_meta:
            shapes = tuple(tuple(value.shape) for value in args if isinstance(value, torch.Tensor))
            found.addcmul_(found.clone(), _pattern((name, shapes, tuple(found.shape), found.dtype), found))
        return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Every test, with what it sets up and takes down, and the threads that it starts."""
    plain = threading.Thread.run

    def run(thread: threading.Thread) -> None:
        with OtherProcessor():
            plain(thread)

    with OtherProcessor(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "run", run)
        return (yield)
