"""Recordings encoded together: the numbers of each alone, whatever shares its batch."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import HubertConfig, HubertModel

from spiritlens.speech.audio.waveform import AudioError, Waveform
from spiritlens.speech.encoders import together
from spiritlens.speech.encoders.cached import CachedEncoder
from spiritlens.speech.encoders.fairseq_files import read_hubert
from spiritlens.speech.encoders.hubert import HubertUnits
from spiritlens.speech.encoders.loading import load_encoder
from spiritlens.speech.encoders.protocol import encode_each
from spiritlens.speech.encoders.quantizers import KMeansQuantizer
from spiritlens.speech.encoders.together import each_hidden, first_layers

sys.path.insert(0, str(Path(__file__).parent))
from fairseq_layout import LAYERS, WIDTH, Layout

LAYOUTS = {
    "group norm, post-norm": Layout(),
    "layer norm, pre-norm, normalised": Layout("layer_norm", True, True, normalize=True),
    "layer norm, post-norm": Layout("layer_norm"),
}


def waveforms(recording: Waveform, seconds: tuple[float, ...] = (0.9, 1.7, 1.7, 0.31)) -> list[Waveform]:
    return [recording.slice(0.2 * place, 0.2 * place + length) for place, length in enumerate(seconds)]


@pytest.mark.parametrize("layer", [1, LAYERS - 1, LAYERS])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_row_has_the_numbers_of_the_whole_model_on_the_recording_alone(tmp_path, recording, layout, layer):
    torch.save(layout.content(), tmp_path / "model.pt")
    hubert = read_hubert(tmp_path / "model.pt", dtype=torch.float64)
    encoder = HubertUnits(hubert, KMeansQuantizer(torch.zeros(1, WIDTH)), layer, "small")
    chunks = [torch.from_numpy(np.array(each.samples, np.float64)) for each in waveforms(recording)]
    found = encoder.features_each(chunks)
    for samples, features in zip(chunks, found, strict=True):
        given = torch.nn.functional.layer_norm(samples, samples.shape) if hubert.normalize else samples
        with torch.inference_mode():
            alone = hubert.model(given[None], output_hidden_states=True).hidden_states[layer][0]
        assert features.shape == alone.shape
        assert alone.std(0).mean() > 0.005, "features must vary in time to test anything"
        assert float((features - alone).abs().max()) < 1e-10


def test_units_are_those_of_each_alone_in_any_company(data, recording, monkeypatch):
    encoder = load_encoder({"kind": "hubert"}, data / "hubert_small")
    sounds = waveforms(recording)
    alone = [encoder.encode(sound) for sound in sounds]
    for most in (1, 60, together.MOST_FRAMES):
        monkeypatch.setattr(together, "MOST_FRAMES", most)
        for one, other in zip(alone, encode_each(encoder, sounds), strict=True):
            for name in ("ids", "starts", "ends", "frames"):
                assert np.array_equal(getattr(one, name), getattr(other, name))


def test_batches_are_of_about_one_length_and_leave_none_out():
    lengths = (5, 2000, 40, 41, 39, 3000)
    found = list(together.batches(lengths))
    assert found == [[5], [1], [3, 2, 4, 0]]
    assert list(together.batches(())) == []


def test_what_is_missing_in_the_cache_is_encoded_with_the_rest_of_its_call(data, recording, tmp_path):
    encoder = load_encoder({"kind": "hubert"}, data / "hubert_small")
    called: list[int] = []

    class Counting:
        name, rate, n_units, digest = encoder.name, encoder.rate, encoder.n_units, encoder.digest
        encode = encoder.encode

        def encode_each(self, sounds):
            called.append(len(sounds))
            return encoder.encode_each(sounds)

    cached, sounds = CachedEncoder(Counting(), tmp_path), waveforms(recording)
    first = cached.encode_each(sounds)
    again = cached.encode_each(sounds)
    cached.path(sounds[0]).unlink()
    third = cached.encode_each(sounds)
    assert called == [4, 4]
    for streams in (again, third):
        assert all(np.array_equal(one.ids, other.ids) for one, other in zip(first, streams, strict=True))


def test_one_that_cannot_be_encoded_is_refused_by_its_name(data, recording):
    encoder = load_encoder({"kind": "hubert"}, data / "hubert_small")
    silence = Waveform(np.zeros(16000, np.float32), source="nothing.wav")
    with pytest.raises(AudioError, match=r"nothing\.wav holds silence only"):
        encoder.encode_each([*waveforms(recording), silence])


@pytest.mark.parametrize(
    ("dtype", "groups", "wanted"), [("bfloat16", 4, False), ("bfloat16", 1, True), ("float32", 4, True)]
)
def test_small_groups_in_bfloat16_run_without_onednn(dtype, groups, wanted):
    """Its AMX kernels give wrong numbers for groups of fewer than 16 channels."""
    kind = getattr(torch, dtype)
    settings = {"hidden_size": 24, "num_attention_heads": 2, "intermediate_size": 24, "num_hidden_layers": 1}
    config = HubertConfig(**settings, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=groups)
    encoder = HubertModel(config).encoder.to(kind).eval()
    seen = []
    encoder.pos_conv_embed.conv.register_forward_hook(lambda *_: seen.append(torch.backends.mkldnn.enabled))
    with torch.inference_mode():
        each_hidden(first_layers(encoder, 1, False), [torch.ones(9, 24, dtype=kind)])
    assert seen == [wanted and torch.backends.mkldnn.enabled]
