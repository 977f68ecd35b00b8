"""The other run of a comparison, and what results share."""

import json

import pytest
import torch

from spiritlens.analysis.contrasts import contrast_embeddings, contrasts_of, describe_contrast
from spiritlens.analysis.results import array, checked_prompts, model_attributes, prompt_columns
from spiritlens.runs.noise import Noise
from tests.analysis.tracing_lens import make_prompt, spoken_prompt, text_prompt, tiny_lens


@pytest.fixture(scope="module")
def lens():
    return tiny_lens()


def test_a_counterfactual_is_one_sample_with_its_forced_tokens(lens):
    prompt = text_prompt()
    other = make_prompt((1, 30, 7, 21, 19, 5, 24, 13), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5))
    found = contrast_embeddings(lens, prompt, other, samples=5, seed=0, forced=(8,))
    assert torch.equal(found, lens.inside.embed(torch.tensor([[*other.ids, 8]])))


def test_noise_gives_samples_that_differ_at_the_subject_only(lens):
    prompt = text_prompt()
    found = contrast_embeddings(lens, prompt, Noise(0.3), samples=3, seed=0)
    changed = (found != lens.inside.embed(prompt.tokens)).any(-1)
    assert found.shape[0] == 3
    assert changed.any(0).nonzero()[:, 0].tolist() == list(prompt.subject)


def test_one_contrast_for_every_prompt(lens):
    prompts = (text_prompt(), spoken_prompt())
    noise = Noise(0.3)
    assert contrasts_of(prompts, noise) == (noise, noise)
    assert contrasts_of(prompts, prompts) == prompts
    with pytest.raises(ValueError, match="1 counterfactuals for 2 prompts"):
        contrasts_of(prompts, prompts[:1])
    with pytest.raises(ValueError, match=r"write \[counterfactual\]"):
        contrasts_of(prompts, prompts[0])
    with pytest.raises(ValueError, match="must be equally long"):
        contrast_embeddings(lens, prompts[0], prompts[1], 1, 0)
    assert describe_contrast(prompts) == "counterfactual prompts"
    assert "noise" in describe_contrast(noise)


def test_results_carry_prompts_and_model(lens):
    prompts = (text_prompt(fact_id="one"), spoken_prompt(fact_id="two"))
    columns = prompt_columns(prompts, (True, False))
    assert columns["prompt_id"] == [prompt.id for prompt in prompts]
    assert columns["known"] == [1, 0]
    assert columns["modality"] == ["T2T", "S2T"]
    attributes = model_attributes(lens, 3, {"b": 1, "a": [2]})
    assert (attributes["seed"], attributes["dtype"]) == (3, "float64")
    assert json.loads(str(attributes["config_json"])) == {"a": [2], "b": 1}


def test_half_precision_becomes_float32_in_results():
    assert array(torch.ones(2, dtype=torch.bfloat16)).dtype == "float32"
    assert array(torch.ones(2, dtype=torch.float64)).dtype == "float64"


def test_prompts_are_checked_once_for_all_verbs():
    prompt = text_prompt()
    assert checked_prompts([prompt]) == (prompt,)
    for prompts, message in (
        (prompt, r"write \[prompt\]"),
        ([], "give at least one"),
        ([prompt, prompt], "is given twice"),
    ):
        with pytest.raises(ValueError, match=message):
            checked_prompts(prompts)
