"""Shipped utterances are what the voices say, and stand in where no engine is at hand."""

import numpy as np
import pytest

from spiritlens.speech.engines.process import EngineError
from spiritlens.speech.voices.cached import CachedVoice
from spiritlens.speech.voices.names import voice
from spiritlens.speech.voices.shipped import shipped_texts, shipped_utterance
from spiritlens.terms import DEFAULT_VOICE


def test_the_readme_prompt_is_shipped_in_the_default_voice() -> None:
    utterance = shipped_utterance("the capital of france is", DEFAULT_VOICE)
    assert utterance is not None
    assert [word.word.lower() for word in utterance.words] == ["the", "capital", "of", "france", "is"]
    assert utterance.words[-1].end <= utterance.waveform.duration


def test_shipped_audio_is_what_the_voice_says() -> None:
    for text in shipped_texts(DEFAULT_VOICE):
        shipped, spoken = shipped_utterance(text, DEFAULT_VOICE), voice().speak(text)
        assert shipped is not None
        np.testing.assert_array_equal(shipped.waveform.samples, spoken.waveform.samples)
        assert [word.word.lower() for word in shipped.words] == [word.word.lower() for word in spoken.words]


def test_other_texts_and_voices_are_not_shipped() -> None:
    assert shipped_utterance("the capital of nowhere is", DEFAULT_VOICE) is None
    assert shipped_utterance("the capital of france is", "flite:none") is None


def test_the_lens_falls_back_on_them_and_says_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    import spiritlens as sl

    def absent(self: object, *_: object, **__: object) -> None:
        raise EngineError("espeak-ng is not installed: pip install espeakng-loader.")

    monkeypatch.setattr("spiritlens.speech.voices.cached.CachedVoice.speak", absent)
    lens = sl.load()
    spoken = lens.speak("The capital of France is", subject="France", answer="Paris")
    assert spoken.voice == DEFAULT_VOICE
    assert spoken.subject.name.lower() == "france"
    with pytest.raises(EngineError, match=r"not installed.*Shipped in this voice: .*The capital of France is"):
        lens.speak("The capital of Peru is", subject="Peru", answer="Lima")
    with pytest.raises(EngineError, match="not installed"):
        lens.speak("The capital of France is", subject="France", answer="Paris", voice=CachedVoice(voice(rate=1.2)))
