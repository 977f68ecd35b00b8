"""MP3 is read to its last frame: without a stated length, joined, between tags; what is cut or foreign is told."""

import io
import warnings

import numpy as np
import pytest
import soundfile
from sounds import mp3, put, without_first_frame

from spiritlens.speech.audio.decoding import decoded
from spiritlens.speech.audio.mpeg import _walk
from spiritlens.speech.audio.waveform import AudioError, read_waveform

TAG = b"ID3\x04\0\0\0\0\x07\x68" + bytes(1000)
DECODER_DELAY = 529
ENCODER_DELAY = 576
"""Samples before the sound: LAME's stated delay and the decoder's own, which a stated first frame lets a reader cut."""


@pytest.fixture(scope="module")
def loud(tone):
    """Two seconds of a tone that grows into noise, so that the bit rate varies."""
    noise = np.random.default_rng(0).standard_normal(len(tone)) * np.linspace(0, 0.2, len(tone))
    return (0.5 * tone + noise).clip(-1, 1).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_without_a_stated_length_every_frame_is_read(loud, rate, mode):
    whole = mp3(loud, rate, mode)
    bare = without_first_frame(whole)
    stated, counted = decoded(whole, "whole").mono, decoded(bare, "bare").mono
    header = _walk(bare).headers[0]
    assert len(stated) == len(loud)
    assert len(counted) == len(_walk(bare).places) * header.samples
    delay = ENCODER_DELAY + DECODER_DELAY
    assert np.abs(counted[delay : delay + len(loud)] - stated).max() < 1e-6


def test_the_start_equals_what_libsndfile_reads(loud):
    """Of a constant bit rate it guesses the length rightly, and reads the same samples from the first on."""
    bare = without_first_frame(mp3(loud))
    theirs, _ = soundfile.read(io.BytesIO(bare), dtype="float32")
    assert len(theirs) == len(decoded(bare, "bare").mono)
    assert np.abs(theirs - decoded(bare, "bare").mono).max() < 1e-6


def test_joined_files_are_read_one_after_the_other(loud):
    one = mp3(loud)
    both = decoded(one + mp3(loud[::-1]), "both").mono
    assert np.array_equal(both, np.concatenate([decoded(one, "one").mono, decoded(mp3(loud[::-1]), "other").mono]))
    with_bare = decoded(one + TAG + without_first_frame(one), "with a bare one").mono
    assert np.array_equal(with_bare[: len(loud)], decoded(one, "one").mono)
    assert np.array_equal(with_bare[len(loud) :], decoded(without_first_frame(one), "bare").mono)


def test_tags_are_passed_over_without_a_word(loud):
    one = mp3(loud)
    expected = decoded(one, "one")
    ape = b"APETAGEX" + bytes(4) + (40).to_bytes(4, "little") + bytes(16) + bytes(40)
    for data in (TAG + one, one + b"TAG" + bytes(125), one + ape, one + bytes(3000), TAG + TAG + one + ape):
        found = decoded(data, "tagged")
        assert np.array_equal(found.mono, expected.mono)
        assert not found.remark


def test_a_cut_file_that_states_its_length_is_refused(loud):
    data = mp3(loud)
    with pytest.raises(AudioError, match=r"is truncated: its header promises \d+ frames of 576 samples, \d+ are there"):
        read_waveform(data[: len(data) // 2])


def test_what_is_left_out_is_told(loud):
    bare = without_first_frame(mp3(loud))
    with pytest.warns(UserWarning, match=r"its last frame lacks \d+ bytes and is not read"):
        read_waveform(bare[:-50])
    place = _walk(bare).places[20]
    with pytest.warns(UserWarning, match=r"300 bytes between its frames are no MPEG audio"):
        found = read_waveform(bare[:place] + b"xyz" * 100 + bare[place:])
    assert len(found) == len(read_waveform(bare))


def test_a_first_frame_that_counts_itself_is_believed_but_for_one(loud):
    data = mp3(loud)
    sign = max(data.find(b"Xing"), data.find(b"Info"))
    counted = int.from_bytes(data[sign + 8 : sign + 12], "big")
    with pytest.warns(UserWarning, match=f"promises {counted + 1} frames of 576 samples, {counted} are there"):
        found = read_waveform(put(data, sign + 8, (counted + 1).to_bytes(4, "big")))
    assert len(found) == counted * 576
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fewer = read_waveform(put(data, sign + 8, (counted // 2).to_bytes(4, "big")))
    assert len(fewer) >= counted * 576 - 2 * DECODER_DELAY - 1152, "frames beyond the stated number are read too"


def test_rates_that_change_are_refused(loud):
    with pytest.raises(AudioError, match="holds 2 recordings at 16000 and 44100 Hz"):
        read_waveform(mp3(loud) + mp3(loud, 44100))


def test_layer_two_is_counted(loud):
    """Layer II frames of silence: 1152 samples each, none of them stated."""
    frame = bytes((0xFF, 0xFD, 0x10, 0xC4)).ljust(144 * 32000 // 44100, b"\0")  # MPEG 1, 32 kbit/s, 44.1 kHz, mono
    walked = _walk(frame * 40)
    assert (len(walked.places), walked.headers[0].samples, walked.headers[0].kind) == (40, 1152, (3, 2, 44100))
