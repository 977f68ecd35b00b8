"""Hooks that the toolkit places on TransformerLens's hook points, told apart from a user's own.

A placed hook checks what its function hands back (a new tensor of the same shape, the activation untouched), comes
after the hooks that were there before, and leaves with its context, also after an error.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint, LensHandle

from spiritlens.models.protocol import HookFunction
from spiritlens.shapes import ShapeError


class PlacedHook:
    """A hook of the toolkit's, as opposed to a user's."""

    def __init__(self, name: str, function: HookFunction) -> None:
        self.name = name
        self.function = function

    def __call__(self, activation: Tensor, hook: HookPoint) -> Tensor:
        version = None if activation.is_inference() else activation._version
        value = self.function(activation)
        if version is not None and activation._version != version:
            raise ValueError(f"the hook on {self.name} wrote into the activation; let it return a new tensor instead")
        if not isinstance(value, Tensor) or value.shape != activation.shape:
            found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ShapeError(f"the hook on {self.name} must return a tensor {tuple(activation.shape)}, found {found}")
        return value


@contextmanager
def placed(hooks: Sequence[tuple[str, HookPoint, HookFunction]]) -> Iterator[None]:
    """A context in which each function replaces its point's activation; names are for error messages."""
    handles: list[tuple[HookPoint, LensHandle]] = []
    try:
        for name, point, function in hooks:
            point.add_hook(PlacedHook(name, function))
            handles.append((point, point.fwd_hooks[-1]))
        yield
    finally:
        for point, handle in handles:
            handle.hook.remove()
            point.fwd_hooks = [other for other in point.fwd_hooks if other is not handle]


def has_foreign_hooks(model: nn.Module) -> bool:
    """Whether any module of the model carries a forward hook that `placed` did not place."""
    for module in model.modules():
        ours = 0
        if isinstance(module, HookPoint):
            ours = sum(isinstance(handle.user_hook, PlacedHook) for handle in module.fwd_hooks)
        if len(module._forward_hooks) + len(module._forward_pre_hooks) > ours:
            return True
    return False
