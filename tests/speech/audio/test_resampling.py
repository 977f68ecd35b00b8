"""Resampling: the windowed sinc equals torchaudio's, lengths are exact, and both keep a tone."""

import numpy as np
import pytest

from spiritlens.speech.audio.resampling import resample

RATES = (8000, 22050, 44100, 48000)


@pytest.mark.parametrize("rate", RATES)
def test_windowed_sinc_equals_torchaudio(data, rate):
    with np.load(data / "resampled.npz") as golden:
        ours = resample(golden["samples"], rate, 16000, "windowed sinc")
        theirs = golden[f"from_{rate}"]
    assert ours.shape == theirs.shape
    assert ours.dtype == np.float32
    assert np.abs(ours - theirs).max() < 2e-5


@pytest.mark.parametrize("resampler", ["soxr", "windowed sinc"])
@pytest.mark.parametrize("rate", [*RATES, 11025, 32000])
def test_a_tone_stays_and_lengths_agree(rate, resampler):
    tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    changed = resample(tone, rate, 16000, resampler)
    assert len(changed) == 16000
    expected = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    assert np.abs(changed - expected)[500:-500].max() < 2e-3


def test_nothing_to_do():
    samples = np.arange(5.0)
    assert resample(samples, 16000, 16000) is samples
    assert len(resample(samples[:0], 8000, 16000)) == 0
    with pytest.raises(ValueError, match="resampler='linear': expected one of soxr, windowed sinc"):
        resample(samples, 8000, 16000, "linear")
