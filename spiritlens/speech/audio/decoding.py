"""Samples from the bytes of a file: each part of it is decoded to its end by libsndfile, its channels averaged.

The number of samples that a header states decides nothing but whether all are there: fewer are an error, more are
padding of a last coded block. Reading goes on without seeking, as some codings (GSM, G.721) and streams of unknown
length (FLAC from a pipe) allow no other way, and in blocks, so that memory grows with the mono samples alone.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soundfile

from spiritlens.speech.audio.containers import contents_of
from spiritlens.speech.audio.contents import AudioError, SoundPart
from spiritlens.speech.audio.resampling import check_rate

BLOCK = 1 << 20
"""Samples decoded at a time, all channels together."""
UNKNOWN_LENGTH = 1 << 62
"""Numbers of samples from here on mean that the header leaves it open."""
LENGTH_CHECKED = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "SVX", "CAF", "AU", "NIST", "FLAC", "OGG", "MP3", "HTK")
"""Formats whose stated length is compared with what is there."""


@dataclass(frozen=True)
class Decoded:
    """Mono samples [time], float32; `peak` is the largest magnitude in any channel, `remark` what is left unread."""

    mono: np.ndarray
    rate: int
    peak: float
    remark: str = ""


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
    remark = "; ".join(dict.fromkeys(text for text in (contents.remainder, *(part.remark for part in parts)) if text))
    return Decoded(
        _joined([part.mono for part in parts]), rates[0], float(np.max([part.peak for part in parts])), remark
    )


def mixed_down(samples: np.ndarray) -> tuple[np.ndarray, float]:
    """The mean of channels [time channel] and the largest magnitude in any (NaN where one sample is)."""
    mono = samples.mean(axis=1) if samples.shape[1] != 1 else samples[:, 0]
    return mono, float(np.abs(samples).max(initial=0.0))


def _decoded_part(part: SoundPart, name: str) -> Decoded:
    try:
        with _Straight(io.BytesIO(part.data)) as file:
            rate, channels = check_rate(file.samplerate, name), file.channels
            counted = file.frames if file.frames < UNKNOWN_LENGTH else None
            remarks = (
                [] if file.format in LENGTH_CHECKED else [f"the length of its format ({file.format}) is not checked"]
            )
            blocks = list(_blocks(file, counted, part, remarks))
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise AudioError(
            f"{name} cannot be read as audio ({_reason(error)}). Convert it: ffmpeg -i INPUT OUTPUT.wav"
        ) from None
    mono = _joined([block for block, _ in blocks])[part.skip :]
    peak = float(np.max([peak for _, peak in blocks], initial=0.0))
    promised = part.n_samples if part.n_samples is not None else counted
    if promised is not None and len(mono) < promised != len(mono) * channels:  # some count those of all channels
        raise AudioError(
            f"{name} is truncated: its header promises {promised} samples, {len(mono)} are there. Copy it again."
        )
    if promised is not None and len(mono) > promised:
        if len(mono) - promised <= part.padding:
            mono = mono[:promised]
        else:
            remarks.append(f"its header promises {promised} samples, {len(mono)} are there and read")
    return Decoded(mono, rate, peak, "; ".join(remarks))


def _blocks(
    file: _Straight, counted: int | None, part: SoundPart, remarks: list[str]
) -> Iterator[tuple[np.ndarray, float]]:
    """Mono samples and peak of each block up to libsndfile's number of samples, or to the end where it knows none.

    What follows the stated number of samples and is no audio is left out and remarked on.
    """
    size, total = max(1, BLOCK // file.channels), 0
    while counted is None or total < counted:
        stops = (stop - total for stop in (counted, part.n_samples) if stop is not None and stop > total)
        wanted = min(size, *stops, size)
        try:
            block = file.read(frames=wanted, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError:
            if part.n_samples is None or total < part.n_samples:
                raise
            remarks.append(f"what follows its {total} samples is no audio and is not read")
            return
        if len(block):
            total += len(block)
            yield mixed_down(block)
        if len(block) < wanted:
            return


def _joined(blocks: list[np.ndarray]) -> np.ndarray:
    if len(blocks) == 1:
        return blocks[0]
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def _reason(error: Exception) -> str:
    said = str(error).rsplit(": ", 1)[-1].strip()
    if "SF_INFO struct incomplete" in said:
        return "its header states 0 Hz or no channels"
    return said or "libsndfile gives no reason"
