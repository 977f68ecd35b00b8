"""Which speech encoder a checkpoint gets, and what is said where it gets none."""

from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_folders import SPIRIT, spirit_config, write_checkpoint

from spiritlens.models.checkpoints.checkpoint import ROOT_VARIABLE
from spiritlens.models.checkpoints.weight_files import CheckpointError
from spiritlens.models.encoder_lookup import DeferredEncoder, encode_streams, encoder_of, encoder_remedy
from spiritlens.models.loading import load
from spiritlens.prompts.vocabulary.families import (
    EMBEDDED,
    SPEECHGPT,
    SPIRITLM_BASE,
    SPIRITLM_EXPRESSIVE,
    TEXT_ONLY,
)
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.encoders.cached import CachedEncoder
from spiritlens.speech.encoders.loading import OFFICIAL_FOLDER, load_encoder
from spiritlens.speech.units import UnitStream

HUBERT = Path(__file__).parents[1] / "data" / "speech" / "hubert_small"
TONE = Waveform(np.sin(np.arange(16000) / 20).astype(np.float32) * 0.3)


SMALL = EMBEDDED.replace(n_units=501, encoder={"kind": "hubert", "name": "embedded", "layer": 11})


@pytest.fixture
def own_encoder(tmp_path: Path) -> Path:
    """A checkpoint's folder with the encoder's files in it."""
    place = tmp_path / OFFICIAL_FOLDER
    place.mkdir(parents=True)
    for path in HUBERT.glob("*.pt"):
        (place / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_the_encoder_in_the_folder_is_read(own_encoder, monkeypatch):
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    encoder = encoder_of(own_encoder, SMALL)
    assert isinstance(encoder, DeferredEncoder)
    assert encoder.digest == load_encoder({"kind": "hubert"}, HUBERT).digest
    streams = encode_streams(encoder, SMALL, TONE)
    assert list(streams) == ["unit"]
    assert streams["unit"].expand().ids.tolist() == load_encoder({"kind": "hubert"}, HUBERT).encode(TONE).ids.tolist()


def test_an_encoder_of_another_model_is_refused(own_encoder):
    encoder = encoder_of(own_encoder, SMALL.replace(n_units=42))
    with pytest.raises(CheckpointError, match="makes 501 different units, the model's vocabulary has 42"):
        encoder.encode(TONE)


def test_half_an_encoder_is_none(own_encoder):
    (own_encoder / OFFICIAL_FOLDER / "L11_quantizer_500.pt").unlink()
    assert encoder_of(own_encoder, SMALL) is None


def test_what_to_do_without_ears_depends_on_the_family():
    assert "ask it in writing" in encoder_remedy(TEXT_ONLY)
    assert "put the encoder's files" not in encoder_remedy(TEXT_ONLY)
    assert "put the encoder's files" in encoder_remedy(SPIRITLM_BASE)


def test_no_files_no_ears(tmp_path, monkeypatch):
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    for family in (EMBEDDED, SPIRITLM_BASE, SPEECHGPT, TEXT_ONLY):
        assert encoder_of(tmp_path, family) is None


def test_spiritlm_hears_with_the_published_files(tmp_path, monkeypatch):
    place = tmp_path / "speech_tokenizer" / "hubert_25hz"
    place.mkdir(parents=True)
    for path in HUBERT.glob("*.pt"):
        (place / path.name).write_bytes(path.read_bytes())
    write_checkpoint(tmp_path / "spiritlm_model" / "spirit-lm-base-7b", spirit_config(), added=SPIRIT)
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    lens = load("spirit-lm-base-7b", device="cpu")
    assert isinstance(lens.encoder, DeferredEncoder)
    assert "opened" not in vars(lens.encoder)
    heard = lens.encode(TONE)
    assert "opened" in vars(lens.encoder)
    assert heard.is_deduplicated
    assert heard.rate == lens.encoder.rate == 25.0
    assert encoder_of(tmp_path, SPEECHGPT) is None  # another HuBERT's units would be other units


class TwoStreams:
    name, rate, n_units, digest = "two", 25.0, 501, ""

    def encode(self, waveform: Waveform) -> UnitStream:
        return self.streams(waveform)["unit"]

    def streams(self, waveform: Waveform) -> dict[str, UnitStream]:
        return {
            "unit": UnitStream.from_frames(np.arange(25), rate=25.0),
            "pitch": UnitStream.from_frames(np.arange(12), rate=12.5),
            "style": UnitStream.from_frames(np.arange(1), rate=1.0),
        }


class OneStream:
    name, rate, n_units, digest = "one", 25.0, 501, ""

    def encode(self, waveform: Waveform) -> UnitStream:
        return TwoStreams().streams(waveform)["unit"]


def test_expressive_models_need_all_streams(official):
    folder = official / "spiritlm_model" / "spirit-lm-expressive-7b"
    lens = load(folder, device="cpu", encoder=TwoStreams())
    words = [("the", 0.0, 0.5), ("cat", 0.5, 1.0)]
    prompt = lens.audio(TONE, words=words, subject="cat", answer="the")
    assert prompt.text.startswith("[Speech][St0][Pi0][Hu0]")
    assert torch.equal(lens.model.to_tokens(prompt.text), prompt.tokens)

    with pytest.raises(ValueError, match=r"also writes style, pitch units, which encoder 'one' does not make"):
        encode_streams(OneStream(), SPIRITLM_EXPRESSIVE, TONE)


def test_wrapped_encoders_pass_the_further_streams_on(tmp_path):
    deferred = DeferredEncoder("two", 25.0, 501, TwoStreams)
    for encoder in (deferred, CachedEncoder(TwoStreams(), tmp_path), CachedEncoder(deferred, tmp_path)):
        assert list(encode_streams(encoder, SPIRITLM_EXPRESSIVE, TONE)) == ["unit", "pitch", "style"]
    for encoder in (DeferredEncoder("one", 25.0, 501, OneStream), CachedEncoder(OneStream(), tmp_path)):
        with pytest.raises(ValueError, match="which encoder 'one' does not make"):
            encode_streams(encoder, SPIRITLM_EXPRESSIVE, TONE)


def test_an_expressive_model_s_ears_are_named_as_the_official_package_s(monkeypatch, tmp_path):
    monkeypatch.setattr("spiritlens.speech.encoders.official.official_installed", lambda: True)
    assert encoder_of(tmp_path, SPIRITLM_EXPRESSIVE).name == "spiritlm_expressive (official package)"
