"""Memory that runs out halves the rows; the values are those of whole batches to rounding."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch

import spiritlens as sl
from spiritlens.runs.sweep import sweep
from spiritlens.runs.sweep.memory import halved, ran_out_of_memory

HOST = "[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"


def test_what_counts_as_out_of_memory() -> None:
    for error in (torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), RuntimeError(HOST)):
        assert ran_out_of_memory(error)
    for error in (RuntimeError("shapes differ"), ValueError("out of memory")):
        assert not ran_out_of_memory(error)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), RuntimeError(HOST)])
@pytest.mark.parametrize("hooked", [False, True])
def test_rows_are_halved_until_they_fit(error: Exception, hooked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = sl.planted()
    if hooked:
        planted.lens.model.add_hook("blocks.0.hook_mlp_out", lambda value, hook: value)
    grid = sl.Grid(("resid_pre", "mlp_out"), at="role")
    whole = sl.causal_trace(planted.lens, planted.prompts[:1], grid, samples=4, progress="none")
    rows: list[int] = []
    name = "forward" if hooked else "logits"
    backend = type(planted.lens.backend)
    original = getattr(backend, name)

    def limited(self: Any, values: Any, *rest: Any, **more: Any) -> Any:
        rows.append(len(values))
        if len(values) > 8:
            raise error
        return original(self, values, *rest, **more)

    monkeypatch.setattr(backend, name, limited)
    monkeypatch.setattr(sweep, "READ_AT_ONCE", 10**6)
    with pytest.warns(UserWarning, match=r"memory ran out with [\d,]+ bytes for rows: the sweep goes on with [\d,]+"):
        found = sl.causal_trace(planted.lens, planted.prompts[:1], grid, samples=4, progress="none")
    assert max(rows) > 8
    np.testing.assert_allclose(found["restored"].values, whole["restored"].values, atol=1e-5, rtol=1e-5)
    np.testing.assert_array_equal(found["status"].values, whole["status"].values)


def test_what_does_not_fit_in_one_row_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    planted = sl.planted()

    def never(*rest: Any, **more: Any) -> Any:
        raise MemoryError("no room at all")

    monkeypatch.setattr(sweep.ColumnRunner, "column", never)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(MemoryError, match="no room at all"):
            sl.causal_trace(planted.lens, planted.prompts[:1], ["resid_pre"], samples=2, progress="none")


def test_half_is_half_down_to_one_row() -> None:
    with pytest.warns(UserWarning, match="goes on with 50"):
        assert halved(100, 50) == 50
    assert halved(99, 50) is None
