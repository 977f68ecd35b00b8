"""Forced alignment that is done once: a cache of words by the content of the audio and the text.

The key is a hash of the samples, of the text and of the aligner's version; the folder can be deleted at any time. What
speaks against an alignment is kept with it and warned of each time, as `align` does.
"""

import contextlib
import hashlib
import json
from importlib.metadata import version
from pathlib import Path

from spiritlens.files.atomic import write_cached
from spiritlens.files.cache import cache_folder
from spiritlens.speech.alignment.forced import AlignmentWarning, align_doubtfully
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.words import WordInterval
from spiritlens.warn import warn

FORMAT = "spiritlens.alignments/1"


def cached_alignment(waveform: Waveform, text: str) -> tuple[WordInterval, ...]:
    """What `align` returns and warns of, from the cache where it is there.

    Returns the words in order. Raises AlignmentError where the text cannot be what is said, ImportError without
    pocketsphinx, each time anew.
    """
    path = _path(waveform, text)
    found = _read(path)
    if found is None:
        found = align_doubtfully(waveform, text)
        words = [[word.word, word.start, word.end] for word in found[0]]
        with contextlib.suppress(OSError):
            write_cached(path, json.dumps({"words": words, "doubts": found[1]}).encode())
    for doubt in found[1]:
        warn(f"{waveform.source or 'the audio'}: {doubt}", AlignmentWarning)
    return found[0]


def _path(waveform: Waveform, text: str) -> Path:
    try:
        aligner = version("pocketsphinx")
    except ModuleNotFoundError:
        aligner = ""  # what is cached needs no aligner
    key = hashlib.sha256(f"{FORMAT}:{aligner}:{waveform.digest}:{text}".encode()).hexdigest()[:32]
    return cache_folder("alignments") / key[:2] / f"{key}.json"


def _read(path: Path) -> tuple[tuple[WordInterval, ...], tuple[str, ...]] | None:
    """The words and doubts of a file; None where it is not there or not whole."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(path.read_bytes())
        return tuple(WordInterval(*word) for word in kept["words"]), tuple(kept["doubts"])
    return None
