"""Memory that runs out halves the rows; the values are those of whole batches to rounding."""

import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import spiritlens as sl
from spiritlens.models.blocks import generation
from spiritlens.out_of_memory import halved, in_halves, ran_out_of_memory
from spiritlens.runs.sweep import sweep
from spiritlens.speech.encoders import together

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


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), RuntimeError(HOST)])
def test_a_batch_is_halved_until_it_fits(error: Exception) -> None:
    tried: list[list[int]] = []

    def run(places: Any) -> dict[int, int]:
        tried.append(list(places))
        if len(places) > 2:
            raise error
        return {place: place**2 for place in places}

    with pytest.warns(UserWarning, match="memory ran out with 5 rows together: the work goes on with 2"):
        assert in_halves((4, 1, 0, 3, 7), run) == {4: 16, 1: 1, 0: 0, 3: 9, 7: 49}
    assert tried == [[4, 1, 0, 3, 7], [4, 1], [0, 3, 7], [0], [3, 7]]


def test_what_is_no_lack_of_memory_is_raised_at_once() -> None:
    def run(places: Any) -> dict[int, int]:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        in_halves((1, 2), run)


def limited(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, most: int, rows: Any) -> None:
    """Let a function run out of memory where it is given more than so many rows."""
    original = getattr(owner, name)

    def called(*given: Any, **more: Any) -> Any:
        if rows(*given, **more) > most:
            raise RuntimeError(HOST)
        return original(*given, **more)

    monkeypatch.setattr(owner, name, called)


@pytest.mark.parametrize("hooked", [False, True])
def test_asking_goes_on_with_half_the_prompts(hooked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = sl.planted()
    if hooked:
        planted.lens.model.add_hook("blocks.0.hook_mlp_out", lambda value, hook: value)
    known = sl.known_prompts(planted.lens, planted.prompts)
    backend = type(planted.lens.backend)
    limited(monkeypatch, backend, "forward" if hooked else "cache", 3, lambda self, tokens, *rest: len(tokens))
    with pytest.warns(UserWarning, match="memory ran out with 1[0-9] rows together"):
        assert sl.known_prompts(planted.lens, planted.prompts) == known


def test_continuations_and_encoding_go_on_with_half_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    planted = sl.planted()
    said = planted.lens.continuations(planted.prompts[:4], 3)
    limited(monkeypatch, generation, "_generated", 2, lambda model, vocabulary, rows, *rest: len(rows))
    with pytest.warns(UserWarning, match="memory ran out with"):
        assert planted.lens.continuations(planted.prompts[:4], 3) == said

    class Encoder(torch.nn.Module):
        def forward(self, rows: torch.Tensor, attention_mask: Any = None) -> Any:
            if len(rows) > 1:
                raise MemoryError
            return SimpleNamespace(last_hidden_state=2 * rows)

    features = [torch.ones(size, 3) for size in (5, 4, 4)]
    with pytest.warns(UserWarning, match="memory ran out with 3 rows together"):
        found = together.each_hidden(Encoder(), features)
    assert [each.shape for each in found] == [each.shape for each in features]
