"""`load` on every kind of source, and the lens's verbs, on small checkpoints in the families' formats."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_folders import (
    SPIRIT,
    spirit_config,
    write_checkpoint,
    write_config,
    write_weights,
)
from hypothesis import given
from hypothesis import strategies as st
from random_llamas import tied
from tokenizer_folders import SMALL, write_byte_level_tokenizer
from transformer_lens.model_bridge import TransformerBridge
from transformers import LlamaForCausalLM

import spiritlens as sl
from spiritlens.models.backends import BACKENDS
from spiritlens.models.blocks.generation import _marker_between
from spiritlens.models.checkpoints.checkpoint import ROOT_VARIABLE
from spiritlens.models.checkpoints.weight_files import CheckpointError
from spiritlens.models.lens import Lens
from spiritlens.models.loading import is_on, load
from spiritlens.models.planted.planted import planted
from spiritlens.models.random_weights import random_config, random_lens_model, random_weights
from spiritlens.models.selfcheck import selfcheck
from spiritlens.prompts.building.segments import SpeechSegment, TextSegment
from spiritlens.prompts.origin import Origin
from spiritlens.prompts.vocabulary.families import SPIRITLM_BASE, TEXT_ONLY
from spiritlens.prompts.vocabulary.family import Family
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.encoders.loading import OFFICIAL_FOLDER
from spiritlens.speech.engines.utterance import Utterance
from spiritlens.speech.units import UnitStream
from spiritlens.speech.word_files.sources import read_words
from spiritlens.speech.words import WordInterval


@pytest.fixture(scope="module")
def lens(small) -> Lens:
    return load(small, device="cpu")


@pytest.fixture(scope="module", params=["added_tokens", "user_defined"])
def layout_lens(request, tmp_path_factory) -> Lens:
    """Both ways in which the official folder may carry its markers, as given in tests/data/prompts."""
    folder = tmp_path_factory.mktemp(request.param) / request.param
    shutil.copytree(SMALL / request.param, folder)
    config = spirit_config(d_vocab=2512)
    write_config(folder, config)
    write_weights(folder, random_weights(config), "safetensors")
    return load(folder, device="cpu")


# Sources


def test_official_folders_load_by_name_with_their_ids(official, monkeypatch):
    monkeypatch.setenv(ROOT_VARIABLE, str(official))
    base, expressive = (load(f"spirit-lm-{name}-7b", device="cpu") for name in ("base", "expressive"))
    assert (base.family.name, expressive.family.name) == ("spiritlm-base", "spiritlm-expressive")
    assert base.dtype == torch.bfloat16
    assert base.vocabulary.text_marker_id == 32000
    assert base.vocabulary.speech_marker_id == 32001
    assert base.vocabulary.unit_ids == range(32002, 32503)
    assert base.vocabulary.size == 32512
    assert base.name == "spirit-lm-base-7b"
    assert base.folder == official / "spiritlm_model" / "spirit-lm-base-7b"
    assert expressive.vocabulary.stream_ids("pitch") == range(32503, 32567)
    assert expressive.vocabulary.stream_ids("style") == range(32567, 32667)
    assert expressive.vocabulary.size == 32768
    assert isinstance(base.model, BACKENDS[0].model)


def test_padding_rows_are_known_and_never_win(official):
    lens = load(official / "spiritlm_model" / "spirit-lm-base-7b", device="cpu")
    padding = np.flatnonzero(lens.vocabulary.families_by_id == "padding")
    assert padding.tolist() == list(range(32503, 32512))
    with torch.no_grad():
        lens.model.unembed.b_U[32503:] = 1e4
    assert lens.generate("[Text] the", 3, "any")  # −∞ on padding: otherwise decoding would give padding rows only
    tokens = lens.model.to_tokens("[Text] the")
    assert int(lens.model(tokens)[0, -1].argmax()) >= 32503


@pytest.mark.parametrize("dtype", [torch.float64, "bfloat16", torch.float16])
def test_dtypes_by_value_and_by_name(small, dtype):
    lens = load(small, dtype=dtype, device="cpu")
    expected = getattr(torch, dtype) if isinstance(dtype, str) else dtype
    assert lens.dtype == expected
    assert lens.backend.dtype == expected
    assert all(value.dtype == expected for value in lens.model.parameters())


def test_wrong_settings_are_refused(small):
    with pytest.raises(ValueError, match="dtype 'float31' is unknown"):
        load(small, dtype="float31")
    with pytest.raises(ValueError, match="norms='centred': expected one of raw, folded"):
        load(small, norms="centred")
    with pytest.raises(CheckpointError, match="there is no checkpoint 'nowhere'"):
        load("nowhere")


def test_the_model_has_every_hook_name_of_a_llama(lens):
    names = set(lens.model.hook_dict)
    for part in ("hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out"):
        assert f"blocks.2.{part}" in names
    for part in ("q", "k", "v", "z", "rot_q", "rot_k", "attn_scores", "pattern", "result"):
        assert f"blocks.2.attn.hook_{part}" in names
    logits, cache = lens.model.run_with_cache("[Text] the cat")
    assert logits.shape[-1] == 2512
    assert cache["blocks.0.attn.hook_pattern"].shape[1] == 4
    assert cache.accumulated_resid(layer=-1).shape[0] == 4


def test_a_loaded_model_shares_its_memory(small):
    llama = LlamaForCausalLM.from_pretrained(small)
    lens = load(llama)
    tokens = torch.tensor([[1, 5, 9]])
    assert torch.allclose(lens.model(tokens), llama(tokens).logits, atol=1e-5)
    assert lens.model.W_E.data_ptr() == llama.model.embed_tokens.weight.data_ptr()
    one = not issubclass(BACKENDS[0].model, TransformerBridge)  # a bridge is the model itself, which it freezes
    assert all(parameter.requires_grad == one for parameter in llama.parameters())
    assert not any(parameter.requires_grad for parameter in lens.model.parameters())
    assert lens.name == small.name
    assert lens.folder == small


def test_folding_leaves_a_loaded_model_and_a_tied_embedding_alone(small, tmp_path):
    llama = LlamaForCausalLM.from_pretrained(small)
    tokens = torch.tensor([[1, 5, 9]])
    expected = llama(tokens).logits
    folded = load(llama, norms="folded")
    assert torch.equal(llama(tokens).logits, expected)
    assert torch.allclose(folded.model(tokens), expected, atol=1e-4)

    config = tied(random_config(d_model=64, d_vocab=2512, n_kv_heads=2))
    folder = write_checkpoint(tmp_path / "tied", config)
    raw, folded = load(folder, device="cpu"), load(folder, device="cpu", norms="folded")
    assert raw.model.W_U.data_ptr() == raw.model.W_E.data_ptr()
    assert torch.equal(folded.model.W_E, raw.model.W_E)
    assert torch.allclose(folded.model(tokens), raw.model(tokens), atol=1e-4)
    sharing = LlamaForCausalLM.from_pretrained(folder)
    expected = sharing(tokens).logits
    assert torch.allclose(load(sharing, norms="folded").model(tokens), expected, atol=1e-4)
    assert torch.equal(sharing(tokens).logits, expected)


def test_a_loaded_model_keeps_its_dtype_and_needs_a_tokenizer(small):
    llama = LlamaForCausalLM.from_pretrained(small)
    with pytest.raises(ValueError, match=r"load it in that dtype \(LlamaForCausalLM.from_pretrained"):
        load(llama, dtype="bfloat16")  # its .to(bfloat16) would round the rotary frequencies of the caller's model
    assert load(LlamaForCausalLM.from_pretrained(small, dtype=torch.bfloat16), dtype="bfloat16").dtype == torch.bfloat16
    bare = LlamaForCausalLM(llama.config)
    bare.config._name_or_path = ""
    with pytest.raises(ValueError, match=r"load\(model, tokenizer="):
        load(bare)
    assert load(bare, tokenizer=small).family.name == "spiritlm-base"


@pytest.mark.parametrize(
    ("held", "asked", "same"),
    [
        ("cuda:0", "cuda", True),
        ("cuda:1", "cuda:1", True),
        ("cuda:1", "cuda:0", False),
        ("cuda:0", "cpu", False),
        ("cpu", "cuda", False),
        ("cpu", "cpu:0", True),
    ],
)
def test_a_device_without_a_number_is_any_of_its_kind(held, asked, same):
    assert is_on(torch.device(held), torch.device(asked)) == same


def test_a_loaded_model_with_a_tokenizer_of_its_own_has_no_folder(small, tmp_path):
    """The tokenizer's folder may hold another model, which is no reference for this one."""
    other = write_checkpoint(tmp_path / "other", spirit_config(), seed=1)
    lens = load(LlamaForCausalLM.from_pretrained(small), device="cpu", tokenizer=other)
    assert lens.folder is None
    with pytest.raises(CheckpointError, match=r"not loaded from a folder.*save_pretrained"):
        selfcheck(lens)
    for source in (LlamaForCausalLM.from_pretrained(small), small):
        with pytest.raises(ValueError, match="tokenizer='nowhere' is no folder"):
            load(source, device="cpu", tokenizer="nowhere")


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_type": "default", "rope_theta": 500000.0},
        {
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": 32.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    ],
)
@pytest.mark.parametrize("share", [True, False])
def test_plain_llama_folders_are_text_only_models(tmp_path, rope, share):
    rows = write_byte_level_tokenizer(tmp_path, [])
    config = tied(random_config(d_model=64, n_kv_heads=2, d_vocab=rows, rope=rope), share)
    write_config(tmp_path, config)
    write_weights(tmp_path, random_weights(config), "safetensors")
    lens = load(tmp_path, device="cpu")
    assert lens.family.name == "text-only"
    prompt = lens.text("the capital of france is", subject="france", answer="paris")
    assert torch.equal(lens.model.to_tokens(prompt.text), prompt.tokens)
    llama = LlamaForCausalLM.from_pretrained(tmp_path)
    tokens = torch.randint(3, rows, (1, 100), generator=torch.Generator().manual_seed(0))
    assert torch.allclose(lens.model(tokens), llama(tokens).logits, atol=1e-4)
    with pytest.raises(ValueError, match="no speech encoder"):
        lens.speak("the capital of france is", subject="france", answer="paris")


