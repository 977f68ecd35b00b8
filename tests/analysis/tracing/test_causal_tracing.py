"""Causal tracing as it is called: against plain hooked passes, settings that are refused."""

import itertools

import numpy as np
import pytest
import torch
from tracing_by_hooks import HOOKS, SAMPLES, TOLERANCE, both_runs, naive_cell, naive_cells, sites_of, window_of
from tracing_lens import TinyLens, text_prompt

from spiritlens.analysis.grid.grid import Grid, Screen
from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.analysis.tracing.rome import rome
from spiritlens.effects.schema import Status


@pytest.mark.parametrize("direction", ["denoising", "noising"])
@pytest.mark.parametrize("at", ["token", "word", "role"])
def test_equals_hooked_passes_of_its_cells(lens, prompts, at, direction) -> None:
    effects = causal_trace(
        lens,
        prompts,
        Grid(at=at, window=2, direction=direction),
        samples=SAMPLES,
        metrics=("probability", "logit"),
        progress="none",
    )
    checked = 0
    for number, prompt in enumerate(prompts):
        cells = {}
        for component, name in enumerate(["resid_pre", "mlp_out", "attn_out"]):
            for layer in range(3):
                layers = window_of(layer, 2) if name != "resid_pre" else [layer]
                for site, positions in enumerate(sites_of(prompt, at)):
                    status = int(effects.status[number, component, layer, site])
                    assert (status == Status.ABSENT) == (not positions)
                    if positions:
                        patches = [(HOOKS[name].format(at_layer), p, None) for at_layer in layers for p in positions]
                        cells[component, layer, site] = patches
        for sample in range(SAMPLES):
            logits = naive_cells(lens, prompt, sample, list(cells.values()), direction)[:, -1]
            expected = torch.stack([logits.softmax(-1)[:, 11], logits[:, 11]], dim=-1)
            restored = effects.restored.values[number, ..., sample, :]
            found = torch.from_numpy(np.stack([restored[place] for place in cells]))
            assert (found - expected).abs().max() < TOLERANCE
            checked += len(cells)
    assert checked > 160


def test_rows_of_the_slow_twin_are_passes_of_their_own(lens, prompts) -> None:
    places = [("resid_pre", 1, 4, None), ("mlp_out", 0, 5, None), ("attn_out", 2, 7, None), ("z", 1, 5, 2)]
    cells = [[], *([(HOOKS[name].format(layer), at, head)] for name, layer, at, head in places)]
    cells.append([patch for patches in cells for patch in patches])
    for prompt, direction in itertools.product(prompts, ("denoising", "noising")):
        together = naive_cells(lens, prompt, 1, cells, direction)
        for row, patches in zip(together, cells, strict=True):
            assert (row - naive_cell(lens, prompt, 1, patches, direction)).abs().max() < TOLERANCE


def test_prompts_together_equal_prompts_alone(lens, prompts) -> None:
    together = causal_trace(lens, prompts, Grid(at="role"), samples=SAMPLES, progress="none")
    small = TinyLens(lens.backend, memory_budget=50_000)
    reversed_order = causal_trace(small, prompts[::-1], Grid(at="role"), samples=SAMPLES, progress="none")
    assert np.nanmax(np.abs(together.restored.values - reversed_order.restored.values[::-1])) < TOLERANCE
    assert (together.prompt_id.values == reversed_order.prompt_id.values[::-1]).all()


def test_more_samples_keep_the_first_ones(lens, prompts) -> None:
    few = causal_trace(lens, prompts[:1], Grid(at="role"), samples=1, progress="none")
    many = causal_trace(lens, prompts[:1], Grid(at="role"), samples=3, progress="none")
    assert np.nanmax(np.abs(few.restored.values[..., 0, :] - many.restored.values[..., 0, :])) < TOLERANCE


def test_control_span_spares_the_subject(lens, prompts) -> None:
    effects = causal_trace(lens, prompts, Grid(("resid_pre",), corrupted="control"), samples=1, progress="none")
    restored = effects.restored.sel(layer=0, component="resid_pre").isel(sample=0, metric=0)
    for number, prompt in enumerate(prompts):
        changed = np.flatnonzero(np.abs(restored[number] - float(effects.corrupted[number, 0, 0])).values > 1e-9)
        assert len(changed) == len(prompt.subject)
        assert not set(changed) & set(prompt.subject.positions)


