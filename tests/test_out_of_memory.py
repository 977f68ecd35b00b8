"""Memory that runs out halves the rows; the values are those of whole batches to rounding."""

import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import spiritlens as sl
from spiritlens import out_of_memory
from spiritlens.analysis.grid.grid import Draws
from spiritlens.analysis.interchange.edge_runs import EDGE_COMPONENTS, EdgeSets, edges_of
from spiritlens.analysis.interchange.set_runs import StandIns
from spiritlens.analysis.paths import path_patching
from spiritlens.analysis.paths.nodes import Receiver, Sender
from spiritlens.analysis.tracing.dose import dose_of
from spiritlens.analysis.tracing.screen import attribution_patching
from spiritlens.analysis.tracing.settings import given_trace_settings
from spiritlens.models.blocks import generation
from spiritlens.out_of_memory import halved, in_halves, in_pieces, ran_out_of_memory
from spiritlens.runs.metrics import given_metrics
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
    with pytest.warns(UserWarning, match=r"memory ran out with [\d,]+ bytes for rows: the work goes on with [\d,]+"):
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


def test_half_is_half() -> None:
    with pytest.warns(UserWarning, match="goes on with 50"):
        assert halved(100) == 50


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


@pytest.mark.parametrize("most", [1, 2, 5])
def test_pieces_go_on_with_half_the_budget_where_they_stopped(most: int) -> None:
    tried: list[tuple[int, int]] = []

    def run(some: Any, budget: int) -> list[int]:
        tried.append((len(some), budget))
        if len(some) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [item**2 for item in some]

    with pytest.warns(UserWarning, match="memory ran out with 70 bytes for rows: the work goes on with 35"):
        found = in_pieces(range(7), run, bytes_of_one=10, budget=10**6)
    assert [value for piece in found for value in piece] == [0, 1, 4, 9, 16, 25, 36]
    assert tried[:2] == [(7, 10**6), (3, 35)]


def test_one_item_that_does_not_fit_is_raised_after_its_rows_were_halved() -> None:
    budgets: list[int] = []

    def run(some: Any, budget: int) -> None:
        budgets.append(budget)
        raise torch.OutOfMemoryError("no room for one row")

    with pytest.warns(UserWarning, match="memory ran out"), pytest.raises(torch.OutOfMemoryError, match="for one row"):
        in_pieces(range(2), run, bytes_of_one=16, budget=10**6, least=4)
    assert budgets == [10**6, 16, 8, 4]


NOISE, QUIET = sl.Noise(), {"progress": "none"}


SENDERS = (Sender("embed"), Sender("z", 1, 0), Sender("mlp_out", 2), Sender("z", 3, 1), Sender("mlp_out", 4))
INSIDE = (Receiver("q_input", 5, 1), Receiver("k_input", 5, 1), Receiver("v_input", 3, 0), Receiver("mlp_in", 3))
ALL = (*INSIDE, Receiver("logits"))


def paths_of(planted: Any, receivers: Any = ALL, **how: Any) -> Any:
    asked = sl.paths.Paths(SENDERS, receivers, at=("subject",), **how)
    return sl.path_patch(planted.lens, planted.prompts[:1], NOISE, asked, **QUIET)["patched"]


def edges_kept(planted: Any) -> Any:
    prompts, edges = planted.prompts[:3], edges_of(planted.lens.backend)[::20]
    stand_ins = StandIns(planted.lens, prompts, "mean", EDGE_COMPONENTS, Draws(1, 0))
    sets = EdgeSets(stand_ins, edges, given_metrics(("logit_difference",))[0])
    return sets.values(prompts[0], [(0, 9), (5,)]).values


def patched_heads(planted: Any) -> Any:
    grid = sl.Grid(("z",), at="span", spans=("subject",), heads="each")
    return sl.activation_patch(planted.lens, planted.prompts[:1], NOISE, grid, samples=2, **QUIET)["restored"]


def attributed(planted: Any, **how: Any) -> Any:
    return sl.attribution_patch(planted.lens, planted.prompts[:1], NOISE, steps=5, **how, **QUIET)["restored"]


def edges_attributed(planted: Any) -> Any:
    asked = sl.paths.Paths(SENDERS, INSIDE, at=("subject",))
    return sl.attribute_edges(planted.lens, planted.prompts[:1], NOISE, asked, steps=5, **QUIET)["patched"]


def screened(planted: Any) -> Any:
    metrics = given_metrics(("logit_difference",))
    asked = (planted.prompts[:1], sl.Grid(("mlp_out",), at="role"), NOISE, metrics, Draws(4, 0))
    return attribution_patching(planted.lens, planted.prompts[0], given_trace_settings(planted.lens, *asked))


def attention_cut(planted: Any) -> Any:
    edges = [sl.heads.Blocked("subject")]
    return sl.heads.attention_knockout(planted.lens, planted.prompts[:1], edges, **QUIET)["restored"]


