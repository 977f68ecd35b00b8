"""A metric of the user's own in activation patching, against plain hooked passes and against the toolkit's metrics."""

import itertools

import numpy as np
import pytest
import torch
from either_kind import run_hooked
from patching_by_hooks import HOOKS, TOLERANCE, L, other_prompt

import spiritlens as sl
from spiritlens.analysis.grid.grid import Grid
from spiritlens.analysis.patching.activation_patching import activation_patch, back_patch
from spiritlens.analysis.patching.donors import Donors
from spiritlens.runs.metrics import Metric
from tests.analysis.tracing_lens import text_prompt

QUIET = {"progress": "none"}


def margin(logits, prompt):
    """By how much the answer's first token is behind the likeliest token, in nats."""
    first = logits[:, 0].log_softmax(-1)
    return first.max(-1).values - first[:, prompt.answer_ids[0]]


def whole_answer(logits, prompt):
    """log P(answer), read-out by read-out."""
    each = logits.log_softmax(-1)
    return sum(each[:, place, token] for place, token in enumerate(prompt.answer_ids))


MARGIN = Metric("margin", margin, sign=-1, unit="nats")


@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_every_cell_is_the_metric_of_a_hooked_pass(lens, direction):
    prompt, other, model = text_prompt(), other_prompt(), lens.backend.model
    components = ("resid_pre", "z")
    found = activation_patch(lens, [prompt], [other], Grid(components, direction=direction), (MARGIN,), **QUIET)
    base, source = (other, prompt) if direction == "denoising" else (prompt, other)
    _, taken = model.run_with_cache(source.tokens)
    for (row, component), layer, position in itertools.product(enumerate(components), range(L), (4, 7)):

        def put(x, hook, position=position):
            x = x.clone()
            x[:, position] = taken[hook.name][:, position]
            return x

        with torch.no_grad():
            logits = run_hooked(model, base.tokens, [(HOOKS[component].format(layer), put)])
        slow = float(margin(logits[:, -1:], prompt))
        cell = float(found["restored"].values[0, row, layer, position, 0, 0])
        assert cell == pytest.approx(slow, abs=TOLERANCE), (component, layer, position)
    sign = -1 if direction == "denoising" else 1
    expected = sign * (found["restored"] - found["corrupted" if direction == "denoising" else "clean"])
    assert np.allclose(sl.effects.indirect(found), expected.mean("sample"), atol=TOLERANCE)


def test_one_of_the_whole_answer_is_the_toolkits(lens):
    """Of an answer of two tokens, also beside a metric whose foil is run as a continuation of its own."""
    prompt, other = text_prompt(answer_ids=(11, 7), foil_ids=(4, 9)), other_prompt()
    own = Metric("whole answer", whole_answer)
    metrics = ("log_probability", own, "log_probability_difference")
    for found in (
        activation_patch(lens, [prompt], [other], Grid(("mlp_out", "v"), at="role"), metrics, **QUIET),
        back_patch(lens, [prompt], [other], metrics=metrics, donors=Donors(layers=(1,)), **QUIET),
    ):
        for name in ("clean", "corrupted", "restored"):
            ours, theirs = (found[name].sel(metric=metric) for metric in ("log_probability", "whole answer"))
            assert np.allclose(ours, theirs, atol=TOLERANCE, equal_nan=True)
