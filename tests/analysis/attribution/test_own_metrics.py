"""A metric of the user's own has the gradient that autograd finds: slopes, completeness, and what has none is
refused."""

import itertools

import numpy as np
import pytest
import torch
from either_kind import run_hooked
from patching_by_hooks import L, other_prompt

from spiritlens.analysis.attribution.attribution_patching import attribution_patch
from spiritlens.analysis.grid.grid import Grid
from spiritlens.runs.metrics import Metric
from tests.analysis.tracing_lens import text_prompt

QUIET = {"progress": "none"}


def root(logits, prompt):
    """√P(answer's first token)."""
    return logits[:, 0].softmax(-1)[:, prompt.answer_ids[0]].sqrt()


def whole_answer(logits, prompt):
    """log P(answer), read-out by read-out."""
    each = logits.log_softmax(-1)
    return sum(each[:, place, token] for place, token in enumerate(prompt.answer_ids))


ROOT = Metric("root", root)


def test_its_attributions_are_slopes_of_the_patch(lens):
    """Moving an activation a millionth of the way changes it by a millionth of the attribution."""
    prompt, other, step = text_prompt(), other_prompt(), 1e-6
    model = lens.backend.model
    found = attribution_patch(lens, [prompt], [other], ("resid_mid", "mlp_out"), (ROOT,), **QUIET)
    moved = (found["restored"] - found["corrupted"]).isel(prompt=0, sample=0, metric=0)
    _, clean = model.run_with_cache(prompt.tokens)
    _, corrupted = model.run_with_cache(other.tokens)
    with torch.no_grad():
        start = float(root(model(other.tokens)[:, -1:], prompt))
        for component, layer, position in itertools.product(("resid_mid", "mlp_out"), range(L), (4, 7)):

            def move(x, hook, position=position):
                x = x.clone()
                x[0, position] += step * (clean[hook.name] - corrupted[hook.name])[0, position]
                return x

            hooks = [(f"blocks.{layer}.hook_{component}", move)]
            end = float(root(run_hooked(model, other.tokens, hooks)[:, -1:], prompt))
            cell = float(moved.sel(component=component, layer=layer).isel(pos=position))
            assert cell == pytest.approx((end - start) / step, abs=1e-6), (component, layer, position)
    assert float(abs(moved).max()) > 1e-4


def test_its_integrated_gradients_are_complete(lens):
    found = attribution_patch(lens, [text_prompt()], [other_prompt()], ("resid_pre",), (ROOT,), steps=64, **QUIET)
    assert abs((found["clean"] - found["corrupted"]).item()) > 1e-4
    assert abs(found["completeness_residual"].item()) < 1e-9


def test_one_of_the_whole_answer_is_the_toolkits(lens):
    """Of an answer of two tokens, also beside a metric whose foil is run as a continuation of its own."""
    prompt = text_prompt(answer_ids=(11, 7), foil_ids=(4, 9))
    metrics = ("log_probability", Metric("whole answer", whole_answer), "log_probability_difference")
    found = attribution_patch(lens, [prompt], [other_prompt()], Grid(("z",), at="role"), metrics, steps=3, **QUIET)
    for name in ("restored", "completeness_residual"):
        ours, theirs = (found[name].sel(metric=metric) for metric in ("log_probability", "whole answer"))
        assert np.allclose(ours, theirs, atol=1e-10, equal_nan=True)


def test_one_without_a_gradient_is_refused(lens):
    rough = Metric("rough", root, smooth=False)
    with pytest.raises(ValueError, match="metric 'rough' has no useful gradient; use probability"):
        attribution_patch(lens, [text_prompt()], [other_prompt()], metrics=(rough,), **QUIET)
