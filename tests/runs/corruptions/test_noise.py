"""Noise depends on seed, prompt, sample and purpose only, and has the scale that the design says."""

import numpy as np
import pytest
import torch
from tracing_lens import make_prompt, spoken_prompt, text_prompt, tiny_lens

from spiritlens.runs.corruptions.corruption import corrupted_embeddings
from spiritlens.runs.corruptions.noise import Noise, NoiseScale, default_scale, draw, noise_scale


@pytest.fixture(scope="module")
def lens():
    return tiny_lens()


def test_draws_depend_on_their_key_only() -> None:
    one = draw(0, "prompt", 3, "noise", (2, 5))
    torch.manual_seed(99)
    assert torch.equal(one, draw(0, "prompt", 3, "noise", (2, 5)))
    for other in [
        (1, "prompt", 3, "noise"),
        (0, "other", 3, "noise"),
        (0, "prompt", 4, "noise"),
        (0, "prompt", 3, "x"),
    ]:
        assert not torch.equal(one, draw(*other, (2, 5)))
    assert one.dtype == torch.float32


def test_laws_have_their_shape() -> None:
    gaussian, uniform, student = (draw(0, "p", 0, "x", (200_000,), law) for law in ("gaussian", "uniform", "student"))
    assert abs(float(gaussian.std()) - 1) < 0.01
    assert float(uniform.abs().max()) <= 1
    assert abs(float(uniform.std()) - 3**-0.5) < 0.01
    assert abs(float(student.std()) - (5 / 3) ** 0.5) < 0.05, "Student's t with 5 degrees has variance 5/3"
    assert float(student.abs().max()) > float(gaussian.abs().max())


def test_default_scale_is_three_deviations_of_the_modalitys_rows(lens) -> None:
    w_e = lens.backend.w_e
    scale = default_scale(lens)
    assert scale.text == pytest.approx(3 * float(w_e[3:30].std()))
    assert scale.speech == pytest.approx(3 * float(w_e[32:46].std()))


def test_noise_scale_pools_subject_rows_and_leaves_bos_out(lens) -> None:
    prompts = [text_prompt(), spoken_prompt()]
    scale = noise_scale(lens, prompts)
    assert scale.text == pytest.approx(3 * float(lens.backend.w_e[[9, 16]].std()))
    assert scale.speech == pytest.approx(3 * float(lens.backend.w_e[[35, 40, 35, 41]].std()))
    with_bos = make_prompt((1, 9, 16, 7), (-1, 0, 0, 1), (0, 1, 2))
    assert noise_scale(lens, [with_bos]).text == pytest.approx(scale.text)
    assert noise_scale(lens, [with_bos]).speech == default_scale(lens).speech


def test_each_position_gets_its_modalitys_scale(lens) -> None:
    """A subject half written, half spoken: sixty thousand numbers are enough to see both scales."""
    prompt = make_prompt((1, 30, 9, 31, 35, 30), (-1, -1, 0, -1, 0, -1), (2, 4))
    plain = lens.backend.embed(prompt.tokens)
    noise = corrupted_embeddings(lens, prompt, Noise(NoiseScale(1.0, 5.0)), samples=2000) - plain
    assert abs(float(noise[:, 2].std()) - 1) < 0.02
    assert abs(float(noise[:, 4].std()) - 5) < 0.1
    assert float(noise[:, [0, 1, 3, 5]].abs().max()) == 0


def test_replacing_noise_forgets_the_embedding(lens) -> None:
    prompt = text_prompt()
    added = corrupted_embeddings(lens, prompt, Noise(0.5), samples=1)
    replaced = corrupted_embeddings(lens, prompt, Noise(0.5, mode="replace"), samples=1)
    plain = lens.backend.embed(prompt.tokens)
    assert torch.allclose((added - plain)[0, 4:6], replaced[0, 4:6])


def test_forced_tokens_follow_undisturbed(lens) -> None:
    prompt = text_prompt()
    found = corrupted_embeddings(lens, prompt, Noise(), samples=2, forced=(11, 6))
    assert found.shape == (2, len(prompt) + 2, 24)
    assert torch.equal(found[0, -2:], lens.backend.embed(torch.tensor([[11, 6]]))[0])
    assert torch.equal(found[:, : len(prompt)], corrupted_embeddings(lens, prompt, Noise(), samples=2))


def test_romes_stream_is_numpys_of_seed_one(lens) -> None:
    prompt = text_prompt()
    noise = corrupted_embeddings(lens, prompt, Noise(2.0, stream="rome"), samples=3) - lens.backend.embed(prompt.tokens)
    wanted = 2.0 * np.random.RandomState(1).randn(3, 2, 24)
    assert np.abs(noise[:, 4:6].numpy() - wanted).max() < 1e-12


REFUSED = {
    "noise law='cauchy': expected one of": lambda lens: Noise(law="cauchy"),
    "noise mode='multiply'": lambda lens: Noise(mode="multiply"),
    "not negative": lambda lens: Noise(scale=-1.0),
    "stream knows law='gaussian' and 'uniform' only": lambda lens: Noise(law="student", stream="rome"),
    "noise scale for speech=-2": lambda lens: NoiseScale(1.0, -2.0),
    "samples=0": lambda lens: corrupted_embeddings(lens, text_prompt(), Noise(), samples=0),
    "never corrupted": lambda lens: corrupted_embeddings(lens, text_prompt(), Noise(), positions=(0, 4)),
    "prompts is empty": lambda lens: noise_scale(lens, []),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refusals(lens, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        REFUSED[message](lens)
