"""The cache of units: keyed by audio and weights, safe to delete, equal with and without it."""

import shutil

import numpy as np
import pytest
import torch

from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.encoders.cached import CachedEncoder
from spiritlens.speech.encoders.hubert import HubertUnits
from spiritlens.speech.encoders.loading import load_encoder
from spiritlens.speech.encoders.quantizers import KMeansQuantizer
from spiritlens.speech.units import UnitStream


class Counting:
    """An encoder that counts how often it encodes; frame ids follow the samples' signs."""

    name, rate, n_units, digest = "counting", 25.0, 2, ""

    def __init__(self):
        self.calls = 0

    def encode(self, waveform):
        self.calls += 1
        return UnitStream.from_frames((waveform.samples[: len(waveform) // 640 * 640 : 640] > 0).astype(int))


def test_second_time_is_read_and_equal(tmp_path, recording):
    encoder = Counting()
    cached = CachedEncoder(encoder, tmp_path / "cache")
    first = cached.encode(recording)
    again = cached.encode(Waveform(recording.samples, source="under another name"))
    assert encoder.calls == 1
    for name in ("ids", "starts", "ends", "frames"):
        assert np.array_equal(getattr(again, name), getattr(first, name))
    assert again.rate == first.rate
    shutil.rmtree(tmp_path / "cache")
    assert np.array_equal(cached.encode(recording).ids, first.ids)
    assert encoder.calls == 2


def test_damaged_entry_is_encoded_again(tmp_path, recording):
    encoder = Counting()
    cached = CachedEncoder(encoder, tmp_path)
    first = cached.encode(recording)
    path = cached.path(recording)
    path.write_bytes(path.read_bytes()[:100])
    assert np.array_equal(cached.encode(recording).ids, first.ids)
    assert encoder.calls == 2


def test_key_follows_audio_and_weights(tmp_path, recording, data):
    other = Waveform(recording.samples[:-1])
    hubert = load_encoder({"kind": "hubert"}, data / "hubert_small")
    changed = load_encoder({"kind": "hubert"}, data / "hubert_small")
    changed.quantizer.network[0].bias += 1e-3
    one, two = CachedEncoder(hubert, tmp_path), CachedEncoder(changed, tmp_path)
    assert one.path(recording) == CachedEncoder(load_encoder({"kind": "hubert"}, data / "hubert_small"), tmp_path).path(
        recording
    )
    assert len({one.path(recording), two.path(recording), one.path(other)}) == 3
    layer = HubertUnits(hubert.checkpoint, hubert.quantizer, 10, hubert.name)
    means = HubertUnits(hubert.checkpoint, KMeansQuantizer(torch.zeros(3, 48)), 11, hubert.name)
    assert len({encoder.digest for encoder in (hubert, layer, means)}) == 3


@pytest.mark.parametrize("name", ["name", "rate", "n_units"])
def test_it_is_an_encoder_like_its_own(tmp_path, name):
    encoder = Counting()
    assert getattr(CachedEncoder(encoder, tmp_path), name) == getattr(encoder, name)


class TwoStreams(Counting):
    """An encoder of two streams at two rates, as the expressive model's."""

    def streams(self, waveform):
        return {"unit": self.encode(waveform), "pitch": UnitStream.from_frames(np.arange(3), 12.5)}


def test_all_streams_are_kept(tmp_path, recording):
    encoder = TwoStreams()
    cached = CachedEncoder(encoder, tmp_path)
    first, again = cached.streams(recording), cached.streams(recording)
    assert encoder.calls == 1
    assert list(again) == ["unit", "pitch"]
    for name, stream in first.items():
        assert np.array_equal(again[name].ids, stream.ids)
        assert np.array_equal(again[name].ends, stream.ends)
    assert again["pitch"].rate == 12.5
    assert np.array_equal(cached.encode(recording).ids, first["unit"].ids)
    assert list(CachedEncoder(Counting(), tmp_path).streams(recording)) == ["unit"]
