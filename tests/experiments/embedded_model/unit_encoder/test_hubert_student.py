"""The shipped unit encoder's training: its files are what was trained, its padding never leaks, its warps are warps."""

import numpy as np
import pytest
import torch

from experiments.embedded_model.settings import SMOKE
from experiments.embedded_model.unit_encoder.encoder_training import LabelledAudio
from experiments.embedded_model.unit_encoder.hubert_student import (
    N_FREQUENCIES,
    N_PHASES,
    UNIT_NAMES,
    HubertStudent,
    filters,
    load_student,
    save_official,
)
from experiments.embedded_model.unit_encoder.mel_teacher import N_WARPS, NEUTRAL_WARP
from experiments.embedded_model.unit_encoder.student_training import Examples, optimisers
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.encoders.fairseq_files import read_weights_only


@pytest.fixture(scope="module")
def student() -> HubertStudent:
    torch.manual_seed(0)
    return HubertStudent().eval()


@torch.no_grad()
def test_the_files_hold_what_was_trained(student, recording, tmp_path):
    half = HubertStudent().eval()
    half.load_state_dict({name: value.half().float() for name, value in student.state_dict().items()})
    save_official(student, tmp_path)
    encoder = load_student(tmp_path)
    assert encoder.convolutions == student.convolutions
    assert (encoder.rate, encoder.n_units) == (25.0, len(UNIT_NAMES))
    samples = torch.from_numpy(np.array(recording.samples))
    logits, inside = half(samples[None], torch.tensor([len(samples)]))
    network = encoder.quantizer.network(encoder.features(samples))
    assert inside.all()
    assert (network[:, :-1] - logits[0]).abs().max() < 1e-4
    assert (network[:, -1] == -1e4).all()
    units = encoder.encode(recording).ids
    assert units.tolist() == logits[0].argmax(-1).tolist()
    assert len(set(units.tolist())) > 1, "a collapsed encoder would test nothing"
    for path in tmp_path.rglob("*.pt"):
        assert read_weights_only(path)["model_cfg"]


@torch.no_grad()
def test_alone_equals_in_a_padded_batch(student, recording):
    lengths = torch.tensor([2000, 9999, 40000])
    padded = torch.zeros(3, 40000)
    for row, length in zip(padded, lengths, strict=True):
        row[:length] = torch.from_numpy(np.array(recording.samples[8000 : 8000 + length]))
    together, inside = student(padded, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone, _ = student(padded[row : row + 1, :length], lengths[row : row + 1])
        assert inside[row].sum() == alone.shape[1] == student.convolutions.n_frames(length)
        assert torch.allclose(together[row, inside[row]], alone[0], atol=1e-4)


def test_filters_answer_to_their_own_frequency():
    sets = filters()
    assert sets.shape == (N_WARPS, N_PHASES * N_FREQUENCIES, 400)
    assert torch.allclose(sets.norm(dim=-1), torch.ones(N_WARPS, N_PHASES * N_FREQUENCIES), atol=1e-5)
    peaks = torch.fft.rfft(sets[:, :N_FREQUENCIES], n=16000).abs().argmax(-1)  # in hertz
    assert (peaks[NEUTRAL_WARP].diff() > 0).all()
    assert (peaks[:, 60].diff() > 0).all()
    assert torch.allclose(peaks[-1, 60] / peaks[NEUTRAL_WARP, 60], torch.tensor(0.25).exp(), atol=0.02)
    assert torch.equal(sets[:, : 2 * N_FREQUENCIES], -sets[:, 2 * N_FREQUENCIES :])


@torch.no_grad()
def test_the_neutral_warp_is_none(student, recording):
    samples, lengths = torch.from_numpy(np.array(recording.samples[:16000]))[None], torch.tensor([16000])
    plain = student(samples, lengths)[0]
    assert torch.allclose(plain, student(samples, lengths, torch.tensor([NEUTRAL_WARP]))[0], atol=1e-5)
    assert not torch.allclose(plain, student(samples, lengths, torch.tensor([0]))[0], atol=1e-2)


def examples(recording: Waveform) -> Examples:
    """One utterance whose class and whose teacher's choice is the number of the frame."""
    numbers = np.arange(len(recording) // 640) % 41
    samples = (np.array(recording.samples) * 32767).astype(np.int16)
    utterance = LabelledAudio(samples, numbers.astype(np.int16), "espeak:en-us")
    return Examples([utterance], [np.eye(41, dtype=np.float16)[numbers]], SMOKE.student, seed=0)


def test_windows_and_their_labels_belong_together(student, recording):
    drawn = examples(recording)
    samples, lengths, classes, wanted = drawn.batch(student)
    assert samples.shape == (2, round(SMOKE.student.seconds * 16000))
    for length, own, probabilities in zip(lengths.tolist(), classes, wanted, strict=True):
        count = student.convolutions.n_frames(length)
        assert torch.equal(probabilities[:count].argmax(-1), own[:count])
        steps = own[:count].diff() % 41
        assert set(steps.tolist()) <= {0, 1, 2}, "frames go on by about one"
        assert (own[count:] == -1).all()
        assert probabilities[count:].sum() == 0


def test_masks_silence_whole_frequencies_and_hops(recording):
    drawn = examples(recording)
    masked = torch.stack([drawn.mask(torch.ones(2, N_PHASES * N_FREQUENCIES, 250)) for _ in range(20)]).flatten(0, 1)
    phases = masked.unflatten(1, (N_PHASES, N_FREQUENCIES))
    assert torch.equal(phases[:, 0], phases[:, 3])
    assert 0 < (1 - masked).mean() < 0.3


def test_gradients_reach_what_is_trained_and_the_filters_stay(recording):
    torch.manual_seed(0)
    own = HubertStudent()
    samples = torch.from_numpy(np.array(recording.samples[:32000]))[None]
    logits, _ = own(samples, torch.tensor([32000]))
    logits.logsumexp(-1).sum().backward()
    first = own.hubert.feature_extractor.conv_layers[0].conv
    assert first.weight.grad is None
    trained = {id(p) for o in optimisers(own, SMOKE.student) for group in o.param_groups for p in group["params"]}
    unused = {"hubert.masked_spec_embed"}
    for name, value in own.named_parameters():
        assert (id(value) in trained) == value.requires_grad
        if value.requires_grad and name not in unused:
            assert value.grad is not None, name
            assert value.grad.abs().sum() > 0, name
