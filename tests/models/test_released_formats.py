"""Small checkpoints in the exact formats of released models: how they load, and what is asked of them."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoint_folders import write_checkpoint, write_config, write_weights
from random_llamas import of_architecture, tied
from tokenizer_folders import QWEN_ADDED, QWEN_SPECIAL, write_llama3_tokenizer, write_qwen_tokenizer
from transformers import AutoTokenizer

import spiritlens as sl
from spiritlens.models.lens import Lens
from spiritlens.models.loading import load
from spiritlens.models.random_weights import random_config, random_weights
from spiritlens.models.selfcheck import selfcheck
from spiritlens.prompts.vocabulary.families import FAMILIES, SPEECHGPT_COM, USDM
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.units import UnitStream
from tests.prompts.family_folders import anygpt_strings, usdm_strings

SMALL = {"n_layers": 2, "d_model": 32, "n_heads": 4, "n_kv_heads": 2, "d_mlp": 48, "n_ctx": 256}
SIMS = [*(f"<Un{unit}>" for unit in range(500)), "<speech>", "<text>"]
TONE = Waveform(np.sin(np.arange(16000) / 20).astype(np.float32) * 0.3)
QUIET = {"progress": "none", "samples": 2}


@pytest.fixture(scope="module")
def sims_7b(tmp_path_factory) -> Path:
    """slamkit's wrapper around Qwen 2.5: its own model type, the base's settings inside, weights under ``lm.``."""
    folder = tmp_path_factory.mktemp("sims-7b")
    rows = write_qwen_tokenizer(folder, SIMS)
    config = of_architecture(
        random_config(**SMALL, d_vocab=rows, rope={"rope_type": "default", "rope_theta": 1e6}), "qwen2"
    )
    base = config.to_dict() | {"rope_theta": 1e6, "sliding_window": 131072, "max_window_layers": 28}
    base |= {"vocab_size": rows - 502, "architectures": ["Qwen2ForCausalLM"]}
    del base["rope_parameters"], base["layer_types"]  # as transformers 4 writes it
    wrapper = {"model_type": "speech_language_model", "architectures": ["UnitLM"], "tie_word_embeddings": False}
    wrapper |= {"base_model_name": "Qwen/Qwen2.5-7B", "base_config": base, "vocab_size": rows, "twist_init": True}
    (folder / "config.json").write_text(json.dumps(wrapper))
    weights = {f"lm.{name}": value for name, value in random_weights(config).items()}
    write_weights(folder, weights, "safetensors shards")
    return folder


def mistral(folder: Path) -> Path:
    """USTM's folder with its own ids and rows."""
    config = of_architecture(random_config(**SMALL, d_vocab=42003), "mistral")
    config.sliding_window = 96
    write_checkpoint(folder, config, added=usdm_strings(), n_pieces=32000)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"pad_token": "<pad>"}))
    return folder


@pytest.fixture(scope="module")
def ustm(tmp_path_factory) -> Lens:
    return load(mistral(tmp_path_factory.mktemp("ustm")), device="cpu")


@pytest.fixture(scope="module")
def ichigo(tmp_path_factory) -> Lens:
    """Llama 3.1's rotation and tokenizer, with Ichigo's tokens, in bfloat16 as it is released."""
    folder = tmp_path_factory.mktemp("ichigo")
    sounds = (f"<|sound_{unit:04d}|>" for unit in range(513))
    rows = write_llama3_tokenizer(folder, ["<|sound_start|>", "<|sound_end|>", *sounds])
    rope: dict[str, Any] = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0}
    rope |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    config = random_config(**SMALL, d_vocab=rows, rope=rope)
    write_config(folder, config, torch.bfloat16)
    write_weights(folder, random_weights(config, dtype=torch.bfloat16), "safetensors")
    return load(folder, device="cpu")


# SIMS


