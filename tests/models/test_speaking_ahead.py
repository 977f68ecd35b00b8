"""Blocks spoken and encoded ahead: the same prompts, and each text said, each sound encoded, once."""

from dataclasses import replace

import numpy as np
import pytest

import spiritlens as sl
from spiritlens.models.speaking_ahead import RememberedVoice, encode_ahead, remembered_voice, say_ahead
from spiritlens.speech.voices.names import voice

TEXTS = (
    "The capital of France is",
    "The capital of Japan is",
    "In the north of Egypt lies",
    "The capital of France is",
)


class Counting:
    """A voice, or an encoder, that counts what it is asked for."""

    def __init__(self, inner):
        self.inner, self.asked = inner, []

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def speak(self, text):
        self.asked.append(text)
        return self.inner.speak(text)

    def encode(self, waveform):
        self.asked.append(1)
        return self.inner.encode(waveform)

    def encode_each(self, waveforms):
        self.asked.append(len(waveforms))
        return self.inner.encode_each(waveforms)


@pytest.fixture(scope="module")
def lens() -> "sl.Lens":
    return sl.load()


def test_prompts_are_those_of_one_by_one_and_nothing_is_done_twice(lens):
    speaker, encoder = Counting(voice()), Counting(lens.encoder)
    remembered = RememberedVoice(speaker)
    ready = encode_ahead(replace(lens, encoder=encoder), say_ahead(TEXTS, remembered))
    assert encoder.asked == [3], "one call for the three sounds that differ"
    assert sorted(speaker.asked) == sorted(set(speaker.asked))
    for text in TEXTS:
        subject = text.split()[-2]
        one = lens.speak(text, subject, "Paris")
        other = ready.speak(text, subject, "Paris", voice=remembered)
        assert (one.id, one.ids, one.words, one.starts, one.voice) == (
            *(other.id, other.ids, other.words, other.starts, other.voice),
        )
        assert one.encoder == other.encoder
        assert np.array_equal(one.waveform.samples, other.waveform.samples)
    assert encoder.asked == [3]
    ready.speak("Who rules", "rules", voice=remembered)
    assert encoder.asked == [3, 1], "a sound that was not there is encoded by itself"


def test_what_cannot_be_said_is_left_for_its_prompt_to_tell(lens):
    remembered = remembered_voice("espeak:en-us")
    assert remembered is not None
    assert len(say_ahead(["The capital of Xiv is", "The capital of France is"], remembered)) == 1
    with pytest.raises(ValueError, match="Roman numeral"):
        lens.speak("The capital of Xiv is", "Xiv", voice=remembered)


def test_there_is_no_voice_of_an_unknown_name():
    assert remembered_voice("espeak:en-mars") is None
    assert remembered_voice("nothing") is None


def test_a_sound_that_is_refused_leaves_each_to_itself(lens):
    silence = sl.speech.Waveform(np.zeros(16000, np.float32))
    (sound,) = say_ahead(TEXTS[:1], RememberedVoice(voice()))
    assert encode_ahead(lens, [sound, silence]) is lens
    assert encode_ahead(lens, []) is lens