def test_a_llama_2_folder_is_a_text_only_model(tmp_path):
    folder = write_checkpoint(tmp_path / "plain", spirit_config(d_vocab=2000), added=())
    assert load(folder, device="cpu").family.name == "text-only"


def test_sims_llama_is_data(tmp_path):
    units = [*(f"<Un{number}>" for number in range(500)), "<speech>", "<text>"]
    rows = write_byte_level_tokenizer(tmp_path, units)
    config = tied(random_config(d_model=64, n_kv_heads=2, d_vocab=rows))
    base = config.to_dict() | {"vocab_size": rows - 502}
    wrapper = {"model_type": "speech_language_model", "vocab_size": rows, "base_config": base}
    (tmp_path / "config.json").write_text(json.dumps(wrapper))
    write_weights(tmp_path, {f"lm.{name}": value for name, value in random_weights(config).items()}, "safetensors")
    lens = load(tmp_path, device="cpu")
    assert lens.family.name == "sims-llama"
    assert lens.vocabulary.unit_ids == range(rows - 502, rows - 2)
    prompt = lens.text("the capital of france is", subject="france", answer="paris")
    assert prompt.text.endswith("<text>")
    assert torch.equal(lens.model.to_tokens(prompt.text), prompt.tokens)


def test_speechgpt_is_data(tmp_path):
    units = [*(f"<{number}>" for number in range(1000)), "<sosp>", "<eosp>"]
    folder = write_checkpoint(tmp_path / "speechgpt", spirit_config(d_vocab=3002), added=units)
    lens = load(folder, device="cpu")
    assert lens.family.name == "speechgpt"
    assert lens.vocabulary.unit_ids == range(2000, 3000)
    prompt = lens.text("the capital of france is", subject="france", answer="paris")
    assert torch.equal(lens.model.to_tokens(prompt.text), prompt.tokens)


