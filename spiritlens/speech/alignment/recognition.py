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
from spiritlens.speech.alignment.forced import AlignmentError, AlignmentWarning, align
from spiritlens.speech.alignment.sphinx import decoded, pocketsphinx, waveform_to_decode
from spiritlens.speech.audio.waveform import RATE, Waveform
from spiritlens.speech.words import WordInterval

RECOGNITION_FLOORS = (2e-4, 1e-3, 2e-3, 4e-3)
"""Shares of full scale; recognitions that hang on the noise floor are not to be trusted."""

LEAST_OVERLAP = 0.5


@told_keywords
def established_words(waveform: Waveform | str | Path | bytes | BinaryIO) -> tuple[WordInterval, ...]:
    """The words that all recognitions and the alignment agree on, with the times of the alignment; possibly none.

    Returns them in their order. Raises AudioError for audio that cannot be read, ImportError without the ``align``
    extra.
    """
    waveform = waveform_to_decode(waveform)
    recognised = [_recognised(waveform, floor) for floor in RECOGNITION_FLOORS]
    if not all(recognised):
        return ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlignmentWarning)
        try:
            aligned = align(waveform, " ".join(word.word for word in recognised[0]))
        except AlignmentError:
            return ()
    return tuple(word for word in aligned if all(_has(words, word) for words in recognised))


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
    return pocketsphinx().Decoder(loglevel="FATAL", samprate=RATE)


def _recognised(waveform: Waveform, floor: float) -> list[WordInterval]:
    try:
        spoken = decoded(_recogniser(), waveform, floor)
    except BaseException:  # Ctrl-C among them
        _recogniser.cache_clear()
        raise
    within = [(name, max(0.0, start), min(end, waveform.duration)) for name, start, end in spoken]
    return [WordInterval(name, start, end) for name, start, end in within if start < end]
