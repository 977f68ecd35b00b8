"""How loud a recording is over time: the root mean square of each 10 ms, the grid on which words are aligned."""

import numpy as np

from spiritlens.speech.audio.waveform import Waveform

FRAME_SECONDS = 0.01


def levels(waveform: Waveform) -> np.ndarray:
    """Root mean square of each whole frame: float64 [frame]."""
    hop = round(FRAME_SECONDS * waveform.rate)
    n_frames = len(waveform) // hop
    squares = np.square(waveform.samples[: n_frames * hop].reshape(n_frames, hop), dtype=np.float64)
    return np.asarray(np.sqrt(squares.mean(axis=1)))


def frames(seconds: float) -> int:
    """The frame that is nearest to a moment."""
    return round(seconds / FRAME_SECONDS)