def test_a_family_of_one_s_own_is_a_record(tmp_path):
    own = Family(
        name="mine",
        text_open="<write>",
        speech_open="<say>",
        unit_template="<q{}>",
        n_units=501,
        encoder={"kind": "hubert", "name": "mhubert_base_25hz", "layer": 11, "n_clusters": 500},
    )
    tokens = [*own.markers, *own.stream("unit").units()]
    folder = write_checkpoint(tmp_path / "mine", spirit_config(), added=tokens)
    shutil.copytree(Path(__file__).parents[1] / "data" / "speech" / "hubert_small", folder / OFFICIAL_FOLDER)
    lens = load(folder, device="cpu", family=own)
    assert (lens.family, lens.vocabulary.unit_ids) == (own, range(2002, 2503))
    tone = Waveform(np.sin(np.arange(16000) / 20).astype(np.float32) * 0.3)
    prompt = lens.audio(tone, "cat", "the", words=[("the", 0.0, 0.5), ("cat", 0.5, 1.0)])
    assert prompt.text.startswith("<say><q")
    assert prompt.text.endswith("<write>")
    assert torch.equal(lens.model.to_tokens(prompt.text), prompt.tokens)


# Tokenizer faults


def test_a_tokenizer_without_the_units(tmp_path):
    """Rows for units, but a tokenizer that names none of them: not silently a text-only model."""
    folder = write_checkpoint(tmp_path / "without", spirit_config(), added=())
    with pytest.raises(ValueError, match=r"names 2000 of the 2512 rows.*no known family's units.*family=TEXT_ONLY"):
        load(folder, device="cpu")
    assert load(folder, device="cpu", family=TEXT_ONLY).family == TEXT_ONLY
    with pytest.raises(ValueError, match=r"'\[Text\]'"):
        load(folder, device="cpu", family=SPIRITLM_BASE)