def test_sims_7b_is_qwen_inside_a_wrapper(sims_7b):
    lens = load(sims_7b, device="cpu", dtype=torch.float64)
    assert lens.family == FAMILIES["sims-qwen"]
    assert lens.backend.n_kv_heads == 2
    assert selfcheck(lens).agrees, "by Hugging Face's Qwen 2, to 1e-10"
    first = len(lens.vocabulary.text_ids) + len(QWEN_SPECIAL) + len(QWEN_ADDED)
    assert lens.vocabulary.unit_ids == range(first, first + 500)
    assert lens.vocabulary.size == first + 502
    assert lens.vocabulary.bos_id is None
    prompt = lens.text("the capital of france is", subject="france", answer="paris")
    assert prompt.text == "<text> the capital of france is<text>"
    assert torch.equal(lens.model.to_tokens(prompt.text), prompt.tokens)
    assert lens.model.blocks[1].attn.b_Q.count_nonzero() == lens.backend.d_model


def test_sims_7b_is_traced_in_writing_and_in_units(sims_7b):
    lens = load(sims_7b, device="cpu", dtype=torch.float64)
    written = lens.text("the capital of france is", subject="france", answer="paris")
    units = "<Un7><Un3><Un12><Un400><Un5><Un9>"
    spoken = lens.units(units, ("france", 2, 5), "paris")
    assert spoken.text == f"<speech>{units}<text>"
    traced = sl.causal_trace(lens, [written, spoken], ("resid_pre", "attn_out"), **QUIET)
    assert np.isfinite(traced["clean"]).all()
    model = lens.backend.model
    _, cache = model.run_with_cache(spoken.tokens)
    with pytest.raises(ValueError, match=r"put the encoder's files into the checkpoint's folder.*lens\.units"):
        lens.audio(TONE, "cat", "the", words=[("cat", 0.0, 0.5)])
    logits = lens.backend.forward(spoken.tokens)[0, -1]
    probability = float(logits.softmax(-1)[spoken.answer_ids[0]])
    assert float(traced["clean"].sel(metric="probability")[1]) == pytest.approx(probability, rel=1e-9)
    assert cache["blocks.0.attn.hook_k"].shape[2] == 2


@pytest.mark.parametrize("write", [write_qwen_tokenizer, write_llama3_tokenizer])
def test_the_tokenizer_that_slamkit_makes_when_it_runs_is_taken_from_a_folder_of_its_own(tmp_path, write):
    """The page's recipe: the base model's tokenizer, the added tokens, saved."""
    base, saved, model = (tmp_path / name for name in ("base", "saved", "model"))
    for folder in (base, model):
        folder.mkdir()
    write(base, [])
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_tokens(SIMS)
    tokenizer.save_pretrained(saved)
    named = "qwen2" if write is write_qwen_tokenizer else "llama"
    config = of_architecture(random_config(**SMALL, d_vocab=len(tokenizer)), named)
    write_config(model, config)
    write_weights(model, random_weights(config), "safetensors")
    with pytest.raises(ValueError, match=r"neither tokenizer.model nor tokenizer.json"):
        load(model, device="cpu")
    lens = load(model, device="cpu", tokenizer=saved)
    assert lens.family.name == ("sims-qwen" if write is write_qwen_tokenizer else "sims-llama")
    assert lens.vocabulary.unit_ids == range(len(tokenizer) - 502, len(tokenizer) - 2)
    for string in ("<text> the capital of france is<speech><Un7><Un499><text>", "\u00e9te\u0301 the\n\nis"):
        assert lens.vocabulary.encode(string) == tokenizer(string).input_ids


def test_a_small_qwen_unembeds_by_its_embedding(tmp_path):
    """Qwen 2.5 below 3B: tied, without ``lm_head`` in its file, no units."""
    rows = write_qwen_tokenizer(tmp_path, [])
    config = tied(of_architecture(random_config(**SMALL, d_vocab=rows + 8), "qwen2"))
    write_config(tmp_path, config)
    write_weights(tmp_path, random_weights(config), "safetensors")
    lens = load(tmp_path, device="cpu", dtype=torch.float64)
    assert lens.family.name == "text-only"
    assert selfcheck(lens).agrees
    assert lens.model.W_U.data_ptr() == lens.model.W_E.data_ptr()
    prompt = lens.text("the capital of france is", subject="france", answer="paris")
    assert prompt.text == "the capital of france is"
    assert torch.equal(lens.model.to_tokens(prompt.text), prompt.tokens)


