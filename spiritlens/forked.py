"""Work in forked processes: several things at once, each by one thread, on what this process holds in memory now.

    for done in forked(measure, places, processes=4):     # in the order in which they are finished
        print(done.place, done.result(), done.seconds)

The small operations of a small model gain little by threads: what Python does between them one thread does at a time. A
forked process shares the weights, and everything else, with this one; only a place goes there and a result comes back.
Warnings are given here again, errors are raised here, and processes end with this one, however it ends. What is changed
in such a process is changed there alone. Only where `can_fork` says so.
"""

import ctypes
import gc
import os
import pickle
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, current_process, get_context
from typing import Any, Generic, TypeVar

import torch

Result = TypeVar("Result")
Told = tuple[str, type[Warning], str, int]
"""A warning: its words, its category, and the file and line that it points to."""

END_WITH_PARENT = 1
"""What Linux calls PR_SET_PDEATHSIG."""
_function: Callable[[int], Any] | None = None
"""What a forked process does."""
_warned: dict[Any, Any] = {}
"""What Python notes of the warnings that came from forked processes, so that each is given once."""


@dataclass(frozen=True)
class Done(Generic[Result]):
    """What was done for a place, or the error that it met, and in how many seconds."""

    place: int
    seconds: float
    value: Result | None = None
    error: Exception | None = None

    def result(self) -> Result:
        """What was done; the error is raised."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # None only where that is the result


def can_fork() -> bool:
    """Whether this process may fork: on Linux, from its main thread, and unless it was forked to end with another."""
    main = threading.current_thread() is threading.main_thread()
    return sys.platform == "linux" and main and not current_process().daemon


def tried(function: Callable[[int], Result], place: int) -> Done[Result]:
    """What a function does for a place, here."""
    start = time.monotonic()
    try:
        value = function(place)
    except Exception as error:
        return Done(place, time.monotonic() - start, error=error)
    return Done(place, time.monotonic() - start, value)


def forked(function: Callable[[int], Result], places: Sequence[int], processes: int) -> Iterator[Done[Result]]:
    """What a function does for each place, in so many processes, as they are finished.

    Results are sent by pickle. Raises RuntimeError where a process is killed, as it is where memory runs out.
    """
    others = set(active_children())
    count = max(1, min(processes, len(places)))
    pool = ProcessPoolExecutor(count, get_context("fork"), _begin, (function, os.getpid()))
    unfinished = len(places)
    try:
        with _silent_about_threads():
            ended = as_completed([pool.submit(_do, place) for place in places])  # which holds what has not ended alone
        for future in ended:
            done, told = future.result()
            for words, category, file, line in told:
                warnings.warn_explicit(words, category, file, line, registry=_warned)
            unfinished -= 1
            del future  # and what it holds
            yield done
    except BrokenProcessPool as error:
        raise RuntimeError(
            f"one of {count} processes was killed from outside, as happens where memory runs out: run again with "
            "fewer, dataclasses.replace(lens, processes=1); a folder keeps what was finished"
        ) from error
    finally:
        if unfinished:
            for process in set(active_children()) - others:
                process.kill()  # other signals may be left to this process
        pool.shutdown(cancel_futures=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """A context in which torch has one thread, as forked processes do."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _silent_about_threads() -> Iterator[None]:
    """A context in which Python says nothing of the threads that a fork leaves behind: no forked one uses them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        yield


def _begin(function: Callable[[int], Any], parent: int) -> None:
    """Begin a forked process: it leaves Ctrl-C and every signal that its parent handles (as one of a cluster's jobs
    does) to it, ends with it, and touches no memory to tidy it."""
    global _function
    _function = function
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    gc.freeze()
    torch.set_num_threads(1)  # threads do not outlive a fork


def _do(place: int) -> tuple[Done[Any], list[Told]]:
    """In a forked process: what is done for a place, and the warnings that it gave."""
    if _function is None:
        raise RuntimeError("this process was not begun")
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        done = tried(_function, place)
    told = [(str(one.message), one.category, one.filename, one.lineno) for one in given]
    if done.error is not None:
        done = Done(place, done.seconds, error=_sendable(done.error))
    return done, told


def _sendable(error: Exception) -> Exception:
    """An error that another process can read, with where it was raised."""
    where = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # made by what cannot be sent, or not from its words alone
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(f"raised in a forked process:\n{where}")
    return error
