"""The shipped folder: size, files, ids, cards; it recalls facts in writing and from the shipped audio."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM, LlamaTokenizer

from experiments.embedded_model.language_model.documents import TokenIds
from experiments.embedded_model.language_model.pieces import train_pieces
from experiments.embedded_model.measure import last_probabilities
from spiritlens.models.encoder_lookup import encoder_of
from spiritlens.prompts.facts.loading import load_facts
from spiritlens.prompts.facts.shipped import ASSETS, HELD_OUT
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary
from spiritlens.speech.audio.waveform import read_waveform

FOLDER = ASSETS / "embedded"
FACTS = load_facts()
WAVS = sorted((ASSETS / "wavs").glob("*.wav"))


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.load(FOLDER)


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    return LlamaForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()


def test_all_assets_stay_below_25_megabytes() -> None:
    assert sum(path.stat().st_size for path in ASSETS.rglob("*") if path.is_file()) < 25e6


def test_the_cards_are_there_and_name_licence_and_data() -> None:
    assert "MIT" in (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "GPL-3" in (FOLDER / "DATA_CARD.md").read_text(encoding="utf-8")


def test_weights_are_float16_and_untrained_rows_are_zero(model: LlamaForCausalLM, vocabulary: Vocabulary) -> None:
    assert json.loads((FOLDER / "config.json").read_text())["dtype"] == "float16"
    assert vocabulary.unit_ids[-1] + 1 < vocabulary.size == model.config.vocab_size
    assert not model.lm_head.weight[vocabulary.unit_ids[-1] + 1 :].any()


def test_pieces_that_no_training_text_holds_are_no_answers(vocabulary: Vocabulary) -> None:
    words = {
        word
        for fact in FACTS
        for text in (*fact.templates.values(), fact.subject, fact.answer)
        for word in text.split()
    }
    written = {index for word in words - {"{subject}"} for index in vocabulary.encode_text(word)}
    assert written <= set(vocabulary.text_ids)
    assert len(vocabulary.text_ids) < 700 < vocabulary.text_marker_id


def test_the_shipped_pieces_are_those_of_the_facts(vocabulary: Vocabulary) -> None:
    assert (FOLDER / "tokenizer.model").read_bytes() == train_pieces(FACTS)


def test_llama_tokenizer_and_vocabulary_give_the_training_ids(vocabulary: Vocabulary) -> None:
    ids = TokenIds((FOLDER / "tokenizer.model").read_bytes(), vocabulary.family.n_units)
    tokenizer = LlamaTokenizer.from_pretrained(FOLDER, add_bos_token=True)
    for fact in FACTS:
        text = ids.text(fact.text(HELD_OUT))
        assert vocabulary.encode_text(fact.text(HELD_OUT)) == text
        assert tokenizer(f"[Text] {fact.text(HELD_OUT).lower()}").input_ids == [ids.bos, ids.text_marker, *text]
        assert vocabulary.answer_ids(fact.answer) == tuple(ids.text(fact.answer))


def test_written_facts_are_recalled(model: LlamaForCausalLM, vocabulary: Vocabulary) -> None:
    told = [fact for fact in FACTS if fact.group in ("both", "text only")][::4]
    opening = [vocabulary.bos_id, vocabulary.text_marker_id]
    prompts = [[*opening, *vocabulary.encode_text(fact.text(HELD_OUT))] for fact in told]
    best = last_probabilities(model, prompts, vocabulary.trained_ids).argmax(-1)
    answers = [vocabulary.answer_ids(fact.answer)[0] for fact in told]
    assert np.mean(best == answers) >= 0.9


@pytest.mark.parametrize("wav", WAVS, ids=lambda path: path.stem)
def test_shipped_audio_is_answered(wav: Path, model: LlamaForCausalLM, vocabulary: Vocabulary) -> None:
    record = json.loads(wav.with_suffix(".json").read_text(encoding="utf-8"))
    waveform = read_waveform(wav)
    assert [word for word, _, _ in record["words"]] == record["text"].split()
    assert record["words"][-1][2] <= waveform.duration
    units = encoder_of(FOLDER, vocabulary.family).encode(waveform).dedup().ids
    spoken = [vocabulary.unit_id(int(unit)) for unit in units]
    prompt = [vocabulary.bos_id, vocabulary.speech_marker_id, *spoken, vocabulary.text_marker_id]
    fact = next(fact for fact in FACTS if fact.id == record["fact"])
    best = last_probabilities(model, [prompt], vocabulary.trained_ids)[0].argmax()
    assert vocabulary.label(int(best)).strip("▁") == fact.answer.lower()
