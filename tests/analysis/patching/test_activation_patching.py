"""Activation patching as it is called: back-patching, planted circuits, settings that are refused."""

import itertools
import json

import numpy as np
import pytest
import torch
from patching_by_hooks import HOOKS, QUIET, TOLERANCE, L, measured, other_prompt

import spiritlens as sl
from spiritlens.analysis.patching.activation_patching import activation_patch, back_patch
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.noise import Noise
from tests.analysis.tracing_lens import text_prompt


@pytest.mark.parametrize("component", ["resid_pre", "resid_post", "mlp_out", "k"])
def test_back_patching_equals_hooks_and_its_diagonal_is_the_ordinary_patch(lens, component):
    prompt, other = text_prompt(), other_prompt()
    grid = back_patch(lens, [prompt], [other], component, spans=("subject",), **QUIET)
    plain = activation_patch(lens, [prompt], [other], (component,), at="span", spans=("subject",), **QUIET)
    model = lens.backend.model
    _, taken = model.run_with_cache(prompt.tokens)
    for source, target in itertools.product(range(L), range(L)):
        value = taken[HOOKS[component].format(source)][:, [4, 5]]

        def put(x, hook, value=value):
            x = x.clone()
            x[:, [4, 5]] = value
            return x

        with torch.no_grad():
            logits = model.run_with_hooks(other.tokens, fwd_hooks=[(HOOKS[component].format(target), put)])
        cell = grid["restored"].sel(component=f"{component} from {source}", layer=target).values[0, 0, 0]
        assert np.allclose(cell, measured(lens, prompt, logits), atol=TOLERANCE)
        if source == target:
            assert np.allclose(cell, plain["restored"].values[0, 0, target, 0, 0], atol=TOLERANCE)


@pytest.mark.parametrize("component", ["pattern", "result"])
def test_what_belongs_to_its_own_layer_is_not_back_patched(lens, component):
    with pytest.raises(ValueError, match=f"component='{component}' cannot be moved between layers"):
        back_patch(lens, [text_prompt()], [other_prompt()], component, **QUIET)


def test_the_donors_that_were_used_are_stored(lens):
    prompt, second = text_prompt(), other_prompt()
    settings = {"components": ("resid_pre",), "at": "role", **QUIET}
    found = activation_patch(lens, [prompt, second], Noise(0.5), control="other fact", **settings)
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
                ("z",),
                at="role",
                heads="each",
                direction=direction,
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
        settings = {
            "at": "span",
            "spans": ("subject last", "last token"),
            "metrics": ("probability",),
            "progress": "none",
        }
        found = activation_patch(
            circuit.lens, receivers, others, ("resid_post",), donors=donors, pooling="last", **settings
        )
        recovered = found["restored"].isel(component=0, sample=0, metric=0)
        assert np.allclose(recovered.sel(layer=slice(2, 5)).isel(span=0), 1, atol=1e-3)
        assert np.allclose(recovered.sel(layer=[0, 6, 7]).isel(span=0), 0, atol=1e-3)
        assert np.allclose(recovered.sel(layer=slice(6, 7)).isel(span=1), 1, atol=1e-3)
        for control in ("other word", "other fact", "noise"):
            none = activation_patch(
                circuit.lens,
                receivers,
                others,
                ("resid_post",),
                donors=donors,
                pooling="last",
                control=control,
                **settings,
            )
            assert float(none["restored"].sel(layer=slice(2, 5)).isel(span=0).max()) < 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"components": ("resid",)}, "components \\('resid',\\): no 'resid' here; name one or more"),
        ({"components": ("resid_pre",), "heads": "each"}, "heads='each' goes with q, k, v"),
        ({"heads": "some"}, "heads='some'"),
        ({"direction": "sideways"}, "direction='sideways'"),
        ({"control": "placebo"}, "control='placebo'"),
        ({"pooling": "first"}, "pooling='first': expected one of position, last"),
        ({"window": 0}, "window=0: expected a whole number ≥ 1"),
        ({"samples": 0}, "samples=0: expected a whole number ≥ 1"),
        ({"donors": []}, "donors is empty"),
        ({"control": "other fact"}, "finds no other subject"),
    ],
)
def test_bad_settings_are_refused(lens, change, message):
    with pytest.raises(ValueError, match=message):
        activation_patch(lens, [text_prompt()], [other_prompt()], **{**QUIET, **change})


def test_one_prompt_alone_is_refused_with_the_remedy(lens):
    with pytest.raises(ValueError, match=r"prompts=.*expected several; write"):
        activation_patch(lens, text_prompt(), [other_prompt()], **QUIET)
    assert isinstance(other_prompt(), Prompt)
