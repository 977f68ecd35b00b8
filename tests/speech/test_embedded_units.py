"""The embedded encoder: shapes, padding that never leaks, determinism, and files that read back."""

import json

import numpy as np
import pytest
import torch

from spiritlens.shapes import ShapeError
from spiritlens.speech.embedded_units import (
    FRAME,
    LONGEST_CHUNK,
    N_WARPS,
    NEUTRAL_WARP,
    MelEncoderConfig,
    MelUnitEncoder,
    MelUnits,
    load_mel_units,
    mel_filter_banks,
    save_mel_units,
)
from spiritlens.speech.waveform import AudioError, Waveform

SIZES = MelEncoderConfig(n_units=7, unit_names=tuple("abcdefg"), d_model=32, n_layers=2)


@pytest.fixture(scope="module")
def encoder() -> MelUnits:
    torch.manual_seed(0)
    return MelUnits(MelUnitEncoder(SIZES))


def test_one_unit_per_40_ms(encoder, recording):
    units = encoder.encode(recording)
    assert len(units) == len(recording) // 640
    assert units.rate == 25
    assert units.starts[10] == 0.4
    assert len(set(units.ids.tolist())) > 1, "a collapsed encoder would test nothing"
    assert encoder.n_units == 7


def test_alone_equals_in_a_padded_batch(encoder, recording):
    lengths = [700, 5000, 9999, 40000]
    cuts = [recording.samples[8000 : 8000 + length] for length in lengths]
    together = encoder.frame_logits(cuts)
    for cut, logits in zip(cuts, together, strict=True):
        alone = encoder.frame_logits([cut])[0]
        assert alone.shape == (len(cut) // FRAME, 7)
        assert torch.allclose(alone, logits, atol=1e-5)
    waveforms = [Waveform(cut) for cut in cuts]
    for waveform, units in zip(waveforms, encoder.encode_many(waveforms, batch_size=3), strict=True):
        assert units.ids.tolist() == encoder.encode(waveform).ids.tolist()


def test_audio_over_100_s_is_cut(encoder, recording):
    long = Waveform(np.resize(recording.samples, LONGEST_CHUNK + 1700))
    units = encoder.encode(long)
    assert len(units) == LONGEST_CHUNK // FRAME + 2
    assert units.ids[-2:].tolist() == encoder.encode(Waveform(long.samples[LONGEST_CHUNK:])).ids.tolist()


def test_same_units_at_one_and_two_threads(encoder, recording):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = encoder.encode(recording).ids
        torch.set_num_threads(2)
        two = encoder.encode(recording).ids
    finally:
        torch.set_num_threads(before)
    assert one.tolist() == two.tolist()


def test_normalised_bands(encoder, recording):
    lengths = torch.tensor([len(recording), 20000])
    samples = torch.from_numpy(np.array(recording.samples)).repeat(2, 1)
    mel = encoder.model.log_mel(samples, lengths)
    hops = 20000 // FRAME * 4
    assert torch.allclose(mel.mean(-1)[0], torch.zeros(40), atol=1e-5)
    assert mel[0].std(correction=0) == pytest.approx(1, abs=1e-3)
    assert mel[1, :, hops:].abs().max() == 0
    assert mel[1, :, :hops].mean(-1).abs().max() < 1e-5


def test_warps_move_the_bands(encoder, recording):
    banks = mel_filter_banks()
    assert banks.shape == (N_WARPS, 40, 201)
    peaks = banks[:, 20].argmax(-1)
    assert (peaks.diff() > 0).all()
    samples = torch.from_numpy(np.array(recording.samples[:16000]))[None]
    lengths = torch.tensor([16000])
    plain = encoder.model.log_mel(samples, lengths)
    assert torch.equal(plain, encoder.model.log_mel(samples, lengths, torch.tensor([NEUTRAL_WARP])))
    assert not torch.allclose(plain, encoder.model.log_mel(samples, lengths, torch.tensor([0])), atol=0.1)


def test_files_read_back(encoder, recording, tmp_path):
    save_mel_units(encoder.model, tmp_path / "encoder")
    again = load_mel_units(tmp_path / "encoder")
    assert again.unit_names == tuple("abcdefg")
    assert again.encode(recording).ids.tolist() == encoder.encode(recording).ids.tolist()
    record = json.loads((tmp_path / "encoder" / "encoder.json").read_text())
    (tmp_path / "encoder" / "encoder.json").write_text(json.dumps({**record, "format": "other/1"}))
    with pytest.raises(ValueError, match=r"not of format spiritlens\.mel_units/1"):
        load_mel_units(tmp_path / "encoder")


def test_gradients_reach_every_weight(recording):
    torch.manual_seed(0)
    model = MelUnitEncoder(SIZES).train()
    samples = torch.from_numpy(np.array(recording.samples[:32000]))[None]
    lengths = torch.tensor([32000])
    hidden, logits = model(model.log_mel(samples, lengths), lengths)
    assert hidden.shape == (1, 50, 32)
    logits.logsumexp(-1).sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in model.parameters())


def test_shorter_than_one_unit(encoder):
    with pytest.raises(AudioError, match="shorter than one unit"):
        encoder.encode(Waveform(np.full(FRAME - 1, 0.1, np.float32)))


def test_silence_and_nothing(encoder):
    with pytest.raises(AudioError, match="silence only"):
        encoder.encode(Waveform(np.zeros(16000, np.float32)))
    with pytest.raises(AudioError, match="shorter than one unit"):
        encoder.encode(Waveform(np.zeros(0, np.float32)))


def test_other_rate(encoder, tone):
    with pytest.raises(AudioError, match="takes 16000 Hz"):
        encoder.encode(Waveform(tone, rate=8000))


def test_wrong_shape_names_the_axis(encoder):
    with pytest.raises(ShapeError, match=r"samples.*batch time"):
        encoder.model.log_mel(torch.zeros(16000), torch.tensor([16000]))


def test_config_refuses_names_that_do_not_fit():
    with pytest.raises(ValueError, match="2 unit names for 3 units"):
        MelEncoderConfig(n_units=3, unit_names=("a", "b"))
    with pytest.raises(ValueError, match="not divisible"):
        MelEncoderConfig(n_units=1, unit_names=("a",), d_model=30)
