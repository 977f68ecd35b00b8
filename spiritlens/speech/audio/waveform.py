"""A waveform: mono samples in [-1, 1] at one rate, read from whatever libsndfile reads.

Axes: ``time`` (samples). Units: seconds for durations, samples per second for rates. Everything downstream works at
16 kHz mono, as the published unit encoders do: channels are averaged, other rates are resampled (`resampling`), and no
loudness normalisation is applied.

A file is read to its end or refused with one `AudioError` that says what is wrong and what to do; what of it is left
unread though its samples are whole is warned of. libsndfile itself reads several kinds of broken files without
complaint (`containers`), as it does NaN and samples far outside [-1, 1].
"""

import base64
import hashlib
import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import soundfile

from spiritlens.arguments import check_choice, number, told_keywords
from spiritlens.files.atomic import write_whole
from spiritlens.speech.audio.contents import AudioError as AudioError
from spiritlens.speech.audio.decoding import Decoded, decoded, mixed_down
from spiritlens.speech.audio.resampling import Resampler, check_rate, resample
from spiritlens.speech.audio.sources import Encoded, RawSource, as_floats, opened
from spiritlens.warn import warn

RATE = 16000
"""Samples per second of every waveform that `read_waveform` returns."""

LOUDEST_SCALED = 8.0
"""Samples up to this magnitude are scaled into [-1, 1] with a warning; beyond it the file is refused."""

SILENCE_PEAK = 1e-4
"""A recording whose largest sample is below this holds silence only (3 steps of 16-bit audio)."""

Subtype = Literal["PCM_16", "FLOAT"]
"""How samples are written: rounded to 16-bit steps, or as they are (32-bit floats)."""


