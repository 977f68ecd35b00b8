"""A prompt without a foil is compared with the model's likeliest other answer, and stays the same prompt."""

from dataclasses import replace

import pytest
import torch

import spiritlens as sl
from spiritlens.models.planted.planted import Planted
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.foils import foils_given, runner_up, with_foils
from spiritlens.runs.metrics import given_metrics


@pytest.fixture(scope="module")
def planted() -> Planted:
    return sl.planted()


def without_foil(prompt: Prompt) -> Prompt:
    return replace(prompt, foil="", foil_ids=())


def test_the_runner_up_is_the_likeliest_text_token_beside_the_answer(planted: Planted) -> None:
    lens, prompt = planted.lens, without_foil(planted.prompts[0])
    logits = sl.run(lens, prompt).logits[0, -1].clone()
    logits[prompt.answer_ids[0]] = -torch.inf
    text = set(lens.vocabulary.text_ids.tolist())
    order = [token for token in logits.argsort(descending=True).tolist() if token in text]
    found = runner_up(lens, prompt)
    assert found.foil_ids == (order[0],)
    assert found.foil == lens.vocabulary.label(order[0]).replace("▁", " ").strip()
    assert found.id == prompt.id
    assert Prompt.from_dict(found.to_dict()) == found
    assert Prompt.from_dict(found.to_dict()).foil_rule == "runner-up"


def test_only_prompts_that_lack_one_are_given_a_foil_and_only_where_a_metric_needs_it(planted: Planted) -> None:
    prompts = (planted.prompts[0], without_foil(planted.prompts[1]))
    assert with_foils(planted.lens, prompts, given_metrics(["probability"])) == prompts
    own, given = with_foils(planted.lens, prompts, given_metrics(["probability", "logit_difference"]))
    assert own is prompts[0]
    assert given.foil_ids
    assert foils_given([own]) == "own"
    assert foils_given([own, given]) == f"runner-up of the model: {given.id}"
