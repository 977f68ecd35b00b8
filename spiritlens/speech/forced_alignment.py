"""Forced alignment: the times of known words in a recording, offline, by pocketsphinx and its bundled US English model.

1. The text is written out as it is spoken (`engines.plain_text`).
2. A word that the CMU dictionary lacks gets its pronunciation from espeak-ng's phones.
3. The audio gets 0.2 s of quiet at both ends and a noise floor of 2e-3 of full scale from a fixed seed: digital silence
   makes the aligner fail.
4. The aligner places the words on a grid of 10 ms. An answer that lacks words is refused.
5. The aligner gives no confidence and may accept a wrong text, so `alignment_doubts` looks at the durations, and what
   it finds is warned of (`AlignmentWarning`).

Times are estimates: 9 ms median and 36-50 ms 95th percentile of the error of word starts on synthetic speech. Nothing
depends on what was aligned before.
"""

import functools
import itertools
import re
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from spiritlens.speech.alignment import WordInterval
from spiritlens.speech.alignment_doubts import alignment_doubts
from spiritlens.speech.engines.plain_text import plain_text
from spiritlens.speech.phones import PAUSE
from spiritlens.speech.synthesis import voice
from spiritlens.speech.waveform import RATE, AudioError, Waveform, read_waveform

FRAME_SECONDS = 0.01
PAD_SECONDS = 0.2
NOISE_FLOORS = (2e-3, 1e-3, 4e-3)
"""Share of full scale; the next one is tried where the aligner finds no path."""


class AlignmentError(ValueError):
    """The words cannot be placed in the audio."""


class AlignmentWarning(UserWarning):
    """The words were placed, but their durations or the speech between them make the text doubtful."""


def align(audio: Waveform | str | Path | bytes | BinaryIO, text: str) -> tuple[WordInterval, ...]:
    """The words of `text` as they are spoken, with the times at which they are said in `audio`."""
    waveform = audio if isinstance(audio, Waveform) else read_waveform(audio)
    name = waveform.source or "the audio"
    if waveform.rate != RATE:
        raise AudioError(f"{name} is at {waveform.rate} Hz; the aligner takes {RATE} Hz. Read it by `read_waveform`.")
    words = plain_text(text).words
    keys = [_dictionary_word(word) for word in words]
    for floor in NOISE_FLOORS:
        spans = _placed(waveform, keys, floor)
        if spans is not None:
            break
    else:
        raise AlignmentError(
            f"the words {' '.join(words)!r} cannot be placed in {name} ({waveform.duration:.2f} s); does it say them "
            "all, in this order and in English?"
        )
    aligned = tuple(WordInterval(word, *span) for word, span in zip(words, spans, strict=True))
    n_phones = [len(_decoder().lookup_word(key).split()) for key in keys]
    for doubt in alignment_doubts(waveform, aligned, n_phones):
        warnings.warn(f"{name}: {doubt}", AlignmentWarning, stacklevel=2)
    return aligned


@functools.cache
def _decoder() -> Any:
    """The aligner, loaded once (0.5 s)."""
    try:
        import pocketsphinx
    except ImportError:
        raise ImportError("alignment needs pocketsphinx: pip install 'spiritlens[align]'") from None
    model = Path(pocketsphinx.get_model_path()) / "en-us"
    return pocketsphinx.Decoder(
        hmm=str(model / "en-us"), dict=str(model / "cmudict-en-us.dict"), lm=None, loglevel="FATAL", samprate=RATE
    )


def _dictionary_word(word: str) -> str:
    """The word as the dictionary has it; added with espeak-ng's pronunciation where it is missing."""
    key = word.lower()
    decoder = _decoder()
    if decoder.lookup_word(key) is None:
        labels = [phone.label for phone in voice().speak(key).phones if phone.label not in (None, PAUSE)]
        decoder.add_word(key, " ".join("AH" if label == "ax" else str(label).upper() for label in labels), True)
    return key


def _placed(waveform: Waveform, keys: list[str], floor: float) -> list[tuple[float, float]] | None:
    """Start and end of each word, or None where the aligner finds no path through all of them."""
    decoder = _decoder()
    decoder.reinit_feat()  # forget the mean of what was aligned before
    try:
        decoder.set_align_text(" ".join(keys))
        decoder.start_utt()
        decoder.process_raw(_padded_with_noise(waveform, floor), full_utt=True)
        decoder.end_utt()
        segments = list(decoder.seg() or ())
    except RuntimeError:
        return None
    spoken = [segment for segment in segments if not segment.word.startswith(("<", "[", "+", "(NULL)"))]
    if [re.sub(r"\(\d+\)$", "", segment.word) for segment in spoken] != keys:
        return None
    edges = [
        (s.start_frame * FRAME_SECONDS - PAD_SECONDS, (s.end_frame + 1) * FRAME_SECONDS - PAD_SECONDS) for s in spoken
    ]
    spans = [(max(0.0, round(start, 3)), min(round(end, 3), waveform.duration)) for start, end in edges]
    inside = all(start < end for start, end in spans)
    ordered = all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    return spans if inside and ordered else None


def _padded_with_noise(waveform: Waveform, floor: float) -> bytes:
    pad = np.zeros(round(PAD_SECONDS * RATE))
    samples = np.concatenate([pad, waveform.samples, pad])
    samples = samples + floor * np.random.default_rng(0).standard_normal(len(samples))
    return np.clip(np.round(samples * 32767), -32768, 32767).astype(np.int16).tobytes()
