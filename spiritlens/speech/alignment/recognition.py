"""Words of a recording that nobody has written down, as far as they can be established offline.

pocketsphinx recognises the recording under several noise floors; each text is then placed by the forced aligner. A word
is *established* where every recognition has it at the same place (intervals that overlap by half) and the alignment of
the first agrees. On clear speech this is most words, on others few or none: the rest stays without words. An
established word may still be wrong ("on" for "under"): it is a help for looking at a recording, not a transcript.
"""

import functools
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from spiritlens.arguments import told_keywords
from spiritlens.speech.alignment.forced import (
    FRAME_SECONDS,
    PAD_SECONDS,
    AlignmentError,
    AlignmentWarning,
    align,
    padded_with_noise,
    spoken_segments,
    waveform_to_align,
)
from spiritlens.speech.audio.waveform import RATE, Waveform
from spiritlens.speech.words import WordInterval

NOISE_FLOORS = (2e-4, 1e-3, 2e-3, 4e-3)
"""Shares of full scale; recognitions that hang on the noise floor are not to be trusted."""

LEAST_OVERLAP = 0.5


@told_keywords
def established_words(waveform: Waveform | str | Path | bytes | BinaryIO) -> tuple[WordInterval, ...]:
    """The words that all recognitions and the alignment agree on, with the times of the alignment; possibly none."""
    waveform = waveform_to_align(waveform)
    heard = [_recognised(waveform, floor) for floor in NOISE_FLOORS]
    if not all(heard):
        return ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlignmentWarning)
        try:
            aligned = align(waveform, " ".join(word.word for word in heard[0]))
        except AlignmentError:
            return ()
    return tuple(word for word in aligned if all(_has(words, word) for words in heard))


def _has(words: Sequence[WordInterval], sought: WordInterval) -> bool:
    """Whether a word of the same name overlaps the one sought by half of the longer of the two."""
    for word in words:
        shared = min(word.end, sought.end) - max(word.start, sought.start)
        if word.word == sought.word and shared >= LEAST_OVERLAP * max(word.duration, sought.duration):
            return True
    return False


@functools.cache
def _recogniser() -> Any:
    """pocketsphinx with its bundled language model, loaded once (1 s)."""
    try:
        import pocketsphinx
    except ImportError:
        raise ImportError("recognition needs pocketsphinx: pip install 'spiritlens[align]'") from None
    return pocketsphinx.Decoder(loglevel="FATAL", samprate=RATE)


def _recognised(waveform: Waveform, floor: float) -> list[WordInterval]:
    recogniser = _recogniser()
    recogniser.reinit_feat()  # forget what was heard before
    try:
        recogniser.start_utt()
        recogniser.process_raw(padded_with_noise(waveform, floor), full_utt=True)
        recogniser.end_utt()
    except BaseException:  # Ctrl-C among them: a recogniser that was stopped stays in the middle of its utterance
        _recogniser.cache_clear()
        raise
    words = []
    for name, segment in spoken_segments(recogniser):
        start = max(0.0, segment.start_frame * FRAME_SECONDS - PAD_SECONDS)
        end = min((segment.end_frame + 1) * FRAME_SECONDS - PAD_SECONDS, waveform.duration)
        if start < end:
            words.append(WordInterval(name, start, end))
    return words
