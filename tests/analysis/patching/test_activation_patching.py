"""Activation patching as it is called: back-patching, planted circuits, settings that are refused."""

import itertools
import json
from functools import partial

import numpy as np
import pytest
import torch
from either_kind import run_hooked
from patching_by_hooks import HOOKS, QUIET, TOLERANCE, L, measured, other_prompt

import spiritlens as sl
from spiritlens.analysis.grid.grid import Grid
from spiritlens.analysis.patching.activation_patching import activation_patch, back_patch
from spiritlens.analysis.patching.donors import Donors
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.noise import Noise
from tests.analysis.tracing_lens import text_prompt


@pytest.mark.parametrize("component", ["resid_pre", "resid_post", "mlp_out", "k"])
def test_back_patching_equals_hooks_and_its_diagonal_is_the_ordinary_patch(lens, component):
    prompt, other = text_prompt(), other_prompt()
    grid = Grid((component,), at="span", spans=("subject",))
    moved = back_patch(lens, [prompt], [other], grid, **QUIET)
    plain = activation_patch(lens, [prompt], [other], grid, **QUIET)
    model = lens.backend.model
    _, taken = model.run_with_cache(prompt.tokens)
    for source, target in itertools.product(range(L), range(L)):
        value = taken[HOOKS[component].format(source)][:, [4, 5]]

        def put(x, hook, value=value):
            x = x.clone()
            x[:, [4, 5]] = value
            return x

        with torch.no_grad():
            logits = run_hooked(model, other.tokens, [(HOOKS[component].format(target), put)])
        cell = moved["restored"].sel(component=f"{component} from {source}", layer=target).values[0, 0, 0]
        assert np.allclose(cell, measured(lens, prompt, logits), atol=TOLERANCE)
        if source == target:
            assert np.allclose(cell, plain["restored"].values[0, 0, target, 0, 0], atol=TOLERANCE)


@pytest.mark.parametrize("component", ["pattern", "result"])
def test_what_belongs_to_its_own_layer_is_not_back_patched(lens, component):
    with pytest.raises(ValueError, match=f"component='{component}' cannot be moved between layers"):
        back_patch(lens, [text_prompt()], [other_prompt()], (component,), **QUIET)


@pytest.mark.parametrize("control", ["other word", "noise"])
def test_controls_of_back_patching_are_those_of_the_ordinary_patch_on_the_diagonal(lens, control):
    grid = Grid(("resid_post",), at="span", spans=("subject",))
    call = {"prompts": [text_prompt()], "contrast": [other_prompt()], "grid": grid, **QUIET}
    plain = activation_patch(lens, donors=Donors(control=control, pooling="last"), **call)
    moved = back_patch(lens, donors=Donors(control=control, pooling="last", layers=(1,)), **call)
    uncontrolled = back_patch(lens, donors=Donors(pooling="last", layers=(1,)), **call)
    same, other = (found["restored"].isel(component=0).sel(layer=1) for found in (moved, uncontrolled))
    assert np.allclose(same, plain["restored"].isel(component=0).sel(layer=1), atol=TOLERANCE)
    assert not np.allclose(same, other, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grid": ("q", "k")}, "back-patching moves one component"),
        ({"grid": Grid(("resid_pre",), window=2)}, "window=2, which this method does not know"),
        ({"donors": Donors(layers=(0, 9))}, r"layers \(0, 9\): the model has 3, of which the last is 2"),
    ],
)
def test_what_cannot_be_moved_between_layers_is_refused(lens, change, message):
    with pytest.raises(ValueError, match=message):
        back_patch(lens, [text_prompt()], [other_prompt()], **change, **QUIET)


def test_a_component_by_name_is_moved_where_nothing_else_is_said(lens):
    """At the subject and the last token, with and without a name; a grid says its own sites."""
    by_name, by_default = (back_patch(lens, [text_prompt()], [other_prompt()], grid, **QUIET) for grid in (["k"], None))
    for found in (by_name, by_default):
        assert found["span_name"].values.tolist() == [["subject", "last token"]]
    assert by_default["component"].values.tolist() == [f"resid_pre from {layer}" for layer in range(L)]
    assert "pos" in back_patch(lens, [text_prompt()], [other_prompt()], Grid(["k"]), **QUIET).dims


