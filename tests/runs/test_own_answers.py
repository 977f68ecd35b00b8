"""Prompts that ask for what the model says anyway: known by construction, of one token, the rest unchanged."""

import numpy as np
import pytest
import torch

import spiritlens as sl
from spiritlens.models.untrained import untrained_twin
from spiritlens.runs.answers import known_prompts
from spiritlens.runs.own_answers import own_answers


def test_the_answer_is_the_likeliest_text_token_of_each_prompt() -> None:
    machine = sl.planted("fact machine")
    twin = untrained_twin(machine.lens)
    own = own_answers(twin, machine.prompts)
    text = np.asarray(twin.vocabulary.text_ids)
    for prompt, asked in zip(machine.prompts, own, strict=True):
        logits = twin.model(torch.tensor([prompt.ids]))[0, -1].detach().numpy()
        assert asked.answer_ids == (int(text[logits[text].argmax()]),)
        assert (asked.ids, asked.subject, asked.fact_id, asked.kind) == (
            prompt.ids, prompt.subject, prompt.fact_id, prompt.kind,
        )  # fmt: skip
        assert (asked.foil, asked.foil_ids, asked.aliases) == ("", (), ())
    assert all(known_prompts(twin, own))
    assert not all(known_prompts(twin, machine.prompts))


def test_a_model_that_knows_its_facts_says_them() -> None:
    machine = sl.planted("fact machine")
    assert [prompt.answer for prompt in own_answers(machine.lens, machine.prompts)] == [
        prompt.answer for prompt in machine.prompts
    ]


def test_prompts_of_another_vocabulary_are_refused() -> None:
    machine = sl.planted("fact machine")
    with pytest.raises(ValueError, match="vocabulary"):
        own_answers(sl.load(), machine.prompts[:1])
