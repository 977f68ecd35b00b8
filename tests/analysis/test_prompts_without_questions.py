"""Prompts without subject or answer: lenses, attention, runs and continuations serve them; others say what to add."""

import numpy as np
import pandas as pd
import pytest
import torch

import spiritlens as sl
from spiritlens.models.blocks.lens_model import BlockLensModel
from spiritlens.prompts.prompt import Prompt

SENTENCE = "the colour of marlo is"


@pytest.fixture(scope="module")
def machine():
    return sl.planted()


@pytest.fixture(scope="module")
def bare(machine):
    return machine.lens.text(SENTENCE)


@pytest.fixture(scope="module")
def asked(machine):
    return machine.lens.text(SENTENCE, "marlo", "red", "blue")


def test_its_tokens_are_those_of_the_prompt_that_asks(bare, asked):
    assert bare.ids == asked.ids
    assert bare.id != asked.id
    assert (bare.subject.positions, bare.answer, bare.answer_ids, bare.foil_ids) == ((), "", (), ())
    assert set(bare.parts) == {"none"}
    assert "subject" not in bare.roles
    assert repr(bare).splitlines()[0] == f"Prompt {bare.id}: T2T, {len(bare)} tokens"
    assert bare._repr_html_().count("<tr>") == len(bare) + 1
    with pytest.raises(ValueError, match="the prompt has no subject; give subject="):
        bare.span("subject")
    assert bare.span("marlo").positions == asked.subject.positions


def test_it_survives_parquet(bare, asked, tmp_path):
    for name, prompts in (("bare", [bare]), ("both", [bare, asked])):
        pd.DataFrame([prompt.to_dict() for prompt in prompts]).to_parquet(tmp_path / f"{name}.parquet")
        read = pd.read_parquet(tmp_path / f"{name}.parquet").to_dict("records")
        assert [Prompt.from_dict(row).id for row in read] == [prompt.id for prompt in prompts]


def test_lenses_read_it_like_any_other(machine, bare, asked):
    plain, full = (sl.lenses.logit_lens(machine.lens, [prompt], top=2) for prompt in (bare, asked))
    assert (plain["top_token"].values == full["top_token"].values).all()
    assert np.isnan(plain["answer_rank"].values).all()
    assert not np.isnan(full["answer_rank"].values).any()
    logits = [sl.lenses.patchscope(machine.lens, prompt, 3, 2, prompt, 3) for prompt in (bare, asked)]
    assert torch.equal(*logits)


def test_a_spoken_prompt_is_transcribed(machine):
    spoken = machine.prompts[12]
    words = [word for word in spoken.words if word]
    units = [token - machine.lens.vocabulary.unit_ids.start for token in spoken.ids[2:-1]]
    stream = sl.speech.UnitStream.from_frames(units, 25.0)
    seconds = stream.duration / len(words)
    times = [sl.speech.WordInterval(word, n * seconds, (n + 1) * seconds) for n, word in enumerate(words)]
    bare = machine.lens.prompt([sl.SpeechSegment(stream, times)])
    assert bare.kind == "S2T"
    assert sl.lenses.implicit_transcription(machine.lens, [bare])["word"].tolist() == words


def test_attention_is_measured(machine, bare, asked):
    mass = [sl.heads.attention_mass(machine.lens, [prompt], by="modality")["mass"].values for prompt in (bare, asked)]
    np.testing.assert_array_equal(*mass)
    by_role = sl.heads.attention_mass(machine.lens, [bare])["mass"]
    assert np.isnan(by_role.sel(query="subject", key="bos")).all()
    scores = [sl.heads.detectors(machine.lens, [prompt])["score"].values for prompt in (bare, asked)]
    np.testing.assert_array_equal(*scores)


def test_a_run_has_its_likeliest_tokens_and_no_metrics(machine, bare, asked):
    verb = sl.ablate("mlp_out", 1, 3)
    plain, full = (sl.run(machine.lens, prompt, verb) for prompt in (bare, asked))
    assert torch.equal(plain.logits, full.logits)
    assert plain.top(3).ids == full.top(3).ids
    assert "answer" not in repr(plain.top(3))
    assert repr(plain).splitlines()[0] == f"Run of prompt {bare.id}, 1 sample(s), seed 0"
    for call in (plain.metric, lambda: plain.effect):
        with pytest.raises(ValueError, match="no metrics, for its prompt has no answer; give answer="):
            call()
    noisy = sl.run(machine.lens, bare, sl.corrupt(bare.span("marlo")), samples=2)
    assert noisy.n_samples == 2
    assert noisy.corrupted == {}


def test_it_is_continued(machine, bare, asked):
    assert machine.lens.generate(bare) == machine.lens.generate(asked) == machine.lens.generate(SENTENCE)


def test_an_answer_without_a_subject_is_scored(machine, asked):
    answered = machine.lens.text(SENTENCE, answer="red")
    assert sl.run(machine.lens, answered).metric() == sl.run(machine.lens, asked).metric()


METHODS = {
    "causal_trace": lambda lens, prompt: sl.causal_trace(lens, [prompt], ("resid_pre",), samples=1, progress="none"),
    "attribution_patch": lambda lens, prompt: sl.attribution_patch(lens, [prompt], sl.Noise(), progress="none"),
    "direct_logit_attribution": lambda lens, prompt: sl.heads.direct_logit_attribution(
        lens, [prompt], against="nothing"
    ),
    "head_knockout": lambda lens, prompt: sl.heads.head_knockout(lens, [prompt], "zero", progress="none"),
    "known_prompts": lambda lens, prompt: sl.known_prompts(lens, [prompt]),
    "noise_scale": lambda lens, prompt: sl.corruptions.noise_scale(lens, [prompt]),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods_that_need_more_say_what_to_add_before_anything_runs(machine, bare, monkeypatch, name):
    def run(*args, **kwargs):
        raise AssertionError("the model ran before everything was checked")

    for method in ("forward", "cache", "gradients"):
        monkeypatch.setattr(BlockLensModel, method, run)
    lacks = (
        r"no subject and no answer, .*: give subject=… and answer=…|no answer, .*: give answer=…|no subject, .*give sub"
    )
    with pytest.raises(ValueError, match=rf"prompts\[0\] {bare.id} has ({lacks})"):
        METHODS[name](machine.lens, bare)


def test_what_has_no_subject_cannot_be_corrupted_or_controlled(machine, bare):
    with pytest.raises(ValueError, match="the span given is empty"):
        sl.corrupt(bare.subject)
    with pytest.raises(ValueError, match="no subject"):
        sl.corruptions.control_span(bare)