def test_a_tokenizer_whose_units_fall_apart(tmp_path):
    """Unit strings that the tokenizer does not have as tokens: the family that the folder claims is refused."""
    folder = write_checkpoint(tmp_path / "apart", spirit_config(), added=SPIRIT[:2])
    (folder / "spiritlens.json").write_text(json.dumps({"family": "spiritlm-base", "n_units": 501}))
    with pytest.raises(ValueError, match=r"'\[Hu0\]'"):
        load(folder, device="cpu")


def test_a_tokenizer_without_some_units_or_with_a_hole(tmp_path):
    folder = write_checkpoint(tmp_path / "few", spirit_config(), added=SPIRIT[:-1])
    (folder / "spiritlens.json").write_text(json.dumps({"family": "spiritlm-base", "n_units": 501}))
    with pytest.raises(ValueError, match=r"lacks 1, first '\[Hu500\]'"):
        load(folder, device="cpu")
    shuffled = [*SPIRIT[:2], SPIRIT[3], SPIRIT[2], *SPIRIT[4:]]
    folder = write_checkpoint(tmp_path / "shuffled", spirit_config(), added=shuffled)
    with pytest.raises(ValueError, match="not contiguous"):
        load(folder, device="cpu")


def test_more_tokens_than_rows(tmp_path):
    folder = write_checkpoint(tmp_path / "rows", spirit_config(d_vocab=2400))
    with pytest.raises(ValueError, match=r"ids reach 2502 .* 2400 rows"):
        load(folder, device="cpu")


def test_no_tokenizer_and_a_broken_one(copy):
    (copy / "tokenizer.model").write_bytes(b"broken")
    with pytest.raises(ValueError, match=re.escape(str(copy))):
        load(copy, device="cpu")
    for name in ("tokenizer.model", "tokenizer_config.json"):
        (copy / name).unlink()
    with pytest.raises(ValueError, match=r"neither tokenizer.model nor tokenizer.json"):
        load(copy, device="cpu")


# Strings and ids


def slow_ids() -> dict[str, dict[str, list[int]]]:
    return json.loads((SMALL / "expected_slow_ids.json").read_text())


def test_strings_give_the_slow_tokenizers_ids(layout_lens):
    """Spaces around markers both ways: what transformers 4's slow tokenizer gave for the strings of the official
    package."""
    for string, expected in slow_ids()[layout_lens.folder.name].items():
        assert layout_lens.model.to_tokens(string)[0].tolist() == expected, string
        assert layout_lens.vocabulary.encode(string) == expected, string


@given(st.lists(st.integers(0, 500), min_size=1, max_size=30))
def test_unit_strings_survive_the_model(lens, units):
    """Unit by unit one id, the beginning of the sequence once, and back to the same string."""
    string = "[Speech]" + "".join(f"[Hu{unit}]" for unit in units)
    ids = lens.model.to_tokens(string)[0].tolist()
    assert ids == [1, 2001, *(2002 + unit for unit in units)]
    assert lens.vocabulary.decode(ids) == string


def test_prompts_and_the_model_agree_on_ids(layout_lens):
    lens = layout_lens
    prompts = [
        lens.text("the capital of france is", subject="france", answer="paris"),
        lens.text("the capital of france is", subject="france", answer="paris", marker="final"),
        lens.prompt([TextSegment("the capital of"), SpeechSegment(*spoken("france"))], "france", "paris"),
    ]
    for prompt in prompts:
        assert torch.equal(lens.model.to_tokens(prompt.text), prompt.tokens)
        assert prompt.ids.count(1) == 1
        assert lens.backend.forward(prompt.tokens).shape == (1, len(prompt), 2512)


def spoken(*words: str) -> tuple[UnitStream, list[WordInterval]]:
    """Two units of 40 ms per word."""
    units = UnitStream.from_frames(np.arange(2 * len(words)), rate=25.0)
    return units, [WordInterval(word, 0.08 * n, 0.08 * (n + 1)) for n, word in enumerate(words)]


# Ears


