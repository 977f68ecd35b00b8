"""A prompt without a foil is compared with the model's likeliest other answer, and stays the same prompt."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import spiritlens as sl
from spiritlens.effects.joining import join_effects
from spiritlens.models.planted.planted import Planted
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.foils import runner_up, with_foils
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
    assert (own.foil_rule, given.foil_rule) == ("own", "runner-up")


def test_a_result_says_whose_foil_was_used(planted: Planted, tmp_path: Path) -> None:
    prompts = (planted.prompts[0], without_foil(planted.prompts[1]))
    traced = sl.causal_trace(
        planted.lens, prompts, ("resid_pre",), metrics=("logit_difference",), samples=1, progress="none"
    )
    again = sl.effects.load(sl.effects.save(traced, tmp_path / "effects.nc"))
    assert again["foil_rule"].values.tolist() == ["own", "runner-up"]
    assert again["foil"].values.tolist() == [prompts[0].foil, runner_up(planted.lens, prompts[1]).foil]
    assert again["prompt_id"].values.tolist() == [prompt.id for prompt in prompts]


def test_parts_of_before_had_their_own_foils(planted: Planted) -> None:
    one, other = (
        sl.causal_trace(planted.lens, [prompt], ("resid_pre",), samples=1, progress="none")
        for prompt in planted.prompts[:2]
    )
    assert join_effects([one.drop_vars("foil_rule"), other])["foil_rule"].values.tolist() == ["own", "own"]
