"""The other run of a comparison, and what results share."""

import json

import pytest
import torch

from spiritlens.analysis.attribution.attribution_patching import attribution_patch
from spiritlens.analysis.attribution.edge_attribution import attribute_edges
from spiritlens.analysis.grid.results import array, model_attributes, prompt_columns
from spiritlens.analysis.patching.activation_patching import activation_patch
from spiritlens.analysis.paths.path_patching import path_patch
from spiritlens.models.given import given_prompts
from spiritlens.runs.corruptions.contrasts import (
    contrast_attributes,
    contrast_embeddings,
    contrast_settings,
    contrasts_of,
    given_contrast,
)
from spiritlens.runs.corruptions.knock_out import KnockOut
from spiritlens.runs.corruptions.noise import Noise, default_scale
from spiritlens.runs.corruptions.replacement import Replacement
from spiritlens.runs.sweep.sweep import resolved_memory_budget
from tests.analysis.tracing_lens import make_prompt, spoken_prompt, text_prompt, tiny_lens


@pytest.fixture(scope="module")
def lens():
    return tiny_lens()


def test_a_counterfactual_is_one_sample_with_its_forced_tokens(lens):
    prompt = text_prompt()
    other = make_prompt((1, 30, 7, 21, 19, 5, 24, 13), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5))
    found = contrast_embeddings(lens, prompt, other, samples=5, seed=0, forced=(8,))
    assert torch.equal(found, lens.backend.embed(torch.tensor([[*other.ids, 8]])))


def test_noise_gives_samples_that_differ_at_the_subject_only(lens):
    prompt = text_prompt()
    found = contrast_embeddings(lens, prompt, Noise(0.3), samples=3, seed=0)
    changed = (found != lens.backend.embed(prompt.tokens)).any(-1)
    assert found.shape[0] == 3
    assert changed.any(0).nonzero()[:, 0].tolist() == list(prompt.subject)


def test_one_contrast_for_every_prompt(lens):
    prompts = (text_prompt(), spoken_prompt())
    noise = Noise(0.3)
    assert contrasts_of(prompts, noise) == (noise, noise)
    assert contrasts_of(prompts, prompts) == prompts
    assert given_contrast(lens, prompts, (prompt for prompt in prompts)) == prompts
    for contrast, message in (
        (prompts[:1], "1 counterfactuals for 2 prompts"),
        (prompts[0], r"write \[counterfactual\]"),
        (
            "noise",
            r"contrast='noise' \(str\): expected one counterfactual Prompt for each prompt, as a list, or a corr",
        ),
        (0.3, r"contrast=0\.3 \(float\): expected one counterfactual"),
        (["noise", "noise"], r"contrast\[0\] is 'noise'"),
    ):
        with pytest.raises(ValueError, match=message):
            given_contrast(lens, prompts, contrast)
    with pytest.raises(ValueError, match="must be equally long"):
        contrast_embeddings(lens, prompts[0], prompts[1], 1, 0)
    assert contrast_attributes(prompts) == {"corruption": "counterfactual prompts"}
    assert "noise" in contrast_attributes(noise)["corruption"]


@pytest.mark.parametrize("verb", [activation_patch, attribution_patch, path_patch, attribute_edges])
def test_results_say_in_numbers_what_the_other_run_was(lens, verb):
    prompt = text_prompt()
    other = make_prompt((1, 30, 7, 21, 19, 5, 24, 13), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5))
    quiet = {"metrics": ("logit_difference",), "progress": "none"}
    noised = verb(lens, [prompt], Noise(law="uniform"), **quiet)
    scale = default_scale(lens)
    stored = {"noise": [scale.text, scale.speech], "law": "uniform", "mode": "add", "stream": "prompt"}
    assert json.loads(noised.attrs["config_json"])["contrast"] == stored
    assert (noised.attrs["noise_scale_text"], noised.attrs["noise_scale_speech"]) == (scale.text, scale.speech)
    assert noised.attrs["noise_law"] == "uniform"
    swapped = verb(lens, [prompt], [other], **quiet)
    assert json.loads(swapped.attrs["config_json"])["contrast"] == {"counterfactuals": [other.id]}
    assert swapped.attrs["corruption"] == "counterfactual prompts"


def test_every_corruption_is_stored_in_plain_values():
    prompt = spoken_prompt()
    assert contrast_settings(Noise(0.5)) == {"noise": 0.5, "law": "gaussian", "mode": "add", "stream": "prompt"}
    assert contrast_settings(KnockOut("mean")) == {"knock_out": "mean"}
    replaced = {"replacement": "symmetric", "donors": [prompt.id], "silence": []}
    assert contrast_settings(Replacement("symmetric", (prompt,))) == replaced
    assert "replacement" in contrast_attributes(Replacement("shuffle"))["corruption"]


def test_results_carry_prompts_and_model(lens):
    prompts = (text_prompt(fact_id="one"), spoken_prompt(fact_id="two"))
    columns = prompt_columns(prompts, (True, False))
    assert columns["prompt_id"] == [prompt.id for prompt in prompts]
    assert columns["known"] == [1, 0]
    assert columns["modality"] == ["T2T", "S2T"]
    attributes = model_attributes(lens, 3, {"b": 1, "a": [2]})
    assert (attributes["seed"], attributes["dtype"]) == (3, "float64")
    assert json.loads(str(attributes["config_json"])) == {
        "a": [2],
        "b": 1,
        "memory_budget": resolved_memory_budget(torch.device("cpu")),
    }


def test_half_precision_becomes_float32_in_results():
    assert array(torch.ones(2, dtype=torch.bfloat16)).dtype == "float32"
    assert array(torch.ones(2, dtype=torch.float64)).dtype == "float64"


def test_prompts_are_checked_once_for_all_verbs(lens):
    prompt = text_prompt()
    assert given_prompts(lens, [prompt]) == (prompt,)
    for prompts, message in (
        (prompt, r"expected several; write \["),
        ([], "give at least one"),
        ([prompt, prompt], "is given twice"),
    ):
        with pytest.raises(ValueError, match=message):
            given_prompts(lens, prompts)
