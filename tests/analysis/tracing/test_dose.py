"""Dose curves and matched doses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tracing_lens import make_prompt, spoken_prompt, text_prompt, tiny_lens

import spiritlens.analysis.tracing.dose as dose
from spiritlens.analysis.grid.grid import Draws
from spiritlens.analysis.tracing.dose import dose_curve, dose_of, match_dose
from spiritlens.runs.corruptions.corruption import CorruptionRequest
from spiritlens.runs.corruptions.noise import Noise, NoiseScale, default_scale


@pytest.fixture(scope="module")
def lens():
    return tiny_lens()


def likeliest(lens, prompt):
    """The same prompt with the answer that the model gives, so that noise has something to take away."""
    return int(lens.backend.model(prompt.tokens)[0, -1, 3:30].argmax()) + 3


@pytest.fixture(scope="module")
def prompts(lens):
    other = make_prompt((1, 30, 8, 21, 19, 16, 24, 13), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5))
    found = [text_prompt(answer_ids=(likeliest(lens, text_prompt()),), foil_ids=())]
    found.append(make_prompt(other.ids, other.word_index, (4, 5), (likeliest(lens, other),), ()))
    found.append(spoken_prompt(answer_ids=(likeliest(lens, spoken_prompt()),), foil_ids=()))
    return found


def test_a_dose_by_hand(lens, prompts) -> None:
    prompt, model = prompts[0], lens.backend.model
    scale = NoiseScale(0.7, 0.1)
    request = CorruptionRequest(lens, prompt, (4, 5), model.embed(prompt.tokens), samples=5, seed=3)
    embeddings = Noise(scale).embeddings(request)
    corrupted = model.run_with_hooks(
        prompt.tokens.expand(5, -1), fwd_hooks=[("hook_embed", lambda x, hook: embeddings)]
    )
    clean = float(model(prompt.tokens)[0, -1].softmax(-1)[prompt.answer_ids[0]])
    expected = (clean - float(corrupted[:, -1].softmax(-1)[:, prompt.answer_ids[0]].mean())) / clean
    assert dose_of(lens, prompt, Noise(scale), Draws(5, seed=3)) == pytest.approx(expected, abs=1e-10)


def test_curve_starts_at_nothing_and_holds_each_prompts_effect(lens, prompts) -> None:
    curve = dose_curve(lens, prompts, (0.0, 1.0), samples=3)
    values = curve.normalised_total_effect.values
    assert np.abs(values[0]).max() < 1e-10
    for number, prompt in enumerate(prompts):
        assert values[1, number] == pytest.approx(dose_of(lens, prompt, Noise(default_scale(lens)), Draws(3)))
    assert curve.subject_modality.values.tolist() == ["text", "text", "speech"]
    assert curve.scale.sel(modality="speech", multiple=1.0) == default_scale(lens).speech


def test_matched_scales_reach_the_target_in_both_modalities(lens, prompts) -> None:
    match = match_dose(lens, prompts, 0.1, samples=20, tolerance=0.01)
    assert match.reached["text"] == pytest.approx(0.1, abs=0.01)
    assert match.reached["speech"] == pytest.approx(0.1, abs=0.01)
    by_hand = np.mean([dose_of(lens, prompt, Noise(match.scale), Draws(20)) for prompt in prompts[:2]])
    assert match.reached["text"] == pytest.approx(by_hand)
    assert "Dose matched at" in repr(match)


def test_default_target_is_the_smaller_effect(lens, prompts) -> None:
    default = default_scale(lens)
    effects = [dose_of(lens, prompt, Noise(default), Draws(4)) for prompt in prompts]
    smaller = min(np.mean(effects[:2]), effects[2])
    assert match_dose(lens, prompts, samples=4).target == pytest.approx(smaller)


def test_a_scale_is_measured_once_and_a_plain_run_is_kept_while_it_fits(lens, prompts, monkeypatch) -> None:
    plain, scales = [], []
    run, changed = dose.plain_run, dose.corrupted_embeddings
    monkeypatch.setattr(dose, "plain_run", lambda model, tokens, n: plain.append(1) or run(model, tokens, n))
    monkeypatch.setattr(
        dose, "corrupted_embeddings", lambda *a, **k: scales.append((a[1].id, a[2].scale)) or changed(*a, **k)
    )
    found = match_dose(lens, prompts, samples=4)
    assert len(plain) == len(prompts)
    assert len(scales) == len(set(map(str, scales))) > 2 * len(prompts)
    monkeypatch.setattr(dose, "KEPT_BYTES", 0)
    assert vars(match_dose(lens, prompts, samples=4)) == vars(found)
    assert len(plain) == len(prompts) + len(scales) // 2


def test_refusals(lens, prompts) -> None:
    with pytest.raises(ValueError, match="no prompt has its subject in speech"):
        match_dose(lens, prompts[:2], 0.2)
    with pytest.raises(ValueError, match=r"target=1\.5: expected a number > 0 and < 1"):
        match_dose(lens, prompts, 1.5)
    with pytest.raises(ValueError, match="never takes away"):
        match_dose(lens, prompts, 1 - 1e-9, samples=1)
    with pytest.raises(ValueError, match="multiples"):
        dose_curve(lens, prompts, (-1.0,))


def test_doses_leave_no_hooks(lens) -> None:
    assert not any(point.fwd_hooks for point in lens.backend.model.hook_dict.values())
    assert torch.is_grad_enabled()


def test_curve_tells_facts_and_subjects_apart(lens, prompts) -> None:
    about = dose_curve(lens, [replace(prompts[0], fact_id="capital/x", relation="capital")], (0.0,), samples=1)
    names = ("fact_id", "relation", "subject", "answer")
    assert [about[name].values.tolist() for name in names] == [
        ["capital/x"],
        ["capital"],
        [prompts[0].subject.name],
        ["answer"],
    ]
