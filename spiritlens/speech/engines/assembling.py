"""From an engine's answer to an `Utterance`: samples to 16 kHz, phones in time, and the interval of each word.

An engine's phones come as runs: each belongs to one word or to a group of words that the engine ran together. A word
begins at its first phone that is no pause and ends with its last one, so that pauses lie between words.
"""

from collections.abc import Sequence

import numpy as np

from spiritlens.speech.audio.resampling import resample
from spiritlens.speech.audio.waveform import RATE, Waveform
from spiritlens.speech.engines.phones import PAUSE, Phone
from spiritlens.speech.words import WordInterval


def waveform_of(samples: np.ndarray, rate: int, source: str) -> Waveform:
    """16-bit samples at an engine's rate as 16 kHz audio on the 16-bit grid."""
    audio = samples.astype(np.float32) / 32768
    if rate != RATE:
        audio = np.clip(resample(audio, rate, RATE), -1, 1)
    return Waveform(audio, RATE, source).on_pcm16_grid()


def join_phones(phones: Sequence[Phone], duration: float) -> tuple[Phone, ...]:
    """Phones within the audio, without empty ones, neighbouring pauses made one."""
    joined: list[Phone] = []
    for phone in phones:
        start, end = min(phone.start, duration), min(phone.end, duration)
        if end <= start:
            continue
        if joined and phone.label == PAUSE == joined[-1].label:
            joined[-1] = Phone(PAUSE, joined[-1].start, end)
        else:
            joined.append(Phone(phone.label, start, end))
    return tuple(joined)


def word_intervals(
    words: Sequence[str], group_of_word: Sequence[int], spans: dict[int, tuple[float, float]]
) -> tuple[WordInterval, ...]:
    """One interval per word: that of its group; a word whose group has no span is an error of the engine's answer."""
    return tuple(WordInterval(word, *spans[group]) for word, group in zip(words, group_of_word, strict=True))


def spans_of_phones(phones: Sequence[Phone], group_of_phone: Sequence[int]) -> dict[int, tuple[float, float]]:
    """Start and end of the sounding phones of each group (group -1: no word)."""
    spans: dict[int, tuple[float, float]] = {}
    for phone, group in zip(phones, group_of_phone, strict=True):
        if group >= 0 and phone.label != PAUSE and phone.end > phone.start:
            start = spans[group][0] if group in spans else phone.start
            spans[group] = (start, phone.end)
    return spans


def _letters(word: str) -> str:
    return "".join(character for character in word.lower() if character.isalnum())


def spans_by_letters(
    words: list[str], spoken: list[tuple[str, float, float]], duration: float
) -> dict[int, tuple[float, float]] | None:
    """Start and end of each word, made of as many of flite's words as spell it; None where the letters differ."""
    spans: dict[int, tuple[float, float]] = {}
    rest = list(spoken)
    for index, word in enumerate(words):
        letters, start, end = "", None, 0.0
        while letters != _letters(word):
            if not rest or not _letters(word).startswith(letters):
                return None
            name, begin, finish = rest.pop(0)
            letters += _letters(name)
            end = max(end, finish)  # festival gives the s of "eight's" to the word before it, and no times of its own
            start = begin if start is None else start
        if start is None:
            return None
        spans[index] = (start, min(end, duration))
    return spans if not rest else None
