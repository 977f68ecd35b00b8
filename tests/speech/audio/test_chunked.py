"""Containers of chunks: sizes are compared with what is there, open ones filled in, what follows is read or told."""

import struct
import warnings

import numpy as np
import pytest
from sounds import encoded, put

from spiritlens.speech.audio.decoding import decoded
from spiritlens.speech.audio.waveform import AudioError, read_waveform

KINDS = {
    "WAV": {},
    "WAVEX": {"format": "WAVEX"},
    "RIFX": {"endian": "BIG"},
    "RF64": {"format": "RF64"},
    "W64": {"format": "W64"},
    "AIFF": {"format": "AIFF"},
    "SVX": {"format": "SVX"},
    "CAF": {"format": "CAF"},
    "AU": {"format": "AU"},
    "NIST": {"format": "NIST"},
    "GSM": {"subtype": "GSM610"},
}
W64_NAME = b"junk" + bytes.fromhex("f3acd3118cd100c04f8edb8a")
LIST = b"LIST" + struct.pack("<I", 14) + b"INFOISFT" + struct.pack("<I", 2) + b"xx"


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def whole(kind, tone):
    return encoded(tone, **KINDS[kind])


@pytest.fixture
def silent():
    """Every warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_a_whole_file_is_read_without_a_word(whole, tone, silent):
    assert len(read_waveform(whole)) == len(tone)
    assert np.median(np.abs(read_waveform(whole).samples - tone)) < 0.02


@pytest.mark.parametrize("left", [0.3, 0.6, 0.99])
def test_a_cut_file_is_refused_with_both_lengths(whole, left):
    there = int(len(whole) * left)
    with pytest.raises(AudioError, match=f"is truncated: its .*promises \\d+ bytes, {there} are there"):
        read_waveform(whole[:there])


def test_joined_files_are_read_one_after_the_other(whole, tone, silent):
    one = decoded(whole, "one").mono
    both = read_waveform(whole + whole + whole)
    assert np.array_equal(both.samples, np.concatenate([one, one, one]))
    with pytest.raises(AudioError, match="number 2 is truncated"):
        read_waveform(whole + whole[:-4000])


def test_foreign_bytes_after_the_end_are_told_and_not_read(whole, tone):
    expected = read_waveform(whole)
    with pytest.warns(UserWarning, match=r"are there"):
        found = read_waveform(whole + b"\x01\x02\x03" * 100)
    assert found.digest == expected.digest


def test_zeros_after_the_end_are_nothing(whole, silent):
    assert read_waveform(whole + bytes(1000)).digest == read_waveform(whole).digest


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000, 0x80000000])
@pytest.mark.parametrize("outer", [0, 36, 0xFFFFFFFF])
def test_sizes_of_a_wav_that_its_writer_left_open(tone, size, outer, silent):
    data = put(put(encoded(tone), 4, struct.pack("<I", outer)), 40, struct.pack("<I", size))
    assert np.array_equal(read_waveform(data).samples, read_waveform(encoded(tone)).samples)


@pytest.mark.parametrize(
    ("kind", "name", "sizes"),
    [
        ("AIFF", b"SSND", [(4, bytes(4)), (4, b"\xff" * 4)]),
        ("CAF", b"data", [(4, b"\xff" * 8)]),
        ("W64", b"data", [(16, b"\xff" * 8), (16, b"\xff" * 7 + b"\x7f")]),
        ("RF64", b"ds64", [(8, bytes(24)), (8, b"\xff" * 24)]),
        ("AU", b".snd", [(8, bytes(4)), (8, b"\xff" * 4)]),
    ],
)
def test_sizes_of_others_that_were_left_open(tone, kind, name, sizes, silent):
    data = encoded(tone, **KINDS[kind])
    for offset, size in sizes:
        found = read_waveform(put(data, data.find(name) + offset, size))
        assert np.array_equal(found.samples, read_waveform(data).samples)


def test_an_outer_size_that_is_the_files_is_no_truncation(tone, silent):
    data = encoded(tone)
    assert len(read_waveform(put(data, 4, struct.pack("<I", len(data))))) == len(tone)


def test_chunks_around_the_samples(tone, silent):
    data = encoded(tone)
    odd = b"note" + struct.pack("<I", 5) + b"words\0"
    for with_chunks in (data + LIST, data[:36] + LIST + data[36:], data[:36] + odd + data[36:]):
        assert read_waveform(with_chunks).digest == read_waveform(data).digest
    eight_bits = encoded(tone[:-1], subtype="PCM_U8")
    whole = read_waveform(eight_bits)
    unpadded = eight_bits[: 44 + len(tone) - 1]
    for data in (unpadded, unpadded + LIST, unpadded + b"\0" + LIST):
        assert read_waveform(data).digest == whole.digest


def test_a_chunk_after_the_samples_of_w64_is_not_read_as_samples(tone, silent):
    data = encoded(tone, format="W64")
    assert len(read_waveform(data + W64_NAME + struct.pack("<Q", 24 + 800) + bytes(800))) == len(tone)


def test_promises_of_the_outer_header_and_of_comm_are_told(tone):
    data = encoded(tone)
    with pytest.warns(UserWarning, match=f"promises {len(data) + 5008} bytes, {len(data)} are there; its samples are"):
        read_waveform(put(data, 4, struct.pack("<I", len(data) + 5000)))
    with pytest.warns(UserWarning, match="it ends at 20044 bytes by its header, 64044 are there"):
        assert len(read_waveform(put(data, 40, struct.pack("<I", 20000)))) == 10000
    aiff = encoded(tone, format="AIFF")
    with pytest.warns(UserWarning, match="its COMM chunk promises 9000 samples, 32000 are there and read"):
        assert len(read_waveform(put(aiff, aiff.find(b"COMM") + 10, struct.pack(">I", 9000)))) == len(tone)


def test_no_samples_but_a_chunk(tone):
    with pytest.raises(AudioError, match="holds a header but no samples"):
        read_waveform(put(encoded(tone)[:44], 40, bytes(4)) + LIST)


@pytest.mark.parametrize("subtype", ["GSM610", "MS_ADPCM", "G721_32", "NMS_ADPCM_16"])
def test_the_padding_of_a_last_block_is_left_out(tone, subtype, silent):
    """Seven samples short of two seconds, which no coding ends a block at."""
    assert len(read_waveform(encoded(tone[:-7], subtype=subtype))) == len(tone) - 7


@pytest.mark.parametrize("rate", [0, 1, 999, 768001, 2**31 - 1])
def test_rates_that_no_recording_has(tone, rate):
    with pytest.raises(AudioError, match="0 Hz" if rate == 0 else f"the rate is {rate}; expected .* 1000 to 768000"):
        read_waveform(put(encoded(tone), 24, struct.pack("<I", rate)))


def test_formats_whose_length_is_not_checked_say_so(tone):
    with pytest.warns(UserWarning, match=r"the length of its format \(VOC\) is not checked"):
        assert len(read_waveform(encoded(tone, format="VOC"))) == len(tone)


def test_more_than_a_block_beyond_the_stated_number_is_read_and_told(tone):
    data = encoded(tone, subtype="GSM610")
    with pytest.warns(UserWarning, match="promises 31000 samples, 32000 are there and read"):
        assert len(read_waveform(put(data, data.find(b"fact") + 8, struct.pack("<I", 31000)))) == len(tone)
