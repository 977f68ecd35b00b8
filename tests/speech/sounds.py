"""Files of sound made by code, whole and in parts."""

import io

import numpy as np
import soundfile

from spiritlens.speech.audio.mpeg import _walk
from spiritlens.speech.audio.waveform import RATE


def encoded(samples: np.ndarray, rate: int = RATE, **options: object) -> bytes:
    """A file's bytes; 16-bit wav unless the options (`soundfile.write`'s) say otherwise."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, **{"format": "WAV", "subtype": "PCM_16", **options})
    return buffer.getvalue()


def mp3(samples: np.ndarray, rate: int = RATE, mode: str = "CONSTANT") -> bytes:
    """An MP3 with the first frame that states its length."""
    options = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": mode, "compression_level": 0.5}
    return encoded(samples, rate, **options)


def without_first_frame(data: bytes) -> bytes:
    """An MP3 as an encoder that writes to a pipe leaves it."""
    return data[_walk(data).headers[0].length :]


def put(data: bytes, place: int, new: bytes) -> bytes:
    """The bytes with others in place of some."""
    return data[:place] + new + data[place + len(new) :]