class CountingEncoder:
    """Names each 40 ms by its number, two at a time, so that deduplication halves them."""

    name, rate, n_units, digest = "counting", 25.0, 501, ""

    def encode(self, waveform: Waveform) -> UnitStream:
        return UnitStream.from_frames(np.arange(len(waveform) // 640) // 2, rate=25.0)


@pytest.fixture(scope="module")
def hearing(small) -> Lens:
    return load(small, device="cpu", encoder=CountingEncoder())


def test_audio_becomes_a_spoken_prompt(hearing, tmp_path):
    waveform = Waveform(np.sin(np.arange(16000) / 30).astype(np.float32) * 0.3)
    words = [("the", 0.0, 0.2), ("capital", 0.2, 0.4), ("of", 0.4, 0.62), ("france", 0.62, 0.82), ("is", 0.82, 1.0)]
    prompt = hearing.audio(waveform, words=words, subject="france", answer="paris", origin=Origin(voice="me"))
    assert prompt.kind == "S2T"
    assert prompt.voice == "me"
    assert prompt.text == "[Speech]" + "".join(f"[Hu{unit}]" for unit in range(13)) + "[Text]"
    assert [hearing.vocabulary.label(prompt.ids[place]) for place in prompt.subject] == ["[Hu8]", "[Hu9]"]
    path = waveform.write(tmp_path / "me.wav")
    same = hearing.audio(path, words=[WordInterval(*word) for word in words], subject="france", answer="paris")
    assert same.ids == prompt.ids
    assert len(hearing.encode(path)) == 13


def test_the_words_of_audio_are_chosen_in_the_call(hearing, tmp_path):
    waveform = Waveform(np.sin(np.arange(16000) / 30).astype(np.float32) * 0.3)
    path = tmp_path / "words.ctm"
    path.write_text("me 1 0.1 0.2 hello\nme 2 0.2 0.4 the\nme 2 0.6 0.2 france\n")
    with pytest.raises(ValueError, match=r"words\.ctm: name the channel \(channel=\); its channels are '1', '2'"):
        hearing.audio(waveform, words=path, subject="france", answer="paris")
    prompt = hearing.audio(waveform, words=read_words(path, channel=2), subject="france", answer="paris")
    assert prompt.words == ("the", "france")
    untimed = read_words([("the", 0.2, 0.6), {"word": "france"}], missing="interpolate", duration=waveform.duration)
    prompt = hearing.audio(waveform, words=untimed, subject="france", answer="paris")
    assert prompt.ends[prompt.subject.positions[-1]] == 1.0, "the last word ends with the audio"
    with pytest.raises(ValueError, match=r"word 'france' .*1\.0"):
        hearing.audio(waveform, words=[("the", 0.2, 0.6), ("france", 0.6, 1.3)], subject="france", answer="paris")


class FixedVoice:
    """Says everything in five words of 0.2 s, the second and third run together; remembers how it was asked."""

    name, engine = "fixed:one", "fixed 1.0"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def speak(self, text: str) -> Utterance:
        self.asked.append(text)
        waveform = Waveform(np.sin(np.arange(16000) / 30).astype(np.float32) * 0.3)
        edges = [(0.0, 0.2), (0.2, 0.62), (0.2, 0.62), (0.62, 0.82), (0.82, 1.0)]
        words = tuple(WordInterval(word, *edge) for word, edge in zip(text.split(), edges, strict=True))
        return Utterance(waveform, text, words, (), self.name, self.engine)


def test_a_given_voice_speaks_and_is_named(hearing):
    voice = FixedVoice()
    prompt = hearing.speak("the capital of france is", "france", "paris", voice=voice, origin=Origin("f1"))
    assert voice.asked[0] == "the capital of france is"
    assert (prompt.kind, prompt.voice, prompt.fact_id) == ("S2T", "fixed:one", "f1")
    assert [hearing.vocabulary.label(prompt.ids[place]) for place in prompt.subject] == ["[Hu8]", "[Hu9]"]


def test_a_subject_that_runs_into_another_word_is_refused(hearing):
    """The voice gives no phones to tell the words apart by."""
    with pytest.raises(ValueError, match="capital"):
        hearing.speak("the capital of france is", "capital", "paris", voice=FixedVoice())


def test_audio_needs_words_or_text(hearing):
    waveform = Waveform(np.ones(16000, dtype=np.float32) * 0.1)
    with pytest.raises(ValueError, match="neither is given"):
        hearing.audio(waveform, subject="a", answer="b")


def test_a_subject_is_found_in_the_text_of_timed_words(hearing):
    """Where the words are those of the text; other words are looked through themselves."""
    waveform = Waveform(np.ones(16000, dtype=np.float32) * 0.1)
    words = [("A", 0, 0.3), ("b's", 0.3, 0.6), ("is", 0.6, 1)]

    def heard(subject, text=None):
        return hearing.audio(waveform, subject=subject, answer="b", words=words, text=text)

    assert heard("A-b", "A-b's is").subject == heard("A b's").subject
    with pytest.raises(ValueError, match="'A-b' does not occur in the words 'A b's is'"):
        heard("A-b")
    assert heard("A b's", "another text").subject == heard("A b's").subject


def test_a_deaf_lens_says_so(lens):
    with pytest.raises(ValueError, match=r"no speech encoder.*pass encoder= to load"):
        lens.encode(Waveform(np.ones(16000, dtype=np.float32) * 0.1))


def test_bad_subjects_and_answers_are_refused(lens):
    with pytest.raises(ValueError, match="italy"):
        lens.text("the capital of france is", subject="italy", answer="paris")
    with pytest.raises(ValueError, match="unknown to the vocabulary"):
        lens.text("the capital of france is", subject="france", answer="[Text]")


@pytest.mark.parametrize(
    ("verb", "keywords", "message"),
    [
        ("text", {"subjekt": "france"}, r"Lens.text has no argument subjekt=: did you mean subject=\?"),
        ("speak", {"voices": "a"}, r"Lens.speak has no argument voices=: did you mean voice=\?"),
        ("audio", {"word": []}, r"Lens.audio has no argument word=: did you mean words=\?"),
        ("prompt", {"markers": "final"}, r"Lens.prompt has no argument markers=: did you mean marker=\?"),
        ("text", {"relation": "capital"}, "Lens.text has no argument relation=: It takes .*origin"),
    ],
)
def test_a_misspelt_or_missing_keyword_is_told_with_the_verbs_own(lens, verb, keywords, message):
    with pytest.raises(ValueError, match=message) as told:
        getattr(lens, verb)("the capital of france is", **keywords)
    assert isinstance(told.value, TypeError)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"answer": "[Text]"}, "unknown to the vocabulary"),
        ({"occurrence": 0.0}, "occurrence=0.0: expected a whole number"),
        ({"voice": 3}, "voice=3: expected a voice's name .* or a Voice"),
        ({"origin": {"group": "a"}}, r"origin=.*\(dict\): expected an Origin"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_spoken(hearing, settings, message):
    voice = FixedVoice()
    asked = {"subject": "france", "answer": "paris", "voice": voice, **settings}
    with pytest.raises(ValueError, match=message):
        hearing.speak("the capital of france is", **asked)
    assert voice.asked == []


def test_a_lens_is_a_model_and_its_vocabulary(lens):
    with pytest.raises(ValueError, match=r"vocabulary=.*: expected the model's Vocabulary; spiritlens"):
        Lens(lens.vocabulary, lens.model)
    with pytest.raises(ValueError, match=r"model=.*: expected a .*TransformerBridge; spiritlens.load"):
        Lens(lens.vocabulary, lens.vocabulary)


# Identity


def test_a_vocabulary_of_another_size_is_refused(lens, official):
    other = load(official / "spiritlm_model" / "spirit-lm-base-7b", device="cpu")
    with pytest.raises(ValueError, match=r"counts 32512 rows, the model embeds 2512"):
        Lens(lens.model, other.vocabulary)


def test_the_id_tells_models_apart_and_stays(small, tmp_path):
    one, again = load(small, device="cpu"), load(small, device="cpu")
    assert one.id == again.id
    assert re.fullmatch("[0-9a-f]{16}", one.id)
    other = load(write_checkpoint(tmp_path / "other", spirit_config(), seed=1), device="cpu")
    assert len({one.id, other.id, load(small, device="cpu", norms="folded").id, load(small, "bfloat16", "cpu").id}) == 4


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0},
        {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0},
        {
            "rope_type": "llama3",
            "rope_theta": 10000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    ],
)
def test_the_id_tells_how_positions_are_stretched(rope):
    """Equal weights, other positions, other logits."""
    hashed = BACKENDS[0].fingerprint
    plain, stretched = (random_lens_model(random_config(rope=kind)).model for kind in (None, rope))
    assert hashed(plain) != hashed(stretched)
    if rope["rope_type"] == "linear":
        other = random_lens_model(random_config(rope=rope | {"factor": 3.0})).model
        assert hashed(other) != hashed(stretched)