def heads_cut(planted: Any) -> Any:
    how: Any = {"groups": {"two": [(1, 0), (5, 1)]}, "samples": 3, **QUIET}
    return sl.heads.head_knockout(planted.lens, planted.prompts[:2], "resample", **how)["canary_all"]


def words_read(planted: Any) -> Any:
    return sl.lenses.logit_lens(planted.lens, planted.prompts[:1], **QUIET)["rank"]


def traced(planted: Any) -> Any:
    return sl.causal_trace(planted.lens, planted.prompts[:1], ["mlp_out"], samples=3, **QUIET)["restored"]


def traced_beside_a_hook(planted: Any) -> Any:
    planted.lens.model.add_hook("blocks.0.hook_mlp_out", lambda value, hook: value)
    return traced(planted)


def run_at_once(planted: Any) -> Any:
    prompt = planted.prompts[0]
    changes = (sl.corrupt("subject"), sl.restore("mlp_out", 2, "subject"), sl.ablate("attn_out", 3, "subject"))
    return sl.run(planted.lens, prompt, *changes, samples=5).logits


LIMITED = {
    "path patching, straight to the logits": ("logits", 3, paths_of),
    "path patching, onward": ("block", 2, paths_of),
    "path patching, MLPs recomputed": ("mlp", 2, lambda planted: paths_of(planted, frozen="heads")),
    "path patching, nothing held": ("cache", 2, lambda planted: paths_of(planted, frozen="nothing")),
    "path patching, receivers together": ("qkv", 2, lambda planted: paths_of(planted, INSIDE, receive="together")),
    "path patching, its two runs": ("cache", 1, paths_of),
    "edge interchange, its sets": ("logits", 1, edges_kept),
    "edge interchange, its readers": ("qkv", 4, edges_kept),
    "patches in closed form": ("mlp", 4, patched_heads),
    "patches in closed form, runs of one head": ("mlp", 1, patched_heads),
    "attribution patching": ("gradients", 2, attributed),
    "edge attribution": ("gradients", 2, edges_attributed),
    "a screen": ("gradients", 1, screened),
    "attention knock-out": ("forward", 1, attention_cut),
    "head knock-out": ("forward", 1, heads_cut),
    "the logit lens": ("logits", 3, words_read),
    "a dose": ("block", 1, lambda planted: dose_of(planted.lens, planted.prompts[0], NOISE, Draws(4, 0))),
    "one run of several samples": ("forward", 2, run_at_once),
    "recorded runs": ("cache", 1, traced),
    "samples beside a hook": ("forward", 1, traced_beside_a_hook),
}
"""The call of the model that runs out of memory, above so many rows, and what is measured then."""


@pytest.mark.parametrize("name", LIMITED)
def test_every_method_goes_on_with_half_the_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call, most, measured = LIMITED[name]
    whole = np.asarray(measured(planted := sl.planted()))
    backend = type(planted.lens.backend)
    monkeypatch.setattr(out_of_memory, "_free", lambda: None)  # which takes longer than what is run here
    layered = call in ("block", "mlp", "qkv")
    limited(monkeypatch, backend, call, most, lambda self, *given, **more: len(given[1 if layered else 0]))
    with pytest.warns(UserWarning, match="memory ran out with"):
        found = np.asarray(measured(sl.planted()))
    np.testing.assert_allclose(found, whole, rtol=0, atol=1e-10)


def test_the_bar_reaches_the_end_though_edges_are_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    planted, steps = sl.planted(), list[float]()
    limited(monkeypatch, type(planted.lens.backend), "block", 2, lambda self, layer, rows, *rest: len(rows))
    told = path_patching.path_values

    def watched(*given: Any, advance: Any, **more: Any) -> Any:
        return told(*given, advance=steps.append, **more)

    monkeypatch.setattr(path_patching, "path_values", watched)
    with pytest.warns(UserWarning, match="memory ran out with"):
        paths_of(planted)
    assert min(steps) >= 0
    assert sum(steps) == len(SENDERS) * (len(INSIDE) + 1)


def test_a_fact_of_which_one_row_does_not_fit_is_left_out(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = sl.planted()
    first, second = planted.prompts[0], planted.prompts[12]  # of which one is spoken, and longer
    backend = type(planted.lens.backend)
    limited(monkeypatch, backend, "cache", len(first), lambda self, tokens, *rest: tokens.shape[1])
    asked = sl.paths.Paths(SENDERS, INSIDE, at=("subject",))
    with pytest.warns(UserWarning, match="1 prompts could not be measured and are left out: .*allocate memory"):
        found = sl.path_patch(planted.lens, [first, second], NOISE, asked, folder=tmp_path, **QUIET)
    assert found["prompt_id"].values.tolist() == [first.id]
