"""pocketsphinx, as the aligner and the recogniser run it: padded audio with a noise floor in, words in time out.

The audio gets 0.2 s of quiet at both ends and white noise of a share of full scale from a fixed seed, because digital
silence makes the aligner fail. Nothing depends on what was decoded before.
"""

import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from spiritlens.speech.alignment.levels import FRAME_SECONDS
from spiritlens.speech.audio.waveform import RATE, AudioError, Waveform, read_waveform

PAD_SECONDS = 0.2


def waveform_to_decode(audio: Waveform | str | Path | bytes | BinaryIO) -> Waveform:
    """The audio as a waveform at the rate that pocketsphinx takes; refuse other rates and audio without samples."""
    waveform = audio if isinstance(audio, Waveform) else read_waveform(audio)
    name = waveform.source or "the audio"
    if waveform.rate != RATE:
        raise AudioError(f"{name} is at {waveform.rate} Hz; the aligner takes {RATE} Hz. Read it by `read_waveform`.")
    if waveform.duration < FRAME_SECONDS:
        raise AudioError(f"{name} lasts {waveform.duration:.3f} s, too short for a word; give the whole recording.")
    return waveform


def pocketsphinx() -> Any:
    """The package, or an error that says how to get it."""
    try:
        import pocketsphinx
    except ImportError:
        raise ImportError("alignment and recognition need pocketsphinx: pip install 'spiritlens[align]'") from None
    return pocketsphinx


def decoded(decoder: Any, waveform: Waveform, floor: float, text: str = "") -> list[tuple[str, float, float]]:
    """Words with start and end in seconds (possibly outside of the audio); `text` is what an aligner is to place.

    Silence, noise and numbers of pronunciations are left out. After an error (Ctrl-C among them) the decoder stays in
    the middle of its utterance and must be made anew.
    """
    decoder.reinit_feat()  # forget the mean of what was decoded before
    if text:
        decoder.set_align_text(text)
    decoder.start_utt()
    decoder.process_raw(padded_with_noise(waveform, floor), full_utt=True)
    decoder.end_utt()
    spoken = [segment for segment in decoder.seg() or () if not segment.word.startswith(("<", "[", "+", "(NULL)"))]
    return [
        (
            re.sub(r"\(\d+\)$", "", segment.word),
            segment.start_frame * FRAME_SECONDS - PAD_SECONDS,
            (segment.end_frame + 1) * FRAME_SECONDS - PAD_SECONDS,
        )
        for segment in spoken
    ]


def padded_with_noise(waveform: Waveform, floor: float) -> bytes:
    """16-bit samples with quiet at both ends and white noise of a share of full scale over all, from a fixed seed."""
    pad = np.zeros(round(PAD_SECONDS * RATE))
    samples = np.concatenate([pad, waveform.samples, pad])
    samples = samples + floor * np.random.default_rng(0).standard_normal(len(samples))
    return np.clip(np.round(samples * 32767), -32768, 32767).astype(np.int16).tobytes()
