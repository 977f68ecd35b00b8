"""A waveform: mono samples in [-1, 1] at one rate, read from whatever libsndfile reads.

Axes: ``time`` (samples). Units: seconds for durations, samples per second for rates. Everything downstream works at
16 kHz mono, as the published unit encoders do: channels are averaged, other rates are resampled (`resampling`), and no
loudness normalisation is applied.

A file is refused with one `AudioError` that says what is wrong and what to do, because libsndfile itself reads several
kinds of broken files without complaint (truncated wav, ogg and mp3; NaN; samples far outside [-1, 1]).
"""

import base64
import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from spiritlens.files.atomic import write_whole
from spiritlens.speech.containers import container_problem
from spiritlens.speech.resampling import Resampler, resample

RATE = 16000
"""Samples per second of every waveform that `read_waveform` returns."""

LOUDEST_SCALED = 8.0
"""Samples up to this magnitude are scaled into [-1, 1] with a warning; beyond it the file is refused."""

SILENCE_PEAK = 1e-4
"""A recording whose largest sample is below this holds silence only (3 steps of 16-bit audio)."""


class AudioError(ValueError):
    """Audio that cannot be used; the message names the source, what is wrong, and the remedy."""


@dataclass(frozen=True, eq=False)
class Waveform:
    """Mono audio: `samples` float32 [time] in [-1, 1], `rate` samples per second, `source` where it came from."""

    samples: np.ndarray
    rate: int = RATE
    source: str = ""

    def __post_init__(self) -> None:
        samples = np.asarray(self.samples)
        name = self.source or "waveform"
        if samples.ndim != 1:
            raise AudioError(
                f"{name}: samples have shape {samples.shape}; expected one axis (time). Average the channels first."
            )
        if not np.issubdtype(samples.dtype, np.floating):
            raise AudioError(
                f"{name}: samples are {samples.dtype}; expected floats in [-1, 1]. Divide 16-bit integers by 32768."
            )
        if self.rate <= 0:
            raise AudioError(f"{name}: rate is {self.rate}; expected a positive number of samples per second.")
        if not np.isfinite(samples).all():
            raise AudioError(f"{name}: samples hold NaN or infinity; write the file again from a clean source.")
        if samples.size and (peak := float(np.abs(samples).max())) > 1.0:
            raise AudioError(
                f"{name}: the largest sample is {peak:.3g}; expected at most 1. Divide the samples by {peak:.3g}."
            )
        object.__setattr__(self, "samples", np.ascontiguousarray(samples, dtype=np.float32))
        self.samples.setflags(write=False)

    def __len__(self) -> int:
        return int(self.samples.size)

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self) / self.rate

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the rate and the samples: equal audio has an equal digest whatever its source."""
        return hashlib.sha256(f"{self.rate}:".encode() + self.samples.tobytes()).hexdigest()

    def slice(self, start: float, end: float) -> "Waveform":
        """The part from `start` to `end` seconds."""
        if not 0 <= start < end <= self.duration + 0.5 / self.rate:
            raise AudioError(f"slice {start:.3f}-{end:.3f} s lies outside of the audio (0-{self.duration:.3f} s).")
        return Waveform(self.samples[round(start * self.rate) : round(end * self.rate)], self.rate, self.source)

    def on_pcm16_grid(self) -> "Waveform":
        """The same audio with each sample rounded to a 16-bit step, so that writing and reading it changes nothing."""
        return Waveform(_pcm16(self.samples).astype(np.float32) / 32768, self.rate, self.source)

    def wav_bytes(self) -> bytes:
        """A 16-bit PCM wav file as bytes."""
        buffer = io.BytesIO()
        soundfile.write(buffer, _pcm16(self.samples), self.rate, subtype="PCM_16", format="WAV")
        return buffer.getvalue()

    def write(self, path: str | Path) -> Path:
        """Write a 16-bit PCM wav file and return its path."""
        return write_whole(Path(path), self.wav_bytes())

    def __repr__(self) -> str:
        source = f" from {self.source}" if self.source else ""
        return f"Waveform({self.duration:.3f} s, {self.rate} Hz{source})"

    def _repr_html_(self) -> str:
        audio = base64.b64encode(self.wav_bytes()).decode()
        return f'<audio controls src="data:audio/wav;base64,{audio}"></audio>'


def read_waveform(source: str | Path | bytes | BinaryIO, resampler: Resampler = "soxr") -> Waveform:
    """Read audio of any format, rate and number of channels that libsndfile knows as 16 kHz mono.

    ``resampler="windowed sinc"`` changes the rate as SpiritLM's published code does (see `resampling`).
    """
    data, name = _bytes_of(source)
    if problem := container_problem(data):
        raise AudioError(f"{name} {problem}")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            declared, rate = file.frames, file.samplerate
            samples = file.read(dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        reason = str(error).rsplit(": ", 1)[-1].strip()
        raise AudioError(f"{name} cannot be read as audio ({reason}). Convert it: ffmpeg -i INPUT OUTPUT.wav") from None
    if len(samples) < declared:
        raise AudioError(
            f"{name} is truncated: its header promises {declared} samples, {len(samples)} are there. Copy it again."
        )
    if len(samples) == 0:
        raise AudioError(f"{name} holds a header but no samples. Record or export it again.")
    return Waveform(_to_mono_16k(samples, rate, name, resampler), RATE, name)


def _bytes_of(source: str | Path | bytes | BinaryIO) -> tuple[bytes, str]:
    if isinstance(source, bytes):
        return source, "audio bytes"
    if isinstance(source, (str, Path)):
        path = Path(source)
        if path.is_dir():
            raise AudioError(f"{path} is a folder; name an audio file in it.")
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such audio file.")
        return path.read_bytes(), str(path)
    return source.read(), str(getattr(source, "name", "audio stream"))


def _to_mono_16k(samples: np.ndarray, rate: int, name: str, resampler: Resampler) -> np.ndarray:
    if not np.isfinite(samples).all():
        raise AudioError(f"{name} holds NaN or infinite samples; write the file again from a clean source.")
    mono = samples.mean(axis=1)
    peak = float(np.abs(samples).max())
    if peak < SILENCE_PEAK or float(np.abs(mono).max()) < SILENCE_PEAK:
        raise AudioError(
            f"{name} holds silence only (largest sample {peak:.1e}). Check the microphone and the channel."
        )
    if peak > LOUDEST_SCALED:
        raise AudioError(
            f"{name} has samples up to {peak:.3g}; expected [-1, 1]. Divide them by full scale (16 bits: 32768)."
        )
    mono = resample(mono, rate, RATE, resampler)
    if peak > 1.0:
        warnings.warn(f"{name} has samples up to {peak:.3g}; scaled down into [-1, 1].", stacklevel=3)
        mono = mono / max(peak, float(np.abs(mono).max(initial=0.0)))
    clipped: np.ndarray = np.clip(mono, -1.0, 1.0)
    return clipped


def _pcm16(samples: np.ndarray) -> np.ndarray:
    steps: np.ndarray = np.clip(np.round(samples * 32768.0), -32768, 32767).astype(np.int16)
    return steps
