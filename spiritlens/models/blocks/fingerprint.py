"""What tells whether two results come from the same model: a hash of its state as it is now, and the hooks it carries.

The hash reads the settings and every value of every parameter and buffer, each time it is asked for: weights that were
edited in the session, by whatever way, have another. It is taken on all cores at about a gigabyte per second and core
(the embedded model: 0.03 s). Hooks are a user's own functions; they are known by where they sit, their code and the
values that it reads.
"""

import functools
import hashlib
import inspect
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import nn
from transformer_lens.hook_points import HookPoint

from spiritlens.environment import plain_torch
from spiritlens.models.blocks.placed_hooks import is_foreign

FILL = ".IGNORE"
"""The value that hides later positions: the least number of a dtype, and that one is the default of the moment."""
INNER = "._original_component"
"""What a bridge puts into the names of the modules that it wraps."""
PIECE = 2**20
"""Bytes of a tensor that each thread reads at a time."""
DEPTH = 5
"""How deep the values that a hook holds are followed."""


@plain_torch
def fingerprint(model: nn.Module, settings: tuple[Any, ...]) -> str:
    """16 hexadecimal digits for the model's settings, as given, and all its values; the same on every device."""
    digest = hashlib.sha256(repr(settings).encode())
    buffers = [pair for pair in model.named_buffers() if not pair[0].endswith(FILL)]
    tensors = sorted((*model.named_parameters(), *buffers), key=lambda pair: pair[0])
    with ThreadPoolExecutor() as pool:  # hashing leaves the interpreter's lock
        for found in pool.map(_tensor_digest, *zip(*tensors, strict=True)):
            digest.update(found)
    return digest.hexdigest()[:16]


def user_hooks(model: nn.Module) -> tuple[str, ...]:
    """The hooks that the toolkit did not place, each as its module's name and its function; empty for a plain model."""
    points = {id(point): name for name, point in getattr(model, "hook_dict", {}).items()}  # a bridge's last is an alias
    return tuple(
        f"{points.get(id(module), name.replace(INNER, '')) or 'model'}: {described(function)}"
        for name, module in model.named_modules()
        for function in _functions(module)
    )


def described(function: Callable[..., Any]) -> str:
    """A function by its name and eight digits for its code and the values it holds: what decides its numbers."""
    inner = function.func if isinstance(function, functools.partial) else inspect.unwrap(function)
    kind = type(inner)
    name = f"{getattr(inner, '__module__', kind.__module__)}.{getattr(inner, '__qualname__', kind.__qualname__)}"
    return f"{name} {hashlib.sha256(repr(_state(function)).encode()).hexdigest()[:8]}"


def _state(value: Any, depth: int = 0) -> Any:
    """What a value decides: numbers, texts, arrays by their digests, functions by their code and what they read.

    Lists and mappings are passed over: hooks record into them.
    """
    if isinstance(value, (int, float, complex, str, bytes, type(None))):
        return value
    if isinstance(value, torch.Tensor):
        return _tensor_digest("", value)
    if isinstance(value, np.ndarray):
        return value.shape, str(value.dtype), hashlib.sha256(value.tobytes()).digest()
    kind = type(value).__qualname__
    deeper = functools.partial(_state, depth=depth + 1)
    if depth == DEPTH or isinstance(value, (nn.Module, type, types.ModuleType, list, dict, set)):
        return getattr(value, "__qualname__", kind)
    if isinstance(value, (tuple, frozenset)):
        return kind, sorted(repr(deeper(held)) for held in value) if isinstance(value, frozenset) else [
            *map(deeper, value)
        ]
    if isinstance(value, functools.partial):
        return (
            kind,
            deeper(value.func),
            deeper(value.args),
            [(name, deeper(held)) for name, held in value.keywords.items()],
        )
    if isinstance(value, types.CodeType):
        return value.co_code, value.co_names, deeper(value.co_consts)
    if isinstance(value, types.FunctionType):
        return kind, deeper(value.__code__), [deeper(held) for held in _read_by(value)]
    if not callable(value):
        return kind
    owner = getattr(value, "__self__", value)  # of a method; else the object that is called
    attributes = {} if isinstance(owner, (nn.Module, types.ModuleType)) else getattr(owner, "__dict__", {})
    function = getattr(value, "__func__", type(value).__call__)
    return kind, deeper(function), [(name, deeper(held)) for name, held in attributes.items()]


def _read_by(function: types.FunctionType) -> tuple[Any, ...]:
    """The values that a function reads: of its enclosing function, of its module, and its defaults."""
    cells = [cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType()]
    found = [function.__globals__.get(name) for name in function.__code__.co_names]
    known = [
        held.__qualname__
        if isinstance(held, types.FunctionType) and held.__globals__ is not function.__globals__
        else held
        for held in found
    ]  # a library's functions by their names
    keywords = tuple((function.__kwdefaults__ or {}).items())
    wrapped = getattr(function, "__wrapped__", None)
    return (*cells, *known, function.__defaults__, keywords, wrapped)


def _functions(module: nn.Module) -> Iterator[Callable[..., Any]]:
    """The functions hooked to a module, but for the toolkit's own."""
    handles = [*module.fwd_hooks, *module.bwd_hooks] if isinstance(module, HookPoint) else []
    yield from (handle.user_hook for handle in handles)
    known = {handle.hook.id for handle in handles}
    for hooks in (
        *(module._forward_hooks, module._forward_pre_hooks),
        *(module._backward_hooks, module._backward_pre_hooks),
    ):
        yield from (function for number, function in hooks.items() if number not in known and is_foreign(function))


def _tensor_digest(name: str, tensor: torch.Tensor) -> bytes:
    digest = hashlib.sha256(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
    whole = tensor.detach() if tensor.ndim else tensor.detach()[None]
    rows = max(1, PIECE * len(whole) // max(1, whole.nbytes))
    for piece in torch.split(whole, rows):  # never a second copy of a large matrix, of which each thread has one
        digest.update(piece.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.digest()
