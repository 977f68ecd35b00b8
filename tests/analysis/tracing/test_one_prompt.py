"""One prompt's trace: statuses, baselines, answers of several tokens, every kind of corruption."""

import json

import numpy as np
import pytest
import torch
from tracing_by_hooks import HOOKS, SAMPLES, TOLERANCE, naive_cell, window_of
from tracing_lens import make_prompt, spoken_prompt, text_prompt, tiny_lens

import spiritlens as sl
from spiritlens.analysis.grid.grid import Grid
from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.effects.schema import Status
from spiritlens.runs.corruptions.knock_out import KnockOut
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.runs.corruptions.replacement import Replacement


def test_clean_and_corrupted_runs_and_effects(lens, prompts) -> None:
    effects = causal_trace(lens, prompts, samples=SAMPLES, metrics=("probability", "rank"), progress="none")
    for number, prompt in enumerate(prompts):
        clean = lens.backend.model(prompt.tokens)[0, -1]
        assert abs(float(effects.clean[number, 0]) - float(clean.softmax(-1)[11])) < TOLERANCE
        assert effects.clean[number, 1] == 1 + int((clean[:46] > clean[11]).sum()), "rows of padding are not ranked"
        corrupted = [naive_cell(lens, prompt, sample, [])[-1].softmax(-1)[11].item() for sample in range(SAMPLES)]
        assert np.abs(effects.corrupted[number, :, 0].values - corrupted).max() < TOLERANCE
        total = float(clean.softmax(-1)[11]) - np.mean(corrupted)
        assert abs(float(sl.effects.total(effects)[number, 0]) - total) < TOLERANCE
    assert effects.metric_sign.values.tolist() == [1, -1]
    assert float(effects.noise_floor.max()) < 1e-12
    assert json.loads(effects.attrs["window_layers"])["mlp_out"]["1"] == [1, 1]


def test_statuses_say_what_was_not_run(lens, prompts) -> None:
    effects = causal_trace(lens, prompts, ("resid_pre", "resid_post"), samples=1, progress="none")
    status = effects.status.sel(component="resid_pre").values
    assert (status[0, :, :4] == Status.EXACT).all(), "before the subject nothing can change"
    assert (status[0, 1:, 4:8] == Status.MEASURED).all()
    assert status[0, 0, 4:8].tolist() == [Status.MEASURED] * 2 + [Status.EXACT] * 2, "noise enters at the subject alone"
    assert (status[0, :, 8:] == Status.ABSENT).all(), "the written prompt is shorter"
    last = effects.status.sel(component="resid_post", layer=2).values
    assert (last[0, :7] == Status.EXACT).all()
    assert last[0, 7] == Status.MEASURED
    assert abs(effects.restored[0, 1, 2, 7] - effects.clean[0]).max() < TOLERANCE, (
        "the last state of all is the clean run"
    )


def test_resid_post_is_the_next_resid_pre(lens, prompts) -> None:
    effects = causal_trace(lens, prompts, ("resid_pre", "resid_post"), samples=1, progress="none")
    pre, post = effects.restored.sel(component="resid_pre"), effects.restored.sel(component="resid_post")
    assert np.nanmax(np.abs(pre.values[:, 1:] - post.values[:, :-1])) < TOLERANCE


def test_answers_of_several_tokens_are_teacher_forced(lens) -> None:
    prompt = text_prompt(answer_ids=(11, 6, 25), foil_ids=(11, 8))
    metrics = ("log_probability", "log_probability_difference", "probability", "logit")
    effects = causal_trace(lens, [prompt], Grid(window=2), samples=1, metrics=metrics, progress="none")
    for component, layer, position in [("resid_pre", 1, 4), ("mlp_out", 1, 7), ("attn_out", 2, 7), ("resid_pre", 2, 5)]:
        layers = window_of(layer, 2) if component != "resid_pre" else [layer]
        patches = [(HOOKS[component].format(at_layer), position, None) for at_layer in layers]

        def summed(targets, patches=patches):
            logits = naive_cell(lens, prompt, 0, patches, forced=targets[:-1])[-len(targets) :]
            return float(sum(logits[place].log_softmax(-1)[token] for place, token in enumerate(targets)))

        found = effects.restored.sel(component=component, layer=layer, pos=position, prompt=0, sample=0).values
        answer, foil = summed((11, 6, 25)), summed((11, 8))
        assert abs(found[0] - answer) < TOLERANCE
        assert abs(found[1] - (answer - foil)) < TOLERANCE
        assert abs(found[2] - np.exp(answer)) < TOLERANCE