def test_a_users_hook_takes_effect(lens, prompts) -> None:
    def double(x, hook):
        return torch.cat([x[:, :6], 2 * x[:, 6:]], dim=1)

    model = lens.backend.model
    plain = causal_trace(lens, prompts[:1], Grid(at="role"), samples=1, progress="none")
    both_runs.cache_clear()
    with model.hooks(fwd_hooks=[("blocks.1.hook_mlp_out", double)]):
        hooked = causal_trace(lens, prompts[:1], Grid(at="role", window=1), samples=1, progress="none")
        patches = [(HOOKS["resid_pre"].format(1), position, None) for position in (4, 5)]
        expected = naive_cell(lens, prompts[0], 0, patches)[-1].softmax(-1)[11]
    both_runs.cache_clear()
    found = hooked.restored.sel(
        component="resid_pre", layer=1, role="subject", metric="probability", prompt=0, sample=0
    )
    assert abs(float(found) - float(expected)) < TOLERANCE
    assert np.nanmax(np.abs(plain.restored.values - hooked.restored.values)) > 1e-4


def test_ctrl_c_returns_what_is_finished(lens, prompts, monkeypatch) -> None:
    import spiritlens.analysis.tracing.causal_tracing as module

    original, calls = module.trace_prompt, []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(module, "trace_prompt", interrupted)
    with pytest.warns(UserWarning, match="1 finished of 2"):
        effects = causal_trace(lens, prompts, Grid(at="role"), samples=1, progress="none")
    assert effects.prompt_id.values.tolist() == [prompts[0].id]


BAD_INPUT = {
    "samples=0: expected a whole number ≥ 1": lambda: {"samples": 0},
    "window=0: expected a whole number ≥ 1": lambda: {"grid": Grid(window=0)},
    "no 'mlp' here; name one or more of": lambda: {"grid": ("resid_pre", "mlp")},
    "mix heads": lambda: {"grid": ("resid_pre", "z")},
    "contradict": lambda: {"grid": Grid(("mlp_out",), sever="mlp")},
    "contradict each other": lambda: {"grid": Grid(("z",), sever="attn")},
    "at='unit': expected one of token, word": lambda: {"grid": Grid(at="unit")},
    "direction": lambda: {"grid": Grid(direction="restoring")},
    "corrupted='controls'": lambda: {"grid": Grid(corrupted="controls")},
    "grid has heads='together', which this method does not know": lambda: {"grid": Grid(heads="together")},
    "no span 'predicate'": lambda: {"grid": Grid(at="span", spans=("predicate",))},
    "expected a Grid, or the names of components": lambda: {"grid": 5},
    "metric 'perplexity' is unknown": lambda: {"metrics": ("perplexity",)},
    "screen=0: expected a number > 0 and ≤ 1": lambda: {"screen": 0},
    "keep='all'": lambda: {"screen": Screen(0.5, keep="all")},
    "'rank' has no": lambda: {"metrics": ("rank", "probability"), "screen": 0.5},
}


@pytest.mark.parametrize("message", BAD_INPUT)
def test_bad_input_gets_one_clear_error(lens, prompts, message) -> None:
    with pytest.raises(ValueError, match=message):
        causal_trace(lens, prompts, progress="none", **{"samples": 1, **BAD_INPUT[message]()})


def test_unknown_answers_are_refused_or_marked(lens) -> None:
    wrong = next(
        i for i in range(3, 30) if i != int(lens.backend.model(text_prompt().tokens)[0, -1, 3:30].argmax()) + 3
    )
    prompt = text_prompt(answer_ids=(wrong,))
    with pytest.raises(ValueError, match="does not know"):
        rome(lens, [prompt])
    assert causal_trace(lens, [prompt], Grid(at="role"), samples=1, progress="none").known.values.tolist() == [0]


def test_prompts_must_be_several_and_different(lens, prompts) -> None:
    with pytest.raises(ValueError, match="prompts is empty"):
        causal_trace(lens, [], progress="none")
    with pytest.raises(ValueError, match="twice"):
        causal_trace(lens, [prompts[0], prompts[0]], progress="none")
    with pytest.raises(ValueError, match=r"expected several; write"):
        causal_trace(lens, prompts[0], progress="none")