@dataclass(frozen=True, eq=False)
class Waveform:
    """Mono audio: `samples` float32 [time] in [-1, 1], `rate` samples per second, `source` where it came from."""

    samples: np.ndarray
    rate: int = RATE
    source: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.source, str):
            raise AudioError(f"source is {self.source!r}; expected a text that says where the audio came from.")
        name = self.source or "waveform"
        samples = as_floats(self.samples, name)
        if samples.ndim != 1:
            raise AudioError(
                f"{name}: samples have shape {samples.shape}; expected one axis (time). Average the channels first."
            )
        peak = float(np.abs(samples).max(initial=0.0))
        if not np.isfinite(peak):
            raise AudioError(f"{name}: samples hold NaN or infinity; write the file again from a clean source.")
        if peak > 1.0:
            raise AudioError(
                f"{name}: the largest sample is {peak:.3g}; expected at most 1. Divide the samples by {peak:.3g}."
            )
        object.__setattr__(self, "rate", check_rate(self.rate, name))
        object.__setattr__(self, "samples", _kept(samples, self.samples))

    def __len__(self) -> int:
        return int(self.samples.size)

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self) / self.rate

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the rate and the samples: equal audio has an equal digest whatever its source."""
        return hashlib.sha256(f"{self.rate}:".encode() + self.samples.tobytes()).hexdigest()

    def slice(self, start: float, end: float) -> "Waveform":
        """The part from `start` to `end` seconds."""
        start, end = number("start", start), number("end", end)
        if not 0 <= start < end <= self.duration + 0.5 / self.rate:
            raise AudioError(f"slice {start:.3f}-{end:.3f} s lies outside of the audio (0-{self.duration:.3f} s).")
        return Waveform(self.samples[round(start * self.rate) : round(end * self.rate)], self.rate, self.source)

    def on_pcm16_grid(self) -> "Waveform":
        """The same audio with each sample rounded to a 16-bit step, so that writing and reading it changes nothing."""
        return Waveform(_pcm16(self.samples).astype(np.float32) / 32768, self.rate, self.source)

    def wav_bytes(self, subtype: Subtype = "PCM_16") -> bytes:
        """A mono wav file at the waveform's own rate as bytes.

        ``PCM_16`` rounds each sample to a 16-bit step (1/32768; the largest is 32767/32768), ``FLOAT`` keeps it.
        """
        check_choice("subtype", subtype, Subtype)
        buffer = io.BytesIO()
        samples = _pcm16(self.samples) if subtype == "PCM_16" else self.samples
        soundfile.write(buffer, samples, self.rate, subtype=subtype, format="WAV")
        return buffer.getvalue()

    def write(self, path: str | Path, subtype: Subtype = "PCM_16") -> Path:
        """Write a mono wav file (see `wav_bytes`) and return its path.

        At 16 kHz `read_waveform` gives the same samples back: within one step of 1/32768 from ``PCM_16`` (exactly
        those of `on_pcm16_grid`), exactly from ``FLOAT``. At another rate it resamples.
        """
        path = Path(path)
        if path.suffix.lower() not in (".wav", ".wave"):
            raise AudioError(f"{path}: a waveform is written as wav; name the file {path.stem or 'NAME'}.wav.")
        if len(self) == 0:
            raise AudioError(f"{path} would hold no samples; write a waveform that has some.")
        return write_whole(path, self.wav_bytes(subtype))

    def __repr__(self) -> str:
        source = f" from {self.source}" if self.source else ""
        return f"Waveform({self.duration:.3f} s, {self.rate} Hz{source})"

    def _repr_html_(self) -> str:
        audio = base64.b64encode(self.wav_bytes()).decode()
        return f'<audio controls src="data:audio/wav;base64,{audio}"></audio>'


AudioSource: TypeAlias = RawSource | Waveform


@told_keywords
def read_waveform(source: AudioSource, resampler: Resampler = "soxr") -> Waveform:
    """Read audio of any format, rate and number of channels that libsndfile knows as 16 kHz mono.

    `source` is a path, a file's bytes, an open file, samples that carry their rate (`audio_sources`), or a `Waveform`.
    ``resampler="windowed sinc"`` changes the rate as SpiritLM's published code does (see `resampling`).

    Returns the waveform. Raises AudioError for audio that is no sound, is cut, or is of a format that is not read.
    """
    check_choice("resampler", resampler, Resampler)
    if isinstance(source, Waveform):
        if source.rate == RATE:
            return source
        peak = float(np.abs(source.samples).max(initial=0.0))
        audio, name = Decoded(source.samples, source.rate, peak), source.source or "waveform"
    elif isinstance(found := opened(source), Encoded):
        audio, name = decoded(found.data, found.name), found.name
    else:
        mono, peak = mixed_down(found.samples)
        audio, name = Decoded(mono, check_rate(found.rate, found.name), peak), found.name
    remarks = [audio.remark] if audio.remark else []
    if 1.0 < audio.peak <= LOUDEST_SCALED:
        remarks.append(f"it has samples up to {audio.peak:.3g}, scaled down into [-1, 1]")
    samples = _at_16k(audio, name, resampler)
    if remarks:
        warn(f"{name}: {'; '.join(remarks)}.")
    samples.setflags(write=False)
    return Waveform(samples, RATE, name)


def _at_16k(audio: Decoded, name: str, resampler: Resampler) -> np.ndarray:
    mono, peak = audio.mono, audio.peak
    if len(mono) == 0:
        raise AudioError(f"{name} holds no samples. Record or export it again.")
    if not np.isfinite(peak):
        raise AudioError(f"{name} holds NaN or infinite samples; write the file again from a clean source.")
    if peak < SILENCE_PEAK or float(np.abs(mono).max()) < SILENCE_PEAK:
        raise AudioError(
            f"{name} holds silence only (largest sample {peak:.1e}). Check the microphone and the channel."
        )
    if peak > LOUDEST_SCALED:
        raise AudioError(
            f"{name} has samples up to {peak:.3g}; expected [-1, 1]. Divide them by full scale (16 bits: 32768)."
        )
    mono = resample(mono, audio.rate, RATE, resampler)
    if peak > 1.0:
        mono = mono / max(peak, float(np.abs(mono).max(initial=0.0)))
    clipped: np.ndarray = np.clip(mono, -1.0, 1.0)
    return clipped


def _kept(samples: np.ndarray, given: object) -> np.ndarray:
    """Samples that nobody else can change: a copy where the array that was given can still be written."""
    kept = np.ascontiguousarray(samples)
    if not isinstance(given, np.ndarray) or (given.flags.writeable and np.may_share_memory(kept, given)):
        kept = kept.copy()
    kept.setflags(write=False)
    return kept


def _pcm16(samples: np.ndarray) -> np.ndarray:
    steps: np.ndarray = np.clip(np.round(samples * 32768.0), -32768, 32767).astype(np.int16)
    return steps
