"""Logit lens, implicit transcription and patchscope: the ends of the model, hand-made states, identities."""

import numpy as np
import pytest
import torch

from spiritlens.analysis.lenses.implicit_transcription import implicit_transcription
from spiritlens.analysis.lenses.logit_lens import logit_lens, residual_states, word_token_ids
from spiritlens.analysis.lenses.patchscope import patchscope
from spiritlens.models.planted.planted import planted

TOLERANCE = 1e-10


@pytest.fixture(scope="module")
def machine():
    return planted("fact machine")


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


def test_a_word_is_transcribed_from_the_state_that_writes_it(machine):
    """A hook writes the text token of 'colour' into the units of that word from block 3 on: the table finds state 4."""
    lens, prompt = machine.lens, machine.speech("marlo")
    target = lens.vocabulary.answer_ids("red")[0]
    word = prompt.span("colour").positions
    direction = lens.backend.w_u[:, target] * 50

    def write(mlp_out):
        changed = mlp_out.clone()
        changed[:, list(word)] += direction
        return changed

    assert implicit_transcription(lens, [prompt], top=1)["layer"].isna().all()
    relabelled = type(prompt)(**{**vars(prompt), "words": tuple("red" if w == "colour" else w for w in prompt.words)})
    with lens.backend.hooked([("blocks.3.hook_mlp_out", write)]):
        table = implicit_transcription(lens, [relabelled], top=1)
    row = table.loc[table.word == "red"].iloc[0]
    assert (row["layer"], row["best_rank"], row["token"]) == (4, 1, "▁red")
    assert row["positions"] == word
    assert set(table["word"]) == {"the", "red", "of", "marlo", "is"}


def test_written_words_are_not_transcribed(machine):
    assert len(implicit_transcription(machine.lens, [machine.prompts[0]])) == 0


def test_a_state_put_where_it_came_from_changes_nothing(machine):
    lens, prompt = machine.lens, machine.prompts[12]
    own = lens.backend.forward(prompt.tokens)[0, -1]
    for state in (0, 3, 8):
        assert torch.allclose(patchscope(lens, prompt, 16, state, prompt, 16), own, atol=TOLERANCE)


def test_a_spoken_subject_is_read_out_in_a_written_prompt(machine):
    lens = machine.lens
    spoken, written = machine.speech("tolda"), machine.text("marlo")
    taken, place = spoken.subject.last, written.subject.last
    late = patchscope(lens, spoken, taken, 4, written, place)
    assert int(late.argmax()) == spoken.answer_ids[0]
    early = patchscope(lens, spoken, taken, 1, written, place)
    assert int(early.argmax()) != spoken.answer_ids[0]
    moved = patchscope(lens, spoken, taken, 5, written, place, target_state=3)
    assert int(moved.argmax()) == spoken.answer_ids[0]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ((99, 0, 1), "position 99 lies outside"),
        ((3, 9, 1), "source_state is 9"),
        ((3, 0, 40), "position 40 lies outside"),
    ],
)
def test_places_outside_are_refused(machine, where, message):
    prompt = machine.prompts[0]
    with pytest.raises(ValueError, match=message):
        patchscope(machine.lens, prompt, where[0], where[1], prompt, where[2])
