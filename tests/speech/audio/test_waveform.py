"""Reading audio of any format exactly, and one clear error for each kind of bad input."""

import io

import numpy as np
import pytest
import soundfile

from spiritlens.speech.audio.waveform import RATE, AudioError, Waveform, read_waveform


def encoded(samples: np.ndarray, rate: int = RATE, **options: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, **{"format": "WAV", "subtype": "PCM_16", **options})
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({}, 5e-5),
        ({"subtype": "PCM_24"}, 1e-6),
        ({"subtype": "FLOAT"}, 0.0),
        ({"subtype": "ULAW"}, 0.02),
        ({"format": "FLAC"}, 5e-5),
        ({"format": "AIFF"}, 5e-5),
        ({"format": "OGG", "subtype": "VORBIS"}, 0.02),
        ({"format": "MP3", "subtype": "MPEG_LAYER_III"}, 0.02),
    ],
)
def test_formats_keep_samples_and_length(tone, options, tolerance):
    waveform = read_waveform(encoded(tone, **options))
    assert len(waveform) == len(tone)
    assert waveform.rate == RATE
    middle = slice(2000, -2000)  # lossy codecs differ at the edges
    assert np.abs(waveform.samples[middle] - tone[middle]).max() <= tolerance


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_other_rates_become_16_khz(rate):
    sine = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)
    waveform = read_waveform(encoded(sine, rate, subtype="FLOAT"))
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)
    assert len(waveform) == 2 * RATE
    assert np.abs(waveform.samples[1000:-1000] - expected[1000:-1000]).max() < 1e-5


def test_channels_are_averaged(tone):
    stereo = np.stack([tone, 0.5 * tone], axis=1)
    assert np.allclose(read_waveform(encoded(stereo, subtype="FLOAT")).samples, 0.75 * tone, atol=1e-6)


def test_sources_of_every_kind_agree(tmp_path, tone):
    data = encoded(tone)
    path = tmp_path / "tone.wav"
    path.write_bytes(data)
    digests = {read_waveform(source).digest for source in (data, path, str(path), io.BytesIO(data))}
    assert len(digests) == 1


def test_written_wav_reads_back_exactly(tmp_path, recording):
    on_grid = recording.on_pcm16_grid()
    path = on_grid.write(tmp_path / "copy.wav")
    assert np.array_equal(read_waveform(path).samples, on_grid.samples)
    assert read_waveform(path).digest == on_grid.digest


def test_slice_and_duration(tone):
    waveform = Waveform(tone)
    assert waveform.duration == 2.0
    part = waveform.slice(0.5, 1.25)
    assert np.array_equal(part.samples, tone[8000:20000])
    with pytest.raises(AudioError, match="lies outside of the audio"):
        waveform.slice(1.5, 2.5)


def test_html_holds_a_playable_wav(tone):
    html = Waveform(tone)._repr_html_()
    assert "<audio controls" in html
    assert "data:audio/wav;base64,UklGR" in html


def test_samples_cannot_be_changed_in_place(tone):
    with pytest.raises(ValueError, match="read-only"):
        Waveform(tone).samples[0] = 1


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((2, 100), np.float32), "expected one axis"),
        (np.zeros(100, np.int64), r"samples are int64; expected floats in \[-1, 1\] or 8-, 16- or 32-bit integers"),
        (np.zeros(100, bool), "samples are bool"),
        (["a", "b"], "samples are str"),
        (np.array([0.0, np.nan]), "NaN or infinity"),
        (np.array([0.0, 1.5]), "Divide the samples by 1.5"),
    ],
)
def test_waveform_refuses_bad_samples(samples, message):
    with pytest.raises(AudioError, match=message):
        Waveform(samples)


def test_waveform_refuses_bad_rate(tone):
    with pytest.raises(AudioError, match="whole number of samples per second from 1000 to 768000"):
        Waveform(tone, rate=0)


def refused(source: object) -> str:
    """The message with which a source is refused."""
    with pytest.raises(AudioError) as error:
        read_waveform(source)
    return str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.wav: no such audio file"):
        read_waveform(tmp_path / "none.wav")


