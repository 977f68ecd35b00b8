"""Spoken clips for tests of facts with sounds: texts said by the default voice, as files of any format and rate."""

import functools
import io

import numpy as np
import soundfile
import soxr

from spiritlens.speech.engines.utterance import Utterance
from spiritlens.speech.voices.names import voice

FORMATS = {
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "opus": ("OGG", "OPUS"),
    "flac": ("FLAC", "PCM_16"),
    "wav": ("WAV", "PCM_16"),
}
CAPITALS = {"France": "Paris", "Germany": "Berlin", "Spain": "Madrid", "Italy": "Rome"}


@functools.cache
def said(text: str) -> Utterance:
    """The default voice's utterance of a text."""
    return voice().speak(text)


def clip(text: str, ending: str = "wav", rate: int = 16000) -> bytes:
    """The file of a text that is said, in a format and at a rate."""
    samples = np.asarray(said(text).waveform.samples)
    sampled = samples if rate == 16000 else soxr.resample(samples, 16000, rate)
    buffer = io.BytesIO()
    kind, subtype = FORMATS[ending]
    soundfile.write(buffer, np.clip(sampled, -1, 1), rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def question(country: str) -> str:
    return f"What is the capital of {country}"


def timed(text: str) -> list[tuple[str, float, float]]:
    """The words of a text that is said, with their times."""
    return [(word.word, word.start, word.end) for word in said(text).words]
