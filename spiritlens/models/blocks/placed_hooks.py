"""Hooks that the toolkit places on TransformerLens's hook points, and whose turn it is to run a model.

A placed hook checks what its function hands back (a new tensor of the same shape, the activation untouched), comes
after the hooks that were there before, and leaves with its context, also after an error or an interrupt.

*Life.* A context that a `with` statement opens lives while that statement's function runs; one that is opened otherwise
(by an `ExitStack`, in a generator) lives until it is left or lost. Ctrl-C comes at any moment, also in the middle of
placing and of cleaning up, so nothing rests on clean-up alone: the hook of a dead context hands its activation through,
and the next entry sweeps it away.

*Turns.* Hooks act on whoever runs the model, so a model belongs to one thread at a time: the one whose contexts live. A
second thread waits until they are closed, with a warning after `PATIENCE_S`; the same thread may enter again.
"""

import dis
import functools
import inspect
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any, NamedTuple, ParamSpec, TypeAlias, TypeVar

from torch import Tensor, nn

from spiritlens.models.protocol import HookFunction
from spiritlens.shapes import ShapeError
from spiritlens.warn import warn

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Seen: TypeAlias = Callable[[nn.Module, Any], tuple[Tensor, Callable[[Tensor], Any]]]
"""The activation in a module's output, and the way back from its replacement to an output."""


def as_hook_point(module: nn.Module, output: Any) -> tuple[Tensor, Callable[[Tensor], Any]]:
    """A hook point's output as TransformerLens shows it: the bridge keeps heads flat and shows them as an axis."""
    conversion = getattr(module, "hook_conversion", None)
    if conversion is None:
        return output, _same
    return conversion.convert(output), conversion.revert


def _same(value: Tensor) -> Tensor:
    return value


def recorder(found: dict[str, Tensor], name: str) -> HookFunction:
    """A hook that keeps what it sees, under a name."""

    def record(activation: Tensor) -> Tensor:
        found[name] = activation
        return activation

    return record


def lister(found: list[tuple[str, Tensor]], name: str) -> HookFunction:
    """A hook that lists what it sees, each time it fires, as what one can differentiate by: a constant as a leaf."""

    def note(activation: Tensor) -> Tensor:
        value = activation if activation.requires_grad else activation.detach().requires_grad_(True)
        found.append((name, value))
        return value

    return note


class Place(NamedTuple):
    """A name (for error messages), its hook point, and what replaces its activation."""

    name: str
    point: nn.Module
    function: HookFunction
    seen: Seen = as_hook_point


Points = Sequence[Place]

PATIENCE_S = 10.0
"""A thread that has waited so long for another one's hooks to leave says so."""

POLL_S = 0.001
SUSPENDABLE = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class PlacedHook:
    """A hook of the toolkit's, as opposed to a user's."""

    def __init__(self, place: Place, context: "PlacedHooks") -> None:
        self.name = place.name
        self.function = place.function
        self.seen = place.seen
        self.context = weakref.ref(context)

    def __call__(self, module: nn.Module, inputs: object, output: Any) -> Any:
        context = self.context()
        if context is None or not context.acts():
            return output
        activation, back = self.seen(module, output)
        version = None if activation.is_inference() else activation._version
        value = self.function(activation)
        if version is not None and activation._version != version:
            raise ValueError(f"the hook on {self.name} wrote into the activation; let it return a new tensor instead")
        if not isinstance(value, Tensor) or value.shape != activation.shape:
            found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ShapeError(f"the hook on {self.name} must return a tensor {tuple(activation.shape)}, found {found}")
        return back(value)

    def lives(self) -> bool:
        context = self.context()
        return context is not None and context.lives()


