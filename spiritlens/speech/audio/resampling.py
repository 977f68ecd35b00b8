"""Changing the sample rate.

``soxr`` (high quality) is the default. ``windowed sinc`` is the interpolation that SpiritLM's published code uses
(torchaudio's default: sinc with a Hann window of six zero crossings and a roll-off of 0.99), for units that equal the
published code's on audio at other rates than 16 kHz; the two differ by about -32 dB, mostly near half the sample rate.

Formula: sample m of the output is the sum over input samples n of x[n] c h(c t), with t the distance n - m rate / new
rate in units of `step` input samples, c the cutoff in units of 1 / `step`, and h(u) = sinc(u) cos^2(pi u / 12) for
|u| <= 6. Outputs repeat their phase every `step` inputs, so that one kernel per phase is enough.
Source: J. O. Smith, Digital Audio Resampling (https://ccrma.stanford.edu/~jos/resample).
"""

import math
from typing import Literal

import numpy as np
import soxr

from spiritlens.arguments import check_choice, shown, whole
from spiritlens.speech.audio.contents import AudioError

Resampler = Literal["soxr", "windowed sinc"]
ZERO_CROSSINGS = 6
ROLL_OFF = 0.99
LOWEST_RATE, HIGHEST_RATE = 1000, 768000
"""Samples per second between which a rate is believed: a header of 1 Hz would make hours of a second."""
MOST_WEIGHTS = 1 << 25
"""Weights of all phases of the windowed sinc together (256 MiB), which rates of no large common divisor exceed."""


def check_rate(rate: object, name: str) -> int:
    """A plausible number of samples per second as an int; an `AudioError` that begins with `name` for any other."""
    try:
        return whole("rate", rate, at_least=LOWEST_RATE, at_most=HIGHEST_RATE)
    except ValueError:
        raise AudioError(
            f"{name}: the rate is {shown(rate)}; expected a whole number of samples per second from {LOWEST_RATE} to "
            f"{HIGHEST_RATE}. Give the true rate (of a file: write it again)."
        ) from None


def resample(samples: np.ndarray, rate: int, new_rate: int, resampler: Resampler = "soxr") -> np.ndarray:
    """Samples [time] at `rate` per second as samples at `new_rate` per second."""
    check_choice("resampler", resampler, Resampler)
    if rate == new_rate or len(samples) == 0:
        return samples
    if resampler == "windowed sinc":
        return _windowed_sinc(samples, rate, new_rate).astype(samples.dtype)
    changed: np.ndarray = soxr.resample(samples, rate, new_rate, quality="HQ")
    return changed


def _windowed_sinc(samples: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    divisor = math.gcd(rate, new_rate)
    step, n_phases = rate // divisor, new_rate // divisor
    cutoff = ROLL_OFF * min(step, n_phases)
    width = math.ceil(ZERO_CROSSINGS * step / cutoff)
    if (2 * width + step) * n_phases > MOST_WEIGHTS:
        raise ValueError(
            f"the windowed sinc from {rate} to {new_rate} Hz needs {n_phases} kernels of {2 * width + step} weights, "
            "as the rates share no large divisor; use resampler='soxr'."
        )
    distance = np.arange(-width, width + step)[:, None] / step - np.arange(n_phases) / n_phases
    moment = np.clip(distance * cutoff, -ZERO_CROSSINGS, ZERO_CROSSINGS)
    kernels = np.sinc(moment) * np.cos(moment * np.pi / (2 * ZERO_CROSSINGS)) ** 2 * cutoff / step
    padded = np.pad(samples.astype(np.float64), (width, width + step))
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(kernels))[::step]
    outputs: np.ndarray = (windows @ kernels).ravel()
    return outputs[: math.ceil(len(samples) * new_rate / rate)]