def test_folder(tmp_path):
    assert "is a folder" in refused(tmp_path)


def test_empty_file():
    assert "is empty (0 bytes)" in refused(b"")


def test_text_named_wav(tmp_path):
    path = tmp_path / "words.wav"
    path.write_text("These are words, é and all.\n")
    message = refused(path)
    assert "words.wav" in message
    assert "is a text file" in message


def test_m4a_names_the_remedy():
    assert "ffmpeg -i INPUT.m4a OUTPUT.wav" in refused(b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(500))


def test_webm_names_the_remedy():
    assert "ffmpeg -i INPUT.webm OUTPUT.wav" in refused(b"\x1a\x45\xdf\xa3" + bytes(500))


def test_noise_bytes_are_not_audio():
    data = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes()
    assert "cannot be read as audio" in refused(data)


def test_truncated_wav(tone):
    data = encoded(tone)
    assert "data header promises" in refused(data[: len(data) // 2])


def test_wav_whose_data_chunk_is_truncated(tone):
    data = encoded(tone)
    half = data[: len(data) // 2]
    patched = (
        half[:4] + (len(half) - 8).to_bytes(4, "little") + half[8:]
    )  # as a tool that repairs the outer size leaves it
    assert "data header promises" in refused(patched)


def test_truncated_aiff(tone):
    data = encoded(tone, format="AIFF")
    assert "is truncated" in refused(data[: len(data) // 2])


@pytest.mark.parametrize("size", [b"\xff\xff\xff\xff", b"\x24\xf0\xff\x7f", b"\0\0\0\0"])
def test_wav_written_by_a_stream_is_accepted(tone, size):
    data = encoded(tone)
    streamed = data[:4] + size + data[8:]
    assert len(read_waveform(streamed)) == len(tone)


@pytest.mark.parametrize(
    ("options", "rate"), [({"format": "CAF"}, 16000), ({"format": "W64"}, 192000), ({"format": "AU"}, 4000)]
)
def test_rarer_containers_and_rates(options, rate):
    sine = 0.5 * np.sin(2 * np.pi * 300 * np.arange(rate) / rate)
    waveform = read_waveform(encoded(np.stack([sine] * 6, axis=1), rate, **options))
    assert len(waveform) == RATE
    assert (
        np.abs(waveform.samples[2000:-2000] - 0.5 * np.sin(2 * np.pi * 300 * np.arange(2000, 14000) / RATE)).max()
        < 1e-3
    )


def test_truncated_ogg(tone):
    data = encoded(tone, format="OGG", subtype="VORBIS")
    assert "last Ogg page is missing" in refused(data[: 2 * len(data) // 3])


def test_truncated_mp3(tone):
    data = encoded(np.tile(tone, 4), format="MP3", subtype="MPEG_LAYER_III")
    assert "is truncated" in refused(data[: len(data) // 3])


def test_truncated_flac(recording):
    data = encoded(recording.samples, format="FLAC")
    assert refused(data[: len(data) // 2])


def test_header_only():
    assert "header but no samples" in refused(encoded(np.zeros(0, np.float32)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_numbers(tone, value):
    broken = tone.copy()
    broken[100] = value
    assert "NaN or infinite" in refused(encoded(broken, subtype="FLOAT"))


def test_loud_samples_are_scaled_with_a_warning(tone):
    with pytest.warns(UserWarning, match="scaled down"):
        waveform = read_waveform(encoded(6 * tone, subtype="FLOAT"))
    assert np.allclose(waveform.samples, 2 * tone, atol=1e-3)


def test_samples_far_outside_are_refused(tone):
    assert "Divide them by full scale" in refused(encoded(30000 * tone, subtype="FLOAT"))


def test_silence_only():
    assert "silence only" in refused(encoded(np.zeros(16000, np.float32)))


def test_channels_that_cancel_are_silence(tone):
    assert "silence only" in refused(encoded(np.stack([tone, -tone], axis=1), subtype="FLOAT"))
