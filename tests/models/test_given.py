"""A lens and prompts that belong to it, or one sentence."""

import dataclasses

import pytest

import spiritlens as sl
from spiritlens.models.given import given_lens, given_prompt, given_prompts
from spiritlens.prompts.prompt import Prompt


@pytest.fixture(scope="module")
def planted():
    return sl.planted()


def test_prompts_of_the_lens_are_taken_once_from_any_iterable(planted):
    chosen = planted.prompts[:3]
    assert given_prompts(planted.lens, (prompt for prompt in chosen)) == tuple(chosen)
    assert given_lens(planted.lens) is planted.lens


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        (lambda p: p.prompts[0], ("expected several",)),
        (lambda p: [], ("at least one Prompt",)),
        (lambda p: [p.prompts[0], p.prompts[0]], ("given twice",)),
        (lambda p: "The capital", ("'The capital'", "several")),
        (lambda p: ["The capital"], ("prompts[0]", "'The capital'", "Prompt")),
        (lambda p: None, ("None", "list of Prompts")),
    ],
)
def test_other_values_are_refused_with_the_value_and_the_rule(planted, prompts, words):
    with pytest.raises(ValueError, match="prompt") as refused:
        given_prompts(planted.lens, prompts(planted))
    assert all(word in str(refused.value) for word in words)


def test_a_prompt_of_another_vocabulary_is_refused_by_both_names(planted):
    foreign = dataclasses.replace(planted.prompts[0], vocabulary="0123456789abcdef")
    with pytest.raises(ValueError, match="0123456789abcdef") as refused:
        given_prompt(planted.lens, foreign)
    assert planted.lens.vocabulary.hash in str(refused.value)


def test_a_prompt_made_by_hand_is_taken_as_long_as_its_ids_are_rows(planted):
    by_hand = dataclasses.replace(planted.prompts[0], vocabulary="")
    assert given_prompt(planted.lens, by_hand) is by_hand
    beyond = dataclasses.replace(by_hand, answer_ids=(planted.lens.vocabulary.size,))
    with pytest.raises(ValueError, match=f"{planted.lens.vocabulary.size} rows"):
        given_prompt(planted.lens, beyond)


@pytest.mark.parametrize("lens", [None, "embedded", 3])
def test_what_is_no_lens_is_refused(lens):
    with pytest.raises(ValueError, match="expected a Lens"):
        given_lens(lens)


def test_a_planted_circuit_or_a_bare_model_gets_its_own_remedy(planted):
    with pytest.raises(ValueError, match=r"pass its \.lens"):
        given_lens(planted)
    with pytest.raises(ValueError, match="lacks a vocabulary"):
        given_lens(planted.lens.model)


def test_five_voices_of_one_sentence_are_five_prompts(planted):
    spoken = planted.prompts[12]
    voices = [dataclasses.replace(spoken, voice=f"voice {number}") for number in range(5)]
    assert len({prompt.id for prompt in voices}) == 5


def test_a_row_of_0_1_is_read_without_its_vocabulary(planted):
    spoken = dataclasses.replace(planted.prompts[12], voice="espeak:en-us", vocabulary="")
    row = spoken.to_dict()
    row.pop("vocabulary")
    row["id"] = dataclasses.replace(spoken, voice="").id  # 0.1 did not count the voice
    assert Prompt.from_dict(row).voice == "espeak:en-us"
    with pytest.raises(ValueError, match="not that of its content"):
        Prompt.from_dict(row | {"vocabulary": ""})
