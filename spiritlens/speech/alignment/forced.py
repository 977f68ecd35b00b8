"""Forced alignment: the times of known words in a recording, offline, by pocketsphinx and its bundled US English model.

1. The text is written out as it is spoken (`engines.plain_text`).
2. A word that the CMU dictionary lacks gets its pronunciation from espeak-ng's phones.
3. The audio gets quiet at both ends and a noise floor of 2e-3 of full scale (see `sphinx`).
4. The aligner places the words on a grid of 10 ms. An answer that lacks words is refused.
5. Silence of more than 50 ms at a word's edges (below 2 % of the words' median level) is taken off the word; before a
   word that begins with a stop 50 ms of it stay, as its closure.
6. The aligner gives no confidence and may accept a wrong text, so `alignment_doubts` looks at the durations, and what
   it finds is warned of (`AlignmentWarning`).

Times are estimates; `benchmarks/speech.py` measures their errors on synthetic speech. Nothing depends on what was
aligned before.
"""

import functools
import itertools
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from spiritlens.arguments import shown, told_keywords
from spiritlens.speech.alignment.doubts import alignment_doubts
from spiritlens.speech.alignment.levels import FRAME_SECONDS, frames, levels
from spiritlens.speech.alignment.sphinx import decoded, pocketsphinx, waveform_to_decode
from spiritlens.speech.audio.waveform import RATE, Waveform
from spiritlens.speech.engines.espeak import REFERENCE_VOICE
from spiritlens.speech.engines.phones import PAUSE
from spiritlens.speech.engines.plain_text import plain_text
from spiritlens.speech.words import WordInterval
from spiritlens.warn import warn

NOISE_FLOORS = (2e-3, 1e-3, 4e-3)
"""Share of full scale; the next one is tried where the aligner finds no path."""
SILENT_SHARE = 0.02
LONGEST_CLOSURE = 0.05
STOPS = frozenset({"P", "T", "K", "B", "D", "G", "CH", "JH"})


class AlignmentError(ValueError):
    """The words cannot be placed in the audio."""


class AlignmentWarning(UserWarning):
    """The words were placed, but their durations or the speech between them make the text doubtful."""


@told_keywords
def align(audio: Waveform | str | Path | bytes | BinaryIO, text: str) -> tuple[WordInterval, ...]:
    """The words of `text` as they are spoken, with the times at which they are said in `audio`.

    Returns them in order. Raises AlignmentError where the text cannot be what is said, ImportError without
    pocketsphinx.
    """
    if not isinstance(text, str):
        raise ValueError(f"text={shown(text)}: expected the text that is said in the audio")
    waveform = waveform_to_decode(audio)
    words, doubts = align_doubtfully(waveform, text)
    for doubt in doubts:
        warn(f"{waveform.source or 'the audio'}: {doubt}", AlignmentWarning)
    return words


def align_doubtfully(waveform: Waveform, text: str) -> tuple[tuple[WordInterval, ...], tuple[str, ...]]:
    """The words with their times, and what speaks against them (nothing is warned of)."""
    waveform = waveform_to_decode(waveform)
    name = waveform.source or "the audio"
    words = plain_text(text).words
    for floor in NOISE_FLOORS:
        keys = [_dictionary_word(word) for word in words]  # each time: after a failure the aligner is a new one
        spans = _placed(waveform, keys, floor)
        if spans is not None:
            break
    else:
        raise AlignmentError(
            f"the words {' '.join(words)!r} cannot be placed in {name} ({waveform.duration:.2f} s); does it say them "
            "all, in this order and in English?"
        )
    phones = [_decoder().lookup_word(key).split() for key in keys]
    spans = _without_silence(waveform, spans, [first in STOPS for first, *_ in phones])
    aligned = tuple(WordInterval(word, *span) for word, span in zip(words, spans, strict=True))
    return aligned, alignment_doubts(waveform, aligned, [len(own) for own in phones])


@functools.cache
def _decoder() -> Any:
    """The aligner, loaded once (0.5 s)."""
    package = pocketsphinx()
    model = Path(package.get_model_path()) / "en-us"
    return package.Decoder(
        hmm=str(model / "en-us"), dict=str(model / "cmudict-en-us.dict"), lm=None, loglevel="FATAL", samprate=RATE
    )


def _dictionary_word(word: str) -> str:
    """The word as the dictionary has it; added with espeak-ng's pronunciation where it is missing."""
    key = word.lower()
    decoder = _decoder()
    if decoder.lookup_word(key) is None:
        labels = [phone.label for phone in REFERENCE_VOICE.speak(key).phones if phone.label not in (None, PAUSE)]
        decoder.add_word(key, " ".join("AH" if label == "ax" else str(label).upper() for label in labels), True)
    return key


def _placed(waveform: Waveform, keys: list[str], floor: float) -> list[tuple[float, float]] | None:
    """Start and end of each word, or None where the aligner finds no path through all of them."""
    try:
        spoken = decoded(_decoder(), waveform, floor, " ".join(keys))
    except BaseException as error:  # Ctrl-C among them
        _decoder.cache_clear()
        if isinstance(error, RuntimeError):
            return None
        raise
    if [word for word, *_ in spoken] != keys:
        return None
    spans = [(max(0.0, round(start, 3)), min(round(end, 3), waveform.duration)) for _, start, end in spoken]
    inside = all(start < end for start, end in spans)
    ordered = all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    return spans if inside and ordered else None


def _without_silence(
    waveform: Waveform, spans: list[tuple[float, float]], begins_with_stop: list[bool]
) -> list[tuple[float, float]]:
    """The spans without long silence at their edges."""
    level = levels(waveform)
    parts = [level[frames(start) : frames(end)] for start, end in spans]
    threshold = SILENT_SHARE * float(np.median(np.concatenate(parts)))
    trimmed = []
    for (start, end), part, stop in zip(spans, parts, begins_with_stop, strict=True):
        loud = np.flatnonzero(part > threshold)
        if len(loud):
            before, after = loud[0] * FRAME_SECONDS, (len(part) - 1 - loud[-1]) * FRAME_SECONDS
            start += before - (LONGEST_CLOSURE if stop else 0.0) if before > LONGEST_CLOSURE else 0.0
            end -= after if after > LONGEST_CLOSURE else 0.0
        trimmed.append((round(start, 3), round(end, 3)))
    return trimmed
