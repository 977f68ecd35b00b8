"""Each sign of a wrong text by itself, on made words and sounds."""

import numpy as np
import pytest

from spiritlens.speech.alignment.doubts import alignment_doubts
from spiritlens.speech.audio.waveform import RATE, Waveform
from spiritlens.speech.words import WordInterval

TEXT = "birds sing loudly in spring"
N_PHONES = (4, 3, 5, 2, 5)


@pytest.fixture(scope="module")
def usual(default_words):
    """The words as the default voice times them, with silence of 0.2 s before and after."""
    return [WordInterval(word.word, word.start + 0.2, word.end + 0.2) for word in default_words]


@pytest.fixture(scope="module")
def default_words():
    from spiritlens.speech.voices.names import voice

    return voice().speak(TEXT).words


def sound(words, extra=()):
    """Noise at one level during the words and the extra intervals, near silence elsewhere."""
    samples = 1e-5 * np.ones(round((words[-1].end + 0.6) * RATE))
    noise = np.random.default_rng(0).standard_normal(len(samples)) * 0.1
    for start, end in [*((word.start, word.end) for word in words), *extra]:
        part = slice(round(start * RATE), round(end * RATE))
        samples[part] = noise[part]
    return Waveform(np.clip(samples, -1, 1))


def test_usual_words_raise_none(usual):
    assert alignment_doubts(sound(usual), usual, N_PHONES) == ()


def test_tempo_does_not_matter(usual):
    slow = [WordInterval(word.word, 2 * word.start, 2 * word.end) for word in usual]
    assert alignment_doubts(sound(slow), slow, N_PHONES) == ()


def test_a_word_too_short_to_be_said(usual):
    spring = usual[-1]
    words = [*usual[:-1], WordInterval("spring", spring.start, spring.start + 0.2)]
    (doubt,) = [doubt for doubt in alignment_doubts(sound(words), words, N_PHONES) if "per phone" in doubt]
    assert doubt.startswith("'spring' at")
    assert "40 ms per phone" in doubt


def test_a_word_much_longer_than_expected(usual):
    loudly = usual[2]
    shift = 2 * loudly.duration
    later = [WordInterval(word.word, word.start + shift, word.end + shift) for word in usual[3:]]
    words = [*usual[:2], WordInterval("loudly", loudly.start, loudly.end + shift), *later]
    (doubt,) = alignment_doubts(sound(words), words, N_PHONES)
    assert doubt.startswith("'loudly' at")
    assert "3.0 times longer than expected" in doubt


def test_speech_that_no_word_accounts_for(usual):
    end = usual[-1].end
    (doubt,) = alignment_doubts(sound(usual, extra=[(end + 0.1, end + 0.6)]), usual, N_PHONES)
    assert doubt.startswith(f"there is speech at {end:.2f}-")
    assert alignment_doubts(sound(usual, extra=[(end + 0.5, end + 0.56)]), usual, N_PHONES) == (), (
        "a click is no speech"
    )
