"""Samples with their rate are read as a file of them would be; arrays alone and other things are refused."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sounds import encoded

from spiritlens.speech.audio.waveform import AudioError, Waveform, read_waveform


class Decoder:
    """As newer `datasets` give a row's audio: its samples are a tensor [channel time]."""

    def __init__(self, samples: np.ndarray, rate: int) -> None:
        self.samples, self.rate = samples, rate

    def get_all_samples(self) -> SimpleNamespace:
        return SimpleNamespace(data=torch.tensor(self.samples), sample_rate=self.rate)


@pytest.mark.parametrize("rate", [16000, 44100])
def test_an_array_equals_the_file_of_it(tone, rate):
    stereo = np.stack([tone, 0.5 * tone], axis=1)
    expected = read_waveform(encoded(stereo, rate, subtype="FLOAT")).digest
    for array in (stereo, stereo.T, torch.tensor(stereo), stereo.tolist(), stereo.astype(np.float64)):
        assert read_waveform({"array": array, "sampling_rate": rate, "path": "gone.wav"}).digest == expected
    assert read_waveform(Decoder(stereo.T, rate)).digest == expected


@pytest.mark.parametrize(("dtype", "subtype", "scale"), [("int16", "PCM_16", 2**15), ("int32", "PCM_32", 2**31)])
def test_integers_equal_the_file_of_them(tone, dtype, subtype, scale):
    steps = (tone.astype(np.float64) * (scale - 1)).astype(dtype)
    expected = read_waveform(encoded(steps, subtype=subtype))
    assert read_waveform({"array": steps, "sampling_rate": 16000}).digest == expected.digest
    assert Waveform(steps).digest == expected.digest


def test_a_mapping_of_bytes_or_a_path(tmp_path, tone):
    path = tmp_path / "a.wav"
    path.write_bytes(encoded(tone))
    expected = read_waveform(path).digest
    for source in (
        {"bytes": path.read_bytes(), "path": "gone.wav"},
        {"bytes": None, "path": str(path)},
        {"path": path},
        bytearray(path.read_bytes()),
        memoryview(path.read_bytes()),
        io.BufferedReader(io.BytesIO(path.read_bytes())),
    ):
        assert read_waveform(source).digest == expected


def test_a_waveform_is_brought_to_16_khz(tone):
    wave = Waveform(tone)
    assert read_waveform(wave) is wave
    assert len(read_waveform(Waveform(tone, 8000))) == 2 * len(tone)


@pytest.mark.parametrize("samples", [np.zeros(9), torch.zeros(9), [0.1, 0.2], (np.zeros(9), 16000)])
def test_an_array_alone_says_no_rate(samples):
    with pytest.raises(AudioError, match=r"an array says no rate; give Waveform\(samples, rate\)"):
        read_waveform(samples)


def test_masked_samples_are_refused(tone):
    masked = np.ma.array(tone, mask=np.arange(len(tone)) < 5)
    for source in (lambda: Waveform(masked), lambda: read_waveform({"array": masked, "sampling_rate": 16000})):
        with pytest.raises(AudioError, match="5 samples are masked; fill or cut them"):
            source()


def test_the_given_array_stays_its_owners(tone):
    given = tone.copy()
    wave = Waveform(given)
    given[:] = 0
    assert np.array_equal(wave.samples, tone)
    shared = torch.tensor(tone)
    wave = Waveform(shared)
    shared.zero_()
    assert np.array_equal(wave.samples, tone)
    part = wave.slice(0, 1)
    assert np.shares_memory(part.samples, wave.samples), "what nobody can change is not copied"


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_written_and_read(tmp_path, recording, subtype):
    path = recording.write(tmp_path / "a.wav", subtype)
    found = read_waveform(path).samples
    if subtype == "FLOAT":
        assert np.array_equal(found, recording.samples)
    assert np.abs(found - recording.samples).max() <= 1 / 32768
    edge = Waveform(np.array([1.0, -1.0, 0.3], np.float32))
    assert np.abs(read_waveform(edge.write(path, subtype)).samples - edge.samples).max() <= 1 / 32768
    slow = Waveform(recording.samples, 8000)
    assert len(read_waveform(slow.write(path, subtype))) == 2 * len(recording)
    with pytest.raises(AudioError, match=r"written as wav; name the file a\.wav"):
        recording.write(tmp_path / "a.mp3")
