"""Samples from the bytes of a file: each part of it is decoded to its end by libsndfile, its channels averaged.

The number of samples that a header states decides nothing but whether all are there: fewer are an error, more are
padding of a last coded block. Reading goes on without seeking, as some codings (GSM, G.721) and streams of unknown
length (FLAC from a pipe) allow no other way, and in blocks, so that memory grows with the mono samples alone.
"""

import io
from dataclasses import dataclass

import numpy as np
import soundfile

from spiritlens.speech.containers import contents_of
from spiritlens.speech.contents import AudioError, Part
from spiritlens.speech.resampling import check_rate

BLOCK = 1 << 20
"""Samples decoded at a time, all channels together."""
UNKNOWN_LENGTH = 1 << 62
"""Numbers of samples from here on mean that the header leaves it open."""
LONGEST_PADDING = 4096
"""Samples that a last coded block may have beyond the length that is stated."""
LENGTH_CHECKED = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "SVX", "CAF", "AU", "NIST", "FLAC", "OGG", "MP3", "HTK", "SDS")
"""Formats whose stated length is compared with what is there."""


@dataclass(frozen=True)
class Decoded:
    """Mono samples [time], float32; `peak` is the largest magnitude in any channel, `told` what is left unread."""

    mono: np.ndarray
    rate: int
    peak: float
    told: str = ""


class _Straight(soundfile.SoundFile):  # type: ignore[misc]
    """An open file that is read from start to end."""

    def seekable(self) -> bool:
        """Never sought, so that each read goes on where the last one ended."""
        return False


def decoded(data: bytes, name: str) -> Decoded:
    """All samples of a file's bytes; an `AudioError` with `name` where they are not whole or no audio."""
    contents = contents_of(data)
    if contents.problem:
        raise AudioError(f"{name} {contents.problem}")
    parts = [_decoded_part(part, name) for part in contents.parts]
    if not sum(len(part.mono) for part in parts):
        raise AudioError(f"{name} holds a header but no samples. Record or export it again.")
    rates = sorted({part.rate for part in parts})
    if len(rates) > 1:
        raise AudioError(
            f"{name} holds {len(parts)} recordings at {' and '.join(map(str, rates))} Hz. Give them as files of their "
            "own."
        )
    told = "; ".join(dict.fromkeys(text for text in (contents.remainder, *(part.told for part in parts)) if text))
    mono = parts[0].mono if len(parts) == 1 else np.concatenate([part.mono for part in parts])
    return Decoded(mono, rates[0], float(np.max([part.peak for part in parts])), told)


def averaged(samples: np.ndarray) -> tuple[np.ndarray, float]:
    """The mean of channels [time channel] and the largest magnitude in any (NaN where one sample is)."""
    return samples.mean(axis=1), float(np.abs(samples).max(initial=0.0))


def _decoded_part(part: Part, name: str) -> Decoded:
    try:
        with _Straight(io.BytesIO(part.data)) as file:
            rate = check_rate(file.samplerate, name)
            stated = file.frames if file.frames < UNKNOWN_LENGTH else None
            told = "" if file.format in LENGTH_CHECKED else f"a {file.format} file's length is not checked"
            channels, blocks = file.channels, list(_blocks(file, stated))
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise AudioError(
            f"{name} cannot be read as audio ({_reason(error)}). Convert it: ffmpeg -i INPUT OUTPUT.wav"
        ) from None
    mono = (
        blocks[0][0]
        if len(blocks) == 1
        else np.concatenate([block for block, _ in blocks] or [np.zeros(0, np.float32)])
    )
    peak = float(np.max([peak for _, peak in blocks], initial=0.0))
    mono = mono[part.skip :]
    promised = part.n_samples if part.n_samples is not None else stated
    if promised is None:
        return Decoded(mono, rate, peak, told)
    if len(mono) < promised != len(mono) * channels:  # some writers count the samples of all channels
        raise AudioError(
            f"{name} is truncated: its header promises {promised} samples, {len(mono)} are there. Copy it again."
        )
    if len(mono) - promised > LONGEST_PADDING:
        told = "; ".join(
            filter(None, (told, f"its header promises {promised} samples, {len(mono)} are there and read"))
        )
    elif promised < len(mono):
        mono = mono[:promised]
    return Decoded(mono, rate, peak, told)


def _blocks(file: _Straight, stated: int | None) -> "list[tuple[np.ndarray, float]]":
    """Mono samples and peak of each block, up to the stated number of samples or to the end."""
    size, left, found = max(1, BLOCK // file.channels), stated, []
    while left is None or left > 0:
        wanted = size if left is None else min(size, left)
        block = file.read(frames=wanted, dtype="float32", always_2d=True)
        if len(block):
            found.append(averaged(block))
        if len(block) < wanted:
            break
        left = None if left is None else left - wanted
    return found


def _reason(error: Exception) -> str:
    said = str(error).rsplit(": ", 1)[-1].strip()
    if "SF_INFO struct incomplete" in said:
        return "its header states 0 Hz or no channels"
    return said or "libsndfile gives no reason"
