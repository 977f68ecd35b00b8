"""The official package: its absence is said in one sentence; its presence is tried with a stand-in of its surface."""

import itertools
import sys
import types

import numpy as np
import pytest
import torch

from spiritlens.speech.audio.waveform import AudioError, Waveform
from spiritlens.speech.encoders.official import (
    OfficialPackageMissing,
    compare_encoders,
    load_official_units,
    official_installed,
    streams_of_answer,
)
from spiritlens.speech.units import UnitStream


class StandInTokenizer:
    """The surface of the official speech tokenizer: one unit per 40 ms made of the sign of the samples."""

    def __init__(self, expressive: bool):
        self.expressive = expressive

    def encode_units(self, audio, channel_id=None):
        assert isinstance(audio, torch.Tensor)
        assert audio.ndim == 1
        frames = audio[: len(audio) // 640 * 640].reshape(-1, 640)
        units = {"hubert": " ".join(str(int(value)) for value in (frames.mean(1) > 0))}
        if self.expressive:
            units |= {"pitch": " ".join(["5"] * (len(frames) // 2)), "style": "7 8"}
        return units

    def units2string(self, units):
        ids = units["hubert"].split()
        kept = [ids[0], *(b for a, b in itertools.pairwise(ids) if a != b)]
        return "".join(f"[Hu{unit}]" for unit in kept)


@pytest.fixture
def stand_in(monkeypatch):
    package, tokenizers = types.ModuleType("spiritlm"), types.ModuleType("spiritlm.speech_tokenizer")
    package.__spec__ = types.SimpleNamespace(name="spiritlm")
    tokenizers.spiritlm_base = lambda: StandInTokenizer(False)
    tokenizers.spiritlm_expressive = lambda: StandInTokenizer(True)
    for module in (package, tokenizers):
        monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.fixture
def speech(recording) -> Waveform:
    return Waveform(recording.samples[:32000])


def test_absence_is_said_in_one_clear_sentence(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    assert not official_installed()
    with pytest.raises(OfficialPackageMissing, match=r"not installed; get it by `pip install.*no commercial use"):
        load_official_units()


def test_base_units_have_times(stand_in, speech):
    encoder = load_official_units()
    units = encoder.encode(speech)
    assert len(units) == 50
    assert units.starts[10] == 0.4
    assert units.ids.tolist() == [int(v > 0) for v in speech.samples.reshape(-1, 640).mean(1)]
    answer = encoder.tokenizer.encode_units(torch.from_numpy(speech.samples.copy()))
    assert encoder.tokenizer.units2string(answer) == "".join(f"[Hu{i}]" for i in units.dedup().ids)
    assert "official" in encoder.name


def test_expressive_streams(stand_in, speech):
    streams = load_official_units("expressive").streams(speech)
    assert list(streams) == ["unit", "pitch", "style"]
    assert [stream.rate for stream in streams.values()] == [25.0, 12.5, 1.0]
    assert streams["style"].ids.tolist() == [7, 8]
    assert streams["style"].starts.tolist() == [0.0, 1.0]
    assert streams["pitch"].dedup().ends[-1] == 2.0


def test_frames_of_long_audio_are_dated_by_chunks():
    units = streams_of_answer({"hubert": " ".join(["1"] * 2500)})["unit"]
    assert units.starts[2498:].tolist() == [99.92, 100.0]


class Fixed:
    """An encoder that always gives the same units."""

    rate, n_units, digest = 25.0, 10, ""

    def __init__(self, name, ids):
        self.name, self.ids = name, ids

    def encode(self, waveform):
        return UnitStream.from_frames(self.ids)


@pytest.mark.parametrize(
    ("one", "other", "n_equal", "moment"),
    [([1, 2, 3], [1, 2, 3], 3, None), ([1, 2, 3], [1, 9, 3], 2, 0.04), ([1, 2], [1, 2, 3], 2, 0.08)],
)
def test_comparison(one, other, n_equal, moment, speech):
    comparison = compare_encoders(Fixed("ours", one), Fixed("theirs", other), speech)
    assert (comparison.n_equal, comparison.first_difference) == (n_equal, moment)
    assert comparison.identical == (one == other)
    assert ("all 3 frames equal" in str(comparison)) == (one == other)


def test_a_comparison_of_an_encoder_with_itself_says_so(stand_in, speech):
    comparison = compare_encoders(load_official_units("expressive"), load_official_units("expressive"), speech)
    assert str(comparison) == "spiritlm_expressive (official package) and another of that name: all 50 frames equal"


def test_refusals(stand_in):
    with pytest.raises(ValueError, match="flavour='loud': expected one of base, expressive"):
        load_official_units("loud")
    with pytest.raises(AudioError, match="shorter than one unit"):
        load_official_units().encode(Waveform(np.full(100, 0.1, np.float32)))
    with pytest.raises(ValueError, match="expected a 'hubert' entry"):
        streams_of_answer({"pitch": "1"})


def test_what_cannot_be_compared(tone):
    encoder, sound = Fixed("a", [1, 2, 3]), Waveform(tone)
    for arguments, said in (
        (("hubert", encoder, sound), "first='hubert'"),
        ((encoder, None, sound), "second=None"),
        ((encoder, encoder, tone), "make one by read_waveform"),
    ):
        with pytest.raises(ValueError, match=said):
            compare_encoders(*arguments)