def test_shared_first_token_is_refused_for_first_token_metrics_only(lens) -> None:
    prompt = text_prompt(answer_ids=(11, 6), foil_ids=(11, 8))
    causal_trace(lens, [prompt], samples=1, metrics=("log_probability_difference",), progress="none")
    with pytest.raises(ValueError, match="begin with the same token"):
        causal_trace(lens, [prompt], samples=1, metrics=("logit_difference",), progress="none")


def test_zero_noise_has_no_effect(lens, prompts) -> None:
    effects = causal_trace(lens, prompts, samples=1, corruption=Noise(scale=0.0), progress="none")
    assert float(np.abs(sl.effects.total(effects)).max()) < TOLERANCE
    assert float(np.abs(sl.effects.indirect(effects)).max()) < TOLERANCE


def test_whole_subject_restored_before_block_zero_is_the_clean_run(lens, prompts) -> None:
    effects = causal_trace(lens, prompts, Grid(("resid_pre",), at="role"), samples=SAMPLES, progress="none")
    subject = effects.restored.sel(layer=0, role="subject", component="resid_pre")
    assert float(np.abs(subject - effects.clean).max()) < TOLERANCE


def test_the_noise_floor_is_measured_where_a_corruption_spares_the_first_token(lens, monkeypatch) -> None:
    """The first of the subject's units may stay in its place: the row that patches nothing must still be run."""
    import spiritlens.analysis.tracing.one_prompt as module
    import spiritlens.analysis.tracing.settings as settings_module

    def half(lens, prompt, corruption, **settings):
        embeddings = lens.backend.embed(prompt.tokens).clone()
        embeddings[:, prompt.subject.positions[1]] += 1.0
        return embeddings

    ran: list[tuple[int, ...]] = []
    original = module.plan_sweep

    def watched(*args, **settings):
        sweep = original(*args, **settings)
        ran.append(tuple(sweep.unmoved))
        return sweep

    monkeypatch.setattr(settings_module, "corrupted_embeddings", half)
    monkeypatch.setattr(module, "plan_sweep", watched)
    prompt = text_prompt()
    causal_trace(lens, [prompt], ("resid_pre",), samples=1, progress="none")
    assert 3 * len(prompt) not in ran[0], "the last cell patches nothing and is run"


def test_knock_out_needs_no_noise(lens, prompts) -> None:
    effects = causal_trace(lens, prompts, ("resid_pre",), samples=1, corruption=KnockOut("zero"), progress="none")
    assert np.isnan(effects.attrs["noise_scale_text"])
    embeddings = lens.backend.embed(prompts[0].tokens)
    embeddings[0, list(prompts[0].subject.positions)] = 0
    logits = lens.backend.model.run_with_hooks(
        prompts[0].tokens, fwd_hooks=[("hook_embed", lambda x, hook: embeddings)]
    )
    assert abs(float(effects.corrupted[0, 0, 0]) - float(logits[0, -1].softmax(-1)[11])) < TOLERANCE


def test_symmetric_replacement_is_a_run_of_the_other_subject(lens) -> None:
    donor = make_prompt((1, 30, 7, 21, 17, 18, 24, 13), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5))
    corruption = Replacement("symmetric", (donor,))
    effects = causal_trace(lens, [text_prompt()], ("resid_pre",), samples=2, corruption=corruption, progress="none")
    expected = lens.backend.model(donor.tokens)[0, -1].softmax(-1)[11]
    assert np.abs(effects.corrupted[0, :, 0].values - float(expected)).max() < TOLERANCE
    assert effects.attrs["corruption"] == "symmetric replacement of the tokens of the subject"
    assert json.loads(effects.attrs["config_json"])["corruption"]["donors"] == [donor.id]


def test_shuffled_units_corrupt_speech_without_noise(lens) -> None:
    effects = causal_trace(
        lens,
        [spoken_prompt()],
        Grid(("resid_pre",), at="role"),
        samples=3,
        corruption=Replacement("shuffle"),
        progress="none",
    )
    subject = effects.restored.sel(layer=0, role="subject")
    assert float(np.abs(subject - effects.clean).max()) < TOLERANCE
    assert float(np.abs(sl.effects.total(effects)).max()) > 1e-4


def test_bfloat16_models_are_read_out_in_float32() -> None:
    """A bfloat16 logit has eight bits: had the unembedding been rounded, all values would survive the cast."""
    lens = tiny_lens(dtype=torch.bfloat16)
    effects = causal_trace(lens, [text_prompt()], ("resid_pre",), samples=1, metrics=("logit",), progress="none")
    values = torch.from_numpy(effects.restored.values[0, 0, :, 4:].reshape(-1))
    assert values.dtype == torch.float32
    assert (values.bfloat16().float() != values).float().mean() > 0.5
