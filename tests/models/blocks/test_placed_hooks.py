"""Placed hooks: none stays, at whatever moment an interrupt comes; two threads share one model without a word."""

import copy
import gc
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import FrameType
from typing import Any

import numpy as np
import pytest
import torch

import spiritlens as sl
from spiritlens.components import hook_name
from spiritlens.models.blocks import placed_hooks
from spiritlens.models.blocks.lens_model import BlockLensModel
from spiritlens.models.blocks.placed_hooks import PlacedHooks
from spiritlens.models.planted.planted import planted
from spiritlens.models.random_weights import random_config, random_lens_model

TOKENS = torch.tensor([[1, 5, 9, 12]])
NAME = hook_name("resid_pre", 1)


@pytest.fixture
def inside() -> BlockLensModel:
    return random_lens_model(random_config(n_layers=2))


def hooks_of(model: torch.nn.Module) -> list[object]:
    return [hook for module in model.modules() for hook in module._forward_hooks.values()]


class Interrupter:
    """Raises KeyboardInterrupt at the n-th moment (call, line, opcode) of placing, removing and torch's registering."""

    def __init__(self, at: int) -> None:
        self.at, self.count = at, 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        watched = frame.f_code.co_filename == placed_hooks.__file__ or frame.f_code.co_name == "register_forward_hook"
        if not watched:
            return None
        frame.f_trace_opcodes = True
        return self.moment(frame, event, argument)

    def moment(self, frame: FrameType, event: str, argument: object) -> Any:
        if event in ("call", "line", "opcode"):
            self.count += 1
            if self.count == self.at:
                raise KeyboardInterrupt
        return self.moment


def interrupted_at_every_moment(call: Callable[[], object], step: int = 1) -> Iterator[KeyboardInterrupt]:
    """Calls again and again, each time interrupted a few moments later, until one ends by itself."""
    at = 1
    while True:
        interrupter = Interrupter(at)
        sys.settrace(interrupter)
        try:
            call()
        except KeyboardInterrupt as error:
            sys.settrace(None)
            yield error
        else:
            sys.settrace(None)
            if interrupter.count < at:
                return
        finally:
            sys.settrace(None)
        at += step


@pytest.mark.parametrize("step", [11, pytest.param(3, marks=pytest.mark.slow)])
def test_no_interrupt_leaves_a_hook_or_changes_what_follows(inside, step):
    """At each call, line and opcode of placing and removing; tracebacks are kept, as a notebook keeps its last one."""
    resid = inside.cache(TOKENS, [NAME])[NAME].clone()
    logits, stream = inside.forward(TOKENS), raw_stream(inside)

    def everything() -> None:
        inside.cache(TOKENS, [NAME])
        with inside.hooked([(NAME, torch.zeros_like)]):
            inside.forward(TOKENS)
        inside.gradients(TOKENS, [NAME], lambda values: values[0, -1, 5])

    count, kept = 0, []
    for error in interrupted_at_every_moment(everything, step):
        kept[:] = [error]
        count += 1
        assert torch.is_grad_enabled()
        assert torch.equal(raw_stream(inside), stream)  # no hook acts
        assert torch.equal(inside.forward(TOKENS), logits)
        assert torch.equal(inside.cache(TOKENS, [NAME])[NAME], resid)
        assert not inside.has_user_hooks()
        assert not hooks_of(inside.model)
    assert count > 1000 / step


def raw_stream(inside: BlockLensModel) -> torch.Tensor:
    return inside.model(TOKENS, stop_at_layer=2)


def test_an_interrupt_leaves_a_users_own_hook_alone(inside):
    point = inside.model.hook_dict[NAME]
    point.add_hook(lambda x, hook: 2 * x)
    try:
        for _ in interrupted_at_every_moment(lambda: inside.cache(TOKENS, [NAME]), step=29):
            assert len(point.fwd_hooks) == 1
            assert inside.has_user_hooks()
    finally:
        point.remove_hooks()


def test_a_lost_context_acts_no_more_and_is_swept_away(inside):
    plain, before = inside.forward(TOKENS), inside.model(TOKENS)
    context = inside.hooked([(NAME, torch.zeros_like)])
    context.__enter__()
    assert not torch.equal(inside.model(TOKENS), before)
    del context
    gc.collect()
    assert torch.equal(inside.model(TOKENS), before)
    assert torch.equal(inside.forward(TOKENS), plain)
    assert not hooks_of(inside.model)


