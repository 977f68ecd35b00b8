"""What is no audio is named with its remedy; FLAC is read on past the number of samples that it states."""

import struct
import warnings

import numpy as np
import pytest
from sounds import encoded, put

from spiritlens.speech.audio.containers import contents_of
from spiritlens.speech.audio.waveform import AudioError, read_waveform


@pytest.fixture(scope="module")
def flac(tone):
    return encoded(tone, format="FLAC")


def left_open(flac: bytes) -> bytes:
    return put(flac, 21, bytes([flac[21] & 0xF0, 0, 0, 0, 0]))


def test_flac_of_unknown_length_joined_and_tagged(flac, tone):
    expected = read_waveform(flac).samples
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(read_waveform(left_open(flac)).samples, expected)
        assert np.array_equal(read_waveform(b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + flac).samples, expected)
        assert np.array_equal(read_waveform(flac + left_open(flac)).samples, np.tile(expected, 2))
    with pytest.warns(UserWarning, match="what follows its 32000 samples is no audio and is not read"):
        assert np.array_equal(read_waveform(flac + b"TAG" + bytes(125)).samples, expected)


def test_flac_that_states_another_length(flac, tone):
    with pytest.warns(UserWarning, match="promises 20000 samples, 32000 are there and read"):
        assert len(read_waveform(put(flac, 22, struct.pack(">I", 20000)))) == len(tone)
    with pytest.raises(AudioError, match="is truncated: its header promises 50000 samples, 32000 are there"):
        read_waveform(put(flac, 22, struct.pack(">I", 50000)))


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9])
def test_cut_flac_is_refused_with_a_stated_length_and_without(flac, cut):
    for data in (flac, left_open(flac)):
        with pytest.raises(AudioError, match="cannot be read as audio"):
            read_waveform(data[: int(len(data) * cut)])


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"\0\0\0\x20ftypM4A ", "M4A file, which libsndfile does not read"),
        (b"\x1a\x45\xdf\xa3", "WebM"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "ffmpeg -i INPUT.wma"),
        (b"#!AMR\n", "AMR"),
        (b"\xff\xf1\x50\x80", "AAC stream"),
        (b"PK\x03\x04", "zip archive"),
        (b"\x1f\x8b\x08\0", "gunzip"),
        (b"\x89PNG\r\n", "picture"),
        (b"version https://git-lfs.example/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html>", "web page"),
        (b"some words", "text file"),
        (b"", "empty"),
    ],
)
def test_what_is_no_audio_is_named(start, words):
    padding = b"" if start.isascii() and start.decode().isprintable() else bytes(500)
    assert words in contents_of(start + padding).problem