class PlacedHooks:
    """A context of one thread in which each function replaces its point's activation; without points, a turn alone."""

    def __init__(self, model: nn.Module, points: Points = ()) -> None:
        self.points = points
        self.thread = threading.current_thread()
        self._turns = _turns_of(model)
        self._open = False
        self._frame: FrameType | None = None

    def __enter__(self) -> None:
        self.thread, self._frame = threading.current_thread(), sys._getframe()
        try:
            self._turns.take(self)
            for place in self.points:
                place.point.register_forward_hook(PlacedHook(place, self))
        except BaseException:
            self.close()
            raise
        self._open = True
        self._frame = _owner(sys._getframe(1))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Take the hooks away; the context is dead from the first line on."""
        self._open, self._frame = False, None
        _sweep(self.points)
        self._turns.contexts.pop(id(self), None)

    def lives(self) -> bool:
        """Whether the context is open: its `with` statement still runs or, where it has none, it was not left."""
        if self._frame is None:
            return self._open and self.thread.is_alive()
        mine = self.thread is threading.current_thread()
        return _runs(self._frame, sys._getframe() if mine else sys._current_frames().get(self.thread.ident or 0))

    def acts(self) -> bool:
        """Whether its hooks change what runs here and now: not where another thread runs the model."""
        return self._open if self._frame is None else _runs(self._frame, sys._getframe())


class _Turns:
    """The living contexts of a model, all of one thread, with the points of their hooks."""

    def __init__(self) -> None:
        self.contexts: dict[int, tuple[weakref.ref[PlacedHooks], Points]] = {}
        self._guard = threading.RLock()

    def take(self, context: PlacedHooks) -> None:
        """Enter a context, once no other thread has a living one."""
        began, warned = time.monotonic(), False
        while (other := self._entered(context)) is not None:
            if not warned and time.monotonic() - began > PATIENCE_S:
                warn(
                    f"still waiting for a model after {PATIENCE_S:g} s: the thread '{other.name}' holds hooks on it or "
                    "runs it, and a model serves one thread at a time; close its lens.backend.hooked(...), or give "
                    "each thread a lens of its own"
                )
                warned = True
            time.sleep(POLL_S)

    def _entered(self, context: PlacedHooks) -> threading.Thread | None:
        """None once entered; else the thread whose turn it is."""
        with self._guard:
            for key, (reference, points) in list(self.contexts.items()):
                other = reference()
                if other is None or not other.lives():
                    _sweep(points)
                    self.contexts.pop(key, None)
                elif other.thread is not context.thread:
                    return other.thread
            self.contexts[id(context)] = weakref.ref(context), context.points
        return None


_ALL_TURNS: weakref.WeakKeyDictionary[nn.Module, _Turns] = weakref.WeakKeyDictionary()
"""Kept beside the models and not in them, so that a model can still be copied and saved."""
_ALL_TURNS_GUARD = threading.RLock()


def _turns_of(model: nn.Module) -> _Turns:
    turns = _ALL_TURNS.get(model)
    if turns is None:
        with _ALL_TURNS_GUARD:
            turns = _ALL_TURNS.setdefault(model, _Turns())
    return turns


def in_turn(method: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """A method of something that holds a ``model``, which runs the model while no other thread does."""

    @functools.wraps(method)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        holder: Any = args[0]
        with PlacedHooks(holder.model):
            return method(*args, **kwargs)

    return wrapper


OF_THE_LIBRARIES = ("transformer_lens.model_bridge.", "transformers.utils.output_capturing")
"""The modules of hooks that read and change nothing: a `TransformerBridge` places some on its own norms, and Hugging
Face's model, once it was asked for attentions or states (by ``run_with_cache``), keeps some on its parts for good."""


def of_the_libraries(hook: Any) -> bool:
    """Whether TransformerLens or transformers placed the hook for itself."""
    return str(getattr(hook, "__module__", "")).startswith(OF_THE_LIBRARIES)


def is_foreign(hook: Any) -> bool:
    """Whether a hook is a user's: neither the toolkit's nor a library's own."""
    return not isinstance(hook, PlacedHook) and not of_the_libraries(hook)


def has_foreign_hooks(model: nn.Module) -> bool:
    """Whether any module of the model carries a forward hook of a user's."""
    return any(
        is_foreign(hook)
        for module in model.modules()
        for hook in (*module._forward_pre_hooks.values(), *module._forward_hooks.values())
    )


def _sweep(points: Points) -> None:
    """Take away the placed hooks of these points whose contexts are dead."""
    for place in points:
        for key, hook in list(place.point._forward_hooks.items()):
            if isinstance(hook, PlacedHook) and not hook.lives():
                place.point._forward_hooks.pop(key, None)


def _owner(frame: FrameType) -> FrameType | None:
    """The function whose `with` statement opens a context; None where it may pause inside or is no `with` statement."""
    own = str(frame.f_globals.get("__name__")).partition(".")[0] == __name__.partition(".")[0]
    by_with = own or dis.opname[frame.f_code.co_code[frame.f_lasti]] == "BEFORE_WITH"
    return frame if by_with and not frame.f_code.co_flags & SUSPENDABLE else None


def _runs(frame: FrameType, here: FrameType | None) -> bool:
    while here is not None and here is not frame:
        here = here.f_back
    return here is not None
