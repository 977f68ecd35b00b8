"""Shared audio and voices of the speech tests."""

from pathlib import Path

import numpy as np
import pytest

from spiritlens.speech.audio.waveform import RATE, Waveform, read_waveform
from spiritlens.speech.voices.names import available_voices, voice

DATA = Path(__file__).parent.parent / "data" / "speech"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of the tests' audio and golden answers."""
    return DATA


@pytest.fixture(scope="session")
def recording() -> Waveform:
    """9.1 s of a person reading."""
    return read_waveform(DATA / "librispeech_7143-88743-0029.flac")


@pytest.fixture(scope="session")
def tone() -> np.ndarray:
    """2 s of 440 Hz at half of full scale, 16 kHz."""
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)).astype(np.float32)


@pytest.fixture(scope="session")
def spoken():
    """The default voice's utterance of one sentence."""
    return voice().speak("the capital of france is paris")


@pytest.fixture(scope="session")
def available() -> frozenset[str]:
    """Engines that speak on this machine."""
    return frozenset(info.engine for info in available_voices() if info.available)