def test_the_donors_that_were_used_are_stored(lens):
    prompt, second = text_prompt(), other_prompt()
    settings = {"grid": Grid(("resid_pre",), at="role"), **QUIET}
    found = activation_patch(lens, [prompt, second], Noise(0.5), donors=Donors(control="other fact"), **settings)
    assert json.loads(found.attrs["config_json"])["donors"] == [second.id, prompt.id]
    plain = activation_patch(lens, [prompt, second], Noise(0.5), **settings)
    assert json.loads(plain.attrs["config_json"])["donors"] is None


def relative(dataset, metric="probability"):
    """Indirect effect (or noising effect) of each cell, mean over samples."""
    effects = sl.effects.indirect(dataset)
    return effects.sel(metric=metric).mean("sample") if "sample" in effects.dims else effects.sel(metric=metric)


def test_heads_of_or_and_and_pairs_are_told_apart_by_direction(circuits):
    for name, denoised, noised in (("or pair", 1.0, 0.0), ("and pair", 0.0, 1.0)):
        circuit = circuits[name]
        prompts = [circuit.prompts[0], circuit.prompts[14]]
        others = [circuit.counterfactual(prompt) for prompt in prompts]
        for direction, size in (("denoising", denoised), ("noising", noised)):
            found = activation_patch(
                circuit.lens,
                prompts,
                others,
                Grid(("z",), at="role", heads="each", direction=direction),
                metrics=("probability",),
                progress="none",
            )
            effect = np.abs(found["restored"] - (found["corrupted"] if direction == "denoising" else found["clean"]))
            at_end = effect.isel(sample=0, metric=0).sel(component="z", layer=6, role="final marker").values
            expected = [size if head in {mover.head for mover in circuit.truth.movers} else 0 for head in range(4)]
            assert np.allclose(at_end, [expected] * 2, atol=1e-3), (name, direction)


def test_a_written_fact_moves_into_the_spoken_prompt_and_back_and_controls_do_not(circuits):
    """Cross-modal: the subject's state after the fact MLP carries the answer into the other modality's run."""
    circuit = circuits["fact machine"]
    subjects = circuit.subjects[:3]
    written, spoken = ([build(subject) for subject in subjects] for build in (circuit.text, circuit.speech))
    for receivers, donors in ((spoken, written), (written, spoken)):
        others = [circuit.counterfactual(prompt) for prompt in receivers]
        grid = Grid(("resid_post",), at="span", spans=("subject last", "last token"))
        call = partial(activation_patch, circuit.lens, receivers, others, grid, ("probability",), progress="none")
        found = call(donors=Donors(donors, "last"))
        recovered = found["restored"].isel(component=0, sample=0, metric=0)
        assert np.allclose(recovered.sel(layer=slice(2, 5)).isel(span=0), 1, atol=1e-3)
        assert np.allclose(recovered.sel(layer=[0, 6, 7]).isel(span=0), 0, atol=1e-3)
        assert np.allclose(recovered.sel(layer=slice(6, 7)).isel(span=1), 1, atol=1e-3)
        for control in ("other word", "other fact", "noise"):
            none = call(donors=Donors(donors, "last", control))
            assert float(none["restored"].sel(layer=slice(2, 5)).isel(span=0).max()) < 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grid": ("resid",)}, "components \\('resid',\\): no 'resid' here; name one or more"),
        ({"grid": Grid(("resid_pre",), heads="each")}, "heads='each' goes with q, k, v"),
        ({"grid": Grid(sever="mlp")}, "sever='mlp', which this method does not know"),
        ({"samples": 0}, "samples=0: expected a whole number ≥ 1"),
        ({"donors": []}, "donors is empty"),
        ({"donors": Donors(layers=(1,))}, r"layers=\(1,\): every layer gets its own values here; use back_patch"),
        ({"donors": Donors(control="other fact")}, "finds no other subject"),
    ],
)
def test_bad_settings_are_refused(lens, change, message):
    with pytest.raises(ValueError, match=message):
        activation_patch(lens, [text_prompt()], [other_prompt()], **{**QUIET, **change})


def test_one_prompt_alone_is_refused_with_the_remedy(lens):
    with pytest.raises(ValueError, match=r"prompts=.*expected several; write"):
        activation_patch(lens, text_prompt(), [other_prompt()], **QUIET)
    assert isinstance(other_prompt(), Prompt)
