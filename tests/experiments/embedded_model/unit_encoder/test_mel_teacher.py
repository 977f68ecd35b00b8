"""The teacher of the unit encoder: shapes, padding that never leaks, determinism, and files that read back."""

import json

import numpy as np
import pytest
import torch

from experiments.embedded_model.unit_encoder.mel_teacher import (
    FRAME,
    N_WARPS,
    NEUTRAL_WARP,
    MelEncoderConfig,
    MelUnitEncoder,
    frame_logits,
    load_mel_encoder,
    mel_filter_banks,
    save_mel_encoder,
)
from spiritlens.shapes import ShapeError

SIZES = MelEncoderConfig(n_units=7, unit_names=tuple("abcdefg"), d_model=32, n_layers=2)


@pytest.fixture(scope="module")
def encoder() -> MelUnitEncoder:
    torch.manual_seed(0)
    return MelUnitEncoder(SIZES).eval()


def test_alone_equals_in_a_padded_batch(encoder, recording):
    lengths = [700, 5000, 9999, 40000]
    cuts = [recording.samples[8000 : 8000 + length] for length in lengths]
    together = frame_logits(encoder, cuts)
    for cut, logits in zip(cuts, together, strict=True):
        alone = frame_logits(encoder, [cut])[0]
        assert alone.shape == (len(cut) // FRAME, 7)
        assert torch.allclose(alone, logits, atol=1e-5)


def test_normalised_bands(encoder, recording):
    lengths = torch.tensor([len(recording), 20000])
    samples = torch.from_numpy(np.array(recording.samples)).repeat(2, 1)
    mel = encoder.log_mel(samples, lengths)
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
    plain = encoder.log_mel(samples, lengths)
    assert torch.equal(plain, encoder.log_mel(samples, lengths, torch.tensor([NEUTRAL_WARP])))
    assert not torch.allclose(plain, encoder.log_mel(samples, lengths, torch.tensor([0])), atol=0.1)


def test_files_read_back(encoder, recording, tmp_path):
    save_mel_encoder(encoder, tmp_path / "encoder")
    again = load_mel_encoder(tmp_path / "encoder")
    assert again.config == encoder.config
    assert torch.equal(frame_logits(again, [recording.samples])[0], frame_logits(encoder, [recording.samples])[0])
    assert load_mel_encoder(tmp_path / "encoder", floor=1e-3).config.floor == 1e-3
    record = json.loads((tmp_path / "encoder" / "encoder.json").read_text())
    (tmp_path / "encoder" / "encoder.json").write_text(json.dumps({**record, "format": "other/1"}))
    with pytest.raises(ValueError, match=r"not of format spiritlens\.mel_units/1"):
        load_mel_encoder(tmp_path / "encoder")


def test_gradients_reach_every_weight(recording):
    torch.manual_seed(0)
    model = MelUnitEncoder(SIZES).train()
    samples = torch.from_numpy(np.array(recording.samples[:32000]))[None]
    lengths = torch.tensor([32000])
    hidden, logits = model(model.log_mel(samples, lengths), lengths)
    assert hidden.shape == (1, 50, 32)
    logits.logsumexp(-1).sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in model.parameters())


def test_wrong_shape_names_the_axis(encoder):
    with pytest.raises(ShapeError, match=r"samples.*batch time"):
        encoder.log_mel(torch.zeros(16000), torch.tensor([16000]))


def test_config_refuses_names_that_do_not_fit():
    with pytest.raises(ValueError, match="2 unit names for 3 units"):
        MelEncoderConfig(n_units=3, unit_names=("a", "b"))
    with pytest.raises(ValueError, match="not divisible"):
        MelEncoderConfig(n_units=1, unit_names=("a",), d_model=30)
