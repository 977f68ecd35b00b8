"""How many prompts are measured at once: as many as the lens says, where that can be and memory allows it."""

import threading
from dataclasses import replace

import pytest
import torch

from spiritlens.models.lens import Lens
from spiritlens.models.planted.planted import planted
from spiritlens.runs import side_by_side
from spiritlens.runs.side_by_side import by_threads, processes_of


@pytest.fixture(scope="module")
def lens() -> Lens:
    return planted().lens


def test_as_many_as_the_lens_says_and_one_by_itself(lens: Lens) -> None:
    assert processes_of(lens) == 1
    assert processes_of(replace(lens, processes=3, memory_budget=1 << 20)) == 3


def test_a_study_has_one_for_each_thread_unless_the_lens_says_it(lens: Lens) -> None:
    assert by_threads(lens).processes == torch.get_num_threads()
    assert by_threads(replace(lens, processes=5)).processes == 5


def test_together_they_take_half_of_the_memory_at_most(lens: Lens, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {"SC_PHYS_PAGES": 1 << 20, "SC_PAGE_SIZE": 1 << 12}  # 4 GiB
    monkeypatch.setattr(side_by_side.os, "sysconf", pages.__getitem__)
    assert processes_of(replace(lens, processes=16, memory_budget=1 << 29)) == 4
    assert processes_of(replace(lens, processes=16, memory_budget=1 << 40)) == 1


def test_hooks_of_the_users_own_run_here(lens: Lens) -> None:
    handle = lens.model.hook_dict["blocks.0.hook_resid_pre"].register_forward_hook(lambda *given: None)
    try:
        assert processes_of(replace(lens, processes=3)) == 1
    finally:
        handle.remove()
    assert processes_of(replace(lens, processes=3)) == 3


def test_another_thread_forks_nothing(lens: Lens) -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(processes_of(replace(lens, processes=3))))
    thread.start()
    thread.join()
    assert found == [1]


@pytest.mark.parametrize("value", [0, -1, 1.5, "2", True])
def test_a_number_of_processes_that_cannot_be_is_refused(lens: Lens, value: object) -> None:
    with pytest.raises(ValueError, match=r"processes=.*expected a whole number"):
        replace(lens, processes=value)  # type: ignore[arg-type]
