"""Torch's settings of the moment, kept out of the numbers.

A notebook may run under `torch.inference_mode`, `no_grad`, autocast or a default device. None of them may move a number
or break a gradient, so public functions run outside them:

    @plain_torch
    def causal_trace(...)

Inside, gradients are recorded only where a method asks for them (`HookedLensModel.gradients`). Afterwards everything is
as it was found: contexts restore it, and the wrapper restores the gradient mode once more, in case Ctrl-C fell into
one's clean-up. The default dtype belongs to the whole process and is left alone: tensors are made with their dtype.
"""

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, ParamSpec, TypeVar

import torch

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

AUTOCAST_DEVICES = ("cpu", "cuda", "mps", "xpu")


def plain_torch(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Run a function without gradients, inference mode, autocast and default device; leave them as they were."""

    @functools.wraps(function)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        recorded = torch.is_grad_enabled()
        try:
            with plain_settings(), torch.no_grad():
                return function(*args, **kwargs)
        finally:
            torch.set_grad_enabled(recorded)

    return wrapper


def plain_arithmetic(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """As `plain_torch`, for steps of a computation: gradients are recorded where the caller records them."""

    @functools.wraps(function)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        recorded = torch.is_grad_enabled()
        try:
            with plain_settings():
                return function(*args, **kwargs)
        finally:
            torch.set_grad_enabled(recorded)

    return wrapper


def plain_settings() -> AbstractContextManager[None]:
    """A context without inference mode, autocast and default device; the gradient mode stays."""
    plain = (
        not torch.is_inference_mode_enabled()
        and not any(torch.is_autocast_enabled(device) for device in AUTOCAST_DEVICES)
        and torch.get_default_device().type == "cpu"
    )
    return nullcontext() if plain else _other_settings()


@contextmanager
def _other_settings() -> Iterator[None]:
    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            recorded = torch.is_grad_enabled()
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.set_grad_enabled(recorded))
        for device in AUTOCAST_DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


@contextmanager
def without_onednn() -> Iterator[None]:
    """A context without oneDNN, whose convolutions compile a kernel for every new length: more than a short one takes.

    The switch is the process's; another thread's convolutions give the same numbers to rounding. Of threads that are in
    it at once the last one puts the switch back.
    """
    switches: Any = torch.backends.mkldnn
    with _ONEDNN.lock:
        if not _ONEDNN.inside:
            _ONEDNN.found, switches.enabled = switches.enabled, False
        _ONEDNN.inside += 1
    try:
        yield
    finally:
        with _ONEDNN.lock:
            _ONEDNN.inside -= 1
            if not _ONEDNN.inside:
                switches.enabled = _ONEDNN.found


class _OneDnn:
    """How many contexts without oneDNN are open, and how its switch stood before the first."""

    def __init__(self) -> None:
        self.lock, self.inside, self.found = threading.Lock(), 0, True


_ONEDNN = _OneDnn()
