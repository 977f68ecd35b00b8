"""Logit lens: the ends of the model, states worked out by hand, ranks of words."""

import numpy as np
import pytest
import torch

from spiritlens.analysis.lenses.implicit_transcription import implicit_transcription
from spiritlens.analysis.lenses.logit_lens import logit_lens, residual_states, word_token_ids

TOLERANCE = 1e-10


def test_the_last_state_gives_the_models_own_logits(machine):
    lens, prompt = machine.lens, machine.prompts[12]
    states = residual_states(lens.backend, prompt.tokens)
    assert torch.allclose(lens.backend.logits(states[-1]), lens.backend.forward(prompt.tokens)[0], atol=TOLERANCE)
    found = logit_lens(lens, [prompt, machine.prompts[0]])
    logits = lens.backend.forward(prompt.tokens)[0][:, torch.tensor(lens.vocabulary.text_ids.tolist())]
    assert np.allclose(
        found["top_probability"].values[0, -1, : len(prompt), 0], logits.softmax(-1).amax(-1), atol=TOLERANCE
    )
    assert found["top_token"].values[0, -1, len(prompt) - 1, 0] == f"▁{prompt.answer}"
    assert found["answer_rank"].values[0, -1, len(prompt) - 1] == 1


def test_the_answer_becomes_readable_after_the_mover_and_not_before(machine):
    found = logit_lens(machine.lens, [machine.prompts[0], machine.prompts[12]])
    for row, prompt in enumerate((machine.prompts[0], machine.prompts[12])):
        ranks = found["answer_rank"].values[row, :, len(prompt) - 1]
        assert (ranks[7:] == 1).all()
        assert (ranks[:7] > 1).all()


@pytest.mark.parametrize("read", [logit_lens, implicit_transcription])
def test_no_number_is_read_from_the_device_by_itself(machine, monkeypatch, read):
    """On a GPU each such reading waits for everything before it."""
    readings, plain = [], torch.Tensor.__int__
    monkeypatch.setattr(torch.Tensor, "__int__", lambda number: readings.append(number) or plain(number))
    read(machine.lens, [machine.speech("marlo")])
    assert len(readings) <= 4  # the smallest and the largest token are checked on the host


def test_padding_and_tokens_without_a_word_have_no_rank(machine):
    short, long = machine.prompts[0], machine.prompts[12]
    found = logit_lens(machine.lens, [short, long])
    assert np.isnan(found["rank"].values[0, :, len(short) :]).all()
    assert np.isnan(found["rank"].values[:, :, 0]).all()
    assert (found["top_token"].values[0, :, len(short) :] == "").all()


def test_words_are_looked_up_by_their_first_text_token(machine):
    prompt = machine.speech("marlo")
    ids = word_token_ids(machine.lens, prompt)
    label = machine.lens.vocabulary.label
    assert [None if found is None else label(found) for found in ids[:4]] == [None, None, "▁the", "▁the"]
    assert {label(ids[position]) for position in prompt.subject} == {"▁mar"}