def test_contexts_without_a_with_statement_live_until_they_are_left(inside):
    """In an `ExitStack`, by hand, and in a generator that pauses."""
    plain = inside.forward(TOKENS)

    def paused() -> Iterator[None]:
        with inside.hooked([(NAME, torch.zeros_like)]):
            yield

    with ExitStack() as stack:
        stack.enter_context(inside.hooked([(NAME, torch.zeros_like)]))
        assert not torch.equal(inside.forward(TOKENS), plain)
    assert torch.equal(inside.forward(TOKENS), plain)
    running = paused()
    next(running)
    assert not torch.equal(inside.forward(TOKENS), plain)
    running.close()
    assert torch.equal(inside.forward(TOKENS), plain)
    context = inside.hooked([(NAME, torch.zeros_like)])
    context.__enter__()
    assert not torch.equal(inside.forward(TOKENS), plain)
    context.__exit__(None, None, None)
    assert torch.equal(inside.forward(TOKENS), plain)
    assert not hooks_of(inside.model)


@pytest.mark.parametrize("jobs", [6, pytest.param(30, marks=pytest.mark.slow)])
def test_two_threads_get_what_one_gets(jobs):
    circuit = planted()
    lens, prompts = circuit.lens, circuit.prompts[:2]
    swap = sl.swap("resid_post", 1, prompts[0].subject, circuit.counterfactual(prompts[0]))

    def drawn(number: int) -> np.ndarray:
        return sl.run(lens, prompts[0], sl.corrupt(prompts[0].subject), samples=2, seed=number).logits.numpy()

    def of_any_job() -> list[np.ndarray]:
        swapped = sl.run(lens, prompts[0], swap).logits.numpy()
        lenses = sl.lenses.logit_lens(lens, prompts)
        cut = sl.heads.attention_knockout(lens, prompts[:1], progress="none")
        arrays = [values.values for values in (*lenses.data_vars.values(), *cut.data_vars.values())]
        return [swapped, *(values for values in arrays if values.dtype.kind == "f")]

    same = of_any_job()
    alone = [[drawn(number), *same] for number in range(jobs)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda number: [drawn(number), *of_any_job()], range(jobs)))
    for one, other in zip(alone, together, strict=True):
        assert len(one) == len(other) > 4
        assert all(np.array_equal(first, second, equal_nan=True) for first, second in zip(one, other, strict=True))
    assert not hooks_of(lens.model)


def test_a_second_thread_waits_for_hooks_that_are_held_open(inside):
    plain = inside.forward(TOKENS)
    started, found = threading.Event(), []

    def other() -> None:
        started.set()
        found.append(inside.forward(TOKENS))

    thread = threading.Thread(target=other)
    with inside.hooked([(NAME, torch.zeros_like)]):
        thread.start()
        started.wait()
        changed = inside.forward(TOKENS)
        thread.join(0.05)
        assert thread.is_alive()
        assert not found
    thread.join()
    assert torch.equal(found[0], plain)
    assert not torch.equal(changed, plain)


def test_a_long_wait_is_told_and_a_dead_thread_is_not_waited_for(inside, monkeypatch):
    monkeypatch.setattr(placed_hooks, "PATIENCE_S", 0.0)
    told: list[str] = []

    def other() -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            inside.forward(TOKENS)
        told.extend(str(warning.message) for warning in caught)

    thread = threading.Thread(target=other)
    with inside.hooked([(NAME, torch.zeros_like)]):
        thread.start()
        thread.join(0.05)
    thread.join()
    assert "one thread at a time" in told[0]
    assert len(told) == 1
    plain, context = inside.forward(TOKENS), inside.hooked([(NAME, torch.zeros_like)])
    dead = threading.Thread(target=context.__enter__)
    dead.start()
    dead.join()
    assert torch.equal(inside.forward(TOKENS), plain)


def test_two_lenses_on_one_model_share_its_turns_and_a_model_can_be_copied(inside):
    second = type(inside)(inside.model)
    with ThreadPoolExecutor(1) as pool, inside.hooked([(NAME, torch.zeros_like)]):
        waiting = pool.submit(second.forward, TOKENS)
        assert not waiting.done()
        assert copy.deepcopy(inside).model is not inside.model
        again = PlacedHooks(inside.model)
        with again:
            assert again.lives()
        assert not again.lives()
    assert torch.equal(waiting.result(), inside.forward(TOKENS))
