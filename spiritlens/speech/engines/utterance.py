"""What a voice returns: an utterance, its audio with the words and phones in time.

Units: seconds. Words that the engine cannot separate share one interval (see `words`). The audio is 16 kHz mono
on the 16-bit grid, so that a wav file holds exactly the same samples.
"""

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import soxr

from spiritlens.arguments import number
from spiritlens.speech.audio.waveform import RATE, Waveform
from spiritlens.speech.engines.phones import Phone
from spiritlens.speech.words import WordInterval

SILENCE_SHARE = 0.02
"""`trimmed` takes samples below this share of the largest one for silence."""


@dataclass(frozen=True, eq=False)
class Utterance:
    """Spoken `text`: audio, words as spoken and phones in time, the voice, the engine and its version."""

    waveform: Waveform
    text: str
    words: tuple[WordInterval, ...]
    phones: tuple[Phone, ...]
    voice: str
    engine: str

    def trimmed(self, pad: float = 0.04) -> "Utterance":
        """Without the silence at both ends, but for `pad` seconds; times move along."""
        pad = number("pad", pad, at_least=0, below=math.inf)
        samples = self.waveform.samples
        loud = np.flatnonzero(np.abs(samples) > SILENCE_SHARE * max(float(np.abs(samples).max(initial=0.0)), 1e-4))
        if len(loud) == 0:
            return self
        rate = self.waveform.rate
        first = max(0, int(loud[0]) - round(pad * rate))
        last = min(len(samples), int(loud[-1]) + 1 + round(pad * rate))
        audio = Waveform(samples[first:last], rate, self.waveform.source)
        return self._with_times(audio, 1.0, first / rate)

    def resampled(self, factor: float) -> "Utterance":
        """As if played `factor` times as fast: duration divided, pitch and formants multiplied by `factor`."""
        factor = number("factor", factor)
        if not 0.5 <= factor <= 2:
            raise ValueError(f"factor is {factor}; expected 0.5 to 2 (1 changes nothing).")
        samples = soxr.resample(self.waveform.samples, RATE * factor, RATE, quality="HQ")
        audio = Waveform(np.clip(samples, -1, 1), self.waveform.rate, self.waveform.source).on_pcm16_grid()
        return self._with_times(audio, 1 / factor, 0.0)

    def _with_times(self, audio: Waveform, scale: float, shift: float) -> "Utterance":
        """New audio, and each time multiplied by `scale` and moved `shift` seconds earlier, within the new audio."""

        def moved(time: float) -> float:
            return min(max(time * scale - shift, 0.0), audio.duration)

        step = 1 / audio.rate  # a word keeps at least one sample
        words = tuple(
            WordInterval(
                word.word, min(moved(word.start), audio.duration - step), max(moved(word.end), moved(word.start) + step)
            )
            for word in self.words
        )
        phones = tuple(Phone(phone.label, moved(phone.start), moved(phone.end)) for phone in self.phones)
        return replace(
            self, waveform=audio, words=words, phones=tuple(phone for phone in phones if phone.end > phone.start)
        )

    def __repr__(self) -> str:
        size = f"{self.waveform.duration:.2f} s, {len(self.words)} words"
        return f"Utterance({self.text!r}, {size}, {self.voice}, {self.engine})"

    def _repr_html_(self) -> str:
        return f"<p>{self.text}</p>{self.waveform._repr_html_()}"


class Voice(Protocol):
    """What speaks: any object with these three. The same text gives the same samples in any order and process."""

    @property
    def name(self) -> str:
        """Full name, which says all that decides the sound: prompts of other names have other ids."""

    @property
    def engine(self) -> str:
        """Engine and version."""

    def speak(self, text: str) -> Utterance:
        """The utterance of `text`."""


def voice_name(engine: str, voice: str, rate: float, pitch: float) -> str:
    """``espeak:en-us``; with rate and pitch where they are not 1: ``espeak:en-us rate 1.2 pitch 0.9``."""
    settings = (f" {name} {value}" for name, value in (("rate", rate), ("pitch", pitch)) if value != 1)
    return f"{engine}:{voice}{''.join(settings)}"
