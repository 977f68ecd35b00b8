"""Work in forked processes gives what it gives here: results, errors, warnings; and it ends with who asked for it."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
import torch

from spiritlens.forked import Done, can_fork, forked, one_thread, tried

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")


HANDLED = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class OddError(ValueError):
    """An error that pickle cannot make again from its words."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__(f"{name} has {number}")


def test_results_are_those_of_the_places_and_in_other_processes() -> None:
    weights = torch.arange(6.0)
    found = list(forked(lambda place: (float(weights[place] ** 2), os.getpid()), range(6), 2))
    assert {done.place: done.result()[0] for done in found} == {place: float(place**2) for place in range(6)}
    assert os.getpid() not in {done.result()[1] for done in found}
    assert all(done.seconds >= 0 for done in found)
    assert multiprocessing.active_children() == []


def test_each_has_one_thread_and_this_process_keeps_its_own() -> None:
    before = torch.get_num_threads()
    (done,) = forked(lambda place: torch.get_num_threads(), [0], 4)
    assert (done.result(), torch.get_num_threads()) == (1, before)
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_what_a_process_changes_is_changed_there_alone() -> None:
    noted: list[int] = []
    lengths = [done.result() for done in forked(lambda place: noted.append(place) or len(noted), range(3), 1)]
    assert (lengths, noted) == ([1, 2, 3], [])


def test_an_error_is_raised_here_and_the_others_go_on() -> None:
    def divided(place: int) -> float:
        return 6 / place

    found = {done.place: done for done in forked(divided, range(3), 2)}
    assert [found[1].result(), found[2].result()] == [6, 3]
    with pytest.raises(ZeroDivisionError) as raised:
        found[0].result()
    assert "in divided" in "".join(raised.value.__notes__), "where it was raised"


def test_an_error_that_cannot_be_sent_is_told_by_its_words() -> None:
    def fail(place: int) -> None:
        raise OddError("place", place)

    (done,) = forked(fail, [7], 1)
    with pytest.raises(RuntimeError, match=r"^OddError: place has 7"):
        done.result()


def test_a_warning_is_given_here_once_and_points_to_its_line() -> None:
    def told(place: int) -> int:
        warnings.warn("the same words", UserWarning, stacklevel=1)
        return place

    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("default")
        assert len(list(forked(told, range(4), 2))) == 4
    assert [(str(one.message), one.category, Path(one.filename).name) for one in given] == [
        ("the same words", UserWarning, "test_forked.py")
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="the same words"):
            list(forked(told, range(4), 2))


def test_a_process_that_is_killed_is_told_with_the_remedy() -> None:
    with pytest.raises(RuntimeError, match=r"was killed from outside.*processes=1"):
        list(forked(lambda place: os.kill(os.getpid(), signal.SIGKILL), range(4), 2))
    assert multiprocessing.active_children() == []


def test_who_stops_asking_waits_for_nobody() -> None:
    each = forked(lambda place: time.sleep(600 if place else 0), range(5), 2)
    assert next(each).place == 0
    each.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []


def test_signals_that_this_process_handles_are_left_to_it() -> None:
    """As a job of a cluster does, which is told so that it will be stopped."""
    heard: list[int] = []
    before = {number: signal.signal(number, lambda *given: heard.append(given[0])) for number in HANDLED}

    def told(place: int) -> int:
        for number in (*HANDLED, signal.SIGINT):
            os.kill(os.getpid(), number)
        time.sleep(600 if place else 0)
        return len(heard)

    try:
        each = forked(told, range(3), 2)
        assert next(each).result() == 0
        each.close()  # type: ignore[attr-defined]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert (heard, multiprocessing.active_children()) == ([], [])


ENDED = """
import os, sys, time
from spiritlens.forked import forked
def work(place):
    print(os.getpid(), flush=True)
    time.sleep(600)
list(forked(work, range(2), 2))
"""


def test_forked_processes_end_with_the_one_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", ENDED], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        forks = [int(parent.stdout.readline()) for _ in range(2)]
        parent.kill()
        assert parent.stdout.read() == "", "the pipe is closed by all who held it"
    while any(_runs(pid) for pid in forks):  # for as long as the system takes to end them
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    status = Path(f"/proc/{pid}/stat")
    return status.is_file() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_only_the_main_thread_may_fork() -> None:
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(can_fork()))
    thread.start()
    thread.join()
    assert (can_fork(), found) == (True, [False])


def test_a_process_that_ends_with_another_may_not_fork() -> None:
    context = multiprocessing.get_context("fork")
    said = context.SimpleQueue()
    child = context.Process(target=lambda: said.put(can_fork()), daemon=True)
    child.start()
    assert said.get() is False
    child.join()


def test_what_is_done_here_is_told_alike() -> None:
    assert tried(lambda place: place + 1, 4).result() == 5
    with pytest.raises(ZeroDivisionError):
        tried(lambda place: 1 // place, 0).result()
    assert Done(3, 0.5).result() is None