def test_repr_says_what_it_is(lens):
    assert repr(lens) == (
        "Lens(spirit-lm-small: family spiritlm-base, 3 layers × 4 heads, d_model 64, 2512 rows, float32 on cpu)"
    )


# Generation


@pytest.mark.parametrize("prompt", ["[Text] the cat", "[Speech][Hu3][Hu7]", "the cat"])
def test_continuations_keep_to_their_modality(lens, prompt):
    families = lens.vocabulary.families_by_id
    text = lens.generate(prompt, 12, "text")
    assert text
    assert set(families[lens.vocabulary.encode(text)[1:]]) <= {"text"}
    units = lens.generate(prompt, 12, "speech")
    assert re.fullmatch(r"(\[Hu\d+\])+", units)
    assert not lens.backend.has_user_hooks()


def test_speech_from_nothing_begins_as_a_spoken_prompt_does(layout_lens):
    """With the blank piece before the first marker where the layout puts one."""
    vocabulary = layout_lens.vocabulary
    begun = vocabulary.encode("")
    assert begun + _marker_between(vocabulary, begun, "speech") == vocabulary.encode("[Speech]")
    assert _marker_between(vocabulary, [], "speech") == vocabulary.encode("[Speech]")[1:]
    assert layout_lens.generate("", 6, "speech") == layout_lens.generate("[Speech]", 6, "speech")