# USTM, USDM


def test_ustm_is_a_mistral_with_two_markers(ustm):
    vocabulary = ustm.vocabulary
    assert ustm.family == FAMILIES["ustm"]
    assert [vocabulary.marker_id(marker) for marker in ("<|continue|>", "<|correspond|>")] == [32000, 32001]
    assert vocabulary.unit_ids == range(32002, 42002)
    assert vocabulary.families_by_id[42002] == "special"
    assert ustm.backend.n_ctx == 96
    assert selfcheck(dataclasses.replace(ustm, memory_budget=None)).agrees
    written = ustm.text("the capital of france is", subject="france", answer="paris")
    assert written.text == "the capital of france is"
    spoken = ustm.units("<|unit7|><|unit7|><|unit9999|>", ("france", 0, 2), "paris")
    assert spoken.ids == (1, 32009, 32009, 42001, 32000)
    assert spoken.starts[1:4] == pytest.approx((0, 0.02, 0.04))
    forced = ustm.units([7, 7, 9], ("france", 0, 2), "paris", text="the france is", transcript="forced")
    assert forced.text == "<|unit7|><|unit7|><|unit9|><|correspond|>the france is"
    assert forced.ids[4] == 32001


def test_audio_is_refused_where_the_encoder_is_another_s(ustm, ichigo):
    for lens, name, package in (
        (ustm, "xlsr2_1b_v2 layer 35, 10,000 clusters", "seamless_communication"),
        (ichigo, "WhisperVQ", "whisperspeech"),
    ):
        assert lens.encoder is None
        with pytest.raises(ValueError, match=rf"{name}.*\({package}\), which is not run here.*lens\.units"):
            lens.audio(TONE, "cat", "the", words=[("cat", 0.0, 0.5)])
        with pytest.raises(ValueError, match="Encode the sound there"):
            lens.speak("the cat is", "cat", "the")


