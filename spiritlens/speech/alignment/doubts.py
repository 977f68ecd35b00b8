"""Signs that aligned words are not what the recording says.

A forced aligner places any text that it can. Three measures find many wrong texts (fitted on 75 right alignments of
five synthetic voices, of which each flags at most 2 %):

- a word of four or more phones that is as short as the aligner's model allows: 4.5 frames of 10 ms per phone or fewer;
- a word whose duration, against the reference voice's and after removing the speaker's tempo, is off by a factor e^0.8;
- speech between the words: a gap of 80 ms or more whose level (80th percentile) exceeds 0.3 of the words' median level.

A doubt is a sentence about one word or gap, not a proof: singing, stammering or noise raise doubts too, and a short
word left out of the text raises none (about nine in ten such texts pass).
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from spiritlens.speech.alignment.levels import frames, levels
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.engines.espeak import REFERENCE_VOICE
from spiritlens.speech.words import WordInterval, interval_groups

SHORTEST_PHONE = 0.045
MOST_DEVIATION = 0.8
LOUDEST_GAP = 0.3
SHORTEST_GAP = 0.08


def alignment_doubts(waveform: Waveform, words: Sequence[WordInterval], n_phones: Sequence[int]) -> tuple[str, ...]:
    """What speaks against the alignment; empty where nothing does."""
    return (*_short_words(words, n_phones), *_odd_durations(words, n_phones), *_speech_in_gaps(waveform, words))


def _short_words(words: Sequence[WordInterval], n_phones: Sequence[int]) -> Iterator[str]:
    for word, count in zip(words, n_phones, strict=True):
        if count >= 4 and word.duration / count <= SHORTEST_PHONE:
            yield (
                f"{word.word!r} at {word.start:.2f} s has {1000 * word.duration / count:.0f} ms per phone, too short "
                "to be said; is it in the recording?"
            )


def _odd_durations(words: Sequence[WordInterval], n_phones: Sequence[int]) -> Iterator[str]:
    """Words much longer or shorter than the reference voice makes them, relative to the other words."""
    usual = REFERENCE_VOICE.speak(" ".join(word.word for word in words)).words
    if len(usual) != len(words) or len(words) < 3:
        return
    groups = interval_groups(usual)  # words that the voice runs together are compared as one
    lengths = np.array([sum(words[index].duration for index in group) for group in groups])
    ratios = np.log(lengths / [usual[group[0]].duration for group in groups])
    for group, deviation in zip(groups, ratios - np.median(ratios), strict=True):
        if sum(n_phones[index] for index in group) >= 3 and abs(deviation) > MOST_DEVIATION:
            name = " ".join(words[index].word for index in group)
            kind = "longer" if deviation > 0 else "shorter"
            yield (
                f"{name!r} at {words[group[0]].start:.2f} s is {np.exp(abs(deviation)):.1f} times {kind} than "
                "expected; does the recording say other words there?"
            )


def _speech_in_gaps(waveform: Waveform, words: Sequence[WordInterval]) -> Iterator[str]:
    level = levels(waveform)
    spoken = np.concatenate([level[frames(word.start) : frames(word.end)] for word in words])
    edges = [0.0, *itertools.chain.from_iterable((word.start, word.end) for word in words), waveform.duration]
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        gap = level[frames(start) + 2 : frames(end) - 2]
        if end - start >= SHORTEST_GAP and len(gap) and np.quantile(gap, 0.8) > LOUDEST_GAP * np.median(spoken):
            yield f"there is speech at {start:.2f}-{end:.2f} s that no word accounts for; is the text complete?"
