"""Answers are one piece, subjects several, and the shipped tokenizer files give the training ids in transformers."""

from dataclasses import replace
from pathlib import Path

import pytest
from transformers import LlamaTokenizer

from experiments.embedded_model.language_model.documents import TokenIds
from experiments.embedded_model.language_model.pieces import added_tokens, choose_merges, train_pieces, write_tokenizer
from experiments.embedded_model.word_lists import template_words
from spiritlens.prompts.facts.loading import load_facts
from spiritlens.prompts.facts.shipped import HELD_OUT, PHRASINGS

FACTS = load_facts()


@pytest.fixture(scope="module")
def all_ids() -> TokenIds:
    return TokenIds(train_pieces(FACTS), 41)


def test_every_answer_is_one_ordinary_piece_and_every_subject_several(all_ids: TokenIds) -> None:
    assert {len(all_ids.text(fact.answer)) for fact in FACTS} == {1}
    assert all(all_ids.pieces.is_control(index) is False for fact in FACTS for index in all_ids.text(fact.answer))
    lengths = [len(all_ids.text(subject)) for subject in {fact.subject for fact in FACTS}]
    assert min(lengths) >= 2
    assert sum(lengths) / len(lengths) > 3.5


def test_template_words_are_one_piece(all_ids: TokenIds) -> None:
    assert {len(all_ids.text(word)) for word in template_words(FACTS)} == {1}


def test_merges_spell_the_words_and_put_off_what_lies_inside_a_subject() -> None:
    free = choose_merges(["french", "frenzy"], split=[])
    held = choose_merges(["french", "frenzy"], split=["fren"])
    assert {"▁french", "▁frenzy"} <= set(free) & set(held)
    assert any(len(piece) > 3 and piece in "▁fren" for piece in free)
    assert not any(len(piece) > 3 and piece in "▁fren" for piece in held)


def test_a_subject_that_must_become_one_piece_is_refused() -> None:
    with pytest.raises(ValueError, match="subjects in one piece"):
        train_pieces([replace(FACTS[0], subject="capital")])


def test_llama_tokenizer_reads_the_folder_with_the_training_ids(all_ids: TokenIds, tmp_path: Path) -> None:
    write_tokenizer(tmp_path, all_ids.pieces.serialized_model_proto(), 41)
    tokenizer = LlamaTokenizer.from_pretrained(tmp_path, add_bos_token=True)
    assert [tokenizer.convert_tokens_to_ids(token) for token in added_tokens(41)] == list(
        range(all_ids.text_marker, all_ids.n_trained)
    )
    for fact in FACTS:
        for phrasing in (*PHRASINGS[:1], HELD_OUT):
            written = f"[Text] {fact.text(phrasing).lower()}"
            assert tokenizer(written).input_ids == [1, all_ids.text_marker, *all_ids.text(fact.text(phrasing))]
        mixed = f"[Speech][Hu3][Hu40][Text] {fact.subject.lower()}[Speech][Hu0][Text] {fact.answer.lower()}"
        first, text, speech = all_ids.first_unit, all_ids.text_marker, all_ids.speech_marker
        expected = [1, speech, first + 3, first + 40, text, *all_ids.text(fact.subject), speech, first, text]
        assert tokenizer(mixed).input_ids == [*expected, *all_ids.text(fact.answer)]


def test_unknown_letters_fall_back_to_bytes(all_ids: TokenIds) -> None:
    assert all_ids.pieces.decode(all_ids.text("é7")) == "é7"