def test_an_encoder_of_one_s_own_is_taken(ustm):
    class Elsewhere:
        name, rate, n_units, digest = "elsewhere", 50.0, 10_000, ""

        def encode(self, waveform: Waveform) -> UnitStream:
            return UnitStream.from_frames(np.arange(50) // 10, 50.0)

    prompt = dataclasses.replace(ustm, encoder=Elsewhere()).audio(TONE, "cat", "the", words=[("cat", 0.0, 0.5)])
    assert prompt.text.startswith("<|unit0|>" * 10 + "<|unit1|>")
    assert len(prompt.subject) == 25


def test_prompts_beyond_mistral_s_window_are_refused(ustm):
    inside = ustm.units(np.arange(94), (3, 9), "the")
    assert len(inside) == 96
    assert sl.run(ustm, inside).logits.shape[-1] == 42003
    beyond = ustm.units(np.arange(95), (3, 9), "the")
    with pytest.raises(ValueError, match="97 tokens are more than the model's context of 96, its sliding window"):
        sl.run(ustm, beyond)
    with pytest.raises(ValueError, match="more than the model's context of 96"):
        sl.causal_trace(ustm, [beyond], ("resid_pre",), **QUIET)


@pytest.mark.filterwarnings("ignore:.*a transcript first")
def test_usdm_is_known_by_a_record_or_named(tmp_path, ustm):
    folder = shutil.copytree(ustm.folder, tmp_path / "usdm")
    (folder / "spiritlens.json").write_text(json.dumps({"family": "usdm"}))
    lens = load(folder, device="cpu")
    assert lens.family == USDM
    assert load(ustm.folder, device="cpu", family=USDM).family == USDM
    forced = dataclasses.replace(lens, transcript="forced")
    prompt = forced.units([7, 8], ("france", 0, 1), "Paris", text="The capital of France is")
    assert prompt.text.endswith("### User\n<|unit7|><|unit8|><|correspond|>the capital of france is\n### Agent\n")
    assert forced.text("The capital of France is", "France", "Paris").kind == "T2T"
    with pytest.warns(UserWarning, match="family 'usdm' answers a spoken prompt with a transcript first"):
        lens.units([7, 8], ("france", 0, 1), "Paris")


# Ichigo, AnyGPT, SpeechGPT


def test_ichigo_is_a_llama_3_with_sounds(ichigo):
    vocabulary = ichigo.vocabulary
    assert ichigo.family == FAMILIES["ichigo"]
    assert ichigo.dtype == torch.bfloat16
    assert selfcheck(ichigo).agrees
    tokens = vocabulary.tokenizer.get_vocab()
    last_reserved = tokens["<|reserved_special_token_255|>"]
    assert [tokens[name] - last_reserved for name in ("<|sound_start|>", "<|sound_end|>", "<|sound_0000|>")] == [
        1,
        2,
        3,
    ]
    assert vocabulary.unit_ids == range(last_reserved + 3, last_reserved + 516)
    prompt = ichigo.units("<|sound_0007|><|sound_0512|>", ("france", 0, 1), "Paris")
    assert prompt.ids[0] == vocabulary.bos_id
    assert torch.equal(ichigo.model.to_tokens(prompt.text), prompt.tokens)
    assert len(ichigo.generate(prompt, 2)) >= 0
    with pytest.raises(ValueError, match="unit 9999 is not one of the 513"):
        ichigo.units("<|sound_9999|>")


@pytest.mark.filterwarnings("ignore:.*a transcript first")
def test_anygpt_has_tokens_of_images_and_music_beside_its_units(tmp_path):
    added = anygpt_strings()
    config = random_config(n_layers=1, d_model=8, n_heads=2, d_mlp=16, d_vocab=32000 + len(added))
    lens = load(write_checkpoint(tmp_path / "anygpt", config, added=added, n_pieces=32000), device="cpu")
    assert lens.family == FAMILIES["anygpt"]
    assert lens.vocabulary.unit_ids == range(40198, 41222)
    assert lens.vocabulary.size == 49418
    assert lens.vocabulary.text_ids.max() < 32000
    prompt = lens.units("<sosp><🗣️5><🗣️5><🗣️1023><eosp>", ("france", 1, 3), "paris", text="france is")
    assert prompt.text == "[Human]: <sosp><🗣️5><🗣️5><🗣️1023><eosp><eoh> [MMGPT]:"
    with pytest.raises(ValueError, match=r"SpeechTokenizer.*which is not run here"):
        lens.encode(TONE)


def test_the_chain_of_speechgpt_is_forced_by_the_lens_or_by_the_call(tmp_path):
    added = [*(f"<{number}>" for number in range(1000)), "<sosp>", "<eosp>"]
    config = random_config(**SMALL, d_vocab=3002)
    folder = write_checkpoint(tmp_path / "speechgpt", config, added=added)
    assert load(folder, device="cpu").family.name == "speechgpt", "its strings do not tell which of the two it is"
    lens = load(folder, device="cpu", family=SPEECHGPT_COM)
    segment = sl.SpeechSegment(UnitStream.from_frames([1, 2, 2], 50.0), [sl.speech.WordInterval("france", 0.0, 0.06)])
    with pytest.warns(UserWarning, match="family 'speechgpt-com' answers a spoken prompt with a transcript first"):
        plain = lens.prompt([segment], "france", "paris")
    assert plain.text.endswith("<sosp><1><2><eosp> <eoh>. [SpeechGPT]:")
    forced = lens.prompt([segment], "france", "paris", transcript="forced")
    assert forced.text == f"{plain.text} france; [ta]"
    assert dataclasses.replace(lens, transcript="forced").prompt([segment], "france", "paris") == forced
    always = dataclasses.replace(lens, transcript="forced")
    assert "[ta]" not in always.text("the capital of france is", "france", "paris").text
    with pytest.warns(UserWarning, match="a transcript first"):
        assert always.prompt([segment], "france", "paris", transcript="none") == plain
    with pytest.raises(ValueError, match="transcript='maybe': expected one of none, forced"):
        dataclasses.replace(lens, transcript="maybe")