def test_the_likeliest_token_is_taken_after_the_marker(lens):
    logits = lens.model(torch.tensor([lens.vocabulary.encode("[Speech][Hu3][Hu7][Text]")]))[0, -1]
    allowed = [*lens.vocabulary.text_ids.tolist(), lens.vocabulary.eos_id]
    best = allowed[int(logits[allowed].argmax())]
    assert lens.generate("[Speech][Hu3][Hu7]", 1) == lens.vocabulary.decode([best]).strip()


def test_greedy_continuations_equal_hugging_faces_with_the_official_bans(small, lens):
    """Hugging Face's own generation with ``bad_words_ids`` as the official package sets them (and padding rows)."""
    llama = LlamaForCausalLM.from_pretrained(small)
    bans = [[0], [1], *([index] for index in range(2000, 2512))]
    for string in ("[Text] the cat", "[Speech][Hu3][Hu7][Text]"):
        tokens = torch.tensor([lens.vocabulary.encode(string)])
        made = llama.generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            max_new_tokens=10,
            do_sample=False,
            bad_words_ids=bans,
            pad_token_id=2,
        )
        new = [index for index in made[0, tokens.shape[1] :].tolist() if index != 2]
        assert lens.generate(string, 10) == lens.vocabulary.decode(new).strip()


