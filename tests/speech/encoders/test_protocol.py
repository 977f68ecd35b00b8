"""What every encoder refuses, and the digest of weights."""

import numpy as np
import pytest
import torch
from torch import nn

from spiritlens.speech.audio.waveform import AudioError, Waveform
from spiritlens.speech.encoders.protocol import (
    all_streams,
    check_encodable,
    given_encoder,
    identity,
    weights_digest,
)
from spiritlens.speech.units import UnitStream


def test_audio_that_can_be_encoded(tone):
    assert check_encodable(Waveform(tone), 16000, len(tone)) is None


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (Waveform(np.full(639, 0.1)), r"waveform lasts 39\.9 ms, shorter than one unit \(40 ms\)"),
        (Waveform(np.full(800, 0.1), 8000, "me.wav"), "me.wav is at 8000 Hz; the encoder takes 16000 Hz"),
        (Waveform(np.zeros(16000)), "holds silence only"),
        (Waveform(np.zeros(0)), "shorter than one unit"),
    ],
)
def test_audio_that_cannot(waveform, message):
    with pytest.raises(AudioError, match=message):
        check_encodable(waveform, 16000, 640)


def test_digest_follows_every_weight():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    digest = weights_digest(model)
    assert weights_digest(model) == digest
    with torch.no_grad():
        model[1].bias += 1e-6
    assert weights_digest(model) != digest
    assert weights_digest(model[0], model[1]) != weights_digest(model[0])


def test_digest_of_bfloat16_weights_and_of_single_numbers():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).bfloat16()
    digest = weights_digest(model)
    assert weights_digest(model.float()) != digest
    model[1].num_batches_tracked += 1
    assert len({digest, weights_digest(model), weights_digest(model.bfloat16())}) == 3


class Own:
    """An encoder of a user: one unit a second."""

    name, rate, n_units, digest = "own", 1.0, 3, ""

    def encode(self, waveform):
        return UnitStream.from_frames([1, 2], rate=1.0)


class WithPitch(Own):
    digest = "0123"

    def streams(self, waveform):
        return {"unit": self.encode(waveform), "pitch": UnitStream.from_frames([7], rate=0.5)}


def test_an_own_encoder_is_taken_by_its_parts(tone):
    assert given_encoder(Own()).name == "own"
    assert (identity(Own()), identity(WithPitch())) == ("own", "0123")
    assert list(all_streams(Own(), Waveform(tone))) == ["unit"]
    assert list(all_streams(WithPitch(), Waveform(tone))) == ["unit", "pitch"]


def test_what_an_own_encoder_lacks_is_named():
    class Half:
        name, rate = "half", 25.0

    with pytest.raises(ValueError, match=r"encoder=.*\(Half\).*it lacks n_units, digest, encode"):
        given_encoder(Half())
    with pytest.raises(ValueError, match=r"encoder=<class .*expected a speech encoder"):
        given_encoder(Own)


def test_no_digest_is_computed_to_look_whether_it_is_there():
    class Slow(Own):
        @property
        def digest(self):
            raise AssertionError("the digest was asked for")

    assert given_encoder(Slow()).rate == 1.0