def test_a_prompt_value_continues_and_sampling_follows_the_seed(lens):
    prompt = lens.text("the cat is", subject="cat", answer="the")
    assert lens.generate(prompt, 4) == lens.generate(prompt.text, 4)
    state = torch.random.get_rng_state()
    drawn = [lens.generate(prompt, 8, temperature=1.5, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert torch.equal(torch.random.get_rng_state(), state), "the caller's random numbers are left alone"


def test_a_string_is_read_in_the_family_s_case_at_every_entrance():
    """The embedded model reads lower case: as a prompt, as a string, and through TransformerLens."""
    lens = load()
    prompt = lens.text("The capital of France is", subject="France", answer="Paris")
    assert lens.generate("The capital of France is") == lens.generate(prompt)
    assert lens.generate("[Text] The capital of France is") == lens.generate(prompt)
    assert lens.vocabulary.encode("[Text] The capital of France is") == list(prompt.ids)
    assert lens.model.to_tokens("[Text] The capital of France is")[0].tolist() == list(prompt.ids)
    assert lens.model.to_tokens("The Capital").tolist() == lens.model.to_tokens("the capital").tolist()


@pytest.mark.parametrize("made", ["embedded", "planted"])
def test_every_entrance_of_text_is_read_in_the_family_s_case(made):
    """Prompts, subjects, answers, foils, segments, examples, targets of patchscopes, and pieces of the vocabulary."""
    lens = load() if made == "embedded" else planted().lens
    asked = ("the capital of france is", "france", "paris", "rome")
    asked = asked if made == "embedded" else ("the colour of marlo is", "marlo", "red", "blue")
    text, subject, answer, foil = asked
    small, large = lens.text(*asked), lens.text(*map(str.upper, asked))
    assert small.id == large.id
    assert large.subject.positions == small.span(subject.title()).positions
    apart = lens.prompt([TextSegment(text.upper()[:11]), TextSegment(text[11:])], subject.upper(), answer, foil)
    assert apart.ids == small.ids
    assert lens.generate(text.upper(), 2) == sl.generate(lens, large, max_new_tokens=2) == lens.generate(small, 2)
    scopes = [sl.lenses.patchscope(lens, small, 2, 1, target, 3) for target in (small, large)]
    assert torch.equal(*scopes)
    vocabulary = lens.vocabulary
    assert vocabulary.encode_text(text.upper()) == vocabulary.encode_text(text)
    assert vocabulary.answer_ids(answer.upper()) == vocabulary.answer_ids(answer)
    assert [piece[0] for piece in vocabulary.pieces(text.upper())] == [piece[0] for piece in vocabulary.pieces(text)]


def test_examples_are_read_in_the_family_s_case(lens):
    """A family of lower case on a vocabulary that has lines."""
    lower = lens.vocabulary.family.replace(text_case="lower")
    cased = Lens(lens.model, dataclasses.replace(lens.vocabulary, family=lower))
    asked = ("the cat is", "cat", "the")
    prompts = [
        cased.text(*asked, examples=[(TextSegment(question), answer)])
        for question, answer in (("the dog is", "in"), ("THE DOG IS", "IN"))
    ]
    assert prompts[0].ids == prompts[1].ids


def test_generation_stays_within_the_context(lens):
    length, room = len(lens.text("the cat is", subject="cat", answer="the").ids), lens.model.cfg.n_ctx
    with pytest.raises(
        ValueError, match=rf"max_new_tokens=600: after the {length} tokens .* context of {room} has room"
    ):
        lens.generate("the cat is", 600)
    with pytest.raises(ValueError, match=rf"context of {room} has room for 0; shorten it"):
        lens.generate("the cat is " * 300)
    longest = "[Text] the cat is" + " the cat is" * 100
    assert lens.generate(longest, room + 1 - len(lens.vocabulary.encode(longest)))


@pytest.mark.parametrize("prompt", [5, None, b"the", ["the"]])
def test_only_prompts_and_strings_are_continued(lens, prompt):
    with pytest.raises(ValueError, match=r"prompt=.*expected a Prompt or a string"):
        lens.generate(prompt)


def test_another_vocabulary_s_prompt_is_not_continued(lens):
    foreign = load().text("The capital of France is", subject="France", answer="Paris")
    with pytest.raises(ValueError, match="was built with the vocabulary"):
        lens.generate(foreign)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dtype": "int8"}, "dtype 'int8' holds no weights here; use float32"),
        ({"dtype": torch.float8_e4m3fn}, "holds no weights here"),
        ({"dtype": 5}, "dtype 5 is unknown"),
        ({"device": "x"}, "device='x': expected 'cpu', 'cuda'"),
        ({"device": "cuda:99"}, "device='cuda:99': this machine has none such for torch; it has cpu"),
        ({"family": "spiritlm-base"}, r"family='spiritlm-base' \(str\): expected a Family record"),
        ({"encoder": "hubert"}, r"encoder='hubert' \(str\): expected a speech encoder, .*Make one by"),
        ({"tokenizer": 5}, "tokenizer=5: expected the folder"),
    ],
)
def test_arguments_are_checked_before_a_file_is_read(tmp_path, settings, said):
    with pytest.raises(ValueError, match=said):
        load(tmp_path / "nowhere" if "tokenizer" not in settings else None, **settings)


def test_generation_settings_are_checked(lens):
    with pytest.raises(ValueError, match="max_new_tokens=0: expected a whole number ≥ 1"):
        lens.generate("the", 0)
    with pytest.raises(ValueError, match="modality='song': expected one of text, speech, any"):
        lens.generate("the", 2, "song")
    with pytest.raises(ValueError, match="temperature=nan: expected a number ≥ 0"):
        lens.generate("the", 2, temperature=float("nan"))
    with pytest.raises(ValueError, match=r"prompt=5 \(int\): expected a Prompt or a string"):
        lens.generate(5)
    with pytest.raises(ValueError, match=r"\[Hu99999\] is none of the \d+ units of family .* read as letters"):
        lens.generate("[Speech][Hu7][Hu99999]")
    written = lens.text("the", subject="the", answer="paris")
    room = lens.model.cfg.n_ctx - len(written) + 1  # the last token is generated, not read
    with pytest.raises(
        ValueError, match=f"context of {lens.model.cfg.n_ctx} has room for {room}; ask for at most {room}"
    ):
        lens.generate(written, room + 1)


def test_a_prompt_of_another_vocabulary_is_not_continued(lens, tmp_path):
    folder = shutil.copytree(SMALL / "added_tokens", tmp_path / "other")
    write_config(folder, spirit_config(d_vocab=2520))
    write_weights(folder, random_weights(spirit_config(d_vocab=2520)), "safetensors")
    other = load(folder, device="cpu")
    prompt = other.text("the cat is", subject="cat", answer="the")
    with pytest.raises(ValueError, match=f"vocabulary {other.vocabulary.hash}, the lens reads {lens.vocabulary.hash}"):
        lens.generate(prompt)
